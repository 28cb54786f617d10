// Why the 64-bit sums of LayerNorm do not overflow: those of squares, and those of errors on their way back.
// The rest of a LayerNorm is proved as any product is; these sums hold 64 bits wherever their channels are few enough.
#pragma once
#include "mantissa/kernels/layer_norm.hpp"
#include "mantissa/model/draft.hpp"
#include "mantissa/model/shapes.hpp"

namespace mantissa::planning {

inline constexpr int64_t kNormRoom = int64_t(1) << 62;  ///< what the sums stay below

constexpr void add_wide_proof(Draft& d, Proof proof) {
  proof.worst = int64_t(proof.a_max) * proof.b_max * proof.terms + proof.extra;
  proof.bits = 64;
  d.buffers.proofs[size_t(d.summary.proofs++)] = proof;
}

constexpr Error norm_too_wide(int32_t at, int32_t channels, int64_t limit) {
  return {.code = ErrorCode::kUnsupported,
          .detail = Detail::kNormTooWide,
          .layer = int16_t(at),
          .found = channels,
          .limit = limit};
}

/// n sum x^2 < 2^60 for n |x|max < 2^30; epsilon is at most 2^61 (whole()), so both fit.
constexpr void prove_norm_squares(Draft& d, int32_t i, int32_t channels, int32_t x_max) {
  add_wide_proof(d, {.reduction = Reduction::kNormSquares,
                     .layer = int16_t(i),
                     .terms = channels,
                     .a_max = channels * x_max,
                     .b_max = x_max});
}

/// |n g - sum g - h sum(g h)| <= 2 n G + 2 n r G for |g| <= G, r the power of two that no |h| exceeds: sum |h| <= n, since
/// sum h^2 <= n, and at most 2 n once each h is a code. At most kNormRoom.
constexpr int64_t norm_backward_bound(int32_t channels, int64_t largest) {
  const int64_t r = int64_t(1) << (15 - normalized_bits(channels));
  const int64_t terms = 2 * (1 + r) * channels;
  return terms > kNormRoom / largest ? kNormRoom : terms * largest;
}

constexpr Error prove_norm_backward(Draft& d, int32_t i, int32_t channels, int32_t dy_max, int32_t gamma) {
  const int64_t largest = int64_t(dy_max) * gamma, bound = norm_backward_bound(channels, largest);
  if (bound >= kNormRoom) {
    int32_t limit = 0;
    for (int32_t step = shapes::kLargest / 2; step > 0; step /= 2)
      if (norm_backward_bound(limit + step, largest) < kNormRoom) limit += step;
    return norm_too_wide(i, channels, limit);
  }
  add_wide_proof(d, {.reduction = Reduction::kNormBackward,
                     .layer = int16_t(i),
                     .terms = channels,
                     .a_max = dy_max,
                     .b_max = gamma,
                     .extra = bound - channels * largest});
  return {};
}

}  // namespace mantissa::planning
