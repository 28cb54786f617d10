// Bodies of layer_norm.hpp, plain loops.  Source: SPEC 5.
#pragma once
#include "mantissa/kernels/layer_norm.hpp"
#include "mantissa/num/fixed_math.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa::ref {

/// Codes of a wire or of weights, one every `stride`.
template <class T>
struct CodeRow {
  const T* codes = nullptr;
  int32_t stride = 1;
  constexpr int32_t operator[](int32_t i) const { return codes[i * stride]; }
};

/// n^2 variance, from the sum of n codes and that of their squares.
constexpr uint64_t spread_of(int32_t n, int32_t sum, uint64_t squares) {
  return uint64_t(n) * squares - uint64_t(int64_t(sum) * sum);
}
constexpr Scale inverse_deviation(uint64_t spread) { return Scale{} / sqrt_scale(spread > 0 ? spread : 1); }

/// h[c] = (n x[c] - sum x) / sqrt(n sum x^2 - (sum x)^2 + epsilon), in 16 bits and units of 2^-k; returns the inverse square root.
/// Requires n * |x|max < 2^30, proved by plan().
template <class Row>
constexpr Scale normalize_step(const Row& x, int32_t n, uint64_t epsilon, int16_t* h) {
  int32_t sum = 0;
  uint64_t squares = 0;
  for (int32_t c = 0; c < n; ++c) {
    sum += x[c];
    squares += uint64_t(int64_t(x[c]) * x[c]);
  }
  const Scale inverse = inverse_deviation(spread_of(n, sum, squares) + epsilon);
  const Multiplier by = multiplier(inverse.shifted(normalized_bits(n)));
  for (int32_t c = 0; c < n; ++c)
    h[c] =
        int16_t(rescale(n * x[c] - sum, by, Rounding::kHalfAway, {-kLargestNormalized, kLargestNormalized}));
  return inverse;
}

/// The sums of NormBackward, not masked.
template <class RowDy, class RowGamma>
constexpr void normalize_backward(const RowDy& dy, const RowGamma& gamma, const int16_t* h, int32_t n,
                                  int64_t* sums) {
  int64_t sum = 0, aligned = 0;
  for (int32_t c = 0; c < n; ++c) {
    const int64_t g = int64_t(dy[c]) * gamma[c];
    sum += g;
    aligned += g * h[c];
  }
  const int32_t shift = 2 * normalized_bits(n);
  const int64_t half = shift > 0 ? int64_t(1) << (shift - 1) : 0;
  for (int32_t c = 0; c < n; ++c)
    sums[c] = n * (int64_t(dy[c]) * gamma[c]) - sum - multiply_shift(aligned, h[c], half, shift);
}

/// The same in float32; every sum in the order of the channels.
struct FloatNorm {
  float mean = 0.0f, inverse = 1.0f;

  constexpr FloatNorm(const float* x, int32_t n, float epsilon) {
    const float count = float(n);
    float sum = 0.0f, squares = 0.0f;
    for (int32_t c = 0; c < n; ++c) sum += x[c];
    mean = sum / count;
    for (int32_t c = 0; c < n; ++c) squares += (x[c] - mean) * (x[c] - mean);
    inverse = 1.0f / sqrt_float(squares / count + epsilon);
  }
  constexpr float operator()(float x) const { return (x - mean) * inverse; }
};

/// dx[c] = inverse * (g[c] - mean g - h[c] * mean(g h)), g = dy * gamma.
constexpr void normalize_backward(const FloatNorm& norm, const float* x, const float* dy, const float* gamma,
                                  int32_t n, float* dx) {
  float sum = 0.0f, aligned = 0.0f;
  for (int32_t c = 0; c < n; ++c) {
    const float g = dy[c] * gamma[c];
    sum += g;
    aligned += g * norm(x[c]);
  }
  const float mean = sum / float(n), along = aligned / float(n);
  for (int32_t c = 0; c < n; ++c) dx[c] = norm.inverse * (dy[c] * gamma[c] - mean - norm(x[c]) * along);
}

