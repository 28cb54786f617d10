// GroupNorm in the engine, and what a BatchNorm shares with it once its statistics are there: rows forward, backward, and the gradient of
// gamma. Statistics of a GroupNorm are those of a sample, and wait with it for the way back.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

/// All rows of a sample.
GroupRows Engine::group_rows(const LayerPlan& l, int32_t sample) const {
  const bool is_float = plan_.summary.is_float, is_group = l.node.op == Op::kGroupNorm;
  const GemmOperand gamma = weight_operand(l);
  GroupRows g;
  g.rows = l.in.steps;
  g.channels = g.stride = l.in.channels;
  g.groups = norm_groups(l);
  g.gamma = gamma.data;
  g.gamma_element = gamma.element;
  g.gamma_stride = gamma.inner_stride;
  g.moments = data<>(l.moments, is_group ? sample : 0);
  g.bits = norm_bits(l);
  g.float_epsilon = l.node.epsilon;
  g.runs = !is_group && !makes_batch_statistics(l);
  const bool is_common = makes_batch_statistics(l) && !is_float;
  g.x = batch_codes(l.x, sample, is_common ? common_bits(l, l.x) : 0);
  if (is_group) g.elements = l.in.size() / l.node.groups;
  if (makes_batch_statistics(l)) g.elements = observing_ ? l.in.size() : count_ * l.in.steps;
  if (is_float) return g;
  g.x_scale = is_common ? batch_unit(l.x, common_bits(l, l.x)) : wire_scale(l.x, sample);
  if (!g.runs) g.epsilon = norm_epsilon(l.node.epsilon, g.elements, g.x_scale);
  return g;
}

NormCodes Engine::group_errors_of(const LayerPlan& l, int32_t sample) const {
  const bool is_common = makes_batch_statistics(l) && !plan_.summary.is_float;
  return batch_codes(l.dy, sample, is_common ? kCommonBits : 0);
}

/// Of errors, which are exact sums times a deviation's inverse.
Scale Engine::group_backward_unit(const LayerPlan& l, int32_t sample) const {
  const bool is_batch = makes_batch_statistics(l);
  const Scale dy = is_batch ? batch_unit(l.dy, kCommonBits) : wire_scale(l.dy, sample);
  const Scale x = is_batch ? batch_unit(l.x, common_bits(l, l.x)) : wire_scale(l.x, sample);
  return (dy * weight_scale(l) / x).shifted(-kErrorBits);
}

namespace {

/// Some rows of those of a sample.
GroupRows rows_of(GroupRows g, int32_t row, int32_t rows) {
  g.x.data = at(g.x.data, g.x.element, ptrdiff_t(row) * g.stride);
  g.rows = rows;
  return g;
}

}  // namespace

void Engine::forward_group_norm(const LayerPlan& l, int32_t sample, int32_t worker) {
  const bool direct = plan_.tensors[size_t(l.y.tensor)].element == l.forward.accumulator;
  const GroupRows all = group_rows(l, sample);
  if (l.node.op == Op::kGroupNorm) {
    clear_elements(all.moments, Element::kInt8, plan_.tensors[size_t(l.moments)].elements);
    for (const MomentPhase phase :
         {MomentPhase::kSums, MomentPhase::kMean, MomentPhase::kSquares, MomentPhase::kInverse})
      kernels_->group_moments({all, phase});
  }
  const ForwardRows of_sample = {sample, worker, direct ? l.out.steps : l.forward.tile_rows,
                                 bias_row(l, sample, worker)};
  round_forward(l, of_sample, [&](int32_t row, int32_t rows, void* sums) {
    const uint64_t saturated = kernels_->group_forward({rows_of(all, row, rows), sums});
    if (!direct) data<WorkerCounter>(plan_.summary.counters_tensor)[worker].wire.saturated += saturated;
    if (direct && l.bias_operand >= 0) bias_saturated(worker) += uint32_t(saturated);
  });
}

void Engine::backward_group_norm(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Tensor& dxt = plan_.tensors[size_t(l.dx.tensor)];
  const bool is_float = plan_.summary.is_float;
  const int32_t n = l.in.channels, tile = is_float ? l.in.steps : l.backward.tile_rows;
  const GroupRows all = group_rows(l, sample);
  const NormCodes dy = group_errors_of(l, sample);
  if (l.node.op == Op::kGroupNorm) {
    clear_group_errors(all, is_float);
    kernels_->group_errors({all, dy});
  }
  clear_halo(l.dx.tensor, sample);
  for (int32_t row = 0; row < l.in.steps; row += tile) {
    const int32_t rows = row + tile > l.in.steps ? l.in.steps - row : tile;
    GroupBackward b = {{rows_of(all, row, rows), dy}, l.relu_input, nullptr};
    b.errors.dy.data = at(dy.data, dy.element, ptrdiff_t(row) * n);
    b.sums = is_float ? at(data<>(l.dx.tensor, sample), dxt.element, ptrdiff_t(row) * n)
                      : data<>(l.backward.tile, worker);
    const uint64_t magnitude = kernels_->group_backward(b);
    if (!is_float)
      round_wire(l.dx, sum_rows(l.backward, backward_unit(l, sample),
                                {.sample = sample,
                                 .row = row,
                                 .rows = rows,
                                 .columns = n,
                                 .code_stride = n,
                                 .magnitude = magnitude,
                                 .worker = worker}));
  }
}

/// The gradient of gamma: of a sample, with its own codes of errors.
void Engine::group_gradient_rows(const LayerPlan& l, int32_t sample, void* sums) const {
  kernels_->group_gradient(
      {{group_rows(l, sample), batch_codes(l.dy, sample, 0)}, sums, l.gradient.accumulator});
}

}  // namespace mantissa
