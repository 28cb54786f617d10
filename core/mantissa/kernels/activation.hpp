// Functions of one element: LeakyReLU, ReLU6, Sigmoid, Tanh, and Dropout's mask. Integers without libm, and float32 the same.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa {

enum class Curve : uint8_t { kLeakyRelu, kRelu6, kSigmoid, kTanh };

/// The slope of a LeakyReLU in integers has 15 bits behind the point.
inline constexpr int32_t kSlopeBits = 15;
/// Of 2^16 elements as many are dropped as a probability says.
inline constexpr int32_t kDropBits = 16;

/// y of x, element by element.
///
///     LeakyReLU  x > 0 ? x : slope x       sums: 2^15 x or parameter x, unit x.scale 2^-15
///     ReLU6      min(max(x, 0), 6)         sums: min(max(x, 0), parameter), unit x.scale
///     Sigmoid    1 / (1 + e^-x)            codes up to max_code, scale 1 / max_code
///     Tanh       1 - 2 / (1 + e^2x)        the same
///
/// Source: SPEC 5.
struct ActivationForward {
  Curve curve = Curve::kLeakyRelu;
  int32_t count = 0;
  const void* x = nullptr;
  Element x_element = Element::kInt8;
  void* y = nullptr;                   ///< sums in int32, codes, or float32
  Element y_element = Element::kInt8;  ///< of codes
  int32_t parameter = 0;               ///< LeakyReLU: slope in 2^-15; ReLU6: six in codes of x
  float slope = 0.0f;                  ///< of float32
  Multiplier exponent = {};  ///< Sigmoid, Tanh: from codes of x to exponents of two in Q26 (of e^-x, e^-2x)
  int32_t max_code = 0;
};

/// dx of dy: dy times the slope of the curve, which LeakyReLU and ReLU6 have of x, Sigmoid and Tanh of y.
///
///     LeakyReLU  2^15 dy or parameter dy   unit dy.scale 2^-15
///     ReLU6      dy or 0, as codes
///     Sigmoid    dy y (max_code - y)       unit dy.scale / max_code^2
///     Tanh       dy (max_code^2 - y^2)     the same
struct ActivationBackward {
  Curve curve = Curve::kLeakyRelu;
  int32_t count = 0;
  const void* of = nullptr;  ///< x or y
  Element of_element = Element::kInt8;
  const void* dy = nullptr;
  Element dy_element = Element::kInt8;
  void* dx = nullptr;
  Element dx_element = Element::kInt32;  ///< sums of 32 or 64 bits; float32; of ReLU6 as dy
  int32_t parameter = 0;
  float slope = 0.0f;
  int32_t max_code = 0;
};

/// In place: x[i] = 0 where bits16(key, first_index + i) < dropped; float32 is then multiplied by `factor`. Integers have that
/// in their scale.
struct DropElements {
  void* x = nullptr;
  Element element = Element::kInt8;
  int32_t count = 0;
  RandomKey key = {};
  uint32_t first_index = 0;
  uint32_t dropped = 0;  ///< of 2^16
  float factor = 1.0f;   ///< 2^16 / (2^16 - dropped)
};

/// From codes of x to exponents of two in Q26: those of e^-x, or of e^-2x for Tanh.
constexpr Multiplier curve_exponent(Curve curve, Scale x) {
  constexpr Scale kLog2E{0x5C551D95u, -30};  // 1.4426950408889634
  return multiplier((x * kLog2E).shifted(curve == Curve::kTanh ? 27 : 26));
}

/// Six in codes of x, nearest; 2^15, which no code reaches, where that is beyond them.
constexpr int32_t six_in_codes(Scale x) {
  return rescale(6, multiplier(Scale{} / x), Rounding::kHalfAway, {0, 1 << 15});
}

}  // namespace mantissa
