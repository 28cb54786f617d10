// A model as plain data: an input shape and an array of layers, each an operation with its attributes.
// Plain, so that one planner serves a model written in C++ (at compile time) and one read from a file (at run time).
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "mantissa/tensor/format.hpp"

namespace mantissa {

/// Where the scale of an integer wire comes from.
enum class Scaling : uint8_t {
  kDynamic,  ///< the sample's own largest accumulator; stages a sample's accumulators
  kDelayed,  ///< the largest accumulators of earlier batches, with a margin; constant over a batch
};

enum class Op : uint8_t {
  kLinear,
  kConv1d,
  kRelu,
  kMaxPool1d,
  kAvgPool1d,
  kGlobalAvgPool1d,
  kFlatten,
  kQuantize,
  kLayerNorm,
  kConvTranspose1d,
  kConv2d,
  kMaxPool2d,
  kAvgPool2d,
  kLeakyRelu,
  kRelu6,
  kSigmoid,
  kTanh,
  kDropout,
  kAdd,
  kConcat,
  kGroupNorm,
  kBatchNorm,
  kAdaptiveAvgPool1d,
  kAdaptiveAvgPool2d,
  kSoftmax,
};
enum class Loss : uint8_t { kCrossEntropy, kMse, kL1, kHuber, kBce };
/// What the losses of a batch add up to; with kMean also what those of a sample's outputs do, where it has more than one.
enum class LossReduction : uint8_t { kMean, kSum };

/// Floats that lie elsewhere. As large on every machine, since a plan is copied to boards as it lies in memory.
struct FloatsElsewhere {
  struct alignas(8) Pointer {
    const float* data = nullptr;
  } first;
  uint64_t count = 0;

  constexpr FloatsElsewhere() = default;
  template <class Floats>
  requires std::is_convertible_v<const Floats&, std::span<const float>>
  constexpr FloatsElsewhere(const Floats& floats)
      : first{std::span<const float>(floats).data()}, count(std::span<const float>(floats).size()) {}
  constexpr operator std::span<const float>() const { return {first.data, size_t(count)}; }
  constexpr bool empty() const { return count == 0; }
  constexpr size_t size() const { return size_t(count); }
  constexpr const float* data() const { return first.data; }
  constexpr float operator[](size_t i) const { return first.data[i]; }
  constexpr const float* begin() const { return first.data; }
  constexpr const float* end() const { return first.data + count; }
};

/// Attributes of a loss. Those that it does not have are as they are here.  Source: PyTorch's losses of these names.
struct LossSettings {
  LossReduction reduction = LossReduction::kMean;
  float smoothing = 0.0f;              ///< CrossEntropy: share of the target that all classes get alike
  FloatsElsewhere class_weights = {};  ///< CrossEntropy: none, or one each
  float delta = 1.0f;                  ///< Huber: where squares end

  /// Of a CrossEntropy. By its bits, so that cores without floats need no library for it.
  constexpr bool is_soft() const { return std::bit_cast<uint32_t>(smoothing) != 0 || !class_weights.empty(); }
};
enum class Padding : uint8_t { kValid, kSame, kExplicit };
/// By what an average divides: all elements of a window, zeros of the padding among them, or those inside of the signal.
enum class Divisor : uint8_t { kWindow, kInside };
enum class Bias : uint8_t { kNone, kPerOutput };
enum class Training : uint8_t { kTrainable, kFrozen };
/// What a layer that makes sums passes on: codes, or the sums themselves for the Quantize that must follow.
enum class Output : uint8_t { kCodes, kAccumulator };

/// How Quantize wants a wire. What is left out is as the recipe says.
struct WireSetting {
  uint8_t bits = 0;                    ///< 0: format, kind and group as the recipe says
  FormatKind kind = FormatKind::kSym;  ///< kSym, kAsym or kBfp
  uint16_t group = 0;                  ///< consecutive elements that share a scale; 0: all of a sample
  float scale = 0.0f;                  ///< value of one code, constant; 0: the scale follows the wire
  int16_t zero_point = 0;              ///< of a constant scale, kAsym
  std::optional<Scaling> scaling = {};
  std::optional<Rounding> rounding = {};

