// Forward and backward of every layer against the definition in double: values within a derived bound, gradients against
// central differences. The models are all of the odd ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/models.hpp"
#include "tests/real_network.hpp"
#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

/// An engine and what it trains on.
struct Trainer : ReadyEngine {
  Trainer(const NamedModel& m, const Recipe& recipe, int32_t samples, const SgdSettings& settings)
      : ReadyEngine(m, recipe, {.batch = samples, .micro_batch = samples, .settings = settings}, 2),
        toy(m.input, plan.summary.classes, 4 * samples, 7) {}
  void train(int32_t batch) { ReadyEngine::train(toy, batch * options.batch, options.batch); }

  Toy toy;
};

/// Values of a tensor of momentum: after one batch from rest it is the gradient.
std::vector<double> momentum_values(const Engine& engine, int16_t tensor, int16_t slot) {
  std::vector<double> values;
  const Tensor& t = engine.plan().tensors[size_t(tensor)];
  const std::byte* bytes = engine.bytes(tensor).data();
  for (int32_t i = 0; i < t.elements; ++i)
    values.push_back(t.format.is_float()
                         ? double(reinterpret_cast<const float*>(bytes)[i])
                         : reinterpret_cast<const int16_t*>(bytes)[i] * value_of(engine.state(slot).scale));
  return values;
}

struct Gradients {
  std::vector<double> engine, differences;
  int32_t terms = 0;  ///< the longest chain of sums that lead to one gradient
};

Gradients gradients(const NamedModel& m, const Recipe& recipe) {
  constexpr int32_t kSamples = 4;
  Trainer t(m, recipe, kSamples, {.lr = 0.0f, .momentum = 0.5f, .weight_decay = 0.0f});
  t.train(0);  // with lr 0 the parameters stay, so differences can be taken afterwards
  const float* x = t.toy.x.data();
  const int32_t* labels = t.toy.labels.data();
  t.engine.evaluate(x, labels, kSamples, nullptr);  // makes the scales of operands
  RealNetwork net = real_network(t.engine);
  Gradients g;
  for (RealLayer& l : net.layers) {
    // e^-x is off by up to 2^-22.
    g.terms += 2 * l.plan.fan_in + l.plan.out.steps + (l.plan.node.is_bounded() ? 8 : 2);
    if (l.plan.node.has_groups_of_norms()) g.terms += 4 * l.plan.in.size() * kSamples;
    if (l.plan.node.op == Op::kSoftmax) g.terms += 4 * l.plan.in.channels;
    if (!l.plan.trains) continue;
    const auto append = [&](std::vector<double>& parameters, int16_t tensor, int16_t slot) {
      if (parameters.empty()) return;
      for (double v : momentum_values(t.engine, tensor, slot)) g.engine.push_back(v);
      for (double& p : parameters) g.differences.push_back(net.slope(p, x, labels, kSamples));
    };
    append(l.weights, l.plan.weight_momentum, l.plan.weight_momentum_slot);
    append(l.biases, l.plan.bias_momentum, l.plan.bias_momentum_slot);
  }
  return g;
}

double largest(const std::vector<double>& values) {
  double x = 0;
  for (double v : values) x = std::max(x, std::fabs(v));
  return x;
}

/// With those whose statistics are of the batch, which is in memory here.
std::vector<NamedModel> all_models() {
  std::vector<NamedModel> models = odd_models();
  for (NamedModel& m : batch_norm_models()) models.push_back(std::move(m));
  return models;
}

TEST(Gradient, Float32EqualsFiniteDifferences) {
  for (const NamedModel& m : all_models()) {
    const Gradients g = gradients(m, float32_recipe());
    // One rounding of 2^-24 for each sum on the way, 1e-8 for the differences themselves.
    const double tolerance = 0x1p-24 * g.terms * largest(g.differences) + 1e-8;
    ASSERT_EQ(g.engine.size(), g.differences.size());
    for (size_t i = 0; i < g.engine.size(); ++i)
      ASSERT_NEAR(g.engine[i], g.differences[i], tolerance) << m.name << ", parameter " << i;
  }
}

double norm(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum);
}

/// Distance of the whole gradient, relative to its length.
double relative_error(const Gradients& g) {
  std::vector<double> difference;
  for (size_t i = 0; i < g.engine.size(); ++i) difference.push_back(g.engine[i] - g.differences[i]);
  return norm(difference) / norm(g.differences);
}

/// 14 bits round little, but a value that a ReLU sees as 0 drops one of some hundred terms, as does one that saturates
/// because one sample has calibrated for four. A wrong term for every step would be far beyond. 8 bits are coarse.
TEST(Gradient, IntegersEqualFiniteDifferences) {
  for (const NamedModel& m : all_models()) {
    Recipe wide = int8_recipe();
    wide.formats.activation = wide.formats.error = wide.formats.weight = sym_format(14);
    wide.margin = 8.0f;
    Gradients g = gradients(m, wide);
    if (g.engine.empty()) continue;
    EXPECT_LT(relative_error(g), 0.1) << m.name;
    Recipe dynamic = sym12_recipe();
    dynamic.formats.activation = dynamic.formats.error = dynamic.formats.weight = sym_format(14);
    g = gradients(m, dynamic);
    EXPECT_LT(relative_error(g), 0.005) << m.name;
    g = gradients(m, int8_recipe());
    EXPECT_LT(relative_error(g), 0.3) << m.name;
  }
}

constexpr double kNoBound = 1e30;

