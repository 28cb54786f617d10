// A training run of a small int8 network against an independent implementation in exact integers, bit for bit.
// The numbers come from tools/gold/trajectory.py (seed 11), which also says what the network is.
#include <gtest/gtest.h>

#include <vector>

#include "mantissa/engine/engine.hpp"
#include "mantissa/tensor/pack.hpp"

namespace mantissa {
namespace {

constexpr int32_t kBatch = 2, kBatches = 10;
constexpr Shape kInput = {9, 3};
constexpr auto kModel = make_model(kInput, conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}),
                                   relu(), max_pool1d({.kernel = 2}), flatten(), linear({.features = 3}));

struct State {
  int64_t loss_q24;
  int32_t correct;
  std::vector<int32_t> logits;              // of the first two samples, after the update
  std::vector<std::vector<int32_t>> codes;  // conv weights, conv biases, linear weights, linear biases
  std::vector<std::vector<int32_t>> momentum;
  std::vector<Scale>
      scales;  // of each parameter and its momentum, of the convolution's output, of Linear's error
};

const State kTrajectory[kBatches] = {
#include "tests/golden/trajectory.inc"
};

std::vector<int32_t> parameter_codes(const Engine& engine, const LayerPlan& l, int16_t tensor) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(engine.bytes(tensor).data());
  const int32_t count = engine.plan().tensors[size_t(tensor)].elements;
  std::vector<int32_t> codes;
  for (int32_t i = 0; i < count; ++i)
    codes.push_back(unpack_code(bytes, 16, size_t(i)) - (tensor == l.weight ? 128 : 0));
  return codes;
}

template <class T>
std::vector<int32_t> elements(const Engine& engine, int16_t tensor) {
  const T* first = reinterpret_cast<const T*>(engine.bytes(tensor).data());
  return {first, first + engine.bytes(tensor).size() / sizeof(T)};
}

State state_of(const Engine& engine) {
  State s{};
  const LayerPlan &conv = engine.plan().layers[0], &last = engine.plan().layers[4];
  s.codes = {parameter_codes(engine, conv, conv.weight), parameter_codes(engine, conv, conv.bias),
             parameter_codes(engine, last, last.weight), parameter_codes(engine, last, last.bias)};
  s.momentum = {
      elements<int16_t>(engine, conv.weight_momentum), elements<int16_t>(engine, conv.bias_momentum),
      elements<int16_t>(engine, last.weight_momentum), elements<int16_t>(engine, last.bias_momentum)};
  for (int16_t slot : {conv.weight_slot, conv.weight_momentum_slot, conv.bias_slot, conv.bias_momentum_slot,
                       last.weight_slot, last.weight_momentum_slot, last.bias_slot, last.bias_momentum_slot,
                       conv.y.slot, last.dx.slot})
    s.scales.push_back(engine.state(slot).scale);
  return s;
}

void expect_trajectory(int32_t micro_batch, const Kernels& kernels) {
  Recipe recipe = int8_recipe();
  recipe.margin = 2.0f;
  recipe.decay = 0.9f;
  const auto planned =
      plan(kModel, recipe,
           {.batch = kBatch, .micro_batch = micro_batch, .alignment = 64, .scratch = kernels.gemm->scratch});
  ASSERT_TRUE(planned.ok());
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> memory(planned.value.summary.arena_bytes / 64);
  auto bound = Engine::bind(planned.value.view(), std::as_writable_bytes(std::span(memory)), kernels);
  ASSERT_TRUE(bound.ok());
  Engine& engine = bound.value;
  engine.initialize(11);
  engine.set_input_range(2.5f);

  std::vector<float> x(size_t(kBatch * kBatches * kInput.size()));
  const RandomKey key = random_key(99, 0, 0);
  for (uint32_t i = 0; i < x.size(); ++i) x[i] = float(int32_t(random16(key, i) % 321) - 160) / 64;
  const SgdSettings settings = {.lr = 0.25f, .momentum = 0.875f, .weight_decay = 0.03125f};
  for (int32_t b = 0; b < kBatches; ++b) {
    const float* first = x.data() + b * kBatch * kInput.size();
    const int32_t labels[kBatch] = {kBatch * b * 2 % 3, (kBatch * b + 1) * 2 % 3};
    BatchResult result;
    engine.begin_batch(kBatch, settings, first, labels[0]);
    for (int32_t s = 0; s < kBatch; s += micro_batch) {
      const BatchResult part = engine.accumulate(first + s * kInput.size(), labels + s, micro_batch);
      result.loss_q24 += part.loss_q24;
      result.correct += part.correct;
    }
    engine.end_batch();

    const State actual = state_of(engine);
    const State& expected = kTrajectory[b];
    EXPECT_EQ(result.loss_q24, expected.loss_q24) << "batch " << b;
    EXPECT_EQ(result.correct, expected.correct) << "batch " << b;
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(actual.codes[i], expected.codes[i]) << "batch " << b << " parameter " << i;
      EXPECT_EQ(actual.momentum[i], expected.momentum[i]) << "batch " << b << " parameter " << i;
    }
    for (size_t i = 0; i < actual.scales.size(); ++i)
      EXPECT_EQ(actual.scales[i], expected.scales[i]) << "batch " << b << " scale " << i;
    for (int32_t s = 0; s < kBatch; ++s) {
      engine.evaluate(x.data() + s * kInput.size(), labels, 1, nullptr);
      const int32_t* logits =
          reinterpret_cast<const int32_t*>(engine.bytes(engine.plan().summary.logits_tensor).data());
      for (int32_t c = 0; c < 3; ++c)
        EXPECT_EQ(logits[c], expected.logits[size_t(3 * s + c)]) << "batch " << b << " sample " << s;
    }
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

TEST(Trajectory, EqualsExactIntegers) { expect_trajectory(kBatch, kernels_ref); }
TEST(Trajectory, EqualsExactIntegersSampleBySample) { expect_trajectory(1, kernels_ref); }
TEST(Trajectory, EqualsExactIntegersWithVectors) { expect_trajectory(kBatch, kernels_hwy); }

}  // namespace
}  // namespace mantissa
