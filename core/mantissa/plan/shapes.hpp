// What comes out of a layer, and whether what arrives fits it.
#pragma once
#include "mantissa/kernels/activation.hpp"
#include "mantissa/kernels/pool.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa {

namespace shapes {

inline constexpr int32_t kLargest = 1
                                    << 24;  ///< of any attribute and shape, so that products stay in 64 bits

constexpr Error bad_attribute(int32_t value) { return {.code = ErrorCode::kBadAttribute, .found = value}; }

/// Steps of a window sliding over `steps` with zeros added at both ends; 0 if the window is longer.
constexpr int32_t window_steps(int64_t steps, int64_t span, int32_t stride) {
  return span > steps ? 0 : int32_t((steps - span) / stride + 1);
}

/// A window in one direction, and what it leaves of the steps.
struct Sliding {
  int32_t steps = 0, kernel = 1, stride = 1, dilation = 1;
  int32_t before = 0, after = 0;  ///< zeros at both ends
  int32_t out = 0;

  constexpr int64_t span() const { return int64_t(kernel - 1) * dilation + 1; }
  constexpr int64_t padded() const { return int64_t(steps) + before + after; }
};

constexpr Error slide(Sliding& s, Padding padding) {
  for (int32_t value : {s.kernel, s.stride, s.dilation})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  switch (padding) {
    case Padding::kValid: s.before = s.after = 0; break;
    case Padding::kExplicit:
      for (int32_t value : {s.before, s.after})
        if (value < 0 || value > kLargest) return bad_attribute(value);
      break;
    case Padding::kSame: {
      const int64_t wanted = (s.steps + s.stride - 1) / s.stride;
      const int64_t total = (wanted - 1) * s.stride + s.span() - s.steps;
      if (total > kLargest) return bad_attribute(s.kernel);
      s.before = total > 0 ? int32_t(total / 2) : 0;
      s.after = total > 0 ? int32_t(total - total / 2) : 0;
      break;
    }
  }
  s.out = window_steps(s.padded(), s.span(), s.stride);
  if (s.out == 0) return {.code = ErrorCode::kWindowTooLarge, .found = s.span(), .limit = s.padded()};
  return {};
}

/// Zeros around x and dy are counted in 31 bits.
inline constexpr int64_t kMostElements = int64_t(1) << 28;

constexpr Error infer_windows(LayerPlan& layer, int32_t outputs, Padding padding) {
  const Node& n = layer.node;
  const Vertical& v = n.vertical;
  Sliding along = {layer.in_row(), n.kernel, n.stride, n.dilation, n.pad_left, n.pad_right};
  if (Error e = slide(along, padding)) return e;
  Sliding down = {layer.in.steps / layer.in_row(), v.kernel, v.stride, v.dilation, v.pad_top, v.pad_bottom};
  if (Error e = slide(down, padding)) return e;
  const int64_t widest = along.padded() > along.out ? along.padded() : along.out;
  const int64_t highest = down.padded() > down.out ? down.padded() : down.out;
  const int32_t channels = layer.in.channels > outputs ? layer.in.channels : outputs;
  if (widest * highest > kMostElements || widest * highest * channels > kMostElements)
    return bad_attribute(outputs);
  layer.pad_left = along.before;
  layer.pad_right = along.after;
  layer.pad_top = down.before;
  layer.pad_bottom = down.after;
  layer.out = {along.out * down.out, outputs, n.is_2d() ? along.out : 0};
  return {};
}

/// Windows with rows slide over images, those without over signals.
constexpr Error check_image(const LayerPlan& layer) {
  if (layer.node.is_2d() == (layer.in.width > 0)) return {};
  return {.code = ErrorCode::kUnsupported,
          .detail = layer.node.is_2d() ? Detail::kNeedsImage : Detail::kNeedsSignal};
}

constexpr Error check_groups(const LayerPlan& layer) {
  for (int32_t channels : {layer.in.channels, layer.node.outputs})
    if (channels % layer.node.groups != 0)
      return {.code = ErrorCode::kBadGroups, .found = layer.node.groups, .limit = channels};
  return {};
}

constexpr Error infer_convolution(LayerPlan& layer) {
  const Node& n = layer.node;
  if (Error e = check_image(layer)) return e;
  for (int32_t value : {n.outputs, n.groups})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  if (Error e = check_groups(layer)) return e;
  if (Error e = infer_windows(layer, n.outputs, n.padding)) return e;
  constexpr int64_t kMostWeights = kLargest * int64_t(8);
  const int64_t window = int64_t(n.kernel) * n.vertical.kernel;
  if (window > kMostWeights || window * (layer.in.channels / n.groups) > kMostWeights / n.outputs)
    return bad_attribute(n.outputs);
  layer.fan_in = int32_t(window * (layer.in.channels / n.groups));
  layer.weights = layer.fan_in * n.outputs;
  return {};
}

constexpr Error infer_conv_transpose1d(LayerPlan& layer) {
  Node& n = layer.node;
  if (Error e = check_image(layer)) return e;
  n.dilation = 1;
  for (int32_t value : {n.outputs, n.kernel, n.stride, n.groups})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  if (n.pad_left < 0 || n.pad_left > kLargest) return bad_attribute(n.pad_left);
  if (n.output_padding < 0 || n.output_padding >= n.stride) return bad_attribute(n.output_padding);
  layer.pad_left = layer.pad_right = n.pad_left;
  const int64_t full = int64_t(layer.in.steps - 1) * n.stride + n.kernel + n.output_padding;
  const int64_t steps = full - 2 * int64_t(n.pad_left);
  if (steps < 1) return bad_attribute(n.pad_left);
  if ((full + n.pad_left) * n.outputs > kMostElements ||
      (int64_t(layer.in.steps) + 2 * int64_t(n.kernel)) * layer.in.channels > kMostElements)
    return bad_attribute(n.outputs);
  layer.out = {int32_t(steps), n.outputs};
  if (Error e = check_groups(layer)) return e;
  const int64_t fan_in = int64_t(n.kernel) * (n.outputs / n.groups);
  if (fan_in * layer.in.channels > kLargest * int64_t(8)) return bad_attribute(n.outputs);
  layer.fan_in = int32_t(fan_in);
  layer.weights = int32_t(fan_in * layer.in.channels);
  return {};
}

constexpr Error infer_linear(LayerPlan& layer) {
  if (layer.node.outputs < 1 || layer.node.outputs > kLargest) return bad_attribute(layer.node.outputs);
  if (layer.in.steps != 1) return {.code = ErrorCode::kBadShape, .found = layer.in.steps, .limit = 1};
  if (int64_t(layer.in.channels) * layer.node.outputs > kLargest * int64_t(8))
    return bad_attribute(layer.node.outputs);
  layer.out = {1, layer.node.outputs};
  layer.fan_in = layer.in.channels;
  layer.weights = layer.in.channels * layer.node.outputs;
  return {};
}

/// Sizes of the windows of one direction by the elements inside, and how many meet.
constexpr Windows windows_along(const PoolShape& s) {
  Windows w{.most = 0, .least = INT32_MAX, .meeting = (s.kernel + s.stride - 1) / s.stride};
  for (int32_t i = 0; i < s.out_steps; ++i) {
    const int32_t count = window_of(s, i).count;
    w.most = count > w.most ? count : w.most;
    w.least = count < w.least ? count : w.least;
  }
  if (s.adaptive > 0) {
    const bool fits = s.in_steps % s.adaptive == 0 || s.adaptive % s.in_steps == 0;
    w.meeting = (s.adaptive + s.in_steps - 1) / s.in_steps + (fits ? 0 : 1);
  }
  return w;
}

/// Of windows of rows and columns.
constexpr Windows product_of(const Windows& a, const Windows& b) {
  return {a.most * b.most, a.least * b.least, a.meeting * b.meeting};
}

constexpr Error infer_adaptive_pool(LayerPlan& layer) {
  Node& n = layer.node;
  if (Error e = check_image(layer)) return e;
  for (int32_t value : {n.outputs, n.output_rows})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  if (int64_t(n.outputs) * n.output_rows > kLargest) return bad_attribute(n.outputs);
  const int32_t columns = layer.in_row(), rows = layer.in.steps / columns;
  // Places of windows are products of both.
  if ((int64_t(columns) + 1) * (n.outputs + 1) > INT32_MAX) return bad_attribute(n.outputs);
  if ((int64_t(rows) + 1) * (n.output_rows + 1) > INT32_MAX) return bad_attribute(n.output_rows);
  const Windows along =
      windows_along({.in_steps = columns, .out_steps = n.outputs, .stride = 1, .adaptive = n.outputs});
  const Windows down =
      windows_along({.in_steps = rows, .out_steps = n.output_rows, .stride = 1, .adaptive = n.output_rows});
  n.kernel = along.most;
  n.vertical.kernel = down.most;
  layer.windows = product_of(along, down);
  layer.out = {n.outputs * n.output_rows, layer.in.channels, n.is_2d() ? n.outputs : 0};
  return {};
}

/// Padding up to half of a window, so that none lies in zeros alone.
constexpr Error infer_pool(LayerPlan& layer) {
  Node& n = layer.node;
  if (n.op == Op::kGlobalAvgPool1d) {
    n.kernel = n.stride = layer.in.steps;
    layer.windows = {n.kernel, n.kernel, 1};
    layer.out = {1, layer.in.channels};
    return {};
  }
  if (Error e = check_image(layer)) return e;
  if (n.pad_left > n.kernel / 2) return bad_attribute(n.pad_left);
  if (n.vertical.pad_top > n.vertical.kernel / 2) return bad_attribute(n.vertical.pad_top);
  if (Error e = infer_windows(layer, layer.in.channels, Padding::kExplicit)) return e;
  const Vertical& v = n.vertical;
  const int32_t meeting = ((n.kernel + n.stride - 1) / n.stride) * ((v.kernel + v.stride - 1) / v.stride);
  layer.windows = {n.window(), n.window(), meeting};
  if (n.is_max_pool() || n.divisor == Divisor::kWindow || (n.pad_left == 0 && v.pad_top == 0)) return {};
  layer.windows = product_of(windows_along({.in_steps = layer.in_row(),
                                            .out_steps = layer.out_row(),
                                            .kernel = n.kernel,
                                            .stride = n.stride,
                                            .pad = n.pad_left}),
                             windows_along({.in_steps = layer.in.steps / layer.in_row(),
                                            .out_steps = layer.out.steps / layer.out_row(),
                                            .kernel = v.kernel,
                                            .stride = v.stride,
                                            .pad = v.pad_top}));
  return {};
}

/// gamma is a row of one weight per channel.
constexpr Error infer_layer_norm(LayerPlan& layer) {
  layer.node.kernel = layer.node.stride = layer.node.groups = layer.node.dilation = 1;
  layer.out = layer.in;
  layer.node.outputs = layer.weights = layer.in.channels;
  layer.fan_in = 1;
  return {};
}

/// Two wires of equally many steps; those of a sum have equally many channels, too.
constexpr Error infer_join(LayerPlan& layer) {
  const Shape &x = layer.in, &z = layer.in_other;
  const auto differ = [](Detail detail, int32_t found, int32_t limit) {
    return Error{.code = ErrorCode::kUnsupported, .detail = detail, .found = found, .limit = limit};
  };
  if (x.steps != z.steps) return differ(Detail::kJoinSteps, z.steps, x.steps);
  if (x.width != z.width) return differ(Detail::kJoinWidth, z.width, x.width);
  layer.out = x;
  if (layer.node.op == Op::kConcat) {
    layer.out.channels += z.channels;
    return {};
  }
  return x.channels == z.channels ? Error{} : differ(Detail::kAddChannels, z.channels, x.channels);
}

constexpr Error infer_group_norm(LayerPlan& layer) {
  const int32_t groups = layer.node.groups;
  if (groups < 1 || layer.in.channels % groups != 0)
    return {.code = ErrorCode::kBadGroups, .found = groups, .limit = layer.in.channels};
  const Error e = infer_layer_norm(layer);
  layer.node.groups = groups;
  return e;
}

constexpr Error infer_batch_norm(LayerPlan& layer) {
  const float momentum = layer.node.momentum;
  if (!(momentum >= 0.0f && momentum <= 1.0f))
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kNormMomentum};
  return infer_layer_norm(layer);
}

