// GroupNorm and BatchNorm: channels less the mean of their group, by its standard deviation, and back. A LayerNorm makes the statistics
// of a step where it needs them (layer_norm.hpp); those of a group span many steps, so they are made first and kept: sums of a
// group are Moments, and rows of a sample are then normalized one by one.
// In integers everything but the rounding of the normalized codes (16 bits), that of the wire, and 31 bits of an error are exact.
#pragma once
#include "mantissa/kernels/layer_norm.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa {

/// Normalized codes reach 2^5 deviations at least, whatever the number of elements is: those of a photograph lie that far out.
inline constexpr int32_t kLeastNormalizedBits = 10;
/// k of a group of n elements; that of a BatchNorm, whose n is known when it runs only, is the least.
constexpr int32_t group_normalized_bits(int32_t n) {
  const int32_t bits = normalized_bits(n);
  return bits > kLeastNormalizedBits ? bits : kLeastNormalizedBits;
}
/// Means of running statistics, and codes as they meet them, have these bits below a normalized code.
inline constexpr int32_t kMeanBits = 8;
/// Errors have these bits below the codes times gamma's, by the deviation in codes.
inline constexpr int32_t kErrorBits = 24;

/// What is known of a group, in integers.
struct Moments {
  Scale
      inverse;  ///< 1 / sqrt(n^2 variance + epsilon) of codes; of running statistics 1 / sqrt(variance + epsilon)
  int32_t sum = 0;  ///< of codes; of running statistics the mean, in deviations, units of 2^-(k + kMeanBits)
  int32_t reserved = 0;
  int64_t products = 0;  ///< of codes with themselves; on the way back those of g with normalized codes
  int64_t errors = 0;    ///< sum of g = dy * gamma
};
/// The same in float32. Sums are added in the order sample, row, channel.
struct FloatMoments {
  float mean = 0.0f, inverse = 1.0f, products = 0.0f, errors = 0.0f;
};

/// Codes, which are brought to another unit first where those of samples differ.
struct NormCodes {
  const void* data = nullptr;
  Element element = Element::kInt8;  ///< float32: all that follows is too
  Multiplier by = {0, 1};            ///< mantissa 0: codes as they are
  int32_t largest = 0;               ///< magnitude of codes in the other unit
};

/// Rows of a sample, or some channels of them.
struct GroupRows {
  NormCodes x;
  int32_t rows = 0, channels = 0, stride = 0;  ///< elements between rows
  int32_t groups = 1;                          ///< each of channels / groups neighbours
  const void* gamma = nullptr;
  Element gamma_element = Element::kInt8;
  int32_t gamma_stride = 1;
  void* moments = nullptr;     ///< Moments or FloatMoments of each group
  int32_t elements = 1;        ///< n, in a group; 1 if statistics are constants
  int32_t bits = 0;            ///< k
  bool runs = false;           ///< moments are of running statistics
  Scale x_scale = {};          ///< of x, if they are
  uint64_t epsilon = 0;        ///< norm_epsilon()
  float float_epsilon = 0.0f;  ///< float32
};

/// In this order; integers need the first and the last only.
enum class MomentPhase : uint8_t {
  kSums,     ///< adds to sums (and squares); of each sample
  kMean,     ///< once
  kSquares,  ///< adds to squares of deviations; of each sample
  kInverse,  ///< once
};
struct GroupMoments {
  GroupRows rows;
  MomentPhase phase = MomentPhase::kSums;
};

/// sums[r, c] = gamma[c] * h[r, c] (int32 or float32), in units of 2^-k: h = clamp(round((n x - sum) * inverse * 2^k)).
/// Of running statistics, h = clamp((clamp(round(x * x_scale * inverse * 2^(k + 8))) - mean + 2^7) >> 8).
struct GroupForward {
  GroupRows rows;
  void* sums = nullptr;  ///< rows as those of x
};

struct GroupErrors {
  GroupRows rows;
  NormCodes dy;
};

/// errors += g, products += g * h.
/// sums[r, c] = (n g - errors - round(h * products * 2^-2k)) * inverse * 2^24, int64 (31 bits of it), g = dy * gamma; float32 without 2^24 and by
/// n. 0 where x is, if `masked`. The largest magnitude is returned.
struct GroupBackward {
  GroupErrors errors;
  bool masked = false;
  void* sums = nullptr;
};

/// sums[c] += dy[r, c] * h[r, c]: int32, int64 or float32.
struct GroupGradient {
  GroupErrors errors;
  void* sums = nullptr;
  Element sum_element = Element::kInt32;
};

/// Running statistics of channels, float32 in memory: means, then variances (of n - 1).  Source: PyTorch's BatchNorm.
struct RunningStatistics {
  GroupRows rows;  ///< one channel each; n elements in units of x_scale
  float* mean = nullptr;
  float* variance = nullptr;
  float momentum = 0.0f;  ///< share of what is new
};

}  // namespace mantissa
