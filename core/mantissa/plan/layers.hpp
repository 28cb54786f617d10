// First stage: layers with shapes and formats, which of them are fused, and whether the loss can read the last.
#pragma once
#include "mantissa/losses/soft_cross_entropy.hpp"
#include "mantissa/plan/draft.hpp"
#include "mantissa/plan/shapes.hpp"

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

}  // namespace mantissa::planning
