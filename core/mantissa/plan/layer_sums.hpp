// Fifth stage: sums of what is no product with weights: pools, norms, activations, where wires meet; each with its proof and its memory.
#pragma once
#include "mantissa/plan/products.hpp"
#include "mantissa/plan/window_shares.hpp"

namespace mantissa::planning {

/// Sums in the unit that windows of several sizes share: terms codes at most, below kShareRoom.
constexpr Error prove_shares(Draft& d, int32_t i, int64_t terms, int32_t max_code) {
  if (d.summary.is_float || d.layer(i).windows.are_equal()) return {};
  if (terms * max_code >= kShareRoom)
    return {.code = ErrorCode::kUnprovable,
            .layer = int16_t(i),
            .found = terms,
            .limit = (kShareRoom - 1) / max_code,
            .a_bits = code_bits(max_code)};
  ProductPlan shares;
  return add_proof(d, Reduction::kWindowShare, i, int32_t(terms), max_code, 1, 0, shares);
}

constexpr Error make_pool(Draft& d, int32_t i, LayerPlan& l, bool averages) {
  if (averages) {
    const int32_t x_max = d.max_code(l.x);
    if (Error e = add_proof(d, Reduction::kPool, i, l.windows.most, x_max, 1, 0, l.forward)) return e;
    if (Error e = prove_shares(d, i, average_divisor(l.windows, x_max), x_max)) return e;
    if (i != d.logits_layer) add_shape_tile(d, i, l, l.forward, l.out, d.stages(l.y));
  }
  if (l.passes_error && l.windows.add_errors()) {
    const int32_t dy_max = d.max_code(l.dy);
    if (Error e = add_proof(d, Reduction::kPool, i, l.windows.meeting, dy_max, 1, 0, l.backward)) return e;
    const int32_t divisor = spread_divisor(l.windows, dy_max);
    if (Error e = prove_shares(d, i, spread_terms(l.windows, divisor), dy_max)) return e;
    add_tile(d, i, l.backward, l.in.channels, l.in.steps, true);
  }
  return {};
}

/// Normalized codes times gamma, and beta.
constexpr Error make_norm_forward(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t gamma = d.summary.is_float ? 0 : largest_weight(l.formats);
  const int64_t room = l.bias >= 0 ? kBiasRoom : 0;
  if (Error e = add_proof(d, Reduction::kForward, i, 1, kLargestNormalized, gamma, room, l.forward)) return e;
  l.bias_limit = int32_t(kInt32Max - int64_t(kLargestNormalized) * gamma);
  if (i != d.logits_layer) add_tile(d, i, l.forward, l.in.channels, l.out.steps, d.stages(l.y));
  return {};
}

/// Sums of codes less their mean in 32 bits, of squares in 64; what comes of gamma is one product per channel.
constexpr Error make_layer_norm(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t channels = l.in.channels, x_max = d.max_code(l.x);
  l.forward.tile_rows = l.out.steps;
  l.gradient.tile_rows = channels;
  if (!d.summary.is_float) {
    const int64_t limit = ((int64_t(1) << 30) - 1) / x_max;
    if (channels > limit) return norm_too_wide(i, channels, limit);
    ProductPlan deviation;
    if (Error e = add_proof(d, Reduction::kNorm, i, channels, 2 * x_max, 1, 0, deviation)) return e;
    prove_norm_squares(d, i, channels, x_max);
    l.normalized = d.add_tensor(Role::kTile, i, sym_format(16), channels, d.options.threads);
  }
  if (Error e = make_norm_forward(d, i, l)) return e;
  if (l.passes_error && !d.summary.is_float) {
    const int32_t gamma = largest_weight(l.formats);
    if (Error e = prove_norm_backward(d, i, channels, d.max_code(l.dy), gamma)) return e;
    l.backward = {.accumulator = Element::kInt64, .tile_rows = 1};
    l.backward.tile = d.add_tensor(Role::kTile, i, sym_int32_format(), channels, d.options.threads);
    d.tensor(l.backward.tile).element = Element::kInt64;
  }
  return {};
}

/// Statistics of groups over many steps. Those of a batch of samples with scales of their own are of codes in a common unit.
constexpr Error make_group_norm(Draft& d, int32_t i, LayerPlan& l) {
  if (Error e = check_batch_norm(d, i, l)) return e;
  add_statistics(d, i, l);
  const bool is_group = l.node.op == Op::kGroupNorm;
  const int64_t n = is_group || l.follows_batch ? norm_elements(l, d.options.batch) : 1;
  if (!d.summary.is_float && n > 1) {
    const bool is_common = !is_group && l.x.has_scales_of_samples();
    const int32_t bits = d.tensor(l.x.tensor).format.bits;
    const int32_t x_max = is_common ? (1 << (common_norm_bits(n, bits) - 1)) - 1 : d.max_code(l.x);
    if (x_max > largest_norm_code(n)) return group_too_wide(i, n, largest_norm_code(x_max));
    ProductPlan deviation;
    if (Error e = add_proof(d, Reduction::kNorm, i, int32_t(n), 2 * x_max, 1, 0, deviation)) return e;
    prove_norm_squares(d, i, int32_t(n), x_max);
  }
  l.gradient.tile_rows = l.in.channels;
  if (Error e = make_norm_forward(d, i, l)) return e;
  if (!l.passes_error) return {};
  if (!d.summary.is_float) {
    const bool is_common = l.follows_batch && l.dy.has_scales_of_samples();
    const int32_t dy_max = is_common ? (1 << (kCommonBits - 1)) - 1 : d.max_code(l.dy);
    if (Error e = prove_group_backward(d, i, n, dy_max, largest_weight(l.formats))) return e;
    l.backward.accumulator = Element::kInt64;
  }
  add_tile(d, i, l.backward, l.in.channels, l.in.steps, d.stages(l.dx));
  return {};
}

/// Codes as sums of one term, to be rounded again.
constexpr void make_quantize(Draft& d, int32_t i, LayerPlan& l) {
  if (!l.fused) add_tile(d, i, l.forward, l.out.channels, l.out.steps, d.stages(l.y));
  if (l.passes_error && l.dx.tensor != l.dy.tensor)
    add_tile(d, i, l.backward, l.in.channels, l.in.steps, d.stages(l.dx));
}

/// The largest slope, in units of the sums: 2^15, or that of the curve at y in codes up to `largest`.
constexpr int32_t largest_slope(Op op, int32_t largest) {
  if (op == Op::kLeakyRelu) return 1 << kSlopeBits;
  return op == Op::kSigmoid ? largest / 2 * (largest - largest / 2) : largest * largest;
}

/// y (max dy - sum dy y): codes y add up to max + C / 2 at most, since each is rounded by up to a half.
constexpr Error make_softmax_backward(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t max = d.max_code(l.y), terms = 2 * max + (l.in.channels + 1) / 2;
  if (Error e = add_proof(d, Reduction::kSoftmax, i, terms, d.max_code(l.dy), max, 0, l.backward)) return e;
  add_tile(d, i, l.backward, l.in.channels, l.in.steps, d.stages(l.dx));
  return {};
}

/// Sums of one term forward and backward, but for what is only selected, and for codes that are made at once.
constexpr Error make_activation(Draft& d, int32_t i, LayerPlan& l) {
  const Op op = l.node.op;
  if (!l.node.is_bounded()) {
    if (op == Op::kLeakyRelu)
      if (Error e = add_proof(d, Reduction::kSlope, i, 1, d.max_code(l.x), 1 << kSlopeBits, 0, l.forward))
        return e;
    add_tile(d, i, l.forward, l.out.channels, l.out.steps, d.stages(l.y));
  }
  if (!l.passes_error || op == Op::kRelu6) return {};
  if (op == Op::kSoftmax) return make_softmax_backward(d, i, l);
  const int32_t slope = d.summary.is_float ? 0 : largest_slope(op, d.max_code(l.y));
  if (Error e = add_proof(d, Reduction::kSlope, i, 1, d.max_code(l.dy), slope, 0, l.backward)) return e;
  add_tile(d, i, l.backward, l.in.channels, l.in.steps, d.stages(l.dx));
  return {};
}

/// Codes of wires, each at most `largest` scales below the largest one, in a common unit: 2^-14 of that, or as fine as 31 bits allow.
constexpr Error make_join(Draft& d, int32_t i, int32_t wires, int32_t largest, ProductPlan& p) {
  constexpr int32_t kFinest = 14;
  p.unit_bits = kFinest;
  while (int64_t(wires) * largest << p.unit_bits > kInt32Max) --p.unit_bits;
  return add_proof(d, Reduction::kJoin, i, wires, largest, 1 << p.unit_bits, 0, p);
}

constexpr Error make_two(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t x = d.max_code(l.x), z = d.max_code(wire_of(d, l.other));
  if (Error e = make_join(d, i, l.node.op == Op::kAdd ? 2 : 1, x > z ? x : z, l.forward)) return e;
  l.forward.tile_rows = l.out.steps;
  if (i != d.logits_layer) add_tile(d, i, l.forward, l.out.channels, l.out.steps, d.stages(l.y));
  return {};
}

constexpr Error make_error_sum(Draft& d, int32_t i, LayerPlan& l) {
  int32_t wires = 0, largest = 0;
  for_each_error(d, i, [&](const Wire& wire) {
    ++wires;
    largest = d.max_code(wire) > largest ? d.max_code(wire) : largest;
  });
  if (Error e = make_join(d, i, wires, largest, l.error_sum)) return e;
  add_tile(d, i, l.error_sum, l.out.channels, l.out.steps, d.stages(l.dy));
  return {};
}

constexpr Error make_sums(Draft& d) {
  for (int32_t i = 0; i < d.count(); ++i) {
    LayerPlan& l = d.layer(i);
    Error e{};
    if (l.node.is_norm()) {
      e = l.node.op == Op::kLayerNorm ? make_layer_norm(d, i, l) : make_group_norm(d, i, l);
      if (!e && l.trains) e = make_gradient(d, i, l);
    } else if (l.node.op == Op::kQuantize) {
      make_quantize(d, i, l);
    } else if (l.node.is_activation()) {
      e = make_activation(d, i, l);
    } else if (l.node.has_parameters()) {
      e = make_forward(d, i, l);
      if (!e && l.passes_error) e = make_backward(d, i, l);
      if (!e && l.trains) e = make_gradient(d, i, l);
    } else if (l.node.is_pool()) {
      e = make_pool(d, i, l, l.node.is_average());
    } else if (l.node.takes_two()) {
      e = make_two(d, i, l);
    }
    if (!e && l.sums_errors) e = make_error_sum(d, i, l);
    if (e) return e;
  }
  return {};
}

}  // namespace mantissa::planning
