// Weights with a scale per channel while they train: scales follow, and codes at an end of few are no saturation.
#include <gtest/gtest.h>

#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

struct Trained {
  std::vector<double> before, after;  ///< scales of the first layer's weights
  uint32_t saturated = 0;
};

Trained train(uint8_t bits, SgdSettings settings, bool momentum) {
  Recipe recipe = int8_recipe();
  recipe.formats.parameter = {FormatKind::kSym, bits, kPerChannel};
  const NamedModel m = {"", {1, 6}, {linear({.features = 5}), relu(), linear({.features = 3})}};
  const RunOptions o = {.batch = 4, .micro_batch = 4, .settings = settings, .momentum = momentum};
  ReadyEngine ready(m, recipe, o);
  const Engine& engine = ready.engine;
  const LayerPlan& layer = ready.plan.layers[0];
  const auto scales = [&] {
    std::vector<double> values;
    const Scale* of = reinterpret_cast<const Scale*>(engine.bytes(layer.weight_scales).data());
    for (int i = 0; i < layer.node.outputs; ++i) values.push_back(double(of[i].to_float()));
    return values;
  };
  Trained result;
  result.before = scales();
  const Toy toy(m.input, 3, 4, 3);
  for (int i = 0; i < 200; ++i) ready.train(toy, 0, 4);
  result.after = scales();
  result.saturated = engine.state(layer.weight_slot).saturated;
  return result;
}

/// Decay takes 1/64 of each weight in a batch, which is more than the loss gives back.
TEST(Granules, ScalesShrinkWithTheirWeights) {
  const Trained t = train(8, {.lr = 0x1p-6f, .momentum = 0.0f, .weight_decay = 1.0f}, false);
  for (size_t i = 0; i < t.before.size(); ++i) EXPECT_LT(t.after[i], t.before[i] * 2 / 3) << "channel " << i;
}

TEST(Granules, GrowWithoutSaturation) {
  const Trained t = train(3, {.lr = 0.25f, .momentum = 0.875f}, true);
  EXPECT_NE(t.before, t.after);
  EXPECT_EQ(t.saturated, 0u);
}

}  // namespace
}  // namespace mantissa
