// Last stage: the order of steps, and with it how long each tensor lives.
#pragma once
#include "mantissa/plan/draft.hpp"
#include "mantissa/plan/state.hpp"

namespace mantissa::planning {

constexpr int32_t add_step(Draft& d, StepKind kind, int32_t at) {
  d.buffers.steps[size_t(d.summary.steps)] = {kind, int16_t(at)};
  return d.summary.steps++;
}

constexpr void add_forward_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kForward, i);
  if (l.node.takes_two()) d.touch(wire_of(d, l.other).tensor, step);
  for (int16_t id : {l.x.tensor, l.y.tensor, l.y.kept, l.y.kept_scales, l.forward.tile, l.forward.packed,
                     l.forward.window, l.bias_operand, l.weight_operand, l.normalized, l.moments})
    d.touch(id, step);
}

constexpr bool backward_reads_input(const LayerPlan& l) {
  if (l.node.op == Op::kDropout) return false;
  if (l.node.takes_two()) return l.relu_input && l.passes_error;
  return l.relu_input || l.node.is_max_pool() || l.node.is_norm() || l.node.op == Op::kLeakyRelu ||
         l.node.op == Op::kRelu6;
}

/// Of a layer that takes two: where z has passed a ReLU.
constexpr bool backward_reads_other(const LayerPlan& l) { return l.relu_other && l.passes_other; }

constexpr void add_backward_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kBackward, i);
  for (int16_t id : {l.dy.tensor, l.dx.tensor, l.dz.tensor, l.dx.kept, l.dx.kept_scales, l.backward.tile,
                     l.backward.packed, l.backward.window, l.weight_operand, l.normalized, l.moments})
    d.touch(id, step);
  if (backward_reads_input(l)) d.touch(l.x.tensor, step);
  if (backward_reads_other(l)) d.touch(wire_of(d, l.other).tensor, step);
  if (l.node.is_bounded()) d.touch(l.y.tensor, step);
}

/// A wire that was kept becomes an operand again, for the steps of layer i only.
constexpr void add_read_step(Draft& d, int32_t i, StepKind kind, const Wire& wire) {
  const bool is_other = kind == StepKind::kReadOther;
  if (wire.kept < 0 || (is_other && wire.tensor == d.read_tensors[0])) return;
  const int32_t step = add_step(d, kind, i);
  d.touch(wire.kept, step);
  d.touch(wire.kept_scales, step);
  d.read_tensors[is_other ? 1 : 0] = wire.tensor;
  d.touch(wire.tensor, step);
}

/// The errors of all that read a layer's outputs become one.
constexpr void add_error_sum_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kSumErrors, i);
  for (int16_t id : {l.dy.tensor, l.dy.kept, l.dy.kept_scales, l.error_sum.tile}) d.touch(id, step);
  for_each_error(d, i, [&](const Wire& wire) { d.touch(wire.tensor, step); });
}

constexpr void add_gradient_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kGradient, i);
  for (int16_t id :
       {l.dy.tensor, l.x.tensor, l.gradient.tile, l.gradient.packed, l.gradient.window, l.float_tile,
        l.weight_gradient, l.bias_gradient, l.bias_sums, l.gradient_scales, l.normalized, l.moments})
    d.touch(id, step);
}

/// What outlives a micro-batch is alive in all of its steps.
constexpr void hold_durable(Draft& d) {
  for (int32_t i = 0; i < d.count(); ++i) {
    const LayerPlan& l = d.layer(i);
    for (int16_t id : {l.weight, l.bias, l.weight_scales, l.weight_momentum, l.bias_momentum, l.running})
      d.hold(id);
    if (d.summary.fused_update) continue;
    d.hold(l.weight_operand);
    d.hold(l.weight_gradient);
    d.hold(l.bias_gradient);
    d.hold(l.gradient_scales);
  }
}

constexpr void make_steps(Draft& d) {
  for (int32_t i = 0; i < d.count(); ++i)
    if (d.layer(i).weight_operand >= 0)
      d.touch(d.layer(i).weight_operand, add_step(d, StepKind::kOperands, i));
  d.summary.first_step = d.summary.steps;
  const int32_t input = add_step(d, StepKind::kInput, -1);
  d.touch(d.summary.input_tensor, input);
  d.touch(d.summary.sample_tensor, 0);  // it is there before a batch begins
  d.touch(d.summary.sample_tensor, input);
  for (int32_t i = 0; i < d.count(); ++i)
    if (!d.layer(i).fused) add_forward_step(d, i);
  const int32_t loss = add_step(d, StepKind::kLoss, d.logits_layer);
  d.touch(d.summary.logits_tensor, loss);
  d.touch(d.layer(d.logits_layer).y.tensor,
          loss);  // of a Sigmoid, Tanh or Softmax: the codes that become logits
  d.touch(d.layer(d.logits_layer).dy.tensor, loss);
  for (int32_t i = d.count() - 1; d.training() && i >= 0; --i) {
    const LayerPlan& l = d.layer(i);
    if (l.sums_errors) add_error_sum_step(d, i);
    if (l.trains || (l.has_backward() && backward_reads_input(l))) add_read_step(d, i, StepKind::kRead, l.x);
    if (l.has_backward() && backward_reads_other(l))
      add_read_step(d, i, StepKind::kReadOther, wire_of(d, l.other));
    if (l.has_backward()) add_backward_step(d, i);
    if (l.trains) add_gradient_step(d, i);
    d.read_tensors[0] = d.read_tensors[1] = -1;
  }
  for (int32_t i = 0; i < d.count(); ++i)
    if (d.layer(i).trains && !d.summary.fused_update) add_step(d, StepKind::kUpdate, i);
  hold_durable(d);
}

/// States of scales, counters, and then the bytes of every tensor.
constexpr Error make_states(Draft& d) {
  const int64_t per_slot = d.dynamic() && !d.summary.is_float ? d.options.micro_batch : 1;
  d.summary.scales_tensor =
      d.add_tensor(Role::kScales, -1, sym_format(8), int64_t(sizeof(ScaleState)) * d.summary.slots, per_slot);
  d.summary.counters_tensor =
      d.add_tensor(Role::kCounters, -1, sym_format(8), int64_t(sizeof(WorkerCounter)), d.options.threads);
  d.hold(d.summary.scales_tensor);
  d.hold(d.summary.counters_tensor);
  for (int32_t i = 0; i < d.summary.tensors; ++i) {
    Tensor& t = d.tensor(i);
    const bool gradient = t.role == Role::kWeightGradient || t.role == Role::kBiasGradient;
    const bool packed = t.role == Role::kWeight || t.role == Role::kBias || t.role == Role::kKept ||
                        (gradient && t.format.is_narrow());
    const int64_t bytes = packed ? t.samples * int64_t(packed_bytes(size_t(t.elements), t.format.bits))
                                 : int64_t(t.samples) * t.sample_stride() * int64_t(element_bytes(t.element));
    if (bytes > INT32_MAX)
      return {.code = ErrorCode::kArenaTooSmall, .layer = t.layer, .found = INT32_MAX, .limit = bytes};
    t.bytes = uint32_t(bytes);
  }
  return {};
}

}  // namespace mantissa::planning
