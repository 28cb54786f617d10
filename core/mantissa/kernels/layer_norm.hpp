// LayerNorm of one step: its C channels less their mean, by their standard deviation, and back.
// In integers everything but two roundings is exact: the normalized codes (16 bits) and the wire that leaves.
#pragma once
#include <bit>
#include <cstdint>

#include "mantissa/kernels/gemm.hpp"
#include "mantissa/num/scale.hpp"

namespace mantissa {

/// Normalized codes are +-32767 in units of 2^-k.
inline constexpr int32_t kLargestNormalized = 32767;

/// k: none of n values with mean 0 and variance 1 exceeds sqrt(n), hence 2^(15 - k).
constexpr int32_t normalized_bits(int32_t n) { return 15 - (std::bit_width(uint32_t(n - 1)) + 1) / 2; }

/// epsilon in units of n^2 * variance.
constexpr uint64_t norm_epsilon(float epsilon, int32_t n, Scale x) {
  const Scale count = Scale::normalized(uint32_t(n), 0);
  return epsilon > 0.0f ? whole(Scale::from_float(epsilon) * count * count / (x * x)) : 0;
}

/// One step of a sample, and gamma.
struct NormStep {
  const void* x = nullptr;
  Element x_element = Element::kInt8;  ///< float32: all that follows is too
  int32_t channels = 0;
  const void* gamma = nullptr;
  Element gamma_element = Element::kInt8;
  int32_t gamma_stride = 1;
  uint64_t epsilon = 0;           ///< integers: norm_epsilon()
  float float_epsilon = 0.0f;     ///< float32
  int16_t* normalized = nullptr;  ///< integers: room for h, C codes
};

/// sums[c] = gamma[c] * h[c] (int32 or float32), h[c] = (x[c] - mean) / sqrt(variance + epsilon) in units of 2^-k.
struct NormForward {
  NormStep step;
  void* sums = nullptr;
};

/// With g = dy * gamma, in units of dy.scale * gamma.scale / x.scale * inverse:
///   sums[c] = n g[c] - sum g - round(h[c] * sum(g h) * 2^-2k), int64
/// or, in float32,  sums[c] = inverse * (g[c] - mean g - h[c] * mean(g h)). 0 where x is, if `masked`.
/// |sums| < 2^62, proved by plan().
struct NormBackward {
  NormStep step;
  const void* dy = nullptr;
  Element dy_element = Element::kInt8;
  bool masked = false;
  void* sums = nullptr;
};

/// What the errors of a step are scaled with, and how large they are.
struct NormSeen {
  Scale inverse;  ///< 1 / sqrt(n^2 variance + epsilon)
  uint64_t largest = 0;
};

/// sums[c] += dy[c] * h[c]: int32, int64 or float32.
struct NormGradient {
  NormStep step;
  const void* dy = nullptr;
  Element dy_element = Element::kInt8;
  void* sums = nullptr;
  Element sum_element = Element::kInt32;
};

}  // namespace mantissa
