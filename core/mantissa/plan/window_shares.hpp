// The unit that averages over windows of several sizes share, and why what is brought to it fits 32 bits.
#pragma once
#include "mantissa/plan/plan.hpp"

namespace mantissa {

inline constexpr int32_t kShareBits = 8;  ///< of a shared unit below that of the largest window
inline constexpr int64_t kShareRoom = int64_t(1) << 30;  ///< what shares stay below

/// How many codes the errors of the windows that meet in a step come to at most, in units of 1 / divisor.
constexpr int64_t spread_terms(const Windows& w, int64_t divisor) {
  return w.meeting * ((divisor + w.least - 1) / w.least);
}

/// The largest window times the largest power of two up to 2^kShareBits for which `terms(divisor)` codes have room; the largest window
/// itself where no power does, or all windows are equal.
template <class Terms>
constexpr int32_t shared_divisor(const Windows& w, int32_t max_code, Terms terms) {
  if (w.are_equal()) return w.most;
  int32_t bits = kShareBits;
  while (bits > 0 && terms(int64_t(w.most) << bits) * max_code >= kShareRoom) --bits;
  return w.most << bits;
}

/// Units of a window's sums in a code of x, up to max_code.  Source: SPEC 5.
constexpr int32_t average_divisor(const Windows& w, int32_t max_code) {
  return shared_divisor(w, max_code, [](int64_t divisor) { return divisor; });
}

/// Units of the sums of errors in a code of dy, up to max_code.
constexpr int32_t spread_divisor(const Windows& w, int32_t max_code) {
  return shared_divisor(w, max_code, [&w](int64_t divisor) { return spread_terms(w, divisor); });
}

}  // namespace mantissa
