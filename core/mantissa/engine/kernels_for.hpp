// Which kernels a plan calls. Firmware with a constant plan names no others, so that no others are linked.
#pragma once
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/plan/formats.hpp"

namespace mantissa {

constexpr Operands operands_of(const PlanView& plan) {
  if (plan.summary.is_float) return Operands::kFloat32;
  for (const Tensor& t : plan.tensors) {
    const bool wire = t.role == Role::kActivation || t.role == Role::kError;
    if (t.element == Element::kInt64 || (wire && t.element == Element::kInt16)) return Operands::kIntegers;
  }
  for (const LayerPlan& l : plan.layers)
    if (l.node.has_parameters() && element_of(l.formats.weight) == Element::kInt16)
      return Operands::kIntegers;
  return Operands::kInt8;
}

/// Calls body(kernel, whether the plan needs it) for the kernels that some plan does without.
template <class Table, class Body>
constexpr void for_each_kernel(Table& k, const PlanView& plan, Body body) {
  const bool is_float = plan.summary.is_float;
  const bool dynamic = !is_float && plan.summary.scaling == Scaling::kDynamic;
  bool max = false, average = false, max_error = false, average_error = false, overlap = false;
  bool norm = false, norm_error = false, norm_trains = false;
  bool joins = false;
  bool group = false, statistics = false, group_error = false, group_sums = false, group_trains = false;
  bool running = false, follows = false;
  bool curve = false, curve_error = false, drops = false, softmax = false, softmax_error = false;
  bool shares = false, shared_error = false;
  bool kept = false, granules = false, depthwise = false, depthwise_trains = false;
  bool integer_update = false, float_update = false, float_weights = false, coded_gradient = false;
  for (const LayerPlan& l : plan.layers) {
    const bool is_max = l.node.is_max_pool(), is_average = l.node.is_average();
    const bool is_norm = l.node.op == Op::kLayerNorm;
    depthwise |= l.is_depthwise();
    depthwise_trains |= l.is_depthwise() && l.trains;
    norm |= is_norm;
    norm_error |= is_norm && l.passes_error;
    norm_trains |= is_norm && l.trains;
    joins |= l.node.takes_two() || l.sums_errors;
    const bool is_group = l.node.has_groups_of_norms(), follows_batch = l.follows_batch;
    group |= is_group;
    statistics |= is_group && (l.node.op == Op::kGroupNorm || follows_batch);
    group_error |= is_group && l.passes_error;
    group_sums |= is_group && l.passes_error && (l.node.op == Op::kGroupNorm || follows_batch);
    group_trains |= is_group && l.trains;
    running |= l.node.op == Op::kBatchNorm;
    follows |= follows_batch;
    const bool is_softmax = l.node.op == Op::kSoftmax, is_curve = l.node.is_activation() && !is_softmax;
    curve |= is_curve;
    curve_error |= is_curve && l.passes_error;
    softmax |= is_softmax;
    softmax_error |= is_softmax && l.passes_error;
    drops |= l.node.op == Op::kDropout;
    const bool adds = l.windows.add_errors(), is_equal = l.windows.are_equal();
    max |= is_max;
    average |= is_average;
    max_error |= is_max && l.passes_error && !adds;
    average_error |= is_average && l.passes_error && !adds;
    overlap |= (is_max || is_average) && l.passes_error && adds && is_equal;
    shares |= is_average && !is_equal;
    shared_error |= is_average && l.passes_error && !is_equal;
    integer_update |= l.trains && updates_exactly(l.formats);
    float_update |= l.trains && !updates_exactly(l.formats);
    coded_gradient |= l.coded_weight_gradient || l.coded_bias_gradient;
    kept |= l.y.kept >= 0 || l.dx.kept >= 0 || l.dy.kept >= 0;
    granules |= l.layout == ParameterLayout::kGranules && l.node.has_parameters();
    float_weights |= l.node.has_parameters() && l.formats.parameter.is_float();
  }
  body(k.rescale_sums, !is_float);
  body(k.quantize_floats, !is_float);
  body(k.column_sums, integer_update || float_update);
  body(k.depthwise, depthwise);
  body(k.depthwise_gradient, depthwise_trains);
  body(k.max_pool, max);
  body(k.max_pool_backward, max_error);
  body(k.window_sums, average);
  body(k.spread, average_error);
  body(k.overlap_sums, overlap);
  body(k.share_sums, shares);
  body(k.spread_shares, shared_error);
  body(k.update_integer, integer_update);
  body(k.update_float, float_update);
  body(k.join_gradient, coded_gradient);
  body(k.read_gradient, coded_gradient);
  body(k.add_scaled, dynamic && float_update);
  body(k.softmax_float, is_float && plan.summary.loss == Loss::kCrossEntropy);
  body(k.pointwise_loss, is_pointwise(plan.summary.loss));
  body(k.soft_cross_entropy, plan.summary.is_soft());
  body(k.norm_forward, norm);
  body(k.norm_backward, norm_error);
  body(k.norm_gradient, norm_trains);
  body(k.group_forward, group);
  body(k.group_moments, statistics);
  body(k.group_errors, group_sums);
  body(k.group_backward, group_error);
  body(k.group_gradient, group_trains);
  body(k.read_running, running);
  body(k.update_running, follows);
  body(k.activation_forward, curve);
  body(k.activation_backward, curve_error);
  body(k.softmax_forward, softmax);
  body(k.softmax_backward, softmax_error);
  body(k.drop_elements, drops && plan.summary.mode == PlanMode::kTrain);
  body(k.join_codes, joins);
  body(k.keep_sums, kept);
  body(k.read_kept, kept);
  body(k.read_weights, granules);
  body(k.largest_magnitude, dynamic || (!is_float && float_weights));
}

/// Whether the engine can run the plan with them.
constexpr bool can_run(const Kernels& kernels, const PlanView& plan) {
  const Operands have = kernels.operands, wanted = operands_of(plan);
  bool all =
      have == Operands::kAny || have == wanted || (have == Operands::kIntegers && wanted == Operands::kInt8);
  for_each_kernel(kernels, plan, [&](auto kernel, bool needed) { all &= !needed || kernel != nullptr; });
  return all;
}

/// Those of a set (RefKernels, SmallKernels, DspKernels, MveKernels) that a constant plan calls:
///   constexpr Kernels kKernels = kernels_for<DspKernels>(kPlan.view());
template <template <Operands> class Set>
constexpr Kernels kernels_for(const PlanView& plan) {
  Kernels kernels;
  switch (operands_of(plan)) {
    case Operands::kAny: kernels = kernels_of<Set<Operands::kAny>>; break;
    case Operands::kFloat32: kernels = kernels_of<Set<Operands::kFloat32>>; break;
    case Operands::kIntegers: kernels = kernels_of<Set<Operands::kIntegers>>; break;
    case Operands::kInt8: kernels = kernels_of<Set<Operands::kInt8>>; break;
  }
  for_each_kernel(kernels, plan, [](auto& kernel, bool needed) {
    if (!needed) kernel = nullptr;
  });
  return kernels;
}

}  // namespace mantissa