/// The largest step of the codes of a wire, in the granule where it is largest.
double kept_step(const Engine& engine, const Wire& wire, int32_t sample) {
  const double operand = wire_step(engine, wire, sample);
  if (wire.kept_scales < 0) return wire.format == asym_format(16) ? operand / 2 : operand;
  const PlanView& plan = engine.plan();
  // Scales of a wire that no way back needs are gone after its step.
  const auto is_loss = [](const Step& s) { return s.kind == StepKind::kLoss; };
  const auto loss = std::ranges::find_if(plan.steps, is_loss) - plan.steps.begin();
  if (plan.tensors[size_t(wire.kept_scales)].last_step < loss) return kNoBound;
  const size_t elements = size_t(plan.tensors[size_t(wire.kept)].elements);
  const size_t each = size_t(plan.tensors[size_t(wire.kept_scales)].elements);
  const std::byte* scales = engine.bytes(wire.kept_scales).data() + size_t(sample) * each;
  double step = 0;
  for (size_t g = 0; g < granules(wire.format, elements); ++g) {
    Scale scale;
    if (wire.format.kind == FormatKind::kBfp)
      scale = power_of_two(int32_t(scales[g]) - bfp_bias(wire.format.bits));
    else
      std::memcpy(&scale, scales + g * sizeof scale, sizeof scale);
    step = std::max(step, value_of(scale));
  }
  return step;
}

/// What the operand of a kept wire rounds once more.
double read_error(const Engine& engine, const Wire& wire, int32_t sample) {
  const bool is_exact = wire.kept < 0 || (wire.kept_scales < 0 && wire.format != asym_format(16));
  return is_exact ? 0.0 : wire_step(engine, wire, sample) * (0.5 + 0x1p-15);
}

/// Sets what roundings add: at each wire, at each bias, at the logits. False if a bias does not fit in its accumulator.
bool set_errors(RealNetwork& net, const Engine& engine, const Recipe& recipe, int32_t sample) {
  const double rounding = recipe.formats.activation_rounding == Rounding::kStochastic ? 1.0 : 0.5;
  for (RealLayer& l : net.layers) {
    const Tensor& y = engine.plan().tensors[size_t(l.plan.y.tensor)];
    const double unit = sum_unit(engine, l.plan, sample);
    if (l.plan.node.has_parameters()) {
      l.error.bias = unit / 2 + largest(l.biases) * 0x1p-22;  // float32 biases are scaled in float32
      if (largest(l.biases) > unit * (l.plan.bias_limit / 2)) return false;
    }
    if (l.plan.node.op == Op::kRelu6) l.error.bias = unit / 2;
    if (l.plan.node.takes_two()) l.error.bias = unit;  // half for each input
    if (l.plan.node.is_average() && !l.plan.windows.are_equal()) l.error.bias = unit * 1.5;
    if (y.role == Role::kLogits)
      l.error.value = l.plan.logits_shift > 0 ? unit * std::ldexp(0.5, l.plan.logits_shift) : 0;
    else if (!l.plan.node.is_max_pool())
      // The multiplier has 31 bits: at most 2^-15 of a step for 16-bit codes.
      l.error.value =
          kept_step(engine, l.plan.y, sample) * (rounding + 0x1p-15) + read_error(engine, l.plan.y, sample);
  }
  return true;
}

TEST(Forward, IntegersAreWithinTheBoundOfTheirRoundings) {
  constexpr int32_t kSamples = 4;
  int32_t compared = 0, tight = 0;
  for (const NamedModel& m : odd_models())
    for (const NamedRecipe& r : all_recipes()) {
      if (r.recipe.formats.activation.is_float()) continue;
      if (m.loss == Loss::kHuber) continue;  // bounded errors take the place of the outputs
      Trainer t(m, r.recipe, kSamples, {.lr = 0.05f, .momentum = 0.5f, .weight_decay = 0.0f});
      for (int32_t b = 0; b < 3; ++b) t.train(b);
      const uint64_t saturated = t.engine.saturated();
      t.engine.evaluate(t.toy.x.data(), t.toy.labels.data(), kSamples, nullptr);
      if (t.engine.saturated() != saturated) continue;  // then there is no bound
      RealNetwork net = real_network(t.engine);
      const LayerPlan* last = &t.plan.layers.back();
      while (last->node.op == Op::kFlatten) --last;
      for (int32_t s = 0; s < kSamples; ++s) {
        if (!set_errors(net, t.engine, r.recipe, s)) continue;
        const size_t size = size_t(m.input.size());
        const float* x = t.toy.x.data() + size_t(s) * size;
        const double input_error = wire_step(t.engine, t.plan.summary.input_wire, s) * (0.5 + 0x1p-7);
        const Signal logits = net.forward({{x, x + size}, std::vector<double>(size, input_error)});
        const double unit = sum_unit(t.engine, *last, s) * std::ldexp(1.0, last->logits_shift);
        const int32_t* codes =
            reinterpret_cast<const int32_t*>(t.engine.bytes(t.plan.summary.logits_tensor).data());
        for (size_t c = 0; c < logits.value.size(); ++c) {
          // Behind MSE lies the error against the onehot label, which is rounded into the outputs' unit.
          const bool is_mse = m.loss == Loss::kMse;
          const double target = is_mse && c == size_t(t.toy.labels[size_t(s)]) ? 1.0 : 0.0;
          const double actual = codes[size_t(s) * logits.value.size() + c] * unit + target;
          ASSERT_NEAR(actual, logits.value[c], logits.error[c] + (is_mse ? unit / 2 : 0.0) + 1e-9)
              << m.name << ", " << r.name << ", sample " << s;
          ++compared;
          tight += logits.error[c] < 0.05;
        }
      }
    }
  EXPECT_GT(compared, 3000);
  EXPECT_GT(tight, 1000);
}

}  // namespace
}  // namespace mantissa
