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
    ReadyEngine ready(m, recipe, {.batch = 4, .micro_batch = 4});
    ready.train(Toy(m.input, 3, 4, 3), 0, 4);
    EXPECT_GT(ready.engine.state(ready.plan.layers[1].y.slot).saturated, 4u);
    EXPECT_GT(ready.engine.state(ready.plan.layers[1].dx.slot).saturated, 4u);
  }
}

/// Of samples so small that biases are beyond the sums' range.
uint64_t saturated_biases(const Recipe& recipe, const RunOptions& o) {
  const NamedModel m = small_model();
  ReadyEngine ready(m, recipe, o);
  Engine& engine = ready.engine;
  Toy toy(m.input, 3, 4 * o.batch, 3);
  for (int32_t b = 0; b < 4; ++b) ready.train(toy, b * o.batch, o.batch);
  const uint64_t before = engine.saturated();
  for (float& x : toy.x) x *= 0x1p-40f;
  for (int32_t s = 0; s < o.batch; s += o.micro_batch)
    engine.evaluate(toy.x.data() + ptrdiff_t(s) * m.input.size(), toy.labels.data() + s, o.micro_batch,
                    nullptr);
  return engine.saturated() - before;
}

/// However a batch is cut into samples.
TEST(Saturation, BiasesAreCountedOnceForEachSample) {
  for (const NamedRecipe& r : all_recipes()) {
    if (r.recipe.scaling != Scaling::kDynamic || r.recipe.formats.activation.is_float()) continue;
    const uint64_t expected = saturated_biases(r.recipe, {.batch = 6, .micro_batch = 6});
    EXPECT_GT(expected, 6u) << r.name;
    EXPECT_EQ(saturated_biases(r.recipe, {.batch = 6, .micro_batch = 1}), expected) << r.name;
  }
}

}  // namespace
}  // namespace mantissa
