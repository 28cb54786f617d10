// Softmax: of float32 logits for the loss, and as a layer over the channels of each step, in integers and float32. Kernels, so that
// plans without them do not link them: in integers that of the logits is part of the loss.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/num/fixed_math.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa {

/// Exponents of two in Q26 beyond which 2^-t counts as 0.
inline constexpr uint32_t kLargestExponentQ26 = 31u << 26;

/// The multiplier that turns differences of logits, in units of `scale`, into exponents of two in Q26.
constexpr Multiplier exponent_multiplier(Scale scale) {
  constexpr Scale kLog2E{0x5C551D95u, -30};  // 1.4426950408889634
  return multiplier((scale * kLog2E).shifted(26));
}

/// An exponent of two in Q26 from how far a logit lies below the largest.
constexpr uint32_t exponent_q26(uint32_t below, Multiplier exponent) {
  const uint64_t product = uint64_t(below) * uint32_t(exponent.mantissa);
  const uint64_t wanted = (product + (uint64_t(1) << (exponent.shift - 1))) >> exponent.shift;
  return wanted < kLargestExponentQ26 ? uint32_t(wanted) : kLargestExponentQ26;
}

/// p[c] = exp(logits[c] - largest) / sum, where sum adds these exponentials in order; the result is ln sum.
struct FloatSoftmax {
  const float* logits = nullptr;
  int32_t count = 0;
  float largest = 0.0f;  ///< of the logits
  float* p = nullptr;    ///< null if not wanted
};

/// y[t, c] = e^x[t, c] / sum over i of e^x[t, i].
/// Codes of y have the scale 1 / max_code, ties up: absolute error of y below 2^-22 times the number of channels, and half a code.
/// Source: SPEC 5.
struct SoftmaxForward {
  int32_t steps = 0, channels = 0;
  const void* x = nullptr;
  Element x_element = Element::kInt8;
  void* y = nullptr;
  Element y_element = Element::kInt8;
  Multiplier exponent = {};  ///< from codes of x to exponents of two in Q26
  int32_t max_code = 0;
};

/// dx[t, c] = y[t, c] (dy[t, c] - sum over i of dy[t, i] y[t, i]), as sums in units of dy.scale / max_code^2:
/// y (max_code dy - sum dy y) of the codes, exact; plan() proves that they fit.
struct SoftmaxBackward {
  int32_t steps = 0, channels = 0;
  const void* y = nullptr;
  Element y_element = Element::kInt8;
  const void* dy = nullptr;
  Element dy_element = Element::kInt8;
  void* dx = nullptr;
  Element dx_element = Element::kInt32;  ///< sums of 32 or 64 bits; float32
  int32_t max_code = 0;
};

namespace ref {

constexpr float softmax_float(const FloatSoftmax& s) {
  float sum = 0.0f;
  for (int32_t c = 0; c < s.count; ++c) sum += exp_float(s.logits[c] - s.largest);
  if (s.p != nullptr)
    for (int32_t c = 0; c < s.count; ++c) s.p[c] = exp_float(s.logits[c] - s.largest) / sum;
  return log_float(sum);
}

}  // namespace ref
}  // namespace mantissa
