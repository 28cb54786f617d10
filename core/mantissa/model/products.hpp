// Second stage: parameters, and for each product the width of its sums, with proof, and the memory that it works in.
#pragma once
#include "mantissa/kernels/gradient.hpp"
#include "mantissa/model/draft.hpp"
#include "mantissa/model/norm_proofs.hpp"
#include "mantissa/model/proofs.hpp"
#include "mantissa/model/window_shares.hpp"

namespace mantissa::planning {

/// Scales, zero points or exponents of weights that have more than one scale.
constexpr void add_weight_scales(Draft& d, int32_t i, LayerPlan& l) {
  const Format format = l.formats.parameter;
  if (Error e = check_format(format, size_t(l.weights), size_t(l.weight_rows()))) return d.fail(e, i);
  const size_t bytes = metadata_bytes(format, size_t(l.weights), size_t(l.weight_rows()));
  l.weight_scales = d.add_tensor(Role::kWeightScales, i, sym_format(8), int64_t(bytes));
}

constexpr Error make_parameters(Draft& d) {
  for (int32_t i = 0; i < d.count(); ++i) {
    LayerPlan& l = d.layer(i);
    if (!l.node.has_parameters()) continue;
    const bool bias = l.node.bias == Bias::kPerOutput;
    d.summary.parameters += l.weights + (bias ? l.node.outputs : 0);
    l.layout = parameter_layout(l.formats);
    l.weight = d.add_tensor(Role::kWeight, i, l.formats.parameter, l.weights);
    l.weight_slot = d.new_slot();
    if (l.layout == ParameterLayout::kGranules) add_weight_scales(d, i, l);
    if (bias) {
      l.bias = d.add_tensor(Role::kBias, i, bias_format(l.formats.parameter), l.node.outputs);
      l.bias_slot = d.new_slot();
      if (!d.summary.is_float)
        l.bias_operand = d.add_tensor(Role::kBiasOperand, i, sym_int32_format(), l.node.outputs,
                                      d.dynamic() ? d.options.threads : 1);
    }
    if (!reads_in_place(l.formats))
      l.weight_operand = d.add_tensor(Role::kWeightOperand, i, l.formats.weight, l.weights);
    if (l.trains && d.options.momentum) {
      l.weight_momentum = d.add_tensor(Role::kWeightMomentum, i, l.formats.momentum, l.weights);
      l.weight_momentum_slot = d.new_slot();
      if (bias) {
        l.bias_momentum = d.add_tensor(Role::kBiasMomentum, i, l.formats.momentum, l.node.outputs);
        l.bias_momentum_slot = d.new_slot();
      }
    }
  }
  return d.error;
}

constexpr Error add_proof(Draft& d, Reduction reduction, int32_t at, int32_t terms, int32_t a, int32_t b,
                          int64_t extra, ProductPlan& product) {
  if (d.summary.is_float) {
    product.accumulator = Element::kFloat32;
    return {};
  }
  Proof& proof = d.buffers.proofs[size_t(d.summary.proofs++)];
  proof = Proof{
      .reduction = reduction, .layer = int16_t(at), .terms = terms, .a_max = a, .b_max = b, .extra = extra};
  // Pools sum in 32 bits only: a window that needs more is longer than any sensor's.
  return prove_sum(proof, reduction == Reduction::kPool ? Accumulation::kInt32 : d.recipe.accumulation,
                   product);
}

/// Rows of a tile: as many as fit, in fours, which kernels work on together.
constexpr int32_t rows_that_fit(const Draft& d, int64_t row_bytes, int32_t rows) {
  const int64_t fit = d.options.tile_bytes / row_bytes;
  if (fit >= rows) return rows;
  return int32_t(fit < 1 ? 1 : fit < 4 ? fit : fit / 4 * 4);
}

/// A tile of accumulators per thread. Float sums and logits need none: they are made where they stay.
constexpr void add_tile(Draft& d, int32_t at, ProductPlan& p, int32_t columns, int32_t rows, bool whole) {
  const int64_t row_bytes = int64_t(columns) * int64_t(element_bytes(p.accumulator));
  p.tile_rows = whole ? rows : rows_that_fit(d, row_bytes, rows);
  if (d.summary.is_float) return;
  p.tile =
      d.add_tensor(Role::kTile, at, sym_int32_format(), int64_t(columns) * p.tile_rows, d.options.threads);
  d.tensor(p.tile).element = p.accumulator;
}

constexpr void add_packed(Draft& d, int32_t at, ProductPlan& p, const GemmShape& shape, Element a, Element b,
                          int64_t copies) {
  const GemmScratch& scratch = d.options.scratch;
  if (scratch.use == ScratchUse::kNone || d.layer(at).is_depthwise()) return;
  const int64_t unit = scratch.alignment;
  const int64_t bytes = (int64_t(scratch.bytes(shape, a, b)) + unit - 1) / unit * unit;
  if (bytes == 0) return;
  p.packed = d.add_tensor(Role::kPacked, at, sym_format(8), bytes,
                          scratch.use == ScratchUse::kWorkspace ? d.options.threads : copies);
}

/// A row of an image with zeros around it, per thread, where a product reads beyond its ends.
constexpr void add_window(Draft& d, int32_t i, ProductPlan& p, const Wire& from, Shape shape, Halo halo) {
  if (halo.before + halo.after == 0) return;
  p.window = d.add_tensor(Role::kTile, i, d.tensor(from.tensor).format, int64_t(shape.row()) * shape.channels,
                          d.options.threads);
  d.tensor(p.window).halo_before = halo.before;
  d.tensor(p.window).halo_after = halo.after;
}

/// What a product of a convolution with its weights works in: windows slide over a signal (y of a convolution, dx of a
/// transposed one), or are spread over it, phase by phase of the stride (the other way round). Of an image, row by row of the window.
constexpr void add_windows_packed(Draft& d, int32_t i, const LayerPlan& l, ProductPlan& p, const Wire& from) {
  const int32_t rows = l.weight_rows() / l.node.groups, taps = l.flat_window() ? 1 : l.node.kernel;
  add_packed(d, i, p, {p.tile_rows, rows, taps, l.row_fan_in() / taps}, d.tensor(from.tensor).element,
             element_of(l.formats.weight), int64_t(l.node.groups) * l.node.vertical.kernel);
}
constexpr void add_spread_packed(Draft& d, int32_t i, const LayerPlan& l, ProductPlan& p, const Wire& from) {
  const int32_t columns = l.fan_in / l.node.window();
  add_packed(d, i, p, {p.tile_rows, columns, l.node.kernel, l.weight_rows() / l.node.groups},
             d.tensor(from.tensor).element, element_of(l.formats.weight),
             int64_t(l.node.groups) * l.node.vertical.kernel * l.node.stride);
}

/// A tile of a product that makes `shape`: of an image whole rows.
constexpr void add_shape_tile(Draft& d, int32_t i, const LayerPlan& l, ProductPlan& p, Shape shape,
                              bool whole) {
  if (!l.node.is_2d()) return add_tile(d, i, p, shape.channels, shape.steps, whole);
  const int64_t row_bytes = int64_t(shape.row()) * shape.channels * int64_t(element_bytes(p.accumulator));
  const int64_t fit = d.options.tile_bytes / row_bytes;
  const int32_t rows = whole || fit >= shape.height() ? shape.height() : fit < 1 ? 1 : int32_t(fit);
  add_tile(d, i, p, shape.channels, rows * shape.row(), true);
}

constexpr Error make_forward(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t a = d.max_code(l.x), b = d.summary.is_float ? 0 : largest_weight(l.formats);
  const int32_t terms = l.forward_terms();
  const int64_t room = l.bias >= 0 ? kBiasRoom : 0;
  if (Error e = add_proof(d, Reduction::kForward, i, terms, a, b, room, l.forward)) return e;
  const int64_t left = kInt32Max - int64_t(terms) * a * b;
  l.bias_limit = int32_t(l.forward.accumulator == Element::kInt64 ? kInt32Max : left);
  const bool is_linear = l.node.op == Op::kLinear;
  if (i == d.logits_layer && l.forward.accumulator == Element::kInt64)
    while (((int64_t(terms) * a * b + l.bias_limit) >> l.logits_shift) > kInt32Max) ++l.logits_shift;
  const bool whole = !is_linear && (d.stages(l.y) || (l.node.is_transposed() && l.node.stride > 1));
  if (is_linear)
    add_tile(d, i, l.forward, l.node.outputs, d.options.micro_batch, false);
  else
    add_shape_tile(d, i, l, l.forward, l.out, whole);
  if ((d.dynamic() || l.y.kept >= 0) && is_linear) l.forward.tile_rows = 1;
  l.node.is_transposed() ? add_spread_packed(d, i, l, l.forward, l.x)
                         : add_windows_packed(d, i, l, l.forward, l.x);
  if (l.node.is_2d()) add_window(d, i, l.forward, l.x, l.in, window_halo(l, l.in, l.out));
  return {};
}

constexpr Error make_backward(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t terms =
      l.node.is_transposed() ? l.fan_in : l.node.window() * (l.node.outputs / l.node.groups);
  const int32_t b = d.summary.is_float ? 0 : largest_weight(l.formats);
  if (Error e = add_proof(d, Reduction::kBackward, i, terms, d.max_code(l.dy), b, 0, l.backward)) return e;
  const bool is_linear = l.node.op == Op::kLinear;
  const bool whole = !is_linear && (d.stages(l.dx) || (!l.node.is_transposed() && l.node.stride > 1));
  if (is_linear)
    add_tile(d, i, l.backward, l.in.channels, d.options.micro_batch, false);
  else
    add_shape_tile(d, i, l, l.backward, l.in, whole);
  if ((d.dynamic() || l.dx.kept >= 0) && is_linear) l.backward.tile_rows = 1;
  l.node.is_transposed() ? add_windows_packed(d, i, l, l.backward, l.dy)
                         : add_spread_packed(d, i, l, l.backward, l.dy);
  if (l.node.is_2d()) add_window(d, i, l.backward, l.dy, l.out, spread_halo(l, l.in, l.out));
  return {};
}

/// Weights and biases apart: codes between micro-batches, each row of the weights with a grid of its own. A norm has
/// one weight per row, and one grid.
constexpr void make_coded_gradients(Draft& d, int32_t i, LayerPlan& l) {
  const bool counts = d.recipe.gradient_accumulation == GradientAccumulation::kFixed;
  int64_t grids = 0;
  if (l.coded_weight_gradient) {
    Format format = l.formats.gradient;
    format.group = l.node.is_norm() ? 0 : kPerChannel;
    l.weight_gradient = d.add_tensor(Role::kWeightGradient, i, format, l.weights);
    grids += int64_t(granules(format, size_t(l.weights), size_t(l.weight_rows())));
    if (counts) l.weight_gradient_slot = d.new_slot();
  }
  if (l.coded_bias_gradient) {
    l.bias_gradient = d.add_tensor(Role::kBiasGradient, i, l.formats.bias_gradient, l.node.outputs);
    ++grids;
    if (counts) l.bias_gradient_slot = d.new_slot();
  }
  if (grids > 0)
    l.gradient_scales =
        d.add_tensor(Role::kGradientScales, i, sym_format(8), grids * int64_t(sizeof(GradientGrid)));
}

/// dw over a batch (scales constant over it), a micro-batch (codes between them) or a sample (dynamic); db likewise.
constexpr Error make_gradient(Draft& d, int32_t i, LayerPlan& l) {
  l.coded_weight_gradient = !d.summary.fused_update && l.formats.gradient.is_narrow();
  l.coded_bias_gradient = !d.summary.fused_update && l.bias >= 0 && l.formats.bias_gradient.is_narrow();
  const auto samples = [&d](bool coded) {
    return d.dynamic() ? 1 : coded ? d.options.micro_batch : d.options.batch;
  };
  const int64_t terms = int64_t(l.gradient_steps()) * samples(l.coded_weight_gradient);
  const int64_t bias_terms = int64_t(l.out.steps) * samples(l.coded_bias_gradient);
  if (terms > INT32_MAX || bias_terms > INT32_MAX)
    return {.code = ErrorCode::kBadBatch, .layer = int16_t(i), .found = d.options.batch};
  const int32_t x_max = l.node.is_norm() && !d.summary.is_float ? kLargestNormalized : d.max_code(l.x);
  if (Error e = add_proof(d, Reduction::kGradient, i, int32_t(terms), d.max_code(l.dy), x_max, 0, l.gradient))
    return e;
  ProductPlan bias_product;
  if (l.bias >= 0)
    if (Error e = add_proof(d, Reduction::kBiasGradient, i, int32_t(bias_terms), d.max_code(l.dy), 1, 0,
                            bias_product))
      return e;
  if (l.gradient.accumulator == Element::kInt64) {
    const int64_t worst = terms * d.max_code(l.dy) * x_max;
    while ((worst >> l.gradient_shift) >= int64_t(1) << 30) ++l.gradient_shift;
  }
  const bool float_sums = d.summary.is_float || d.dynamic();
  Format sums = float_sums ? float32_format() : sym_int32_format();
  if (l.bias >= 0) {
    l.bias_sums =
        d.add_tensor(l.coded_bias_gradient ? Role::kTile : Role::kBiasGradient, i, sums, l.node.outputs);
    if (!float_sums) d.tensor(l.bias_sums).element = bias_product.accumulator;
    l.bias_gradient = l.bias_sums;
  }
  const bool is_linear = l.node.op == Op::kLinear;
  const int64_t row_bytes = int64_t(l.fan_in) * int64_t(element_bytes(l.gradient.accumulator));
  const int32_t rows =
      l.node.is_norm()
          ? l.node.outputs  // a step's statistics are made once for all of its channels
          : rows_that_fit(d, row_bytes, (l.weight_rows() + d.options.threads - 1) / d.options.threads);
  l.gradient.tile_rows = rows;
  make_coded_gradients(d, i, l);
  const bool in_tile = d.summary.fused_update || l.coded_weight_gradient;
  if (!in_tile) {
    l.weight_gradient = d.add_tensor(Role::kWeightGradient, i, sums, l.weights);
    if (!float_sums) d.tensor(l.weight_gradient).element = l.gradient.accumulator;
  }
  if (in_tile || d.dynamic()) {
    l.gradient.tile =
        d.add_tensor(Role::kTile, i, sym_int32_format(), int64_t(rows) * l.fan_in, d.options.threads);
    d.tensor(l.gradient.tile).element = l.gradient.accumulator;
    if (in_tile && d.dynamic() && !d.summary.is_float)
      l.float_tile =
          d.add_tensor(Role::kTile, i, float32_format(), int64_t(rows) * l.fan_in, d.options.threads);
  }
  if (l.node.is_norm()) return {};
  const bool flat = l.flat_window();
  const int32_t inner = is_linear        ? (d.dynamic() && !d.summary.is_float ? 1 : d.options.micro_batch)
                        : l.node.is_2d() ? l.out.row()
                                         : l.gradient_steps();
  const Element x = d.tensor(l.x.tensor).element, dy = d.tensor(l.dy.tensor).element;
  const bool swaps = l.node.is_transposed();
  const int32_t columns = flat ? l.row_fan_in() : l.fan_in / l.node.window();
  add_packed(d, i, l.gradient, {l.gradient.tile_rows, columns, 1, inner}, swaps ? x : dy, swaps ? dy : x,
             d.options.threads);
  if (l.node.is_2d()) add_window(d, i, l.gradient, l.x, l.in, window_halo(l, l.in, l.out));
  return {};
}

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

constexpr Error make_products(Draft& d) {
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
