// Third stage: the order of steps, and with it how long each tensor lives.
#pragma once
#include "mantissa/model/draft.hpp"
#include "mantissa/model/state.hpp"

namespace mantissa::planning {

constexpr int32_t add_step(Draft& d, StepKind kind, int32_t at) {
  d.buffers.steps[size_t(d.summary.steps)] = {kind, int16_t(at)};
  return d.summary.steps++;
}

constexpr void add_forward_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kForward, i);
  for (int16_t id : {l.x.tensor, l.y.tensor, l.y.kept, l.y.kept_scales, l.forward.tile, l.forward.packed,
                     l.forward.window, l.bias_operand, l.weight_operand, l.normalized})
    d.touch(id, step);
}

constexpr bool backward_reads_input(const LayerPlan& l) {
  if (l.node.op == Op::kDropout) return false;
  return l.relu_input || l.node.is_max_pool() || l.node.op == Op::kLayerNorm || l.node.op == Op::kLeakyRelu ||
         l.node.op == Op::kRelu6;
}

constexpr void add_backward_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kBackward, i);
  for (int16_t id : {l.dy.tensor, l.dx.tensor, l.dx.kept, l.dx.kept_scales, l.backward.tile,
                     l.backward.packed, l.backward.window, l.weight_operand, l.normalized})
    d.touch(id, step);
  if (backward_reads_input(l)) d.touch(l.x.tensor, step);
  if (l.node.is_bounded()) d.touch(l.y.tensor, step);
}

/// A wire that was kept becomes an operand again, for the steps of layer i only.
constexpr void add_read_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kRead, i);
  d.touch(l.x.kept, step);
  d.touch(l.x.kept_scales, step);
  d.read_layer = i;
  d.touch(l.x.tensor, step);
}

constexpr void add_gradient_step(Draft& d, int32_t i) {
  LayerPlan& l = d.layer(i);
  const int32_t step = add_step(d, StepKind::kGradient, i);
  for (int16_t id :
       {l.dy.tensor, l.x.tensor, l.gradient.tile, l.gradient.packed, l.gradient.window, l.float_tile,
        l.weight_gradient, l.bias_gradient, l.bias_sums, l.gradient_scales, l.normalized})
    d.touch(id, step);
}

/// What outlives a micro-batch is alive in all of its steps.
constexpr void hold_durable(Draft& d) {
  for (int32_t i = 0; i < d.count(); ++i) {
    const LayerPlan& l = d.layer(i);
    for (int16_t id : {l.weight, l.bias, l.weight_scales, l.weight_momentum, l.bias_momentum}) d.hold(id);
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
    if (l.x.kept >= 0 && (l.trains || (l.has_backward() && backward_reads_input(l)))) add_read_step(d, i);
    if (l.has_backward()) add_backward_step(d, i);
    if (l.trains) add_gradient_step(d, i);
    d.read_layer = -1;
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
