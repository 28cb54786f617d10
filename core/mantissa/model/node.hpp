// A model as plain data: an input shape and an array of layers, each an operation with its attributes.
// Plain, so that one planner serves a model written in C++ (at compile time) and one read from a file (at run time).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace mantissa {

enum class Op : uint8_t { kLinear, kConv1d, kRelu, kMaxPool1d, kAvgPool1d, kGlobalAvgPool1d, kFlatten };
enum class Padding : uint8_t { kValid, kSame, kExplicit };
enum class Bias : uint8_t { kNone, kPerOutput };
enum class Training : uint8_t { kTrainable, kFrozen };

/// steps x channels of one sample, channels fastest.
struct Shape {
  int32_t steps = 1;
  int32_t channels = 0;
  constexpr bool operator==(const Shape&) const = default;
  constexpr int32_t size() const { return steps * channels; }
};

/// One layer. Attributes that the operation does not have are ignored.
struct Node {
  Op op = Op::kRelu;
  int32_t outputs = 0;  ///< features of Linear, output channels of Conv1d
  int32_t kernel = 1;   ///< steps of the window, before dilation
  int32_t stride = 1;
  int32_t dilation = 1;
  int32_t groups = 1;
  Padding padding = Padding::kValid;
  int32_t pad_left = 0, pad_right = 0;  ///< kExplicit only, steps
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;

  constexpr bool operator==(const Node&) const = default;
  constexpr bool has_parameters() const { return op == Op::kLinear || op == Op::kConv1d; }
};

/// y[O] = W[O,I] x[I] + b[O].  Needs a vector: flatten or pool a signal first.
struct LinearOptions {
  int32_t features = 0;
  Bias bias = Bias::kPerOutput;
  Training training = Training::kTrainable;
};
constexpr Node linear(LinearOptions o) {
  return {.op = Op::kLinear, .outputs = o.features, .bias = o.bias, .training = o.training};
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
};
constexpr Node conv1d(Conv1dOptions o) {
  return {Op::kConv1d, o.channels, o.kernel,    o.stride, o.dilation, o.groups,
          o.padding,   o.pad_left, o.pad_right, o.bias,   o.training};
}

/// Windows without padding; stride 0 means as long as the window.
struct Pool1dOptions {
  int32_t kernel = 2;
  int32_t stride = 0;
};
constexpr Node max_pool1d(Pool1dOptions o) {
  return {.op = Op::kMaxPool1d, .kernel = o.kernel, .stride = o.stride == 0 ? o.kernel : o.stride};
}
constexpr Node avg_pool1d(Pool1dOptions o) {
  return {.op = Op::kAvgPool1d, .kernel = o.kernel, .stride = o.stride == 0 ? o.kernel : o.stride};
}
constexpr Node global_avg_pool1d() { return {.op = Op::kGlobalAvgPool1d}; }
constexpr Node relu() { return {.op = Op::kRelu}; }
constexpr Node flatten() { return {.op = Op::kFlatten}; }

/// A model as the planner reads it. The loss is Softmax with CrossEntropy over the last layer's outputs.
struct Model {
  Shape input;
  std::span<const Node> nodes;
};

/// A model of known length, for constant expressions: make_model(Shape{128, 9}, conv1d({...}), relu(), ...).
template <size_t kLayers>
struct StaticModel {
  Shape input;
  Node nodes[kLayers];
  constexpr operator Model() const { return {input, std::span<const Node>(nodes, kLayers)}; }
};

template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Nodes... nodes) {
  return {input, {nodes...}};
}

}  // namespace mantissa
