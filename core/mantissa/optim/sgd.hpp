// Stochastic gradient descent with momentum and weight decay, in the convention of PyTorch:
//   g = mean gradient + weight_decay * p;   v = momentum * v + g;   p = p - lr * v.
// Source: torch.optim.SGD with dampening 0. Here are the per-tensor factors; kernels/update.hpp has the elements.
#pragma once
#include "mantissa/kernels/update.hpp"

namespace mantissa {

struct SgdSettings {
  float lr = 0.05f;
  float momentum = 0.9f;
  float weight_decay = 0.0f;
};

/// The scales that meet in an integer update.
struct SgdScales {
  Scale gradient;  ///< of the mean gradient: one unit of the sums, divided by the number of samples
  Scale parameter;
  Scale momentum;  ///< of the codes to be written, were they of 16 bits
};

/// A non-negative float times a scale as Q32, nearest, at most `limit`. Zero stays zero.
constexpr int32_t sgd_q32(float value, Scale scale, int32_t limit) {
  if (!(value > 0.0f)) return 0;
  const Scale factor = Scale::from_float(value) * scale;
  const int32_t drop = -32 - factor.exponent;
  if (drop < 0) return limit;
  const int64_t half = drop > 0 ? int64_t(1) << (drop - 1) : 0;
  const int64_t q = drop > 32 ? 0 : (int64_t(factor.mantissa) + half) >> drop;
  return q > limit ? limit : int32_t(q);
}

/// The factor of sums with the smallest shift that leaves q 17 to 24 bits; fewer below 2^-24.
constexpr Gain sgd_gain(Scale factor) {
  for (int32_t shift = 0;; shift += 8) {
    const int32_t drop = -16 - shift - factor.exponent;  // q = mantissa / 2^drop
    if (drop < 7) return {Gain::kLimit, shift};
    if (drop > 14 && shift < 24) continue;
    const int64_t q = drop > 32 ? 0 : (int64_t(factor.mantissa) + (int64_t(1) << (drop - 1))) >> drop;
    return {q > Gain::kLimit ? Gain::kLimit : int32_t(q), shift};
  }
}

/// Largest factors, so that no sum of an update leaves 32 bits.
inline constexpr int32_t kLargestPull = 1 << 27, kLargestRate = INT32_MAX;

/// Factors with momentum: sums and parameters go into units of the new momentum, the momentum into units of the
/// parameter. `doublings` is log2 of the old momentum's scale over the new one's, at most 1.
/// Requires lr, weight_decay >= 0 and 0 <= momentum < 1.
constexpr void set_momentum_factors(IntegerUpdate& u, const SgdSettings& s, const SgdScales& scales,
                                    int doublings) {
  const uint64_t quarter =
      s.momentum > 0.0f ? uint64_t(sgd_q32(s.momentum, Scale{}.shifted(-2), INT32_MAX)) : 0;
  const uint64_t kept = doublings < -30 ? 0 : (quarter << 3) >> (1 - doublings);  // 32 bits below the point
  u.base = int32_t((kept + (uint64_t(1) << 31)) >> 32);
  u.decay = int32_t(int64_t(kept) - (int64_t(u.base) << 32));
  u.gain = sgd_gain(scales.gradient / scales.momentum);
  if (s.weight_decay > 0.0f)
    u.pull = sgd_q32(s.weight_decay, scales.parameter / scales.momentum, kLargestPull);
  u.rate = -sgd_q32(s.lr, scales.momentum / scales.parameter, kLargestRate);
}

/// Factors without momentum: everything in units of the parameter, with lr.
constexpr void set_plain_factors(IntegerUpdate& u, const SgdSettings& s, const SgdScales& scales) {
  if (s.lr > 0.0f) u.gain = sgd_gain(Scale::from_float(s.lr) * (scales.gradient / scales.parameter));
  u.gain.q = -u.gain.q;
  if (s.weight_decay > 0.0f) u.pull = -sgd_q32(s.lr, Scale::from_float(s.weight_decay), kLargestPull);
}

/// Codes of momentum: those of 16 bits keep one bit free, so that a step of it is a sum of 32 bits.
constexpr CodeRange momentum_range(int bits) {
  const int32_t half = int32_t(1) << ((bits == 16 ? 15 : bits) - 1);
  return {-half, half - 1};
}

/// By how many bits codes of momentum are shorter than those that the factors are made for.
constexpr int32_t momentum_drop(int bits) { return bits == 16 ? 0 : 15 - bits; }

/// Every so many updates the largest codes are looked at, and scales that no longer fit are chosen anew.
inline constexpr uint32_t kLookPeriod = 8;

}  // namespace mantissa
