// Feeds a set to the engine in micro-batches and counts what comes out.
#include "host/train/evaluate.hpp"

#include <algorithm>
#include <chrono>

namespace mantissa::host {

Evaluation evaluate(Engine& engine, const Split& split) {
  const auto start = std::chrono::steady_clock::now();
  const PlanSummary& plan = engine.plan().summary;
  const auto size = static_cast<size_t>(plan.input.size());
  const auto micro = static_cast<size_t>(plan.micro_batch);
  const auto classes = static_cast<size_t>(plan.classes);
  std::vector<float> x(micro * size);
  std::vector<int32_t> labels(split.size());
  Evaluation result;
  result.samples = static_cast<int64_t>(split.size());
  result.predictions.resize(split.size());
  result.classes.resize(classes);
  if (classes <= kMaxConfusionClasses) result.confusion_counts.resize(classes * classes);

  int64_t loss_q24 = 0, correct = 0, weight = 0;
  for (size_t first = 0; first < split.size(); first += micro) {
    const size_t count = std::min(micro, split.size() - first);
    for (size_t i = 0; i < count; ++i) {
      split.read(first + i, x.data() + i * size);
      labels[first + i] = split.label(first + i);
    }
    const BatchResult sums =
        engine.evaluate(x.data(), &labels[first], static_cast<int32_t>(count), &result.predictions[first]);
    loss_q24 += sums.loss_q24;
    correct += sums.correct;
    weight += sums.weight;
  }
  const ConfusionMatrix confusion{result.confusion_counts, plan.classes};
  for (size_t i = 0; i < split.size(); ++i) {
    count_prediction(result.classes, labels[i], result.predictions[i]);
    if (!result.confusion_counts.empty()) ++confusion.at(labels[i], result.predictions[i]);
  }
  const auto samples = static_cast<double>(split.size());
  result.loss = static_cast<double>(loss_q24) / (1 << 9) / static_cast<double>(std::max<int64_t>(weight, 1));
  result.accuracy = static_cast<double>(correct) / samples;
  result.macro_f1 = static_cast<double>(macro_f1(result.classes));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace mantissa::host
