// Codes that do not fit are counted, whatever the scales.
#include <gtest/gtest.h>

#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

/// Both wires of the Quantize have a fixed scale that most codes do not fit.
TEST(Saturation, IsCountedOnWiresOfAFixedScale) {
  const WireSetting tiny = {.bits = 4, .scale = 0x1p-12f};
  const NamedModel m = {
      "", {1, 6}, {linear({.features = 5}), quantize({tiny, tiny}), linear({.features = 3})}};
  for (const Recipe& recipe : {sym12_recipe(), sym8_recipe()}) {
    const RunOptions o = {.batch = 4, .micro_batch = 4};
    const HeapPlan plan(m.model(), recipe, o.plan_options());
    ASSERT_FALSE(plan.error);
    GuardedArena arena(plan.summary.arena_bytes);
    Engine engine = Engine::bind(plan.view(), arena.bytes(), kernels_ref).value;
    engine.initialize(1);
    engine.set_input_range(1.5f);
    const Toy toy(m.input, 3, 4, 3);
    train_batch(engine, o, toy, 0, 4);
    EXPECT_GT(engine.state(plan.layers[1].y.slot).saturated, 4u);
    EXPECT_GT(engine.state(plan.layers[1].dx.slot).saturated, 4u);
  }
}

}  // namespace
}  // namespace mantissa
