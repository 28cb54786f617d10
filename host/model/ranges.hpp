// The numbers that a training may be given, in a file or on the command line.
// One place, so that both accept the same.
#pragma once
#include <cstdint>

namespace mantissa::host {

/// Both ends included.
struct IntegerRange {
  int32_t low = 0;
  int32_t high = 0;
};
struct NumberRange {
  double low = 0;
  double high = 0;
};

inline constexpr IntegerRange kLabels{0, 65535};
inline constexpr IntegerRange kSamples{1, 1 << 30};
inline constexpr IntegerRange kEpochs{1, 1 << 20};
inline constexpr IntegerRange kBatch{1, 1 << 20};
inline constexpr NumberRange kLearningRate{1e-9, 1000};
inline constexpr NumberRange kMomentum{0, 0.9999};
inline constexpr NumberRange kWeightDecay{0, 1};

}  // namespace mantissa::host
