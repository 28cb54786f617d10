// The layers: what each computes, its attributes, and a function that makes its node, as in conv1d({.channels = 8, .kernel = 5}).
#pragma once
#include "mantissa/model/node.hpp"

namespace mantissa {

/// y[O] = W[O,I] x[I] + b[O].  Needs a vector: flatten or pool a signal first.
struct LinearOptions {
  int32_t features = 0;
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;
  Output output = Output::kCodes;
};
constexpr Node linear(LinearOptions o) {
  return {
      .op = Op::kLinear, .outputs = o.features, .bias = o.bias, .training = o.training, .output = o.output};
}

/// y[t,o] = b[o] + sum over k, c of W[o,k,c] x[t * stride + k * dilation - pad_left, c], zero outside.
/// Weights are stored [O, K, C / groups]. kSame: ceil(T / stride) steps come out, the odd zero goes to the right.
struct Conv1dOptions {
  int32_t channels = 0;
  int32_t kernel = 1;
  int32_t stride = 1;
  int32_t dilation = 1;
  int32_t groups = 1;
  Padding padding = Padding::kValid;
  int32_t pad_left = 0, pad_right = 0;
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;
  Output output = Output::kCodes;
};
constexpr Node conv1d(Conv1dOptions o) {
  return {.op = Op::kConv1d,
          .outputs = o.channels,
          .kernel = o.kernel,
          .stride = o.stride,
          .dilation = o.dilation,
          .groups = o.groups,
          .padding = o.padding,
          .pad_left = o.pad_left,
          .pad_right = o.pad_right,
          .bias = o.bias,
          .training = o.training,
          .output = o.output};
}

/// Along a row, and from row to row.
struct Size2d {
  int32_t rows = 1, columns = 1;
  constexpr bool operator==(const Size2d&) const = default;
};
struct Padding2d {
  int32_t top = 0, bottom = 0, left = 0, right = 0;
};

/// y[v,u,o] = b[o] + sum over r, k, c of W[o,r,k,c] x[v * stride + r * dilation - top, u * stride + k * dilation - left, c], zero outside.
/// Weights are stored [O, R, K, C / groups]. kSame: as Conv1d, in both directions.
struct Conv2dOptions {
  int32_t channels = 0;
  Size2d kernel = {};
  Size2d stride = {};
  Size2d dilation = {};
  int32_t groups = 1;
  Padding padding = Padding::kValid;
  Padding2d pad = {};  ///< kExplicit
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;
  Output output = Output::kCodes;
};
constexpr Node conv2d(Conv2dOptions o) {
  return {.op = Op::kConv2d,
          .outputs = o.channels,
          .kernel = o.kernel.columns,
          .stride = o.stride.columns,
          .dilation = o.dilation.columns,
          .groups = o.groups,
          .padding = o.padding,
          .pad_left = o.pad.left,
          .pad_right = o.pad.right,
          .vertical = {o.kernel.rows, o.stride.rows, o.dilation.rows, o.pad.top, o.pad.bottom},
          .bias = o.bias,
          .training = o.training,
          .output = o.output};
}

/// y[t * stride + k - padding, o] = b[o] + sum of W[i,k,o] x[t,i], over all t, k that meet there, and i.
/// (steps - 1) * stride - 2 * padding + kernel + output_padding steps come out. Weights are stored [I, K, O / groups]: those of the
/// Conv1d from y to x, whose transpose this is.  Source: PyTorch's ConvTranspose1d with dilation 1.
struct ConvTranspose1dOptions {
  int32_t channels = 0;  ///< that come out
  int32_t kernel = 1;
  int32_t stride = 1;
  int32_t padding = 0;         ///< steps dropped at both ends
  int32_t output_padding = 0;  ///< steps added at the right end, fewer than stride
  int32_t groups = 1;
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;
  Output output = Output::kCodes;
};
constexpr Node conv_transpose1d(ConvTranspose1dOptions o) {
  return {.op = Op::kConvTranspose1d,
          .outputs = o.channels,
          .kernel = o.kernel,
          .stride = o.stride,
          .groups = o.groups,
          .padding = Padding::kExplicit,
          .pad_left = o.padding,
          .pad_right = o.padding,
          .output_padding = o.output_padding,
          .bias = o.bias,
          .training = o.training,
          .output = o.output};
}

/// y[t,c] = gamma[c] (x[t,c] - mean) / sqrt(variance + epsilon) + beta[c], mean and (biased) variance of the channels of step t.
/// Source: Ba, Kiros, Hinton, Layer Normalization; PyTorch's LayerNorm over the last dimension.
struct LayerNormOptions {
  float epsilon = 1e-5f;
  Bias bias = Bias::kPerOutput;  ///< beta
  Training training = Training::kTrainable;
};
constexpr Node layer_norm(LayerNormOptions o = {}) {
  return {.op = Op::kLayerNorm, .bias = o.bias, .training = o.training, .epsilon = o.epsilon};
}

/// The same, mean and variance being those of a group of channels / groups neighbours over all steps of a sample. One channel in each
/// group makes an InstanceNorm.  Source: Wu, He, Group Normalization; PyTorch's GroupNorm.
struct GroupNormOptions {
  int32_t groups = 1;  ///< divides the channels
  float epsilon = 1e-5f;
  Bias bias = Bias::kPerOutput;  ///< beta
  Training training = Training::kTrainable;
};
constexpr Node group_norm(GroupNormOptions o = {}) {
  return {
      .op = Op::kGroupNorm, .groups = o.groups, .bias = o.bias, .training = o.training, .epsilon = o.epsilon};
}

/// The same, mean and variance being those of a channel over all steps and samples of a batch, which must be in memory at once. They
/// make running statistics, too, by which evaluation normalizes; so does training where the layer is frozen.
/// Source: Ioffe, Szegedy, Batch Normalization; PyTorch's BatchNorm1d and BatchNorm2d.
struct BatchNormOptions {
  float epsilon = 1e-5f;
  float momentum = 0.1f;         ///< share of a batch in running statistics, 0 to 1
  Bias bias = Bias::kPerOutput;  ///< beta
  Training training = Training::kTrainable;
};
constexpr Node batch_norm(BatchNormOptions o = {}) {
  return {.op = Op::kBatchNorm,
          .bias = o.bias,
          .training = o.training,
          .epsilon = o.epsilon,
          .momentum = o.momentum};
}

/// Another format, scale or rounding: of the wire forward, of its error backward. Behind a layer that makes sums (a ReLU may be
/// between) the sums are rounded into it at once. No effect with float32 wires.
struct QuantizeOptions {
  WireSetting activation = {}, error = {};
};
constexpr Node quantize(QuantizeOptions o) {
  return {.op = Op::kQuantize, .activation = o.activation, .error = o.error};
}

/// stride 0 means as long as the window. Padding is at most half of the window: a maximum ignores it, an average adds it as zeros,
/// which its divisor counts or does not (PyTorch's count_include_pad).
struct Pool1dOptions {
  int32_t kernel = 2;
  int32_t stride = 0;
  int32_t padding = 0;  ///< on both sides
  Divisor divisor = Divisor::kWindow;
};
struct Pool2dOptions {
  Size2d kernel = {2, 2};
  Size2d stride = {0, 0};
  Size2d padding = {0, 0};
  Divisor divisor = Divisor::kWindow;
};
constexpr Node pool2d(Op op, Pool2dOptions o) {
  return {.op = op,
          .kernel = o.kernel.columns,
          .stride = o.stride.columns == 0 ? o.kernel.columns : o.stride.columns,
          .pad_left = o.padding.columns,
          .pad_right = o.padding.columns,
          .vertical = {.kernel = o.kernel.rows,
                       .stride = o.stride.rows == 0 ? o.kernel.rows : o.stride.rows,
                       .pad_top = o.padding.rows,
                       .pad_bottom = o.padding.rows},
          .divisor = o.divisor};
}
constexpr Node pool1d(Op op, Pool1dOptions o) {
  return {.op = op,
          .kernel = o.kernel,
          .stride = o.stride == 0 ? o.kernel : o.stride,
          .pad_left = o.padding,
          .pad_right = o.padding,
          .divisor = o.divisor};
}
constexpr Node max_pool1d(Pool1dOptions o) { return pool1d(Op::kMaxPool1d, o); }
constexpr Node avg_pool1d(Pool1dOptions o) { return pool1d(Op::kAvgPool1d, o); }
constexpr Node max_pool2d(Pool2dOptions o) { return pool2d(Op::kMaxPool2d, o); }
constexpr Node avg_pool2d(Pool2dOptions o) { return pool2d(Op::kAvgPool2d, o); }
/// Over all steps of a signal, all pixels of an image.
constexpr Node global_avg_pool1d() { return {.op = Op::kGlobalAvgPool1d}; }
/// `steps` averages of windows that share the signal: window i is from floor(i * T / steps) to ceil((i + 1) * T / steps), T the steps that
/// arrive. So their lengths may differ by one, and they may meet.  Source: PyTorch's AdaptiveAvgPool1d.
struct AdaptivePool1dOptions {
  int32_t steps = 1;
};
constexpr Node adaptive_avg_pool1d(AdaptivePool1dOptions o) {
  return {.op = Op::kAdaptiveAvgPool1d, .outputs = o.steps};
}
/// The same in both directions.  Source: PyTorch's AdaptiveAvgPool2d.
struct AdaptivePool2dOptions {
  Size2d size = {1, 1};
};
constexpr Node adaptive_avg_pool2d(AdaptivePool2dOptions o) {
  return {.op = Op::kAdaptiveAvgPool2d, .outputs = o.size.columns, .output_rows = o.size.rows};
}
constexpr Node relu() { return {.op = Op::kRelu}; }
/// y = x > 0 ? x : slope * x. Integers have a slope of 15 bits behind the point.
struct LeakyReluOptions {
  float slope = 0.01f;  ///< 0 to 1
};
constexpr Node leaky_relu(LeakyReluOptions o = {}) { return {.op = Op::kLeakyRelu, .slope = o.slope}; }
/// y = min(max(x, 0), 6).
constexpr Node relu6() { return {.op = Op::kRelu6}; }
/// y = 1 / (1 + e^-x).
constexpr Node sigmoid() { return {.op = Op::kSigmoid}; }
constexpr Node tanh() { return {.op = Op::kTanh}; }
/// y[t, c] = e^x[t, c] / sum of e^x[t, i]: of the channels of each step. CrossEntropy has a Softmax of its own.
constexpr Node softmax() { return {.op = Op::kSoftmax}; }

/// In training y = 0 with the probability p, else x / (1 - p); otherwise y = x. p counts in steps of 2^-16, nearest. What is dropped
/// depends on seed, step, sample in the batch and element alone.  Source: Srivastava et al. 2014; PyTorch's Dropout.
struct DropoutOptions {
  float p = 0.5f;  ///< from 0 to less than 1
};
constexpr Node dropout(DropoutOptions o = {}) { return {.op = Op::kDropout, .drop = o.p}; }
constexpr Node flatten() { return {.op = Op::kFlatten}; }

/// Two wires become one. The first is that of the layer before, or after(...).
struct JoinOptions {
  int32_t with = kLayerBefore;  ///< number of the layer that makes the second, or kModelInput
};
/// y = x + z, of equal shapes.
constexpr Node add(JoinOptions o) { return {.op = Op::kAdd, .other = o.with}; }
/// y[t] = x[t], z[t]: the channels of both, of equally many steps or of images of equal size.
constexpr Node concat(JoinOptions o) { return {.op = Op::kConcat, .other = o.with}; }

}  // namespace mantissa
