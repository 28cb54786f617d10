// How good a classifier is: counts of labels against predictions, and what follows from them.
// Counts are integers in the caller's memory; the ratios are made once, at the end.
#pragma once
#include <cstdint>
#include <span>

namespace mantissa {

/// What became of one class.
struct ClassCount {
  int32_t labelled = 0;   ///< samples of the class
  int32_t predicted = 0;  ///< samples that were taken for it
  int32_t correct = 0;    ///< both

  constexpr bool occurs() const { return labelled > 0 || predicted > 0; }
  /// The share of its samples that were found; 0 without samples.
  constexpr float recall() const { return labelled > 0 ? float(correct) / float(labelled) : 0.0f; }
  /// The share of its predictions that are right; 0 without predictions.
  constexpr float precision() const { return predicted > 0 ? float(correct) / float(predicted) : 0.0f; }
  /// 2 correct / (labelled + predicted), the harmonic mean of recall and precision; 0 where the class does
  /// not occur.
  constexpr float f1() const {
    return occurs() ? 2.0f * float(correct) / (float(labelled) + float(predicted)) : 0.0f;
  }
};

/// Adds one sample. Requires label and prediction in [0, counts.size()).
constexpr void count_prediction(std::span<ClassCount> counts, int32_t label, int32_t prediction) {
  ++counts[size_t(label)].labelled;
  ++counts[size_t(prediction)].predicted;
  if (label == prediction) ++counts[size_t(label)].correct;
}

/// Mean F1 of the classes that occur as label or prediction, in the order of the classes; 0 if none does.
/// Source: sklearn.metrics.f1_score with average="macro".
constexpr float macro_f1(std::span<const ClassCount> counts) {
  float sum = 0.0f;
  int32_t classes = 0;
  for (const ClassCount& c : counts) {
    if (!c.occurs()) continue;
    sum += c.f1();
    ++classes;
  }
  return classes > 0 ? sum / float(classes) : 0.0f;
}

/// counts[label * classes + prediction], in the caller's memory of classes * classes.
struct ConfusionMatrix {
  std::span<int32_t> counts;
  int32_t classes = 0;

  constexpr int32_t& at(int32_t label, int32_t prediction) const {
    return counts[size_t(label) * size_t(classes) + size_t(prediction)];
  }
};

}  // namespace mantissa
