// Errors one sample at a time, then ranks: the area under the curve is a count of pairs in order.
#include "host/train/reconstruction.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

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
    const auto [low, high] = std::ranges::equal_range(usual, e);
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

}  // namespace mantissa::host