  constexpr bool operator==(const WireSetting&) const = default;
  constexpr Format format() const { return {kind, bits, group}; }
};

/// steps x channels of one sample, channels fastest. The steps of an image are its pixels, row by row.
struct Shape {
  int32_t steps = 1;
  int32_t channels = 0;
  int32_t width = 0;  ///< pixels in a row of an image; 0: a signal
  constexpr bool operator==(const Shape&) const = default;
  constexpr int32_t size() const { return steps * channels; }
  constexpr int32_t row() const { return width > 0 ? width : steps; }
  constexpr int32_t height() const { return steps / row(); }
};
constexpr Shape image_shape(int32_t height, int32_t width, int32_t channels) {
  return {height * width, channels, width};
}

/// A window of an image from row to row.
struct Vertical {
  int32_t kernel = 1, stride = 1, dilation = 1;
  int32_t pad_top = 0, pad_bottom = 0;  ///< kExplicit only
  constexpr bool operator==(const Vertical&) const = default;
};

/// Whose outputs a layer reads: a number from 0, or one of these.
inline constexpr int32_t kLayerBefore = -1;  ///< of the first layer: the model's input
inline constexpr int32_t kModelInput = -2;

/// One layer. Attributes that the operation does not have are ignored.
struct Node {
  Op op = Op::kRelu;
  int32_t outputs =
      0;  ///< features of Linear, output channels of convolutions, steps of adaptive pools (of an image: along a row)
  int32_t output_rows = 1;  ///< AdaptiveAvgPool2d
  int32_t kernel = 1;       ///< steps of the window, before dilation; in an image along a row
  int32_t stride = 1;
  int32_t dilation = 1;
  int32_t groups = 1;
  Padding padding = Padding::kValid;
  int32_t pad_left = 0, pad_right = 0;  ///< kExplicit only, steps
  int32_t output_padding = 0;           ///< ConvTranspose1d
  Vertical vertical = {};               ///< of 2-D layers
  Divisor divisor = Divisor::kWindow;   ///< averages with padding
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;
  Output output = Output::kCodes;
  WireSetting activation = {}, error = {};  ///< Quantize
  float epsilon = 0.0f;                     ///< of norms
  float slope = 0.0f;                       ///< LeakyReLU
  float drop = 0.0f;                        ///< Dropout: probability
  int32_t input = kLayerBefore;             ///< an earlier layer
  int32_t other = kLayerBefore;             ///< Add, Concat: the second one
  float momentum = 0.0f;                    ///< BatchNorm: share of a batch in running statistics

  constexpr bool operator==(const Node&) const = default;
  /// The same layer, reading the outputs of layer `number`, counted from 0, or of the model's input.
  constexpr Node after(int32_t number) const {
    Node node = *this;
    node.input = number;
    return node;
  }
  constexpr bool takes_two() const { return op == Op::kAdd || op == Op::kConcat; }
  constexpr bool is_transposed() const { return op == Op::kConvTranspose1d; }
  constexpr bool is_product() const {
    return op == Op::kLinear || op == Op::kConv1d || op == Op::kConvTranspose1d || op == Op::kConv2d;
  }
  /// Whether statistics are those of groups of channels over many steps; those of a LayerNorm are of one step.
  constexpr bool has_groups_of_norms() const { return op == Op::kGroupNorm || op == Op::kBatchNorm; }
  constexpr bool is_norm() const { return op == Op::kLayerNorm || has_groups_of_norms(); }
  constexpr bool has_parameters() const { return is_product() || is_norm(); }
  constexpr bool is_average() const {
    return op == Op::kAvgPool1d || op == Op::kAvgPool2d || op == Op::kGlobalAvgPool1d || is_adaptive();
  }
  constexpr bool is_adaptive() const { return op == Op::kAdaptiveAvgPool1d || op == Op::kAdaptiveAvgPool2d; }
  constexpr bool is_max_pool() const { return op == Op::kMaxPool1d || op == Op::kMaxPool2d; }
  constexpr bool is_pool() const { return is_average() || is_max_pool(); }
  /// Whether its windows have rows.
  constexpr bool is_2d() const {
    return op == Op::kConv2d || op == Op::kMaxPool2d || op == Op::kAvgPool2d || op == Op::kAdaptiveAvgPool2d;
  }
  /// Elements of a window, of one channel.
  constexpr int32_t window() const { return kernel * vertical.kernel; }
  /// Whether its outputs lie within +-1, so that their codes have the fixed scale 1 / max.
  constexpr bool is_bounded() const { return op == Op::kSigmoid || op == Op::kTanh || op == Op::kSoftmax; }
  /// Whether it is a function of one element, or of a step (Softmax), with a wire of its own.
  constexpr bool is_activation() const { return op == Op::kLeakyRelu || op == Op::kRelu6 || is_bounded(); }
  /// Whether it makes sums, which are rounded once, into its wire.
  constexpr bool makes_sums() const { return has_parameters() || is_average() || takes_two(); }
  /// Whether a Quantize behind it finds sums: those, or the sums of one term that LeakyReLU and ReLU6 make of codes.
  constexpr bool rounds_sums() const { return makes_sums() || (is_activation() && !is_bounded()); }
};

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

/// A model as the planner reads it: a graph whose layers read earlier ones, by default a chain. Where several read the outputs of one, its error
/// is the sum of theirs. The loss reads the last layer's outputs: CrossEntropy after a Softmax of its own, or one that
/// compares each with its target.
struct Model {
  Shape input;
  std::span<const Node> nodes;
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};
};

/// A model of known length, for constant expressions: make_model(Shape{128, 9}, conv1d({...}), relu(), ...).
template <size_t kLayers>
struct StaticModel {
  Shape input;
  Node nodes[kLayers];
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};
  constexpr operator Model() const {
    return {input, std::span<const Node>(nodes, kLayers), loss, loss_settings};
  }
};

template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Nodes... nodes) {
  return {input, {nodes...}};
}
template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Loss loss, Nodes... nodes) {
  return {input, {nodes...}, loss};
}
template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Loss loss, const LossSettings& settings,
                                                   Nodes... nodes) {
  return {input, {nodes...}, loss, settings};
}

}  // namespace mantissa
