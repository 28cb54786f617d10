// Errors one sample at a time, then ranks: the area under the curve is a count of pairs in order.
#include "host/train/reconstruction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

/// Mean squared error of each sample.
std::vector<double> errors_of(Engine& engine, const Split& split) {
  std::vector<float> x(static_cast<size_t>(engine.plan().summary.input.size()));
  std::vector<double> errors(split.size());
  for (size_t i = 0; i < split.size(); ++i) {
    split.read(i, x.data());
    errors[i] =
        static_cast<double>(engine.evaluate(x.data(), Targets(x.data()), 1, nullptr).loss_q24) / (1 << 24);
  }
  return errors;
}

/// One unit of the outputs of a layer that multiplies by weights, for the sample that was evaluated last, alone.
Scale unit_of(const Engine& engine, const LayerPlan& l) {
  const Scale x = l.x.slot < 0 ? l.x.factor : engine.state(l.x.slot).scale * l.x.factor;
  const bool is_wider = l.layout == ParameterLayout::kPacked || l.layout == ParameterLayout::kOffset16;
  const int dropped = is_wider ? l.formats.parameter.bits - l.formats.weight.bits : 0;
  return (x * engine.state(l.weight_slot).scale.shifted(dropped)).shifted(l.logits_shift);
}

const LayerPlan& last_layer(const PlanView& plan) {
  for (const LayerPlan& l : plan.layers)
    if (l.y.tensor == plan.summary.logits_tensor && l.node.is_product()) return l;
  throw Error("outputs are shown of models whose last layer is linear, conv1d or conv_transpose1d");
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(std::max<size_t>(values.size(), 1));
}

double deviation(std::span<const double> values, double center) {
  double sum = 0;
  for (const double v : values) sum += (v - center) * (v - center);
  return std::sqrt(sum / static_cast<double>(std::max<size_t>(values.size(), 1)));
}

}  // namespace

std::optional<Detection> detect(std::span<const double> training, std::span<const double> errors,
                                std::span<const int32_t> labels, int usual_class) {
  std::vector<double> usual, other;
  for (size_t i = 0; i < errors.size(); ++i) (labels[i] == usual_class ? usual : other).push_back(errors[i]);
  if (usual.empty() || other.empty()) return {};
  std::ranges::sort(usual);
  double pairs = 0;
  for (const double e : other) {
    const auto [low, high] = std::equal_range(usual.begin(), usual.end(), e);
    pairs += static_cast<double>(low - usual.begin()) + static_cast<double>(high - low) / 2;
  }
  Detection d;
  d.auc = pairs / (static_cast<double>(usual.size()) * static_cast<double>(other.size()));
  const double center = mean(training);
  d.threshold = center + 2 * deviation(training, center);
  const auto above = [&](double e) { return e > d.threshold; };
  const auto found = static_cast<double>(std::ranges::count_if(other, above));
  const auto wrong = static_cast<double>(std::ranges::count_if(usual, above));
  d.f1 = 2 * found / (found + wrong + static_cast<double>(other.size()));
  return d;
}

Reconstruction evaluate_reconstruction(Engine& engine, const Dataset& data, int usual_class) {
  const std::vector<double> training = errors_of(engine, data.train), test = errors_of(engine, data.test);
  Reconstruction r{usual_class, mean(training), mean(test), {}};
  if (!data.has_labels) return r;
  std::vector<int32_t> labels(data.test.size());
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = data.test.label(i);
  r.detection = detect(training, test, labels, usual_class);
  return r;
}

std::vector<float> outputs_of(Engine& engine, std::span<const float> sample) {
  const PlanSummary& plan = engine.plan().summary;
  const LayerPlan& last = last_layer(engine.plan());
  const std::vector<float> zeros(static_cast<size_t>(plan.classes));
  engine.evaluate(sample.data(), Targets(zeros.data()), 1, nullptr);  // leaves outputs less their targets
  const std::byte* const found = engine.bytes(plan.logits_tensor).data();
  std::vector<float> outputs(zeros.size());
  if (plan.is_float) {
    std::memcpy(outputs.data(), found, outputs.size() * sizeof(float));
    return outputs;
  }
  std::vector<int32_t> codes(zeros.size());
  std::memcpy(codes.data(), found, codes.size() * sizeof(int32_t));
  const double unit = std::ldexp(unit_of(engine, last).mantissa, unit_of(engine, last).exponent);
  std::ranges::transform(codes, outputs.begin(),
                         [=](int32_t code) { return static_cast<float>(code * unit); });
  return outputs;
}

std::string reconstructions_csv(Engine& engine, const Split& split) {
  const PlanSummary& plan = engine.plan().summary;
  const std::vector<double> errors = errors_of(engine, split);
  std::vector<float> x(static_cast<size_t>(plan.input.size()));
  std::string out = "label,error";
  for (size_t i = 0; i < x.size(); ++i) out += fmt::format(",x{}", i);
  for (int32_t i = 0; i < plan.classes; ++i) out += fmt::format(",y{}", i);
  for (size_t i = 0; i < split.size(); ++i) {
    split.read(i, x.data());
    out += fmt::format("\n{},{:.6g}", split.label(i), errors[i]);
    for (const float value : x) out += fmt::format(",{:.6g}", value);
    for (const float value : outputs_of(engine, x)) out += fmt::format(",{:.6g}", value);
  }
  return out + "\n";
}

}  // namespace mantissa::host
