// Bodies of depthwise.hpp. Plain loops over channels: compiled once as the reference and once for each vector target.
#include "mantissa/kernels/depthwise.hpp"

namespace mantissa {
namespace MANTISSA_KERNEL_NAMESPACE {

inline constexpr int32_t kDepthwiseChannels = 32;  ///< that are taken at once

/// Calls body(first channel, number of them).
template <class Body>
void for_channels(int32_t channels, Body body) {
  for (int32_t first = 0; first < channels; first += kDepthwiseChannels)
    body(first, channels - first < kDepthwiseChannels ? channels - first : kDepthwiseChannels);
}

template <class A, class B, class Sum>
void depthwise_of(const Depthwise& d) {
  using Product = decltype(A() * B());
  const Gemm& g = d.view;
  for_channels(d.channels, [&](int32_t first, int32_t count) {
    const A* a = static_cast<const A*>(g.a.data) + first;
    const B* b = static_cast<const B*>(g.b.data) + ptrdiff_t(first) * d.weight_stride;
    Sum* sums = static_cast<Sum*>(g.c) + first;
    for (int32_t m = 0; g.store == GemmStore::kOverwrite && m < g.shape.m; ++m)
      for (int32_t c = 0; c < count; ++c) sums[ptrdiff_t(m) * g.c_stride + c] = Sum(0);
    for (int32_t tap = 0; tap < g.shape.outer; ++tap) {
      Product weights[kDepthwiseChannels];
      for (int32_t c = 0; c < count; ++c)
        weights[c] = b[ptrdiff_t(c) * d.weight_stride + ptrdiff_t(tap) * g.b.outer_stride];
      for (int32_t m = 0; m < g.shape.m; ++m) {
        const A* __restrict from = a + ptrdiff_t(m) * g.a.stride + ptrdiff_t(tap) * g.a.outer_stride;
        Sum* __restrict to = sums + ptrdiff_t(m) * g.c_stride;
        for (int32_t c = 0; c < count; ++c) to[c] += Product(from[c]) * weights[c];
      }
    }
  });
}

template <class A, class B, class Sum>
void depthwise_gradient_of(const DepthwiseGradient& d) {
  using Product = decltype(A() * B());
  for_channels(d.channels, [&](int32_t first, int32_t count) {
    Sum* out = static_cast<Sum*>(d.c) + ptrdiff_t(first) * d.c_stride;
    for (int32_t tap = 0; tap < d.taps; ++tap) {
      Sum sums[kDepthwiseChannels];
      for (int32_t c = 0; c < count; ++c)
        sums[c] = d.store == GemmStore::kAdd ? out[ptrdiff_t(c) * d.c_stride + tap] : Sum(0);
      for (int32_t m = 0; m < d.rows; ++m) {
        const A* __restrict a = static_cast<const A*>(d.a) + ptrdiff_t(m) * d.a_stride + first;
        const B* __restrict b = static_cast<const B*>(d.b) + ptrdiff_t(m) * d.b_stride +
                                ptrdiff_t(tap) * d.b_outer_stride + first;
        for (int32_t c = 0; c < count; ++c) sums[c] += Product(a[c]) * Product(b[c]);
      }
      for (int32_t c = 0; c < count; ++c) out[ptrdiff_t(c) * d.c_stride + tap] = sums[c];
    }
  });
}

/// Calls body(a, b, sum) with a zero of each type.
template <class Body>
void with_types(Element a, Element b, Element sum, Body body) {
  if (a == Element::kFloat32) return body(0.0f, 0.0f, 0.0f);
  const auto with_sum = [&](auto x, auto y) {
    sum == Element::kInt64 ? body(x, y, int64_t(0)) : body(x, y, int32_t(0));
  };
  if (a == Element::kInt8)
    b == Element::kInt8 ? with_sum(int8_t(0), int8_t(0)) : with_sum(int8_t(0), int16_t(0));
  else
    b == Element::kInt8 ? with_sum(int16_t(0), int8_t(0)) : with_sum(int16_t(0), int16_t(0));
}

inline void depthwise(const Depthwise& d) {
  with_types(d.view.a.element, d.view.b.element, d.view.c_element,
             [&](auto a, auto b, auto sum) { depthwise_of<decltype(a), decltype(b), decltype(sum)>(d); });
}

inline void depthwise_gradient(const DepthwiseGradient& d) {
  with_types(d.a_element, d.b_element, d.c_element, [&](auto a, auto b, auto sum) {
    depthwise_gradient_of<decltype(a), decltype(b), decltype(sum)>(d);
  });
}

}  // namespace MANTISSA_KERNEL_NAMESPACE
}  // namespace mantissa
