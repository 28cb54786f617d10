// Float32 networks against PyTorch in float64: losses and gradients of every layer that has a float32 form.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/training_run.hpp"

namespace mantissa::test {
namespace {

#include "tests/golden/layers_torch.inc"

constexpr int32_t kSamples = 3;

constexpr float kWeights[] = {0.5f, 2.0f, 1.0f, 0.25f};

NamedModel with_loss(const char* name, Loss loss, const LossSettings& settings = {}) {
  return {name, {1, 7}, {linear({.features = 6}), tanh(), linear({.features = 4})}, loss, settings};
}

std::vector<NamedModel> torch_models() {
  return {{"strided",
           {10, 4},
           {conv1d({.channels = 6,
                    .kernel = 3,
                    .stride = 2,
                    .groups = 2,
                    .padding = Padding::kExplicit,
                    .pad_left = 1,
                    .pad_right = 1}),
            relu(), max_pool1d({.kernel = 2}), flatten(), linear({.features = 3})}},
          {"normalized",
           {12, 3},
           {conv1d({.channels = 4, .kernel = 3, .dilation = 2, .padding = Padding::kSame}),
            avg_pool1d({.kernel = 3, .stride = 2}), layer_norm(), relu(), global_avg_pool1d(),
            linear({.features = 5})}},
          {"dense", {1, 7}, {linear({.features = 6}), layer_norm(), relu(), linear({.features = 4})}},
          {"transposed",
           {5, 3},
           {conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), relu(),
            conv_transpose1d({.channels = 5, .kernel = 4, .stride = 3, .padding = 2, .output_padding = 1}),
            relu(), conv_transpose1d({.channels = 4, .kernel = 2, .padding = 1})}},
          {"activated",
           {8, 3},
           {conv1d({.channels = 4, .kernel = 3}), tanh(), conv1d({.channels = 5, .kernel = 2}), relu6(),
            conv1d({.channels = 4, .kernel = 3}), leaky_relu(), flatten(), linear({.features = 6}), sigmoid(),
            linear({.features = 5}), leaky_relu({.slope = 0.25f}), linear({.features = 3})}},
          with_loss("weighted", Loss::kCrossEntropy, {.class_weights = kWeights}),
          with_loss("smoothed", Loss::kCrossEntropy, {.smoothing = 0.2f, .class_weights = kWeights}),
          with_loss("absolute", Loss::kL1),
          with_loss("huber", Loss::kHuber, {.delta = 0.5f}),
          with_loss("binary", Loss::kBce),
          with_loss("summed", Loss::kMse, {.reduction = LossReduction::kSum}),
          {"grouped",
           {9, 4},
           {conv1d({.channels = 6, .kernel = 3}), group_norm({.groups = 3}), relu(),
            conv1d({.channels = 4, .kernel = 2, .bias = Bias::kNone}), group_norm({.groups = 4}), relu(),
            global_avg_pool1d(), linear({.features = 3})}},
          {"batched",
           {9, 4},
           {conv1d({.channels = 6, .kernel = 3}), batch_norm(), relu(),
            conv1d({.channels = 4, .kernel = 2, .bias = Bias::kNone}),
            batch_norm({.epsilon = 0.01f, .momentum = 0.3f}), relu(), global_avg_pool1d(),
            linear({.features = 5}), batch_norm(), linear({.features = 3})}},
          {"image",
           image_shape(9, 8, 4),
           {conv2d({.channels = 6,
                    .kernel = {3, 2},
                    .stride = {1, 2},
                    .dilation = {2, 1},
                    .groups = 2,
                    .padding = Padding::kExplicit,
                    .pad = {2, 2, 1, 1}}),
            relu(), max_pool2d({.kernel = {2, 3}, .stride = {2, 1}, .padding = {1, 1}}),
            conv2d({.channels = 6, .kernel = {3, 3}, .groups = 6, .padding = Padding::kSame}), relu(),
            avg_pool2d({.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}}), conv2d({.channels = 4}),
            flatten(), linear({.features = 3})}},
          {"padded",
           {17, 3},
           {conv1d({.channels = 5, .kernel = 3, .padding = Padding::kSame}),
            max_pool1d({.kernel = 3, .stride = 2, .padding = 1}),
            avg_pool1d({.kernel = 3, .stride = 2, .padding = 1}),
            avg_pool1d({.kernel = 4, .stride = 1, .padding = 2, .divisor = Divisor::kInside}), flatten(),
            linear({.features = 3})}},
          {"framed",
           image_shape(6, 7, 2),
           {conv2d({.channels = 4, .kernel = {2, 2}}), relu(),
            avg_pool2d({.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}, .divisor = Divisor::kInside}),
            conv2d({.channels = 4}),
            avg_pool2d({.kernel = {2, 3}, .padding = {1, 0}, .divisor = Divisor::kInside}), flatten(),
            linear({.features = 3})}},
          {"adaptive",
           {17, 3},
           {conv1d({.channels = 5, .kernel = 3, .padding = Padding::kSame}), relu(),
            adaptive_avg_pool1d({.steps = 7}), conv1d({.channels = 4, .kernel = 3}), relu(),
            adaptive_avg_pool1d({.steps = 8}), adaptive_avg_pool1d({.steps = 4}), flatten(),
            linear({.features = 3})}},
          {"tiles",
           image_shape(7, 6, 2),
           {conv2d({.channels = 4, .kernel = {3, 3}, .padding = Padding::kSame}), relu(),
            adaptive_avg_pool2d({.size = {5, 4}}), conv2d({.channels = 5}),
            adaptive_avg_pool2d({.size = {7, 2}}), flatten(), linear({.features = 3})}},
          {"shares",
           {9, 3},
           {conv1d({.channels = 5, .kernel = 3}), softmax(), conv1d({.channels = 4, .kernel = 3}), relu(),
            flatten(), linear({.features = 4}), softmax()},
           Loss::kMse},
          {"spread",
           {5, 3},
           {conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), relu(),
            conv_transpose1d(
                {.channels = 6, .kernel = 4, .stride = 3, .padding = 2, .output_padding = 1, .groups = 2}),
            relu(), conv_transpose1d({.channels = 6, .kernel = 3, .padding = 1, .groups = 6}), relu(),
            conv_transpose1d({.channels = 4, .kernel = 2, .padding = 1, .groups = 2})}}};
}

/// One step with learning rate 0: then momentum is the mean gradient.
void expect_torch(const TorchNetwork& golden, const NamedModel& named, int32_t micro_batch) {
  Model model = named.model();
  if (golden.targets != nullptr && model.loss == Loss::kCrossEntropy) model.loss = Loss::kMse;
  const HeapPlan plan(model, float32_recipe(), {.batch = kSamples, .micro_batch = micro_batch});
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
    if (l.follows_batch) terms += 4 * kSamples * l.in.steps;
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
  engine.begin_batch(kSamples, {.lr = 0.0f, .momentum = 0.9f}, x, targets(0));
  for (int32_t s = 0; s < kSamples; s += micro_batch) {
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
    for (int32_t micro_batch : {1, kSamples})
      if (micro_batch == kSamples || kTorchNetworks[i].running == nullptr)
        expect_torch(kTorchNetworks[i], models[i], micro_batch);
}

}  // namespace
}  // namespace mantissa::test
