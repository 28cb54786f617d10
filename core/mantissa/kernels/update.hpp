// The elementwise part of stochastic gradient descent, and the forms in which parameters are stored.
// The factors are per tensor and made by optim/sgd.hpp; here is what happens to each element.
#pragma once
#include "mantissa/kernels/sums.hpp"
#include "mantissa/tensor/pack.hpp"

namespace mantissa {

/// A factor of gradient sums: times(g) is g * factor in units of 2^-16 codes, floored.
/// Four shifts, so that a kernel can name its instruction; |q| < 2^24 leaves room for an 8-bit code in 32 bits.
struct Gain {
  static constexpr int32_t kLimit = (1 << 24) - 1;
  static constexpr int32_t kLargestMove =
      (1 << 30) - (1 << 27);  ///< an update moves no code by more, in 2^-16

  int32_t q = 0;
  int32_t shift = 0;  ///< 0, 8, 16 or 24

  /// clamp(floor(q * g / 2^shift), +-kLargestMove)
  constexpr int32_t times(int32_t g) const {
    const int64_t move = (int64_t(q) * g) >> shift;
    return move > kLargestMove ? kLargestMove : move < -kLargestMove ? -kLargestMove : int32_t(move);
  }
};

/// floor(q * x / 2^16) for |x| <= 2^15, in 32 bits: with q in Q32 this is x * q in units of 2^-16.
constexpr int32_t times_q32(int32_t q, int32_t x) { return (q >> 16) * x + (((q & 0xFFFF) * x) >> 16); }

/// Where codes of parameters lie. kOffset16: code + 128 as int16, whose upper byte is the code as an 8-bit operand,
/// rounded. kPacked: tensor/pack.hpp. kGranule: so packed, and what an update sees is code - zero_point.
enum class CodeLayout : uint8_t { kOffset16, kPacked, kGranule };

inline constexpr int32_t kCodeOffset = 128;
inline constexpr CodeRange kOffsetRange = {-32768 - kCodeOffset, 32767 - kCodeOffset};

struct CodeView {
  CodeLayout layout = CodeLayout::kPacked;
  void* data = nullptr;
  int32_t bits = 16;
  CodeRange range;         ///< of what an update sees
  int32_t zero_point = 0;  ///< kGranule
};

/// The sums of a Linear over one sample, without making them: g[r, c] = dy[r] * x[c].
struct OuterSums {
  const int8_t* dy = nullptr;
  const int8_t* x = nullptr;
  int32_t columns = 0;
};

/// With sums g, momentum codes v, parameter codes p, momentum_drop d; everything in 32 bits, in units of 2^-16:
///   a  = base * v * 2^(16 + d) + floor(decay * v * 2^d / 2^16) + gain.times(g) + floor(pull * p / 2^16) + n * 2^d
///   v' = clamp(floor(a / 2^(16 + d)), momentum_range)
///   p' = clamp(p + floor((floor(rate * v' * 2^d / 2^16) + m) / 2^16), range)
/// or, without momentum,
///   p' = clamp(p + floor((gain.times(g) + floor(pull * p / 2^16) + m) / 2^16), range).
/// n and m are 16 random bits each: of element i, n = rounding16(i), m = rounding16(i ^ 1).  Source: SPEC 6.
struct IntegerUpdate {
  const void* sums = nullptr;  ///< null: `outer`
  Element element = Element::kInt32;
  int32_t sum_shift = 0;  ///< bits dropped from 64-bit sums, nearest
  OuterSums outer;
  CodeView parameters;
  void* momentum = nullptr;  ///< int8 or int16 codes, or null
  Element momentum_element = Element::kInt16;
  CodeRange momentum_range;
  int32_t momentum_drop =
      0;  ///< bits that codes of 8 bits have less than those of 16; factors are for the latter
  Gain gain;
  int32_t base = 0;   ///< 0, 1 or 2
  int32_t decay = 0;  ///< Q32, what base leaves of the factor
  int32_t pull = 0;   ///< Q32, at most 2^27
  int32_t rate = 0;   ///< Q32
  Rounding rounding = Rounding::kStochastic;
  RandomKey key;
  uint32_t first = 0;  ///< index of the first element in its tensor
  int32_t count = 0;
  bool looks = false;  ///< fill what UpdateSeen says of a look; costs a few instructions per element
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

/// What an update saw. Of integer momentum and parameters only in a look: the largest codes, and how many parameters lie at
/// an end of their range. A float update looks always and counts the parameters that did not fit.
struct UpdateSeen {
  uint64_t gradient = 0;  ///< largest sum, after sum_shift; of an integer update with momentum
  uint32_t momentum = 0;
  uint32_t parameter = 0;
  uint32_t momentum_saturated = 0;  ///< 1 if a momentum did not fit
  uint32_t parameter_saturated = 0;

  constexpr void merge(const UpdateSeen& other) {
    gradient = other.gradient > gradient ? other.gradient : gradient;
    momentum = other.momentum > momentum ? other.momentum : momentum;
    parameter = other.parameter > parameter ? other.parameter : parameter;
    momentum_saturated |= other.momentum_saturated;
    parameter_saturated += other.parameter_saturated;
  }
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
