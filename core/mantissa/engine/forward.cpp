// Forward: samples to codes, products and pools to wires.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

/// One unit of a layer's forward accumulator.
Scale Engine::forward_unit(const LayerPlan& l, int32_t sample) const {
  if (plan_.summary.is_float) return {};
  const Scale x = wire_scale(l.x, sample);
  if (l.node.is_norm()) return weight_scale(l).shifted(-norm_bits(l));
  if (l.node.op == Op::kQuantize || l.node.op == Op::kRelu6) return x;
  if (l.node.op == Op::kLeakyRelu) return x.shifted(-kSlopeBits);
  if (l.node.takes_two()) return join_unit(l, sample);
  if (l.node.is_bounded()) return wire_scale(l.y, sample);
  return l.node.has_parameters() ? x * weight_scale(l)
                                 : x / Scale::normalized(uint32_t(forward_divisor(l)), 0);
}

void* Engine::scratch(const ProductPlan& product, int32_t operand, int32_t worker) const {
  if (product.packed < 0) return nullptr;
  return data<>(product.packed, plan_.summary.scratch_use == ScratchUse::kOperand ? operand : worker);
}

void Engine::load_input(int32_t sample) {
  const PlanSummary& p = plan_.summary;
  const int32_t size = p.input.size();
  const float* x = x_ + ptrdiff_t(sample) * size;
  clear_halo(p.input_tensor, sample);
  if (p.is_float) {
    float* out = data<float>(p.input_tensor, sample);
    for (int32_t i = 0; i < size; ++i) out[i] = x[i];
    return;
  }
  const Tensor& t = plan_.tensors[size_t(p.input_tensor)];
  ScaleState& s = state(p.input_wire.slot, sample);
  if (p.scaling == Scaling::kDynamic) {
    const float largest = kernels_->largest_magnitude(x, size);
    if (largest > 0.0f)
      s.scale = Scale::from_float(largest) / Scale::normalized(uint32_t(t.format.max_code()), 0);
  }
  kernels_->quantize_floats({x, (Scale{} / s.scale).to_float(), symmetric_range(t.format.bits),
                             data<>(p.input_tensor, sample), t.element, size});
}

void Engine::run_forward(const LayerPlan& l) {
  const int64_t work = int64_t(count_) * l.gradient_steps() * l.weights;
  if (l.bias_operand >= 0 && plan_.summary.scaling == Scaling::kDelayed)
    bias_saturated(0) += make_bias_operand(l, 0, data<int32_t>(l.bias_operand)) * uint32_t(count_);
  if (l.node.op == Op::kBatchNorm) begin_batch_norm(l);
  if (!l.node.is_product()) {
    parallel(count_, int64_t(count_) * l.in.size() * 16, [&](int32_t s, int32_t worker) {
      if (l.node.op == Op::kLayerNorm) return forward_norm(l, s, worker);
      if (l.node.has_groups_of_norms()) return forward_group_norm(l, s, worker);
      if (l.node.op == Op::kQuantize) return requantize(l.x, l.y, l.forward, l.out, s, worker);
      if (l.node.op == Op::kSoftmax) return forward_softmax(l, s);
      if (l.node.is_activation()) return forward_activation(l, s, worker);
      if (l.node.op == Op::kDropout) return drop(l, l.x, l.y, s);
      if (l.node.takes_two()) return forward_join(l, s, worker);
      forward_pool(l, s, worker);
    });
  } else {
    const bool is_linear = l.node.op == Op::kLinear;
    const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
    prepare_product({l,
                     l.forward,
                     geometry_of(l, is_linear ? xt.sample_stride() : l.in.channels, 0),
                     {data<>(l.x.tensor), xt.element, 0, 0, 0},
                     l.node.is_transposed()});
    if (is_linear) {
      const int32_t tile = l.forward.tile_rows;
      parallel((count_ + tile - 1) / tile, work, [&](int32_t i, int32_t worker) {
        forward_rows(l, i * tile, 0, i * tile + tile > count_ ? count_ - i * tile : tile, worker);
      });
      for (int32_t s = 0; s < count_; ++s) clear_halo(l.y.tensor, s);
    } else {
      parallel(count_, work, [&](int32_t s, int32_t worker) {
        const int32_t tile = l.forward.tile_rows;
        for (int32_t row = 0; row < l.out.steps; row += tile)
          forward_rows(l, s, row, row + tile > l.out.steps ? l.out.steps - row : tile, worker);
        clear_halo(l.y.tensor, s);
      });
    }
  }
  if (l.bias_operand >= 0) collect_bias(l);
  if (!plan_.summary.is_float && l.y.slot != l.x.slot) collect(l.y, forward_unit(l, 0));
}

