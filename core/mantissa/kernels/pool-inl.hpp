// Bodies of pool.hpp. Plain loops: compiled once as the reference and once for each vector target.
#include <limits>

#include "mantissa/kernels/pool.hpp"

namespace mantissa {
namespace MANTISSA_KERNEL_NAMESPACE {

template <class T>
void max_pool_of(const MaxPool& p) {
  const int32_t channels = p.shape.channels;
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    T* __restrict y = static_cast<T*>(p.y) + ptrdiff_t(t) * channels;
    const PoolWindow w = window_of(p.shape, t);
    const T* window = static_cast<const T*>(p.x) + ptrdiff_t(w.first) * channels;
    for (int32_t c = 0; c < channels; ++c) y[c] = window[c];
    for (int32_t r = 0; r < p.shape.rows; ++r)
      for (int32_t k = r == 0 ? 1 : 0; k < w.count; ++k) {
        const T* __restrict row = window + (ptrdiff_t(r) * p.shape.pitch + k) * channels;
        for (int32_t c = 0; c < channels; ++c) y[c] = row[c] > y[c] ? row[c] : y[c];
      }
  }
}

template <Operands kOperands = Operands::kAny>
void max_pool(const MaxPool& p) {
  if (is<kOperands>(p.element, Element::kFloat32))
    max_pool_of<float>(p);
  else
    is<kOperands>(p.element, Element::kInt8) ? max_pool_of<int8_t>(p) : max_pool_of<int16_t>(p);
}

/// A window of two rows, the usual pool: without a branch per element.
template <class T, class E>
void route_pair(const T* __restrict a, const T* __restrict b, const E* __restrict dy, E* __restrict da,
                E* __restrict db, int32_t channels, bool relu) {
  const T least = relu ? T(1) : std::numeric_limits<T>::lowest();
  if constexpr (std::numeric_limits<T>::is_integer) {
    for (int32_t c = 0; c < channels; ++c) {
      const T winner = b[c] > a[c] ? b[c] : a[c];
      const E error = winner >= least ? dy[c] : E(0);
      const E later = b[c] > a[c] ? error : E(0);
      da[c] = E(error - later);
      db[c] = later;
    }
  } else {
    for (int32_t c = 0; c < channels; ++c) {
      const T winner = b[c] > a[c] ? b[c] : a[c];
      const E error = !relu || winner > T(0) ? dy[c] : E(0);
      da[c] = b[c] > a[c] ? E(0) : error;
      db[c] = b[c] > a[c] ? error : E(0);
    }
  }
}

/// The element of a window, of channel c, before which none is as large and after which none is larger: its place after the
/// window's first.
template <class T>
ptrdiff_t winner_of(const T* window, const PoolShape& s, int32_t count, int32_t c) {
  ptrdiff_t winner = c;
  for (int32_t r = 0; r < s.rows; ++r)
    for (int32_t k = 0; k < count; ++k) {
      const ptrdiff_t i = (ptrdiff_t(r) * s.pitch + k) * s.channels + c;
      if (window[i] > window[winner]) winner = i;
    }
  return winner;
}

template <class T, class E>
void route_window(const MaxPoolBackward& p, int32_t t) {
  const int32_t channels = p.shape.channels;
  const PoolWindow w = window_of(p.shape, t);
  const ptrdiff_t first = ptrdiff_t(w.first) * channels;
  const T* window = static_cast<const T*>(p.x) + first;
  const E* dy = static_cast<const E*>(p.dy) + ptrdiff_t(t) * channels;
  E* dx = static_cast<E*>(p.dx) + first;
  for (int32_t r = 0; r < p.shape.rows; ++r)
    for (int32_t i = 0; i < w.count * channels; ++i) dx[ptrdiff_t(r) * p.shape.pitch * channels + i] = E(0);
  for (int32_t c = 0; c < channels; ++c) {
    const ptrdiff_t winner = winner_of(window, p.shape, w.count, c);
    if (p.input == Activation::kNone || window[winner] > T(0)) dx[winner] = dy[c];
  }
}

/// Rows that no window covers get no error.
template <class E>
void clear_uncovered(const PoolShape& s, E* dx) {
  for (int32_t t = 0; t <= s.out_steps; ++t) {
    const PoolWindow before = window_of(s, t - 1);
    const int32_t first = t == 0 ? 0 : before.first + before.count;
    const int32_t end = t < s.out_steps ? window_of(s, t).first : s.in_steps;
    for (ptrdiff_t i = ptrdiff_t(first) * s.channels; i < ptrdiff_t(end) * s.channels; ++i) dx[i] = E(0);
  }
}

template <class T, class E>
void max_pool_backward_of(const MaxPoolBackward& p) {
  const int32_t channels = p.shape.channels;
  E* dx = static_cast<E*>(p.dx);
  if (p.shape.pitch == 0) clear_uncovered(p.shape, dx);
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    const ptrdiff_t first = ptrdiff_t(t) * p.shape.stride * channels;
    const T* window = static_cast<const T*>(p.x) + first;
    if (p.shape.kernel == 2 && p.shape.is_plain())
      route_pair(window, window + channels, static_cast<const E*>(p.dy) + ptrdiff_t(t) * channels, dx + first,
                 dx + first + channels, channels, p.input == Activation::kRelu);
    else
      route_window<T, E>(p, t);
  }
}