/// Calls body(row) with codes of whatever element they are.
template <class Body>
auto with_row(const void* codes, Element element, int32_t stride, Body body) {
  if (element == Element::kInt8) return body(CodeRow<int8_t>{static_cast<const int8_t*>(codes), stride});
  return body(CodeRow<int16_t>{static_cast<const int16_t*>(codes), stride});
}

inline Scale normalize(const NormStep& s) {
  return with_row(s.x, s.x_element, 1,
                  [&](auto x) { return normalize_step(x, s.channels, s.epsilon, s.normalized); });
}

inline void norm_forward_float(const NormForward& f) {
  const NormStep& s = f.step;
  const float* x = static_cast<const float*>(s.x);
  const float* gamma = static_cast<const float*>(s.gamma);
  const FloatNorm norm(x, s.channels, s.float_epsilon);
  for (int32_t c = 0; c < s.channels; ++c) static_cast<float*>(f.sums)[c] = gamma[c] * norm(x[c]);
}

template <Operands kOperands>
void norm_forward(const NormForward& f) {
  const NormStep& s = f.step;
  if (is<kOperands>(s.x_element, Element::kFloat32)) return norm_forward_float(f);
  normalize(s);
  with_row(s.gamma, s.gamma_element, s.gamma_stride, [&](auto gamma) {
    for (int32_t c = 0; c < s.channels; ++c) static_cast<int32_t*>(f.sums)[c] = gamma[c] * s.normalized[c];
  });
}

inline void norm_backward_float(const NormBackward& b) {
  const NormStep& s = b.step;
  const float* x = static_cast<const float*>(s.x);
  float* dx = static_cast<float*>(b.sums);
  normalize_backward(FloatNorm(x, s.channels, s.float_epsilon), x, static_cast<const float*>(b.dy),
                     static_cast<const float*>(s.gamma), s.channels, dx);
  for (int32_t c = 0; b.masked && c < s.channels; ++c) dx[c] = x[c] == 0.0f ? 0.0f : dx[c];
}

template <Operands kOperands>
NormSeen norm_backward(const NormBackward& b) {
  const NormStep& s = b.step;
  const int32_t n = s.channels;
  if (is<kOperands>(s.x_element, Element::kFloat32)) {
    norm_backward_float(b);
    return {};
  }
  int64_t* sums = static_cast<int64_t*>(b.sums);
  NormSeen seen = {normalize(s), 0};
  with_row(b.dy, b.dy_element, 1, [&](auto dy) {
    with_row(s.gamma, s.gamma_element, s.gamma_stride,
             [&](auto gamma) { normalize_backward(dy, gamma, s.normalized, n, sums); });
  });
  with_row(s.x, s.x_element, 1, [&](auto x) {
    for (int32_t c = 0; c < n; ++c) {
      if (b.masked && x[c] == 0) sums[c] = 0;
      const uint64_t magnitude = uint64_t(sums[c] < 0 ? -sums[c] : sums[c]);
      seen.largest = magnitude > seen.largest ? magnitude : seen.largest;
    }
  });
  return seen;
}

inline void norm_gradient_float(const NormGradient& g) {
  const NormStep& s = g.step;
  const float* x = static_cast<const float*>(s.x);
  const FloatNorm norm(x, s.channels, s.float_epsilon);
  for (int32_t c = 0; c < s.channels; ++c)
    static_cast<float*>(g.sums)[c] += static_cast<const float*>(g.dy)[c] * norm(x[c]);
}

template <Operands kOperands>
void norm_gradient(const NormGradient& g) {
  const NormStep& s = g.step;
  if (is<kOperands>(s.x_element, Element::kFloat32)) return norm_gradient_float(g);
  normalize(s);
  with_row(g.dy, g.dy_element, 1, [&](auto dy) {
    for (int32_t c = 0; c < s.channels; ++c) {
      const int32_t product = dy[c] * s.normalized[c];
      if (g.sum_element == Element::kInt64)
        static_cast<int64_t*>(g.sums)[c] += product;
      else
        static_cast<int32_t*>(g.sums)[c] += product;
    }
  });
}

}  // namespace mantissa::ref