constexpr Error infer_leaky_relu(LayerPlan& layer) {
  const float slope = layer.node.slope;
  if (!(slope >= 0.0f && slope <= 1.0f)) return {.code = ErrorCode::kUnsupported, .detail = Detail::kSlope};
  layer.out = layer.in;
  layer.share = int32_t(slope * float(1 << kSlopeBits) + 0.5f);
  return {};
}

constexpr Error infer_dropout(LayerPlan& layer) {
  const float drop = layer.node.drop;
  const bool is_probability = drop >= 0.0f && drop < 1.0f;
  layer.out = layer.in;
  layer.share = is_probability ? int32_t(drop * float(1 << kDropBits) + 0.5f) : 0;
  if (!is_probability || layer.share == 1 << kDropBits)
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kDropProbability};
  return {};
}

}  // namespace shapes

/// Sets out, padding and parameter counts of a layer whose node and in are set.
constexpr Error infer_shape(LayerPlan& layer) {
  switch (layer.node.op) {
    case Op::kLinear: return shapes::infer_linear(layer);
    case Op::kConv1d:
    case Op::kConv2d: return shapes::infer_convolution(layer);
    case Op::kConvTranspose1d: return shapes::infer_conv_transpose1d(layer);
    case Op::kMaxPool1d:
    case Op::kAvgPool1d:
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
    case Op::kGlobalAvgPool1d: return shapes::infer_pool(layer);
    case Op::kAdaptiveAvgPool1d:
    case Op::kAdaptiveAvgPool2d: return shapes::infer_adaptive_pool(layer);
    case Op::kLayerNorm: return shapes::infer_layer_norm(layer);
    case Op::kGroupNorm: return shapes::infer_group_norm(layer);
    case Op::kBatchNorm: return shapes::infer_batch_norm(layer);
    case Op::kLeakyRelu: return shapes::infer_leaky_relu(layer);
    case Op::kDropout: return shapes::infer_dropout(layer);
    case Op::kAdd:
    case Op::kConcat: return shapes::infer_join(layer);
    case Op::kRelu6:
    case Op::kSigmoid:
    case Op::kTanh:
    case Op::kSoftmax:
    case Op::kQuantize:
    case Op::kRelu: layer.out = layer.in; return {};
    case Op::kFlatten: layer.out = {1, layer.in.size()}; return {};
  }
  return {};
}

}  // namespace mantissa
