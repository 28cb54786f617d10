// Bodies of the layer's Softmax, plain loops.  Source: SPEC 5.
#pragma once
#include "mantissa/kernels/softmax.hpp"

namespace mantissa::ref {

template <class X>
X largest_of(const X* x, int32_t count) {
  X largest = x[0];
  for (int32_t c = 1; c < count; ++c) largest = x[c] > largest ? x[c] : largest;
  return largest;
}

/// Powers are made twice rather than kept: a step may have any number of channels.
template <class X, class Y>
void softmax_codes(const SoftmaxForward& s) {
  for (int32_t t = 0; t < s.steps; ++t) {
    const X* x = static_cast<const X*>(s.x) + ptrdiff_t(t) * s.channels;
    Y* y = static_cast<Y*>(s.y) + ptrdiff_t(t) * s.channels;
    const int32_t largest = largest_of(x, s.channels);
    const auto power = [&](int32_t c) {
      return uint64_t(exp2_negative(exponent_q26(uint32_t(largest - x[c]), s.exponent)));
    };
    uint64_t sum = 0;
    for (int32_t c = 0; c < s.channels; ++c) sum += power(c);
    for (int32_t c = 0; c < s.channels; ++c)
      y[c] = Y((2 * uint64_t(uint32_t(s.max_code)) * power(c) + sum) / (2 * sum));
  }
}

inline void softmax_floats(const SoftmaxForward& s) {
  for (int32_t t = 0; t < s.steps; ++t) {
    const float* x = static_cast<const float*>(s.x) + ptrdiff_t(t) * s.channels;
    float* y = static_cast<float*>(s.y) + ptrdiff_t(t) * s.channels;
    softmax_float({x, s.channels, largest_of(x, s.channels), y});
  }
}

template <Operands kOperands>
void softmax_forward(const SoftmaxForward& s) {
  if (is<kOperands>(s.x_element, Element::kFloat32)) return softmax_floats(s);
  const bool x8 = is<kOperands>(s.x_element, Element::kInt8);
  const bool y8 = is<kOperands>(s.y_element, Element::kInt8);
  if (x8) return y8 ? softmax_codes<int8_t, int8_t>(s) : softmax_codes<int8_t, int16_t>(s);
  return y8 ? softmax_codes<int16_t, int8_t>(s) : softmax_codes<int16_t, int16_t>(s);
}

/// `one`: what stands for 1 in units of y.
template <class Y, class Dy, class Sum>
void softmax_errors(const SoftmaxBackward& s, Sum one) {
  for (int32_t t = 0; t < s.steps; ++t) {
    const ptrdiff_t first = ptrdiff_t(t) * s.channels;
    const Y* y = static_cast<const Y*>(s.y) + first;
    const Dy* dy = static_cast<const Dy*>(s.dy) + first;
    Sum* dx = static_cast<Sum*>(s.dx) + first;
    Sum mean = 0;
    for (int32_t c = 0; c < s.channels; ++c) mean += Sum(dy[c]) * Sum(y[c]);
    for (int32_t c = 0; c < s.channels; ++c) dx[c] = Sum(y[c]) * (one * Sum(dy[c]) - mean);
  }
}

template <Operands kOperands, class Y, class Dy>
void softmax_backward_of(const SoftmaxBackward& s) {
  return is<kOperands>(s.dx_element, Element::kInt64) ? softmax_errors<Y, Dy, int64_t>(s, s.max_code)
                                                      : softmax_errors<Y, Dy, int32_t>(s, s.max_code);
}

template <Operands kOperands>
void softmax_backward(const SoftmaxBackward& s) {
  if (is<kOperands>(s.y_element, Element::kFloat32)) return softmax_errors<float, float, float>(s, 1.0f);
  const bool y8 = is<kOperands>(s.y_element, Element::kInt8);
  const bool dy8 = is<kOperands>(s.dy_element, Element::kInt8);
  if (y8)
    return dy8 ? softmax_backward_of<kOperands, int8_t, int8_t>(s)
               : softmax_backward_of<kOperands, int8_t, int16_t>(s);
  return dy8 ? softmax_backward_of<kOperands, int16_t, int8_t>(s)
             : softmax_backward_of<kOperands, int16_t, int16_t>(s);
}

}  // namespace mantissa::ref
