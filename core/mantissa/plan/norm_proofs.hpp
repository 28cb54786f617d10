// Why the 64-bit sums of norms do not overflow: those of squares, and those of errors on their way back.
// The rest of a norm is proved as any product is; these sums hold 64 bits wherever they have few enough elements.
#pragma once
#include "mantissa/kernels/group_norm.hpp"
#include "mantissa/plan/draft.hpp"
#include "mantissa/plan/shapes.hpp"

namespace mantissa {

/// k: normalized codes are in units of 2^-k.
constexpr int32_t norm_bits(const LayerPlan& l) {
  if (l.node.op == Op::kLayerNorm) return normalized_bits(l.in.channels);
  return l.node.op == Op::kGroupNorm ? group_normalized_bits(l.in.size() / l.node.groups)
                                     : kLeastNormalizedBits;
}

/// Of a GroupNorm or BatchNorm: statistics of each sample, or of channels.
constexpr int32_t norm_groups(const LayerPlan& l) {
  return l.node.op == Op::kGroupNorm ? l.node.groups : l.in.channels;
}

/// The most elements of which it makes statistics; a BatchNorm whose first sample sets scales takes all of that.
constexpr int64_t norm_elements(const LayerPlan& l, int32_t batch) {
  if (l.node.op == Op::kGroupNorm) return l.in.size() / l.node.groups;
  const int64_t all = int64_t(batch) * l.in.steps;
  return all > l.in.size() ? all : l.in.size();
}

/// Largest magnitude of n codes of which statistics are made: n times it is below 2^30.
constexpr int64_t largest_norm_code(int64_t n) { return ((int64_t(1) << 30) - 1) / n; }

/// Where samples have scales of their own a batch has codes in units of the largest one: of 16 bits, or as many as fit.
inline constexpr int32_t kCommonBits = 16;
constexpr int32_t common_norm_bits(int64_t n, int32_t bits) {
  int32_t common = kCommonBits;
  while (common > bits && (1 << (common - 1)) - 1 > largest_norm_code(n)) --common;
  return common;
}

}  // namespace mantissa

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

constexpr Error group_too_wide(int32_t at, int64_t elements, int64_t limit) {
  Error e = norm_too_wide(at, 0, limit);
  e.detail = Detail::kGroupTooWide;
  e.found = elements;
  return e;
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

/// The same where k is not the one of n: sum |g h| <= 2 n G 2^k holds it, too.
constexpr int64_t group_backward_bound(int64_t n, int64_t largest, int32_t bits) {
  const int64_t r = int64_t(1) << (15 - bits), sums = 2 * (1 + r), products = int64_t(2) << bits;
  const int64_t terms = (sums > products ? sums : products) * n;
  return terms > kNormRoom / largest ? kNormRoom : terms * largest;
}

constexpr Error prove_group_backward(Draft& d, int32_t i, int64_t n, int32_t dy_max, int32_t gamma) {
  const int64_t largest = int64_t(dy_max) * gamma;
  const int32_t bits = norm_bits(d.layer(i));
  const int64_t bound = group_backward_bound(n, largest, bits);
  if (bound >= kNormRoom) return group_too_wide(i, n, kNormRoom / group_backward_bound(1, largest, bits));
  add_wide_proof(d, {.reduction = Reduction::kNormBackward,
                     .layer = int16_t(i),
                     .terms = int32_t(n),
                     .a_max = dy_max,
                     .b_max = gamma,
                     .extra = bound - n * largest});
  return {};
}

/// A BatchNorm sees all of its batch at once, and more than one element of each channel.
constexpr Error check_batch_norm(const Draft& d, int32_t i, const LayerPlan& l) {
  if (!l.follows_batch) return {};
  Error e = {.code = ErrorCode::kUnsupported, .layer = int16_t(i)};
  if (d.options.micro_batch != d.options.batch) {
    e.detail = Detail::kBatchInParts;
    e.found = d.options.micro_batch;
    e.limit = d.options.batch;
    return e;
  }
  e.detail = Detail::kBatchOfOne;
  return int64_t(d.options.batch) * l.in.steps > 1 ? Error{} : e;
}

/// Statistics of each group, and those that run.
constexpr void add_statistics(Draft& d, int32_t i, LayerPlan& l) {
  const bool is_batch = l.node.op == Op::kBatchNorm;
  const int64_t bytes =
      int64_t(norm_groups(l)) * int64_t(d.summary.is_float ? sizeof(FloatMoments) : sizeof(Moments));
  l.moments = d.add_tensor(Role::kMoments, i, sym_format(8), bytes, is_batch ? 1 : d.options.micro_batch);
  if (is_batch) l.running = d.add_tensor(Role::kRunning, i, float32_format(), 2 * int64_t(l.in.channels));
}

}  // namespace mantissa::planning
