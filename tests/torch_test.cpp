// Float32 networks against PyTorch in float64: losses and gradients of every layer that has a float32 form.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/torch_models.hpp"
#include "tests/training_run.hpp"

namespace mantissa::test {
namespace {

#include "tests/golden/layers_torch.inc"

constexpr int32_t kTorchSamples = 3;

/// One step with learning rate 0: then momentum is the mean gradient.
void expect_torch(const TorchNetwork& golden, const NamedModel& named, int32_t micro_batch) {
  Model model = named.model();
  if (golden.targets != nullptr && model.loss == Loss::kCrossEntropy) model.loss = Loss::kMse;
  const HeapPlan plan(model, float32_recipe(), {.batch = kTorchSamples, .micro_batch = micro_batch});
  ASSERT_FALSE(plan.error);
  GuardedArena arena(plan.summary.arena_bytes);
  Result<Engine> bound = Engine::bind(plan.view(), arena.bytes(), kernels_ref);
  ASSERT_TRUE(bound.ok());
  Engine& engine = bound.value;
  engine.initialize(1);
  const uint32_t* next = golden.parameters;
  int32_t terms = 0;  // the longest chain of roundings that lead to a gradient
  const auto each_tensor = [&](auto body) {
    for (const LayerPlan& l : plan.layers) {
      if (l.weight >= 0) body(l.weight, l.weight_momentum, l.weights);
      if (l.bias >= 0) body(l.bias, l.bias_momentum, l.node.outputs);
    }
  };
  for (const LayerPlan& l : plan.layers) {
    terms += 8 * l.in.channels * l.node.window() + 2 * l.out.steps + 4;
    if (l.follows_batch) terms += 4 * kTorchSamples * l.in.steps;
  }
  each_tensor([&](int16_t tensor, int16_t, int32_t count) {
    std::memcpy(engine.bytes(tensor).data(), next, size_t(count) * sizeof(float));
    next += count;
  });
  const float* x = reinterpret_cast<const float*>(golden.x);
  const float* values = reinterpret_cast<const float*>(golden.targets);
  const auto targets = [&](int32_t s) {
    return values != nullptr ? Targets(values + s * plan.summary.classes) : Targets(golden.labels + s);
  };
  BatchResult sums;
  engine.begin_batch(kTorchSamples, {.lr = 0.0f, .momentum = 0.9f}, x, targets(0));
  for (int32_t s = 0; s < kTorchSamples; s += micro_batch) {
    const BatchResult part = engine.accumulate(x + s * model.input.size(), targets(s), micro_batch);
    sums.loss_q24 += part.loss_q24;
    sums.weight += part.weight;
  }
  engine.end_batch();

  const double* expected = golden.gradients;
  double largest = 0;
  each_tensor([&](int16_t, int16_t, int32_t count) {
    for (int32_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(*expected++));
  });
  const double tolerance = 0x1p-24 * terms * largest;
  expected = golden.gradients;
  each_tensor([&](int16_t, int16_t momentum, int32_t count) {
    const float* found = reinterpret_cast<const float*>(engine.bytes(momentum).data());
    for (int32_t i = 0; i < count; ++i, ++expected)
      EXPECT_NEAR(double(found[i]), *expected, tolerance)
          << named.name << ", " << expected - golden.gradients;
  });
  EXPECT_NEAR(double(sums.loss_q24) / 512.0 / double(sums.weight), golden.loss,
              0x1p-24 * (terms + 1) * (1 + golden.loss))
      << named.name;
  const double* running = golden.running;
  for (const LayerPlan& l : plan.layers)
    for (int32_t i = 0; l.running >= 0 && i < 2 * l.in.channels; ++i, ++running)
      EXPECT_NEAR(double(reinterpret_cast<const float*>(engine.bytes(l.running).data())[i]), *running,
                  0x1p-24 * terms * (1 + std::fabs(*running)))
          << named.name << ", running " << running - golden.running;
}

TEST(Torch, LossesAndGradientsAgree) {
  const std::vector<NamedModel> models = torch_models();
  ASSERT_EQ(models.size(), std::size(kTorchNetworks));
  for (size_t i = 0; i < models.size(); ++i)
    for (int32_t micro_batch : {1, kTorchSamples})
      if (micro_batch == kTorchSamples || kTorchNetworks[i].running == nullptr)
        expect_torch(kTorchNetworks[i], models[i], micro_batch);
}

}  // namespace
}  // namespace mantissa::test
