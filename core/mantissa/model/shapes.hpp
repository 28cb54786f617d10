// What comes out of a layer, and whether what arrives fits it.
#pragma once
#include "mantissa/kernels/activation.hpp"
#include "mantissa/model/plan.hpp"

namespace mantissa {

namespace shapes {

inline constexpr int32_t kLargest = 1
                                    << 24;  ///< of any attribute and shape, so that products stay in 64 bits

constexpr Error bad_attribute(int32_t value) { return {.code = ErrorCode::kBadAttribute, .found = value}; }

/// Steps of a window sliding over `steps` with zeros added at both ends; 0 if the window is longer.
constexpr int32_t window_steps(int64_t steps, int64_t span, int32_t stride) {
  return span > steps ? 0 : int32_t((steps - span) / stride + 1);
}

constexpr Error infer_conv1d(LayerPlan& layer) {
  const Node& n = layer.node;
  for (int32_t value : {n.outputs, n.kernel, n.stride, n.dilation, n.groups})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  if (layer.in.channels % n.groups != 0)
    return {.code = ErrorCode::kBadGroups, .found = n.groups, .limit = layer.in.channels};
  if (n.outputs % n.groups != 0)
    return {.code = ErrorCode::kBadGroups, .found = n.groups, .limit = n.outputs};
  const int64_t span = int64_t(n.kernel - 1) * n.dilation + 1;
  switch (n.padding) {
    case Padding::kValid: break;
    case Padding::kExplicit:
      if (n.pad_left < 0 || n.pad_left > kLargest) return bad_attribute(n.pad_left);
      if (n.pad_right < 0 || n.pad_right > kLargest) return bad_attribute(n.pad_right);
      layer.pad_left = n.pad_left;
      layer.pad_right = n.pad_right;
      break;
    case Padding::kSame: {
      const int64_t wanted = (layer.in.steps + n.stride - 1) / n.stride;
      const int64_t total = (wanted - 1) * n.stride + span - layer.in.steps;
      if (total > kLargest) return bad_attribute(n.kernel);
      layer.pad_left = total > 0 ? int32_t(total / 2) : 0;
      layer.pad_right = total > 0 ? int32_t(total - total / 2) : 0;
      break;
    }
  }
  const int64_t padded = int64_t(layer.in.steps) + layer.pad_left + layer.pad_right;
  // Zeros around x and dy are counted in 31 bits.
  constexpr int64_t kMostElements = int64_t(1) << 28;
  if (padded * layer.in.channels > kMostElements || padded * n.outputs > kMostElements)
    return bad_attribute(n.outputs);
  layer.out = {window_steps(padded, span, n.stride), n.outputs};
  if (layer.out.steps == 0) return {.code = ErrorCode::kWindowTooLarge, .found = span, .limit = padded};
  const int64_t fan_in = int64_t(n.kernel) * (layer.in.channels / n.groups);
  if (fan_in * n.outputs > kLargest * int64_t(8)) return bad_attribute(n.outputs);
  layer.fan_in = int32_t(fan_in);
  layer.weights = int32_t(fan_in * n.outputs);
  return {};
}

constexpr Error infer_conv_transpose1d(LayerPlan& layer) {
  Node& n = layer.node;
  n.dilation = n.groups = 1;
  for (int32_t value : {n.outputs, n.kernel, n.stride})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  if (n.pad_left < 0 || n.pad_left > kLargest) return bad_attribute(n.pad_left);
  if (n.output_padding < 0 || n.output_padding >= n.stride) return bad_attribute(n.output_padding);
  layer.pad_left = layer.pad_right = n.pad_left;
  const int64_t full = int64_t(layer.in.steps - 1) * n.stride + n.kernel + n.output_padding;
  const int64_t steps = full - 2 * int64_t(n.pad_left);
  if (steps < 1) return bad_attribute(n.pad_left);
  // Zeros around x and dy are counted in 31 bits.
  constexpr int64_t kMostElements = int64_t(1) << 28;
  if ((full + n.pad_left) * n.outputs > kMostElements ||
      (int64_t(layer.in.steps) + 2 * int64_t(n.kernel)) * layer.in.channels > kMostElements)
    return bad_attribute(n.outputs);
  layer.out = {int32_t(steps), n.outputs};
  const int64_t fan_in = int64_t(n.kernel) * n.outputs;
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

constexpr Error infer_pool(LayerPlan& layer) {
  Node& n = layer.node;
  if (n.op == Op::kGlobalAvgPool1d) n.kernel = n.stride = layer.in.steps;
  for (int32_t value : {n.kernel, n.stride})
    if (value < 1 || value > kLargest) return bad_attribute(value);
  layer.out = {window_steps(layer.in.steps, n.kernel, n.stride), layer.in.channels};
  if (layer.out.steps == 0)
    return {.code = ErrorCode::kWindowTooLarge, .found = n.kernel, .limit = layer.in.steps};
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
    case Op::kConv1d: return shapes::infer_conv1d(layer);
    case Op::kConvTranspose1d: return shapes::infer_conv_transpose1d(layer);
    case Op::kMaxPool1d:
    case Op::kAvgPool1d:
    case Op::kGlobalAvgPool1d: return shapes::infer_pool(layer);
    case Op::kLayerNorm: return shapes::infer_layer_norm(layer);
    case Op::kLeakyRelu: return shapes::infer_leaky_relu(layer);
    case Op::kDropout: return shapes::infer_dropout(layer);
    case Op::kRelu6:
    case Op::kSigmoid:
    case Op::kTanh:
    case Op::kQuantize:
    case Op::kRelu: layer.out = layer.in; return {};
    case Op::kFlatten: layer.out = {1, layer.in.size()}; return {};
  }
  return {};
}

}  // namespace mantissa