Gemm Engine::product_view(const WeightProduct& p, int32_t phase, int32_t group, int32_t row,
                          int32_t rows) const {
  const ConvGeometry& c = p.geometry;
  GemmOperand w = weight_operand(p.layer);
  w.data = at(w.data, w.element, ptrdiff_t(p.window_row) * c.fan_in() * w.inner_stride);
  Gemm g = p.spreads ? backward_view(c, backward_phase(c, phase), p.from, w, group, row, rows)
                     : forward_view(c, p.from, w, group, row, rows);
  g.c_element = p.plan.accumulator;
  g.block_terms = p.plan.block_terms;
  return g;
}

/// Arranges the weights for all runs of a product, where its kernel wants them so.
void Engine::prepare_product(WeightProduct p) const {
  if (p.plan.packed < 0) return;
  for (p.window_row = 0; p.window_row < p.geometry.window_rows; ++p.window_row)
    for (int32_t phase = 0; phase < p.phases(); ++phase)
      for (int32_t group = 0; group < p.geometry.groups; ++group) {
        Gemm g = product_view(p, phase, group, 0, p.plan.tile_rows);
        g.scratch = scratch(p.plan, p.operand(phase, group), 0);
        kernels_->gemm->prepare(g);
      }
}

/// Sums of some rows; of several phases all rows at once.
void Engine::run_signal(const WeightProduct& p, void* sums, int32_t stride, int32_t row, int32_t rows,
                        GemmStore store, int32_t worker) const {
  const ConvGeometry& c = p.geometry;
  const int32_t phases = p.phases(), groups = p.layer.is_depthwise() ? 1 : c.groups;
  for (int32_t phase = 0; phase < phases; ++phase)
    for (int32_t group = 0; group < groups; ++group) {
      Gemm g = product_view(p, phase, group, row, (rows - phase + phases - 1) / phases);
      g.c = at(sums, p.plan.accumulator, ptrdiff_t(phase) * stride + group * (p.columns() / c.groups));
      g.c_stride = stride * phases;
      g.store = store;
      if (p.layer.is_depthwise()) {
        kernels_->depthwise({g, c.groups, c.weight_row() * weight_operand(p.layer).inner_stride});
        continue;
      }
      g.scratch = scratch(p.plan, p.operand(phase, group), worker);
      kernels_->gemm->run(g);
    }
}

/// Sums of some rows: of a signal's steps, or of the whole rows of an image that they are.
void Engine::run_product(const WeightProduct& p, void* sums, int32_t stride, int32_t row, int32_t rows,
                         int32_t worker) const {
  if (!p.layer.node.is_2d()) return run_signal(p, sums, stride, row, rows, GemmStore::kOverwrite, worker);
  const int32_t width = p.spreads ? p.layer.in_row() : p.layer.out_row();
  for (int32_t done = 0; done < rows; done += width)
    run_image_row(p, at(sums, p.plan.accumulator, ptrdiff_t(done) * stride), stride, (row + done) / width,
                  worker);
}

/// Some rows of a sample, or, for Linear, some samples: product, bias, ReLU, rounding.
void Engine::forward_rows(const LayerPlan& l, int32_t sample, int32_t row, int32_t rows, int32_t worker) {
  const bool is_linear = l.node.op == Op::kLinear;
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  const int32_t y_row = is_linear ? yt.sample_stride() : l.out.channels;
  const bool logits = yt.role == Role::kLogits;
  const bool direct = yt.element == l.forward.accumulator;  // float32, or logits that fit
  const Element element = l.forward.accumulator;
  void* y = at(data<>(l.y.tensor, sample), yt.element, ptrdiff_t(row) * l.out.channels);
  void* sums = direct ? y : data<>(l.forward.tile, worker);
  const int32_t stride = direct ? y_row : l.out.channels;
  const ConvGeometry c = geometry_of(l, is_linear ? xt.sample_stride() : l.in.channels, y_row);
  run_product({l, l.forward, c, {data<>(l.x.tensor, sample), xt.element, 0, 0, 0}, l.node.is_transposed()},
              sums, stride, row, rows, worker);
  FinishSums finish;
  finish.sums = sums;
  finish.element = element;
  finish.rows = rows;
  finish.columns = l.out.channels;
  finish.stride = stride;
  finish.activation = l.relu_output ? Activation::kRelu : Activation::kNone;
  finish.bias = bias_row(l, sample, worker);
  const uint64_t magnitude = kernels_->finish_sums(finish);
  if (direct) return;
  if (logits) {
    const int64_t half = int64_t(1) << (l.logits_shift - 1);
    for (int32_t i = 0; i < rows * l.out.channels; ++i)
      static_cast<int32_t*>(y)[i] = int32_t((static_cast<int64_t*>(sums)[i] + half) >> l.logits_shift);
    return;
  }
  round_wire(l.y, sum_rows(l.forward, forward_unit(l, sample),
                           {.sample = sample,
                            .row = row,
                            .rows = rows,
                            .columns = l.out.channels,
                            .code_stride = y_row,
                            .magnitude = magnitude,
                            .worker = worker}));
}

}  // namespace mantissa