template <Operands kOperands = Operands::kAny>
void max_pool_backward(const MaxPoolBackward& p) {
  const bool x8 = is<kOperands>(p.element, Element::kInt8);
  const bool e8 = is<kOperands>(p.error_element, Element::kInt8);
  if (is<kOperands>(p.element, Element::kFloat32))
    max_pool_backward_of<float, float>(p);
  else if (x8)
    e8 ? max_pool_backward_of<int8_t, int8_t>(p) : max_pool_backward_of<int8_t, int16_t>(p);
  else
    e8 ? max_pool_backward_of<int16_t, int8_t>(p) : max_pool_backward_of<int16_t, int16_t>(p);
}

template <class T, class Sum>
void window_sums_of(const WindowSums& p) {
  const int32_t channels = p.shape.channels;
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    Sum* __restrict sums = static_cast<Sum*>(p.sums) + ptrdiff_t(t) * channels;
    const PoolWindow w = window_of(p.shape, t);
    const T* window = static_cast<const T*>(p.x) + ptrdiff_t(w.first) * channels;
    for (int32_t c = 0; c < channels; ++c) sums[c] = Sum(0);
    for (int32_t r = 0; r < p.shape.rows; ++r)
      for (int32_t k = 0; k < w.count; ++k) {
        const T* __restrict row = window + (ptrdiff_t(r) * p.shape.pitch + k) * channels;
        for (int32_t c = 0; c < channels; ++c) sums[c] += row[c];
      }
  }
}

inline void window_sums(const WindowSums& p) {
  if (p.element == Element::kFloat32)
    window_sums_of<float, float>(p);
  else
    p.element == Element::kInt8 ? window_sums_of<int8_t, int32_t>(p) : window_sums_of<int16_t, int32_t>(p);
}

template <class Mask, class E>
void spread_row(const Mask* __restrict mask, const E* __restrict dy, E* __restrict dx, int32_t channels) {
  if (mask == nullptr) {
    for (int32_t c = 0; c < channels; ++c) dx[c] = dy[c];
  } else {
    for (int32_t c = 0; c < channels; ++c) dx[c] = mask[c] > Mask(0) ? dy[c] : E(0);
  }
}

template <class Mask, class E>
void spread_of(const Spread& p) {
  const int32_t channels = p.shape.channels;
  E* dx = static_cast<E*>(p.dx);
  if (p.shape.pitch == 0) clear_uncovered(p.shape, dx);
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    const E* dy = static_cast<const E*>(p.dy) + ptrdiff_t(t) * channels;
    const PoolWindow w = window_of(p.shape, t);
    for (int32_t r = 0; r < p.shape.rows; ++r)
      for (int32_t k = 0; k < w.count; ++k) {
        const ptrdiff_t first = (ptrdiff_t(r) * p.shape.pitch + w.first + k) * channels;
        spread_row(p.mask == nullptr ? nullptr : static_cast<const Mask*>(p.mask) + first, dy, dx + first,
                   channels);
      }
  }
}

inline void spread(const Spread& p) {
  const bool x8 = p.element == Element::kInt8, e8 = p.error_element == Element::kInt8;
  if (p.error_element == Element::kFloat32)
    spread_of<float, float>(p);
  else if (x8)
    e8 ? spread_of<int8_t, int8_t>(p) : spread_of<int8_t, int16_t>(p);
  else
    e8 ? spread_of<int16_t, int8_t>(p) : spread_of<int16_t, int16_t>(p);
}

template <class T, class E, class Sum>
void overlap_sums_of(const OverlapSums& p) {
  const int32_t channels = p.shape.channels;
  Sum* sums = static_cast<Sum*>(p.sums);
  for (ptrdiff_t i = 0; p.shape.pitch == 0 && i < ptrdiff_t(p.shape.in_steps) * channels; ++i)
    sums[i] = Sum(0);
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    const PoolWindow w = window_of(p.shape, t);
    const ptrdiff_t first = ptrdiff_t(w.first) * channels;
    const E* dy = static_cast<const E*>(p.dy) + ptrdiff_t(t) * channels;
    if (p.x != nullptr) {
      const T* window = static_cast<const T*>(p.x) + first;
      for (int32_t c = 0; c < channels; ++c) sums[first + winner_of(window, p.shape, w.count, c)] += dy[c];
      continue;
    }
    for (int32_t r = 0; r < p.shape.rows; ++r)
      for (int32_t k = 0; k < w.count; ++k)
        for (int32_t c = 0; c < channels; ++c)
          sums[first + (ptrdiff_t(r) * p.shape.pitch + k) * channels + c] += dy[c];
  }
}

inline void overlap_sums(const OverlapSums& p) {
  const bool x8 = p.element == Element::kInt8, e8 = p.error_element == Element::kInt8;
  if (p.error_element == Element::kFloat32)
    overlap_sums_of<float, float, float>(p);
  else if (x8)
    e8 ? overlap_sums_of<int8_t, int8_t, int32_t>(p) : overlap_sums_of<int8_t, int16_t, int32_t>(p);
  else
    e8 ? overlap_sums_of<int16_t, int8_t, int32_t>(p) : overlap_sums_of<int16_t, int16_t, int32_t>(p);
}

}  // namespace MANTISSA_KERNEL_NAMESPACE
}  // namespace mantissa
