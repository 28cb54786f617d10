// First stage: layers with shapes and formats, and the wires between them.
#pragma once
#include "mantissa/losses/soft_cross_entropy.hpp"
#include "mantissa/model/draft.hpp"
#include "mantissa/model/shapes.hpp"

namespace mantissa::planning {

constexpr Error check(Draft& d) {
  const PlanOptions& o = d.options;
  if (o.threads < 1 || o.threads > 1024)
    return {.code = ErrorCode::kBadOption, .detail = Detail::kThreads, .found = o.threads};
  if (o.tile_bytes < 1)
    return {.code = ErrorCode::kBadOption, .detail = Detail::kTileBytes, .found = o.tile_bytes};
  const bool power = o.alignment > 0 && (o.alignment & (o.alignment - 1)) == 0;
  if (!power || o.alignment < 8 || size_t(o.alignment) > kArenaAlignment)
    return {.code = ErrorCode::kBadOption, .detail = Detail::kAlignment, .found = o.alignment};
  if (d.model.nodes.empty()) return {.code = ErrorCode::kNoLayers};
  if (d.model.nodes.size() > d.buffers.layers.size())
    return {.code = ErrorCode::kTooManyLayers,
            .found = int64_t(d.model.nodes.size()),
            .limit = int64_t(d.buffers.layers.size())};
  if (Error e = check_graph(d.model)) return e;
  if (d.options.batch < 1 || d.options.batch > shapes::kLargest)
    return {.code = ErrorCode::kBadBatch, .found = d.options.batch};
  if (d.options.micro_batch < 1 || d.options.micro_batch > d.options.batch)
    return {.code = ErrorCode::kBadBatch, .found = d.options.micro_batch, .limit = d.options.batch};
  if (d.model.input.steps < 1 || d.model.input.channels < 1 || d.model.input.steps > shapes::kLargest ||
      d.model.input.channels > shapes::kLargest ||
      int64_t(d.model.input.steps) * d.model.input.channels > shapes::kLargest)
    return {.code = ErrorCode::kBadShape, .found = d.model.input.channels};
  return {};
}

/// Whether the loss has the attributes that it is given, and they have values that it knows.
constexpr Error check_loss(Draft& d) {
  const LossSettings& s = d.model.loss_settings;
  const Error bad{.code = ErrorCode::kUnsupported, .detail = Detail::kLossSettings};
  const bool is_entropy = d.model.loss == Loss::kCrossEntropy;
  if (!(s.smoothing >= 0.0f && s.smoothing <= 1.0f) || (s.is_soft() && !is_entropy)) return bad;
  if (!(s.delta > 0.0f && s.delta < 3e38f)) return bad;
  if (s.class_weights.empty()) return {};
  if (int64_t(s.class_weights.size()) != d.summary.classes)
    return {.code = ErrorCode::kUnsupported,
            .detail = Detail::kClassWeights,
            .found = int64_t(s.class_weights.size()),
            .limit = d.summary.classes};
  float most = 0.0f;
  for (const float w : s.class_weights) {
    if (!(w >= 0.0f && w < 3e38f)) return bad;
    most = w > most ? w : most;
  }
  return most > 0.0f ? Error{} : bad;
}

/// The loss reads accumulators, so the last operation must make some, or codes with a fixed scale where it compares values. MSE takes
/// signals, too.
constexpr Error check_logits(Draft& d) {
  int32_t last = d.count() - 1;
  while (d.layer(last).node.op == Op::kFlatten && d.layer(last).source >= 0) last = d.layer(last).source;
  const bool compares =
      d.model.loss == Loss::kMse || d.model.loss == Loss::kL1 || d.model.loss == Loss::kHuber;
  if (!d.layer(last).node.makes_sums() && !(compares && d.layer(last).node.is_bounded()))
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kLossNeedsLogits, .layer = int16_t(last)};
  if (d.model.loss == Loss::kCrossEntropy && d.layer(d.count() - 1).out.steps != 1)
    return {.code = ErrorCode::kNotAClassifier,
            .layer = int16_t(d.count() - 1),
            .found = d.layer(d.count() - 1).out.steps};
  d.logits_layer = last;
  return check_loss(d);
}

/// The layer whose sums are still to be rounded when layer i gets them, and by no other; -1 if what arrives are codes.
constexpr int32_t open_sums(Draft& d, int32_t i) {
  int32_t at = d.layer(i).source;
  while (at >= 0 && d.readers(at) == 1 && d.layer(at).fused && d.layer(at).node.op != Op::kQuantize)
    at = d.layer(at).source;
  return at >= 0 && d.readers(at) == 1 && d.layer(at).node.rounds_sums() ? at : -1;
}

constexpr Error check_setting(const WireSetting& s, Format recipe) {
  if (s.bits != 0)
    if (Error e = formats::check_wire(s.format())) return e;
  if (!(s.scale >= 0.0f) || s.scale > 3e38f)
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kFixedScale};
  const Format format = s.bits != 0 ? s.format() : recipe;
  const CodeRange range = code_range(format);
  if (s.zero_point != 0 && (format.kind != FormatKind::kAsym || !(s.scale > 0.0f) ||
                            s.zero_point < range.low || s.zero_point > range.high))
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kFixedScale, .found = s.zero_point};
  if (format.group != 0 && (s.scale > 0.0f || s.scaling == Scaling::kDelayed))
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kGroupScale};
  return {};
}

