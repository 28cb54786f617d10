// Bodies of activation.hpp, plain loops.  Source: SPEC 5.
#pragma once
#include "mantissa/kernels/activation.hpp"
#include "mantissa/num/fixed_math.hpp"

namespace mantissa::ref {

/// 2^-t in Q30, t being |code| in the multiplier's unit; beyond 31 it counts as 31.
constexpr uint32_t curve_power(int32_t code, Multiplier exponent) {
  const uint64_t magnitude = uint64_t(code < 0 ? -int64_t(code) : int64_t(code));
  const uint64_t half = uint64_t(1) << (exponent.shift - 1);
  const uint64_t t = (magnitude * uint32_t(exponent.mantissa) + half) >> exponent.shift;
  constexpr uint32_t kMost = 31u << 26;
  return exp2_negative(t < kMost ? uint32_t(t) : kMost);
}

inline constexpr uint32_t kOneQ30 = 1u << 30;

/// round(max_code * numerator / (2^30 + power)), ties up.
constexpr int32_t curve_code(uint32_t numerator, uint32_t power, int32_t max_code) {
  const uint64_t sum = uint64_t(kOneQ30) + power;
  return int32_t((2 * uint64_t(uint32_t(max_code)) * numerator + sum) / (2 * sum));
}

/// 1 / (1 + e^-x): the smaller of it and its complement is rounded.
constexpr int32_t sigmoid_code(int32_t code, Multiplier exponent, int32_t max_code) {
  const uint32_t power = curve_power(code, exponent);
  const int32_t tail = curve_code(power, power, max_code);
  return code < 0 ? tail : max_code - tail;
}

/// (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x.
constexpr int32_t tanh_code(int32_t code, Multiplier exponent, int32_t max_code) {
  const uint32_t power = curve_power(code, exponent);
  const int32_t magnitude = curve_code(kOneQ30 - power, power, max_code);
  return code < 0 ? -magnitude : magnitude;
}

constexpr float sigmoid_float(float x) {
  const float e = exp_float(x < 0.0f ? x : -x);
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

constexpr float tanh_float(float x) {
  const float e = exp_float(x < 0.0f ? x + x : -(x + x));
  const float y = (1.0f - e) / (1.0f + e);
  return x < 0.0f ? -y : y;
}

template <class X, class Y>
void bounded_codes(const ActivationForward& f) {
  const X* x = static_cast<const X*>(f.x);
  Y* y = static_cast<Y*>(f.y);
  for (int32_t i = 0; i < f.count; ++i)
    y[i] = Y(f.curve == Curve::kTanh ? tanh_code(x[i], f.exponent, f.max_code)
                                     : sigmoid_code(x[i], f.exponent, f.max_code));
}

template <class X>
void straight_sums(const ActivationForward& f) {
  const X* x = static_cast<const X*>(f.x);
  int32_t* sums = static_cast<int32_t*>(f.y);
  for (int32_t i = 0; i < f.count; ++i) {
    const int32_t code = x[i];
    if (f.curve == Curve::kLeakyRelu)
      sums[i] = code * (code > 0 ? 1 << kSlopeBits : f.parameter);
    else
      sums[i] = code < 0 ? 0 : code < f.parameter ? code : f.parameter;
  }
}

inline void activation_forward_float(const ActivationForward& f) {
  const float* x = static_cast<const float*>(f.x);
  float* y = static_cast<float*>(f.y);
  for (int32_t i = 0; i < f.count; ++i) switch (f.curve) {
      case Curve::kLeakyRelu: y[i] = x[i] > 0.0f ? x[i] : f.slope * x[i]; break;
      case Curve::kRelu6: y[i] = x[i] > 0.0f ? (x[i] < 6.0f ? x[i] : 6.0f) : 0.0f; break;
      case Curve::kSigmoid: y[i] = sigmoid_float(x[i]); break;
      case Curve::kTanh: y[i] = tanh_float(x[i]); break;
    }
}

template <Operands kOperands>
void activation_forward(const ActivationForward& f) {
  if (is<kOperands>(f.x_element, Element::kFloat32)) return activation_forward_float(f);
  const bool x8 = is<kOperands>(f.x_element, Element::kInt8);
  const bool y8 = is<kOperands>(f.y_element, Element::kInt8);
  if (f.curve == Curve::kLeakyRelu || f.curve == Curve::kRelu6)
    return x8 ? straight_sums<int8_t>(f) : straight_sums<int16_t>(f);
  if (x8) return y8 ? bounded_codes<int8_t, int8_t>(f) : bounded_codes<int8_t, int16_t>(f);
  return y8 ? bounded_codes<int16_t, int8_t>(f) : bounded_codes<int16_t, int16_t>(f);
}

/// dy times the slope at x or y, in integers; plan() has proved that it fits Sum.
template <class Of, class Dy, class Sum>
void slope_sums(const ActivationBackward& b) {
  const Of* of = static_cast<const Of*>(b.of);
  const Dy* dy = static_cast<const Dy*>(b.dy);
  Sum* dx = static_cast<Sum*>(b.dx);
  for (int32_t i = 0; i < b.count; ++i) {
    const int32_t at = of[i];
    const int32_t slope = b.curve == Curve::kLeakyRelu ? (at > 0 ? 1 << kSlopeBits : b.parameter)
                          : b.curve == Curve::kSigmoid ? at * (b.max_code - at)
                                                       : b.max_code * b.max_code - at * at;
    dx[i] = Sum(dy[i]) * slope;
  }
}

/// ReLU6: dy where x lies between 0 and six.
template <class X, class Dy>
void pass_between(const ActivationBackward& b) {
  const X* x = static_cast<const X*>(b.of);
  const Dy* dy = static_cast<const Dy*>(b.dy);
  Dy* dx = static_cast<Dy*>(b.dx);
  for (int32_t i = 0; i < b.count; ++i) dx[i] = x[i] > 0 && x[i] < b.parameter ? dy[i] : Dy(0);
}

template <Operands kOperands, class Of, class Dy>
void activation_backward_of(const ActivationBackward& b) {
  if (b.curve == Curve::kRelu6) return pass_between<Of, Dy>(b);
  return is<kOperands>(b.dx_element, Element::kInt64) ? slope_sums<Of, Dy, int64_t>(b)
                                                      : slope_sums<Of, Dy, int32_t>(b);
}

inline void activation_backward_float(const ActivationBackward& b) {
  const float* of = static_cast<const float*>(b.of);
  const float* dy = static_cast<const float*>(b.dy);
  float* dx = static_cast<float*>(b.dx);
  for (int32_t i = 0; i < b.count; ++i) switch (b.curve) {
      case Curve::kLeakyRelu: dx[i] = of[i] > 0.0f ? dy[i] : b.slope * dy[i]; break;
      case Curve::kRelu6: dx[i] = of[i] > 0.0f && of[i] < 6.0f ? dy[i] : 0.0f; break;
      case Curve::kSigmoid: dx[i] = dy[i] * (of[i] * (1.0f - of[i])); break;
      case Curve::kTanh: dx[i] = dy[i] * ((1.0f - of[i]) * (1.0f + of[i])); break;
    }
}

template <Operands kOperands>
void activation_backward(const ActivationBackward& b) {
  if (is<kOperands>(b.of_element, Element::kFloat32)) return activation_backward_float(b);
  const bool of8 = is<kOperands>(b.of_element, Element::kInt8);
  const bool dy8 = is<kOperands>(b.dy_element, Element::kInt8);
  if (of8)
    return dy8 ? activation_backward_of<kOperands, int8_t, int8_t>(b)
               : activation_backward_of<kOperands, int8_t, int16_t>(b);
  return dy8 ? activation_backward_of<kOperands, int16_t, int8_t>(b)
             : activation_backward_of<kOperands, int16_t, int16_t>(b);
}

template <class T>
void drop_of(const DropElements& d) {
  T* x = static_cast<T*>(d.x);
  for (int32_t i = 0; i < d.count; ++i)
    if (random16(d.key, d.first_index + uint32_t(i)) < d.dropped) x[i] = T(0);
}

inline void drop_float(const DropElements& d) {
  drop_of<float>(d);
  for (int32_t i = 0; i < d.count; ++i) static_cast<float*>(d.x)[i] *= d.factor;
}

template <Operands kOperands>
void drop_elements(const DropElements& d) {
  if (is<kOperands>(d.element, Element::kFloat32)) return drop_float(d);
  is<kOperands>(d.element, Element::kInt8) ? drop_of<int8_t>(d) : drop_of<int16_t>(d);
}

}  // namespace mantissa::ref
