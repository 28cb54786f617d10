// Conv1d, and Linear as its special case, as three matrix products on views.
//
//   y[t,o]   = sum over k, c of w[o,k,c] * x[t * S + k * D - pad, c]      forward
//   dx[u,c]  = sum over k, o of w[o,k,c] * dy[(u + pad - k * D) / S, o]   backward; k only where the division is exact
//   dw[o,k,c] = sum over t of dy[t,o] * x[t * S + k * D - pad, c]         gradient
//
// x and dy lie in memory with zeros around them (their halo), so a window is a run of memory and no edge is special.
// Linear is a Conv1d with kernel 1 whose steps are the samples. A row of a Conv2d is a sum of Conv1d, one for each row of its window.
#pragma once
#include "mantissa/kernels/gemm.hpp"

namespace mantissa {

struct ConvGeometry {
  int32_t in_channels = 0, out_channels = 0;
  int32_t kernel = 1, stride = 1, dilation = 1, groups = 1, pad_left = 0;
  int32_t in_row = 0, out_row = 0;  ///< elements between steps of x and dx, of y and dy
  int32_t window_rows = 1;          ///< of an image: weights of a channel are so many rows of this kernel

  constexpr int32_t group_in() const { return in_channels / groups; }
  constexpr int32_t group_out() const { return out_channels / groups; }
  constexpr int32_t fan_in() const { return kernel * group_in(); }
  /// Weights from a channel to the next.
  constexpr int32_t weight_row() const { return window_rows * fan_in(); }
  /// The taps of a window are one run of memory.
  constexpr bool flat() const {
    return dilation == 1 && groups == 1 && (kernel == 1 || in_row == in_channels);
  }
};

/// A base pointer moved by elements.
inline const void* at(const void* base, Element e, ptrdiff_t index) {
  return static_cast<const char*>(base) + index * ptrdiff_t(element_bytes(e));
}
inline void* at(void* base, Element e, ptrdiff_t index) {
  return static_cast<char*>(base) + index * ptrdiff_t(element_bytes(e));
}

/// Rows row .. row + rows - 1 of the outputs of a group. x points at step 0, w at the weights of the layer (of a row of
/// its window), whose inner_stride says how far neighbours are apart.
inline Gemm forward_view(const ConvGeometry& c, GemmOperand x, GemmOperand w, int32_t group, int32_t row,
                         int32_t rows) {
  Gemm g;
  const int32_t taps = c.flat() ? 1 : c.kernel;
  g.shape = {rows, c.group_out(), taps, c.fan_in() / taps};
  const ptrdiff_t first = (ptrdiff_t(row) * c.stride - c.pad_left) * c.in_row + group * c.group_in();
  g.a = {at(x.data, x.element, first), x.element, c.stride * c.in_row, c.dilation * c.in_row, 1};
  const int32_t step = w.inner_stride;
  g.b = {at(w.data, w.element, ptrdiff_t(group) * c.group_out() * c.weight_row() * step), w.element,
         c.weight_row() * step, c.group_in() * step, step};
  return g;
}

/// The steps u = phase, phase + S, ... of dx, to which the same taps contribute.
struct BackwardPhase {
  int32_t first_tap = 0, tap_step = 1, taps = 0;
  int32_t first_row = 0;  ///< step of dy that the first tap of the phase's first row reads
};

constexpr BackwardPhase backward_phase(const ConvGeometry& c, int32_t phase) {
  BackwardPhase p;
  const auto exact = [&](int32_t k) {
    return (phase + c.pad_left - int64_t(k) * c.dilation) % c.stride == 0;
  };
  while (p.first_tap < c.kernel && !exact(p.first_tap)) ++p.first_tap;
  if (p.first_tap == c.kernel) return p;
  while (p.first_tap + p.tap_step < c.kernel && !exact(p.first_tap + p.tap_step)) ++p.tap_step;
  p.taps = (c.kernel - p.first_tap + p.tap_step - 1) / p.tap_step;
  p.first_row = int32_t((phase + c.pad_left - int64_t(p.first_tap) * c.dilation) / c.stride);
  return p;
}

/// Rows row .. row + rows - 1 of a phase of dx, for a group. dy points at step 0.
inline Gemm backward_view(const ConvGeometry& c, const BackwardPhase& p, GemmOperand dy, GemmOperand w,
                          int32_t group, int32_t row, int32_t rows) {
  Gemm g;
  g.shape = {rows, c.group_in(), p.taps, c.group_out()};
  const ptrdiff_t first = ptrdiff_t(p.first_row + row) * c.out_row + group * c.group_out();
  const int32_t back = int32_t(int64_t(p.tap_step) * c.dilation / c.stride);
  g.a = {at(dy.data, dy.element, first), dy.element, c.out_row, -back * c.out_row, 1};
  const ptrdiff_t first_weight =
      ptrdiff_t(group) * c.group_out() * c.weight_row() + ptrdiff_t(p.first_tap) * c.group_in();
  const int32_t step = w.inner_stride;
  g.b = {at(w.data, w.element, first_weight * step), w.element, step, p.tap_step * c.group_in() * step,
         c.weight_row() * step};
  return g;
}

/// dw of the output channels row .. row + rows - 1 (all of one group), summed over `steps` steps. With flat() windows
/// tap is 0 and all taps come at once; else one tap's channels of the group.
inline Gemm gradient_view(const ConvGeometry& c, GemmOperand dy, GemmOperand x, int32_t tap, int32_t row,
                          int32_t rows, int32_t steps) {
  Gemm g;
  g.shape = {rows, c.flat() ? c.fan_in() : c.group_in(), 1, steps};
  const int32_t group = row / c.group_out();
  const ptrdiff_t first = (ptrdiff_t(tap) * c.dilation - c.pad_left) * c.in_row + group * c.group_in();
  g.a = {at(dy.data, dy.element, row), dy.element, 1, 0, c.out_row};
  g.b = {at(x.data, x.element, first), x.element, 1, 0, c.stride * c.in_row};
  return g;
}

}  // namespace mantissa
