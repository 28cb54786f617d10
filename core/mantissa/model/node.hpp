// One layer of a model as plain data: an operation with its attributes.
// Plain, so that one planner serves a model written in C++ (at compile time) and one read from a file (at run time).
#pragma once
#include <cstdint>
#include <optional>

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

}  // namespace mantissa
