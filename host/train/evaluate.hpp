// How good a model is on a set of samples.
#pragma once
#include <cstdint>
#include <vector>

#include "host/data/split.hpp"
#include "mantissa/engine/engine.hpp"
#include "mantissa/train/metrics.hpp"

namespace mantissa::host {

struct Evaluation {
  double loss = 0;      ///< mean, nats
  double accuracy = 0;  ///< share of correct predictions
  double macro_f1 = 0;
  int64_t samples = 0;
  double seconds = 0;
  std::vector<int32_t> predictions;       ///< one per sample
  std::vector<ClassCount> classes;        ///< one per class
  std::vector<int32_t> confusion_counts;  ///< [label, prediction]; empty beyond kMaxConfusionClasses

  /// Requires confusion_counts.
  int32_t confusions(size_t label, size_t prediction) const {
    return confusion_counts[label * classes.size() + prediction];
  }
};

/// The matrix grows with the square of the classes.
inline constexpr size_t kMaxConfusionClasses = 256;

/// Runs the model forward over all samples; changes only the engine's counters of saturated codes. Requires
/// labels below the plan's classes.
Evaluation evaluate(Engine& engine, const Split& split);

}  // namespace mantissa::host
