// Bodies of depthwise.hpp. Plain loops over channels: compiled once as the reference and once for each vector target.
#include <type_traits>

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

/// A weight of any kind; codes are exact as int32.
template <class Product>
Product weight_at(const GemmOperand& b, ptrdiff_t i) {
  if constexpr (std::is_same_v<Product, float>)
    return static_cast<const float*>(b.data)[i];
  else
    return b.element == Element::kInt8 ? static_cast<const int8_t*>(b.data)[i]
                                       : static_cast<const int16_t*>(b.data)[i];
}

template <class A, class Sum>
void depthwise_of(const Depthwise& d) {
  using Product = decltype(A() * A());
  const Gemm& g = d.view;
  for_channels(d.channels, [&](int32_t first, int32_t count) {
    const A* a = static_cast<const A*>(g.a.data) + first;
    Sum* sums = static_cast<Sum*>(g.c) + first;
    for (int32_t m = 0; g.store == GemmStore::kOverwrite && m < g.shape.m; ++m)
      for (int32_t c = 0; c < count; ++c) sums[ptrdiff_t(m) * g.c_stride + c] = Sum(0);
    for (int32_t tap = 0; tap < g.shape.outer; ++tap) {
      Product weights[kDepthwiseChannels];
      for (int32_t c = 0; c < count; ++c)
        weights[c] = weight_at<Product>(
            g.b, ptrdiff_t(first + c) * d.weight_stride + ptrdiff_t(tap) * g.b.outer_stride);
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
        const A* __restrict a = static_cast<const A*>(d.a) + ptrdiff_t(m) * d.a_stride +
                                ptrdiff_t(tap) * d.a_outer_stride + first;
        const B* __restrict b = static_cast<const B*>(d.b) + ptrdiff_t(m) * d.b_stride +
                                ptrdiff_t(tap) * d.b_outer_stride + first;
        for (int32_t c = 0; c < count; ++c) sums[c] += Product(a[c]) * Product(b[c]);
      }
      for (int32_t c = 0; c < count; ++c) out[ptrdiff_t(c) * d.c_stride + tap] = sums[c];
    }
  });
}

inline void depthwise(const Depthwise& d) {
  const bool wide = d.view.c_element == Element::kInt64;
  if (d.view.a.element == Element::kFloat32) return depthwise_of<float, float>(d);
  if (d.view.a.element == Element::kInt8)
    wide ? depthwise_of<int8_t, int64_t>(d) : depthwise_of<int8_t, int32_t>(d);
  else
    wide ? depthwise_of<int16_t, int64_t>(d) : depthwise_of<int16_t, int32_t>(d);
}

template <class A, class B>
void depthwise_gradient_with(const DepthwiseGradient& d) {
  d.c_element == Element::kInt64 ? depthwise_gradient_of<A, B, int64_t>(d)
                                 : depthwise_gradient_of<A, B, int32_t>(d);
}

inline void depthwise_gradient(const DepthwiseGradient& d) {
  const bool a8 = d.a_element == Element::kInt8, b8 = d.b_element == Element::kInt8;
  if (d.a_element == Element::kFloat32) return depthwise_gradient_of<float, float, float>(d);
  if (a8 && b8) return depthwise_gradient_with<int8_t, int8_t>(d);
  if (!a8)
    return b8 ? depthwise_gradient_with<int16_t, int8_t>(d) : depthwise_gradient_with<int16_t, int16_t>(d);
  DepthwiseGradient swapped = d;  // products do not mind, and it is less code
  swapped.a = d.b;
  swapped.b = d.a;
  swapped.a_stride = d.b_stride;
  swapped.b_stride = d.a_stride;
  swapped.a_outer_stride = d.b_outer_stride;
  swapped.b_outer_stride = d.a_outer_stride;
  depthwise_gradient_with<int16_t, int8_t>(swapped);
}

}  // namespace MANTISSA_KERNEL_NAMESPACE
}  // namespace mantissa