/// Quantize takes its formats from its own settings, and the sums before it too.
constexpr Error apply_quantize(Draft& d, int32_t i, LayerPlan& l) {
  l.fused = d.summary.is_float;
  if (d.summary.is_float) return {};
  if (Error e = check_setting(l.node.activation, l.formats.activation)) return e;
  if (Error e = check_setting(l.node.error, l.formats.error)) return e;
  if (l.node.activation.bits != 0) l.formats.activation = l.node.activation.format();
  if (l.node.error.bits != 0) l.formats.error = l.node.error.format();
  const int32_t source = open_sums(d, i);
  if (source < 0) return {};
  l.fused = true;
  d.layer(source).formats.activation = l.formats.activation;
  d.layer(source).formats.activation_rounding = l.formats.activation_rounding;
  d.layer(source).node.activation = l.node.activation;
  return {};
}

/// Sums that a layer passes on as they are may meet ReLU and Flatten, then a Quantize, or the loss.
constexpr Error check_output(Draft& d, int32_t i) {
  if (d.layer(i).node.output == Output::kCodes) return {};
  int32_t at = i;
  while (at < d.count() - 1) {
    const int32_t next = only_reader(d.model, at);
    const Op op = next >= 0 ? d.model.nodes[size_t(next)].op : Op::kLinear;
    if (op == Op::kQuantize) return {};
    if (op != Op::kRelu && op != Op::kFlatten)
      return {.code = ErrorCode::kUnsupported,
              .detail = Detail::kRawAccumulator,
              .found = next >= 0 ? next : at + 1};
    at = next;
  }
  return {};
}

/// What arrives at layer i, and from where.
constexpr void read_sources(Draft& d, int32_t i, LayerPlan& l) {
  const auto read = [&d](int32_t layer, Shape& shape, bool& relu, bool& passes) {
    const LayerPlan* from = layer >= 0 ? &d.layer(layer) : nullptr;
    shape = from != nullptr ? from->out : d.model.input;
    relu = from != nullptr && from->positive;
    passes = from != nullptr && (from->trains || from->passes_error || from->passes_other);
  };
  l.source = int16_t(source_of(d.model, i));
  read(l.source, l.in, l.relu_input, l.passes_error);
  if (!l.node.takes_two()) return;
  l.other = int16_t(other_of(d.model, i));
  read(l.other, l.in_other, l.relu_other, l.passes_other);
}

/// Whether a ReLU behind a layer is done on its sums.
constexpr bool takes_relu(Draft& d, int32_t layer) {
  if (layer < 0 || d.readers(layer) != 1) return false;
  const Node& node = d.layer(layer).node;
  return node.has_parameters() || node.takes_two() || node.op == Op::kRelu;
}

constexpr Error make_layers(Draft& d) {
  const bool is_float = d.recipe.formats.activation.is_float();
  d.summary.input = d.model.input;
  d.summary.layers = d.count();
  d.summary.batch = d.options.batch;
  d.summary.micro_batch = d.options.micro_batch;
  d.summary.threads = d.options.threads;
  d.summary.fused_update = d.options.batch == d.options.micro_batch;
  d.summary.momentum = d.options.momentum;
  d.summary.mode = d.options.mode;
  d.summary.scaling = d.recipe.scaling;
  d.summary.gradient_accumulation = d.recipe.gradient_accumulation;
  d.summary.margin = d.recipe.margin;
  d.summary.decay = d.recipe.decay;
  d.summary.alignment = d.options.alignment;
  d.summary.scratch_use = d.options.scratch.use;
  d.summary.is_float = is_float;
  d.summary.calibrates = !is_float && !d.dynamic();
  d.summary.loss = d.model.loss;
  d.summary.loss_settings = d.model.loss_settings;
  for (int32_t i = 0; i < d.count(); ++i) {
    LayerPlan& l = d.layer(i);
    l = LayerPlan{};
    l.node = d.model.nodes[size_t(i)];
    read_sources(d, i, l);
    l.formats = d.recipe.at(i);
    Error e = infer_shape(l);
    if (!e && int64_t(l.out.steps) * l.out.channels > shapes::kLargest)
      e = shapes::bad_attribute(l.node.outputs);
    if (!e) e = check_formats(l.formats, is_float, d.recipe.scaling);
    if (!e && l.node.op == Op::kQuantize) e = apply_quantize(d, i, l);
    if (!e) e = check_output(d, i);
    if (e) {
      e.layer = int16_t(i);
      return e;
    }
    const bool keeps_zeros =
        l.node.op == Op::kFlatten || l.node.op == Op::kQuantize || l.node.op == Op::kDropout;
    l.positive = l.node.op == Op::kRelu || (keeps_zeros && l.relu_input);
    l.trains = d.training() && l.node.has_parameters() && l.node.training == Training::kTrainable;
    l.follows_batch = l.trains && l.node.op == Op::kBatchNorm;
    const bool joins_sums = l.node.op == Op::kRelu && takes_relu(d, l.source);
    l.fused = l.fused || l.node.op == Op::kFlatten || joins_sums;
    if (joins_sums) d.layer(l.source).relu_output = true;
  }
  d.summary.classes = d.layer(d.count() - 1).out.size();
  return check_logits(d);
}

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
constexpr void make_errors(Draft& d) {
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

/// Activations from the input on, then errors.
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
  if (d.training()) make_errors(d);
  return d.error;
}

}  // namespace mantissa::planning
