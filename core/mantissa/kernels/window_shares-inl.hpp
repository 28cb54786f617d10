// Bodies of window_shares.hpp, plain loops.  Source: SPEC 5.
#pragma once
#include "mantissa/kernels/window_shares.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa::ref {

/// Elements of window t, on all of its rows.
constexpr int32_t window_elements(const PoolShape& s, int32_t t) { return window_of(s, t).count * s.rows; }

/// From units of 1 / elements to units of 1 / divisor; exact where one divides the other.
constexpr Multiplier window_share(int32_t divisor, int32_t elements) {
  return multiplier(Scale::ratio(uint32_t(divisor), uint32_t(elements)));
}

inline void share_floats(const ShareSums& s) {
  for (int32_t t = 0; t < s.shape.out_steps; ++t) {
    float* row = static_cast<float*>(s.sums) + ptrdiff_t(t) * s.shape.channels;
    const float share = 1.0f / float(window_elements(s.shape, t));
    for (int32_t c = 0; c < s.shape.channels; ++c) row[c] *= share;
  }
}

template <Operands kOperands>
void share_sums(const ShareSums& s) {
  if (is<kOperands>(s.element, Element::kFloat32)) return share_floats(s);
  const int32_t channels = s.shape.channels;
  for (int32_t t = 0; t < s.shape.out_steps; ++t) {
    int32_t* row = static_cast<int32_t*>(s.sums) + ptrdiff_t(t) * channels;
    const Multiplier by = window_share(s.divisor, window_elements(s.shape, t));
    for (int32_t c = 0; c < channels; ++c) row[c] = int32_t(scaled(row[c], by, Rounding::kHalfAway));
  }
}

/// Calls term(c), once for each channel of each window, and adds it wherever the window lies.
template <class Sum, class Term>
void spread_window(const PoolShape& s, int32_t t, Sum* sums, Term term) {
  const PoolWindow w = window_of(s, t);
  for (int32_t c = 0; c < s.channels; ++c) {
    const Sum share = term(c);
    for (int32_t r = 0; r < s.rows; ++r)
      for (int32_t k = 0; k < w.count; ++k)
        sums[(ptrdiff_t(r) * s.pitch + w.first + k) * s.channels + c] += share;
  }
}

template <class Error>
void spread_codes(const SpreadShares& s) {
  for (int32_t t = 0; t < s.shape.out_steps; ++t) {
    const Error* dy = static_cast<const Error*>(s.dy) + ptrdiff_t(t) * s.shape.channels;
    const Multiplier by = window_share(s.divisor, window_elements(s.shape, t));
    spread_window(s.shape, t, static_cast<int32_t*>(s.sums),
                  [&](int32_t c) { return int32_t(scaled(dy[c], by, Rounding::kHalfAway)); });
  }
}

inline void spread_floats(const SpreadShares& s) {
  for (int32_t t = 0; t < s.shape.out_steps; ++t) {
    const float* dy = static_cast<const float*>(s.dy) + ptrdiff_t(t) * s.shape.channels;
    const float share = 1.0f / float(window_elements(s.shape, t));
    spread_window(s.shape, t, static_cast<float*>(s.sums), [&](int32_t c) { return dy[c] * share; });
  }
}

template <Operands kOperands>
void spread_shares(const SpreadShares& s) {
  if (is<kOperands>(s.error_element, Element::kFloat32)) return spread_floats(s);
  is<kOperands>(s.error_element, Element::kInt8) ? spread_codes<int8_t>(s) : spread_codes<int16_t>(s);
}

}  // namespace mantissa::ref
