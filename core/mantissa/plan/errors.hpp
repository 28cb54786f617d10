// Third stage: errors, the wires on the way back.
#pragma once
#include "mantissa/losses/soft_cross_entropy.hpp"
#include "mantissa/plan/wires.hpp"

namespace mantissa::planning {

/// Whether the error that arrives behind a Quantize already is as it wants it.
constexpr bool arrives_as_set(Draft& d, const Wire& wire, const LayerPlan& l) {
  const WireSetting& s = l.node.error;
  if (d.summary.is_float || (s.bits == 0 && s.scale == 0.0f && !s.scaling)) return true;
  const bool same_scale =
      s.scale > 0.0f ? wire.fixed && wire.factor == Scale::from_float(s.scale) : !wire.fixed;
  return wire.format == l.formats.error && same_scale &&
         (!s.scaling || *s.scaling == (wire.kept_scales >= 0 ? Scaling::kDynamic : wire.scaling));
}

/// The scale of errors with a range that is known: 1 with CrossEntropy, or that of its targets; 1 / O with binary cross-entropy. L1
/// has codes -1, 0, 1.
constexpr Scale loss_scale(Draft& d, int32_t max_code) {
  const LossSettings& s = d.model.loss_settings;
  const bool sums = s.reduction == LossReduction::kSum;
  if (d.summary.loss == Loss::kL1) return Scale::ratio(1, uint32_t(d.summary.loss_divisor()));
  const Scale one = Scale::ratio(1, uint32_t(max_code));
  if (d.summary.loss == Loss::kBce) return one / Scale::normalized(uint32_t(d.summary.loss_divisor()), 0);
  if (!sums || !s.is_soft()) return one;
  const float* weights = s.class_weights.empty() ? nullptr : s.class_weights.data();
  return ClassTargets(weights, d.summary.classes, s.smoothing).range_value() * one;
}

/// What the loss passes back: codes of the format's width with one scale.
constexpr Wire make_loss_wire(Draft& d, const LayerPlan& last) {
  Format format = last.formats.error;
  if (!d.summary.is_float) format = sym_format(format.bits);
  Wire wire;
  wire.tensor = d.add_tensor(Role::kError, d.logits_layer, format, d.summary.classes, d.options.micro_batch);
  wire.format = format;
  wire.rounding = last.formats.error_rounding;
  wire.scaling = d.recipe.scaling;
  if (d.summary.loss == Loss::kMse || d.summary.loss == Loss::kHuber)
    wire.slot = d.new_slot();
  else if (!d.summary.is_float)
    wire.factor = loss_scale(d, format.max_code());
  return wire;
}

/// The error of what layer i passes on: of its only reader, or the sum of several, rounded once more.
constexpr Wire arriving_error(Draft& d, int32_t i) {
  if (i == d.count() - 1) return d.summary.loss_wire;
  LayerPlan& l = d.layer(i);
  const int32_t reader = only_reader(d.model, i);
  if (reader >= 0) return d.layer(reader).source == i ? d.layer(reader).dx : d.layer(reader).dz;
  l.sums_errors = true;
  return make_wire(d,
                   {Role::kError, i, l.formats.error, l.out.size(), l.formats.error_rounding, l.node.error});
}

/// An error that passes an Add is the same for both inputs, and stays where it is; but for an input that has passed a ReLU, and for
/// those of a Concat, it is selected.
constexpr void make_two_errors(Draft& d, LayerPlan& l) {
  const auto part = [&](bool relu, int32_t source, Shape shape) {
    if (l.node.op == Op::kConcat || relu) return selected_wire(d, Role::kError, source, l.dy, shape.size());
    Wire wire = l.dy;
    wire.shared = wire.shared || (l.passes_error && l.passes_other);
    return wire;
  };
  if (l.passes_error) l.dx = part(l.relu_input, l.source, l.in);
  if (l.passes_other) l.dz = part(l.relu_other, l.other, l.in_other);
}

/// A LayerNorm rounds its errors step by step, each with a unit of its own.
constexpr void check_norm_error(Draft& d, int32_t i, const Wire& dx) {
  const int32_t group = dx.format.group;
  const bool own_scales = dx.kept_scales >= 0 || (dx.kept >= 0 && d.dynamic() && !dx.fixed);
  const bool in_a_step = group != 0 && d.layer(i).in.channels % group == 0;
  if (own_scales && !in_a_step && d.layer(i).in.steps > 1)
    d.fail({.code = ErrorCode::kUnsupported,
            .detail = Detail::kNormErrorGroups,
            .found = group,
            .limit = d.layer(i).in.channels},
           i);
}

/// Errors from the loss back to the deepest layer that trains.
constexpr Error make_errors(Draft& d) {
  if (!d.training()) return {};
  d.summary.loss_wire = make_loss_wire(d, d.layer(d.logits_layer));
  for (int32_t i = d.count() - 1; i >= 0; --i) {
    LayerPlan& l = d.layer(i);
    if (!l.trains && !l.passes_error && !l.passes_other) continue;
    Wire wire = arriving_error(d, i);
    l.dy = wire;
    if (l.node.op == Op::kConv1d && l.passes_error) set_halo(d, l.dy, spread_halo(l, l.in, l.out));
    if (l.node.is_transposed()) set_halo(d, l.dy, window_halo(l, l.out, l.in));
    if (l.node.takes_two()) {
      make_two_errors(d, l);
      continue;
    }
    if (!l.passes_error) continue;
    const bool pools = l.node.is_pool();
    if (l.node.op == Op::kDropout) {
      if (wire.shared) wire = copied_wire(d, Role::kError, l.source, wire, l.in.size());
      wire.kept = wire.kept_scales = -1;
      wire.factor = wire.factor * drop_factor(l);
    } else if (l.node.op == Op::kRelu6) {
      wire = selected_wire(d, Role::kError, l.source, wire, l.in.size());
    } else if (l.node.has_parameters() || l.node.is_activation() || (pools && l.windows.add_errors())) {
      const LayerPlan& before = d.layer(l.source);
      wire = make_wire(d, {Role::kError, l.source, before.formats.error, l.in.size(),
                           before.formats.error_rounding, before.node.error});
      if (l.node.op == Op::kLayerNorm) check_norm_error(d, i, wire);
    } else if (l.node.op == Op::kQuantize && !arrives_as_set(d, wire, l)) {
      wire = make_wire(
          d, {Role::kError, l.source, l.formats.error, l.in.size(), l.formats.error_rounding, l.node.error});
    } else if (pools) {
      wire = selected_wire(d, Role::kError, l.source, wire, l.in.size());
      if (l.node.is_average()) wire.factor = wire.factor * Scale::ratio(1, uint32_t(l.windows.most));
    }
    l.dx = wire;
  }
  return d.error;
}

}  // namespace mantissa::planning
