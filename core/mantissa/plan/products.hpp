// Fourth stage: parameters, and for each product the width of its sums, with proof, and the memory that it works in.
#pragma once
#include "mantissa/kernels/gradient.hpp"
#include "mantissa/plan/draft.hpp"
#include "mantissa/plan/norm_proofs.hpp"
#include "mantissa/plan/proofs.hpp"

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

/// From one wire of a layer to the other by its weights.
struct ProductWires {
  const Wire& from;
  Shape from_shape;
  const Wire& to;
  Shape to_shape;
  bool spreads = false;  ///< weights are spread over what arrives, else windows of it meet them
};

/// A tile for the sums, room to arrange operands, and of an image a row with its zeros. Spread by a stride, sums are complete all at once.
constexpr void add_product_memory(Draft& d, int32_t i, const LayerPlan& l, ProductPlan& p,
                                  const ProductWires& w) {
  if (l.node.op == Op::kLinear) {
    add_tile(d, i, p, w.to_shape.channels, d.options.micro_batch, false);
    if (d.dynamic() || w.to.kept >= 0) p.tile_rows = 1;
  } else {
    add_shape_tile(d, i, l, p, w.to_shape, d.stages(w.to) || (w.spreads && l.node.stride > 1));
  }
  w.spreads ? add_spread_packed(d, i, l, p, w.from) : add_windows_packed(d, i, l, p, w.from);
  if (l.node.is_2d())
    add_window(d, i, p, w.from, w.from_shape,
               w.spreads ? spread_halo(l, l.in, l.out) : window_halo(l, l.in, l.out));
}

constexpr Error make_forward(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t a = d.max_code(l.x), b = d.summary.is_float ? 0 : largest_weight(l.formats);
  const int32_t terms = l.forward_terms();
  const int64_t room = l.bias >= 0 ? kBiasRoom : 0;
  if (Error e = add_proof(d, Reduction::kForward, i, terms, a, b, room, l.forward)) return e;
  const int64_t left = kInt32Max - int64_t(terms) * a * b;
  l.bias_limit = int32_t(l.forward.accumulator == Element::kInt64 ? kInt32Max : left);
  if (i == d.logits_layer && l.forward.accumulator == Element::kInt64)
    while (((int64_t(terms) * a * b + l.bias_limit) >> l.logits_shift) > kInt32Max) ++l.logits_shift;
  add_product_memory(d, i, l, l.forward, {l.x, l.in, l.y, l.out, l.node.is_transposed()});
  return {};
}

constexpr Error make_backward(Draft& d, int32_t i, LayerPlan& l) {
  const int32_t terms =
      l.node.is_transposed() ? l.fan_in : l.node.window() * (l.node.outputs / l.node.groups);
  const int32_t b = d.summary.is_float ? 0 : largest_weight(l.formats);
  if (Error e = add_proof(d, Reduction::kBackward, i, terms, d.max_code(l.dy), b, 0, l.backward)) return e;
  add_product_memory(d, i, l, l.backward, {l.dy, l.out, l.dx, l.in, !l.node.is_transposed()});
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

}  // namespace mantissa::planning
