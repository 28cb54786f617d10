// The elementwise part of stochastic gradient descent, and the forms in which parameters are stored.
// The factors are per tensor and made by optim/sgd.hpp; here is what happens to each element.
#pragma once
#include "mantissa/kernels/sums.hpp"
#include "mantissa/tensor/pack.hpp"

namespace mantissa {

/// A factor in Q32: x * factor = (x << shift) * q / 2^32, |q| < 2^30.
/// Q32, because the upper word of a 64-bit sum is then the result: no shift on a 32-bit core.
struct Q32 {
  int32_t q = 0;
  int32_t shift = 0;

  constexpr int64_t times(int64_t x) const { return (x << shift) * q; }
  /// Largest |x| that may be multiplied. Beyond it the result exceeds every code, so x may be clamped to it.
  constexpr int64_t limit() const { return (int64_t(1) << (31 - shift)) - 1; }
};

/// A positive factor as Q32 for integers of at most `bits` bits: relative error below 2^-29 for factors of 2^-3 and
/// more, absolute error 2^-33 below. Factors of 2^(29 - bits) and more, which no code survives, become the largest one.
constexpr Q32 q32(Scale factor, int bits) {
  const int32_t wanted = factor.exponent + 33;  // shift that leaves q in [2^29, 2^30)
  const int32_t shift = wanted < 0 ? 0 : wanted;
  if (shift > 31 - bits) return {(1 << 30) - 1, 31 - bits > 0 ? 31 - bits : 0};
  const int32_t drop = shift - 32 - factor.exponent;  // >= 1
  if (drop > 32) return {0, shift};
  const int64_t q = (int64_t(factor.mantissa) + (int64_t(1) << (drop - 1))) >> drop;
  return {q >= 1 << 30 ? (1 << 30) - 1 : int32_t(q), shift};
}

/// Where codes of parameters lie. kSplit: code = 256 * high[i] + low[i], two planes of bytes. kPacked: tensor/pack.hpp.
enum class CodeLayout : uint8_t { kSplit, kPacked };

struct CodeView {
  CodeLayout layout = CodeLayout::kPacked;
  void* data = nullptr;   ///< packed codes, or the plane of upper bytes
  int8_t* low = nullptr;  ///< kSplit: the plane of lower bytes
  int32_t bits = 16;
  CodeRange range;
};

/// With sums g (clamped to gain.limit()), momentum codes v, parameter codes p and random bits r of the element:
///   v' = clamp(floor(decay * v + gain * g + pull * p + (r mod 2^8 + 1/2) / 2^8))
///   p' = clamp(floor(p - rate * v' + (r div 2^8 + 1/2) / 2^8))
/// or, without momentum, p' = clamp(floor(p - gain * g - pull * p + (r + 1/2) / 2^16)).  Source: SPEC 6.
struct IntegerUpdate {
  const void* sums = nullptr;  ///< gradient sums
  Element element = Element::kInt32;
  int32_t sum_shift = 0;  ///< bits dropped from 64-bit sums, nearest
  CodeView parameters;
  void* momentum = nullptr;  ///< int8 or int16 codes, or null
  Element momentum_element = Element::kInt16;
  CodeRange momentum_range;
  Q32 decay, gain, pull, rate;
  Rounding rounding = Rounding::kStochastic;
  RandomKey key;
  uint32_t first = 0;  ///< index of the first element in its tensor
  int32_t count = 0;
};

/// v = decay * v + (g + pull * p);  p = p - rate * v, all in float32, in this order.
/// Parameters are float32, or codes: p = scale * code, and code' = clamp(floor(code - rate * v / scale + u)), u in (0, 1)
/// from the random bits (1/2 for the other roundings).
struct FloatUpdate {
  const void* sums = nullptr;  ///< float32 or integer gradient sums
  Element element = Element::kFloat32;
  float gain = 1.0f;        ///< value of one unit of the sums
  float* values = nullptr;  ///< float32 parameters, or null
  CodeView parameters;      ///< codes otherwise
  float scale = 1.0f, inverse_scale = 1.0f;
  float* momentum = nullptr;  ///< or null: v = g + pull * p
  float decay = 0.0f, pull = 0.0f, rate = 0.0f;
  Rounding rounding = Rounding::kStochastic;
  RandomKey key;
  uint32_t first = 0;
  int32_t count = 0;
};

/// What an update saw: the largest momentum before the clamp (in codes), the largest parameter code, and what saturated.
struct UpdateSeen {
  uint64_t momentum = 0;
  uint64_t parameter = 0;
  uint64_t momentum_saturated = 0;
  uint64_t parameter_saturated = 0;
};

/// codes[i] = clamp(round_half_away(values[i] * inverse_scale)).
struct QuantizeFloats {
  const float* values = nullptr;
  float inverse_scale = 1.0f;
  CodeRange range;
  void* codes = nullptr;
  Element element = Element::kInt8;
  int32_t count = 0;
};

/// values[i] += gain * sums[i]: integer sums of one sample join float32 sums of the batch.
struct AddScaled {
  const void* sums = nullptr;
  Element element = Element::kInt32;  ///< kInt32 or kInt64
  float gain = 1.0f;
  float* values = nullptr;
  int32_t count = 0;
};

}  // namespace mantissa
