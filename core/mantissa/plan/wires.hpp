// Second stage: the wires between layers on the way forward.
#pragma once
#include "mantissa/plan/draft.hpp"
#include "mantissa/plan/shapes.hpp"

namespace mantissa::planning {

/// Memory for the codes of a wire that is no operand, and for scales that are made of each sample.
constexpr void add_kept(Draft& d, Wire& wire, int32_t at, int32_t size, bool own_scales) {
  if (Error e = check_format(wire.format, size_t(size))) return d.fail(e, at);
  wire.kept = d.add_tensor(Role::kKept, at, wire.format, size, d.options.micro_batch);
  if (!own_scales) return;
  const size_t bytes = metadata_bytes(wire.format, size_t(size));
  wire.kept_scales =
      d.add_tensor(Role::kKeptScales, at, sym_format(8), int64_t((bytes + 7) / 8 * 8), d.options.micro_batch);
}

/// What a wire is made from.
struct WireRequest {
  Role role = Role::kActivation;
  int32_t at = 0;
  Format format;
  int32_t size = 0;
  Rounding rounding = Rounding::kHalfAway;
  WireSetting setting = {};
};

/// A wire with the scale of a setting, or one that follows the recipe.
constexpr Wire make_wire(Draft& d, const WireRequest& r) {
  const WireSetting& setting = r.setting;
  const Scaling scaling = setting.scaling.value_or(d.recipe.scaling);
  const bool is_float = d.summary.is_float;
  // Scales of the sample where the recipe's are constant: as those of groups are made.
  const bool own_scales =
      !is_float &&
      (r.format.group != 0 || (scaling == Scaling::kDynamic && !d.dynamic() && setting.scale == 0.0f));
  Wire wire;
  wire.format = r.format;
  wire.rounding = setting.rounding.value_or(r.rounding);
  wire.scaling = own_scales ? d.recipe.scaling : scaling;
  wire.tensor = d.add_tensor(r.role, r.at, own_scales ? sym_format(16) : operand_format(r.format), r.size,
                             d.options.micro_batch);
  wire.slot = d.new_slot();
  if (is_float) return wire;
  wire.fixed = setting.scale > 0.0f;
  if (wire.fixed) {
    wire.factor = Scale::from_float(setting.scale);
    wire.zero_point = setting.zero_point;
  }
  const bool is_packed = d.recipe.wire_memory == WireMemory::kPacked && r.role == Role::kActivation &&
                         r.format.bits != 8 && r.format.bits != 16;
  if (own_scales || is_packed || !is_operand(r.format)) add_kept(d, wire, r.at, r.size, own_scales);
  if (r.format.kind == FormatKind::kAsym && !own_scales && !wire.fixed) wire.below_slot = d.new_slot();
  if (wire.scaling == Scaling::kDelayed && !wire.fixed) d.summary.calibrates = true;
  return wire;
}

/// A wire whose codes come from another one by selection: they keep its scale, and lie in a tensor of their own.
constexpr Wire selected_wire(Draft& d, Role role, int32_t at, const Wire& from, int32_t size) {
  Wire wire = from;
  wire.tensor = d.add_tensor(role, at, d.tensor(from.tensor).format, size, d.options.micro_batch);
  const bool is_exact =
      from.kept_scales < 0 && !(from.format.kind == FormatKind::kAsym && from.format.bits == 16);
  wire.kept = wire.kept_scales = -1;
  wire.shared = false;
  if (from.kept >= 0 && is_exact && role == Role::kActivation) add_kept(d, wire, at, size, false);
  return wire;
}

/// The same codes in a tensor of their own, to be changed there: what is kept of a wire is older.
constexpr Wire copied_wire(Draft& d, Role role, int32_t at, const Wire& from, int32_t size) {
  Wire wire = from;
  wire.tensor = d.add_tensor(role, at, d.tensor(from.tensor).format, size, d.options.micro_batch);
  wire.kept = wire.kept_scales = -1;
  wire.shared = false;
  return wire;
}

/// The scale of what a Dropout leaves grows by 2^16 / (2^16 - dropped). It works in place, on operands: what is kept of a wire is
/// older.
constexpr Scale drop_factor(const LayerPlan& l) {
  return Scale::ratio(1 << kDropBits, uint32_t((1 << kDropBits) - l.share));
}

/// Whether what lies in the wire's tensor is needed as it is on the way back.
constexpr bool keeps_outputs(Draft& d, const Wire& wire) {
  const int16_t layer = d.tensor(wire.tensor).layer;
  return layer >= 0 && d.layer(layer).node.is_bounded();
}

/// What lies within +-1: codes of the format's width with a fixed scale.
constexpr Wire make_bounded_wire(Draft& d, int32_t i, const LayerPlan& l) {
  Wire wire;
  wire.format = d.summary.is_float ? float32_format() : sym_format(l.formats.activation.bits);
  wire.tensor = d.add_tensor(Role::kActivation, i, wire.format, l.out.size(), d.options.micro_batch);
  wire.scaling = d.recipe.scaling;
  wire.fixed = true;
  if (!d.summary.is_float) wire.factor = Scale::ratio(1, uint32_t(wire.format.max_code()));
  return wire;
}

/// Samples as codes: of the recipe's width, with one scale.
constexpr Wire make_input_wire(Draft& d) {
  Wire wire;
  wire.format = d.recipe.at(0).activation;  // a Quantize may have given the first layer another
  if (!d.summary.is_float) wire.format = sym_format(wire.format.bits);
  wire.tensor = d.add_tensor(Role::kActivation, -1, wire.format, d.model.input.size(), d.options.micro_batch);
  wire.slot = d.new_slot();
  wire.scaling = d.recipe.scaling;
  return wire;
}

/// What the loss reads.
constexpr int16_t add_logits(Draft& d, int32_t i) {
  const Format format = d.summary.is_float ? float32_format() : sym_int32_format();
  const int32_t size = d.layer(i).out.size();
  return d.summary.logits_tensor = d.add_tensor(Role::kLogits, i, format, size, d.options.micro_batch);
}

/// Activations from the input on.
constexpr Error make_wires(Draft& d) {
  d.summary.input_wire = make_input_wire(d);
  d.summary.input_wire.shared = d.readers(-1) > 1;
  d.summary.input_tensor = d.summary.input_wire.tensor;
  if (d.options.input == InputMemory::kStaged)
    d.summary.sample_tensor =
        d.add_tensor(Role::kSample, -1, float32_format(), d.model.input.size(), d.options.micro_batch);
  for (int32_t i = 0; i < d.count(); ++i) {
    LayerPlan& l = d.layer(i);
    l.x = wire_of(d, l.source);
    Wire wire = l.x;
    if (i == d.logits_layer && l.node.is_bounded()) {
      wire = make_bounded_wire(d, i, l);
      add_logits(d, i);
    } else if (i == d.logits_layer) {
      wire = {};
      wire.tensor = add_logits(d, i);
      wire.format = d.tensor(wire.tensor).format;
    } else if (l.node.is_max_pool()) {
      wire = selected_wire(d, Role::kActivation, i, wire, l.out.size());
    } else if (l.node.op == Op::kRelu && !l.fused) {
      if (wire.shared) wire = copied_wire(d, Role::kActivation, i, wire, l.out.size());
      wire.kept = wire.kept_scales = -1;  // it changes the operand only, which therefore stays
    } else if (l.node.op == Op::kDropout) {
      if (wire.shared || keeps_outputs(d, wire))
        wire = copied_wire(d, Role::kActivation, i, wire, l.out.size());
      wire.kept = wire.kept_scales = -1;
      wire.training_factor = wire.training_factor * drop_factor(l);
    } else if (l.node.is_bounded()) {
      wire = make_bounded_wire(d, i, l);
    } else if (l.node.rounds_sums() || (l.node.op == Op::kQuantize && !l.fused)) {
      wire = make_wire(d, {Role::kActivation, i, l.formats.activation, l.out.size(),
                           l.formats.activation_rounding, l.node.activation});
    }
    wire.shared = wire.shared || d.readers(i) > 1;
    l.y = wire;
    if (l.node.op == Op::kConv1d) set_halo(d, l.x, {l.pad_left * l.in.channels, l.pad_right * l.in.channels});
    if (l.node.is_transposed()) set_halo(d, l.x, spread_halo(l, l.out, l.in));
  }
  return d.error;
}

}  // namespace mantissa::planning
