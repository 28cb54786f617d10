// Models and recipes for tests: every layer in every role, and what a user may write into a recipe.
// One list, so that a promise that holds for one holds for all.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "mantissa/model/model.hpp"
#include "mantissa/model/recipe.hpp"

namespace mantissa::test {

struct NamedModel {
  std::string name;
  Shape input;
  std::vector<Node> nodes;
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};
  Model model() const { return {input, nodes, loss, loss_settings}; }
};

struct NamedRecipe {
  std::string name;
  Recipe recipe;
};

/// The usual network for signals.
inline NamedModel small_model() {
  return {"small",
          {16, 3},
          {conv1d({.channels = 8, .kernel = 3, .padding = Padding::kSame}), relu(), max_pool1d({.kernel = 2}),
           conv1d({.channels = 8, .kernel = 3}), relu(), global_avg_pool1d(), linear({.features = 3})}};
}

inline constexpr float kClassWeights[] = {0.5f, 2.0f, 1.25f};

/// Every layer in every role, and attributes that need care.
inline std::vector<NamedModel> odd_models() {
  const Node first = conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame});
  const Node out = linear({.features = 3});
  const Node gap = global_avg_pool1d();
  return {
      small_model(),
      {"stride",
       {17, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 3, .stride = 2, .padding = Padding::kSame}), relu(),
        gap, out}},
      {"stride beyond kernel",
       {17, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 2, .stride = 3}), relu(), gap, out}},
      {"dilation",
       {16, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 3, .dilation = 2}), relu(), gap, out}},
      {"asymmetric",
       {16, 3},
       {first, relu(),
        conv1d({.channels = 5,
                .kernel = 4,
                .stride = 2,
                .dilation = 3,
                .padding = Padding::kExplicit,
                .pad_left = 7,
                .pad_right = 2}),
        gap, out}},
      {"wide padding",
       {8, 3},
       {first,
        conv1d({.channels = 4, .kernel = 2, .padding = Padding::kExplicit, .pad_left = 5, .pad_right = 6}),
        gap, out}},
      {"groups",
       {16, 4},
       {conv1d({.channels = 6, .kernel = 3, .groups = 2}), relu(),
        conv1d({.channels = 12, .kernel = 3, .groups = 6}), relu(), gap, out}},
      {"groups with stride and dilation",
       {20, 4},
       {first,
        conv1d(
            {.channels = 6, .kernel = 3, .stride = 2, .dilation = 2, .groups = 3, .padding = Padding::kSame}),
        relu(), gap, out}},
      {"average pool",
       {16, 3},
       {first, relu(), avg_pool1d({.kernel = 2}),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), gap, out}},
      {"overlapping average pool",
       {16, 3},
       {first, relu(), avg_pool1d({.kernel = 3, .stride = 2}), conv1d({.channels = 4, .kernel = 3}), gap,
        out}},
      {"overlapping max pool",
       {16, 3},
       {first, relu(), max_pool1d({.kernel = 3, .stride = 1}), conv1d({.channels = 4, .kernel = 3}), gap,
        out}},
      {"pools with gaps",
       {17, 3},
       {first, max_pool1d({.kernel = 2, .stride = 3}), conv1d({.channels = 4, .kernel = 2}), relu(),
        avg_pool1d({.kernel = 1, .stride = 2}), flatten(), out}},
      {"relu after pool",
       {16, 3},
       {first, max_pool1d({.kernel = 2}), relu(), conv1d({.channels = 4, .kernel = 3}),
        avg_pool1d({.kernel = 2}), relu(), flatten(), out}},
      {"relu after overlapping pool",
       {16, 3},
       {first, avg_pool1d({.kernel = 4, .stride = 2}), relu(), conv1d({.channels = 4, .kernel = 3}), gap,
        relu(), out}},
      {"frozen first",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), relu(),
        conv1d({.channels = 4, .kernel = 3}), relu(), gap, out}},
      {"frozen between",
       {16, 3},
       {first, relu(), conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), relu(), gap,
        out}},
      {"frozen last", {16, 3}, {first, relu(), gap, linear({.features = 3, .training = Training::kFrozen})}},
      {"all frozen",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), gap,
        linear({.features = 3, .training = Training::kFrozen})}},
      {"no bias",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .bias = Bias::kNone}), relu(), flatten(),
        linear({.features = 3, .bias = Bias::kNone})}},
      {"last is a convolution",
       {16, 3},
       {first, relu(), max_pool1d({.kernel = 4}), conv1d({.channels = 3, .kernel = 4})}},
      {"last is a pool", {16, 3}, {first, relu(), conv1d({.channels = 3, .kernel = 1}), gap}},
      {"flatten behind a padded convolution",
       {16, 3},
       {first, relu(), conv1d({.channels = 4, .kernel = 5, .stride = 2, .padding = Padding::kSame}), relu(),
        flatten(), linear({.features = 9}), relu(), out}},
      {"convolution behind Linear",
       {16, 3},
       {first, flatten(), linear({.features = 6}), relu(),
        conv1d({.channels = 5, .kernel = 3, .padding = Padding::kSame}), relu(),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), out}},
      {"layers by themselves",
       {1, 12},
       {linear({.features = 10}), relu(), relu(), linear({.features = 7}), flatten(), relu(), out,
        flatten()}},
      {"relu first",
       {16, 3},
       {relu(), conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), gap, out}},
      {"pool first",
       {16, 3},
       {avg_pool1d({.kernel = 3, .stride = 2}), max_pool1d({.kernel = 2}),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), gap, out}},
      {"one Linear", {1, 5}, {out}},
      {"norms",
       {16, 3},
       {first, relu(), layer_norm(), conv1d({.channels = 5, .kernel = 3}), layer_norm({.bias = Bias::kNone}),
        relu(), gap, out}},
      {"norm first and last",
       {1, 12},
       {layer_norm(), linear({.features = 10}), relu(), linear({.features = 6}), layer_norm()}},
      {"frozen norm",
       {1, 12},
       {linear({.features = 10}), layer_norm({.training = Training::kFrozen}), linear({.features = 9}),
        relu(), out}},
      {"group norms",
       {16, 3},
       {first, relu(), group_norm({.groups = 3}), conv1d({.channels = 5, .kernel = 3}),
        group_norm({.bias = Bias::kNone}), relu(), gap, out}},
      {"group norm first and last",
       {16, 4},
       {group_norm({.groups = 2}), first, relu(), max_pool1d({.kernel = 4}),
        group_norm({.groups = 6, .training = Training::kFrozen}), avg_pool1d({.kernel = 2}), flatten(), out,
        group_norm({.epsilon = 0.5f})}},
      {"instance norms of an image",
       image_shape(7, 6, 2),
       {conv2d({.channels = 4, .kernel = {3, 3}}), group_norm({.groups = 4}),
        quantize({{.bits = 14}, {.bits = 14}}), relu(), conv2d({.channels = 4, .kernel = {2, 2}}),
        group_norm({.groups = 2}), flatten(), out}},
      {"frozen batch norms",
       {16, 3},
       {first, batch_norm({.training = Training::kFrozen}), relu(), conv1d({.channels = 5, .kernel = 3}),
        relu(), batch_norm({.bias = Bias::kNone, .training = Training::kFrozen}), gap, out}},
      {"transposed",
       {9, 3},
       {first, relu(), conv_transpose1d({.channels = 5, .kernel = 3}), relu(),
        conv_transpose1d({.channels = 4, .kernel = 5, .stride = 2, .padding = 1, .output_padding = 1}),
        relu(), conv1d({.channels = 4, .kernel = 3, .stride = 2}), gap, out}},
      {"transposed with gaps",
       {4, 3},
       {first, conv_transpose1d({.channels = 5, .kernel = 2, .stride = 3, .output_padding = 2}), relu(),
        max_pool1d({.kernel = 2}),
        conv_transpose1d({.channels = 4, .kernel = 3, .stride = 2, .padding = 3, .bias = Bias::kNone}), gap,
        out}},
      {"transposed first, frozen between",
       {6, 3},
       {conv_transpose1d({.channels = 6, .kernel = 4, .stride = 2, .padding = 1}), relu(),
        conv_transpose1d({.channels = 5, .kernel = 2, .padding = 2, .training = Training::kFrozen}),
        flatten(), out}},
      {"transposed last",
       {6, 2},
       {first, relu(), flatten(), linear({.features = 8}), relu(),
        conv_transpose1d({.channels = 3, .kernel = 3, .padding = 1})}},
      {"signal of a transposed convolution",
       {8, 2},
       {first, relu(), avg_pool1d({.kernel = 2}),
        conv_transpose1d({.channels = 3, .kernel = 5, .stride = 2, .padding = 1})},
       Loss::kMse},
      {"signal of a convolution",
       {12, 2},
       {first, relu(), max_pool1d({.kernel = 2}), conv1d({.channels = 4, .kernel = 3, .stride = 2}),
        flatten()},
       Loss::kMse},
      {"signal of an average",
       {12, 2},
       {first, relu(), layer_norm(), avg_pool1d({.kernel = 3, .stride = 2})},
       Loss::kMse},
      {"padded pools",
       {17, 3},
       {first, relu(), max_pool1d({.kernel = 3, .stride = 2, .padding = 1}),
        avg_pool1d({.kernel = 4, .stride = 3, .padding = 2}), relu(), avg_pool1d({.kernel = 2, .padding = 1}),
        max_pool1d({.kernel = 2, .padding = 1}), flatten(), out}},
      {"image",
       image_shape(7, 6, 2),
       {conv2d({.channels = 4, .kernel = {3, 3}, .padding = Padding::kSame}), relu(), max_pool2d({}),
        conv2d({.channels = 5, .kernel = {2, 3}, .padding = Padding::kSame}), relu(), gap, out}},
      {"image with strides",
       image_shape(9, 8, 2),
       {conv2d({.channels = 4,
                .kernel = {3, 2},
                .stride = {1, 2},
                .padding = Padding::kExplicit,
                .pad = {1, 0, 2, 1}}),
        relu(), conv2d({.channels = 4, .kernel = {2, 3}, .stride = {3, 2}, .padding = Padding::kSame}),
        relu(), conv2d({.channels = 3, .kernel = {1, 1}, .stride = {2, 2}}), gap, out}},
      {"depthwise image",
       image_shape(6, 7, 3),
       {conv2d({.channels = 4, .kernel = {3, 3}, .dilation = {2, 1}, .padding = Padding::kSame}), relu(),
        conv2d({.channels = 4,
                .kernel = {3, 3},
                .stride = {2, 2},
                .dilation = {1, 2},
                .groups = 4,
                .padding = Padding::kSame}),
        relu(), conv2d({.channels = 5}), avg_pool2d({.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}}),
        layer_norm(), flatten(), out}},
      {"image with pools",
       image_shape(8, 9, 2),
       {conv2d({.channels = 4, .kernel = {2, 2}, .padding = Padding::kExplicit, .pad = {2, 2, 0, 0}}), relu(),
        max_pool2d({.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}),
        avg_pool2d({.kernel = {2, 1}, .stride = {2, 2}}),
        max_pool2d({.kernel = {1, 2}, .stride = {2, 1}, .padding = {0, 1}}),
        conv2d({.channels = 3, .kernel = {2, 2}}), flatten(), out}},
      {"wide padding of an image",
       image_shape(3, 4, 2),
       {conv2d({.channels = 3, .kernel = {2, 2}, .padding = Padding::kExplicit, .pad = {4, 3, 3, 4}}),
        conv2d({.channels = 4, .kernel = {2, 2}, .stride = {3, 3}}), max_pool2d({.kernel = {2, 2}}), gap,
        out}},
      {"adaptive pools",
       {17, 3},
       {first, relu(), adaptive_avg_pool1d({.steps = 7}), conv1d({.channels = 4, .kernel = 3}), relu(),
        adaptive_avg_pool1d({.steps = 5}), max_pool1d({.kernel = 2}), adaptive_avg_pool1d({.steps = 5}),
        flatten(), out}},
      {"adaptive pool first, and one that is even",
       {12, 3},
       {adaptive_avg_pool1d({.steps = 8}), first, relu(), adaptive_avg_pool1d({.steps = 4}), relu(),
        flatten(), out}},
      {"adaptive pool last", {11, 2}, {first, adaptive_avg_pool1d({.steps = 3})}, Loss::kMse},
      {"adaptive image",
       image_shape(7, 6, 2),
       {conv2d({.channels = 4, .kernel = {3, 3}, .padding = Padding::kSame}), relu(),
        adaptive_avg_pool2d({.size = {5, 4}}), conv2d({.channels = 5}), adaptive_avg_pool2d({.size = {7, 2}}),
        adaptive_avg_pool2d({.size = {3, 2}}), adaptive_avg_pool2d({}), flatten(), out}},
      {"padding that is not counted",
       {17, 3},
       {first, relu(), avg_pool1d({.kernel = 3, .stride = 2, .padding = 1, .divisor = Divisor::kInside}),
        conv1d({.channels = 4}), relu(), avg_pool1d({.kernel = 2, .padding = 1, .divisor = Divisor::kInside}),
        avg_pool1d({.kernel = 4, .stride = 1, .padding = 2, .divisor = Divisor::kInside}), flatten(), out}},
      {"padding of images that is not counted",
       image_shape(6, 7, 2),
       {conv2d({.channels = 4, .kernel = {2, 2}}), relu(),
        avg_pool2d({.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}, .divisor = Divisor::kInside}),
        conv2d({.channels = 4}),
        avg_pool2d({.kernel = {2, 3}, .padding = {1, 0}, .divisor = Divisor::kInside}), flatten(), out}},
      {"softmaxes",
       {9, 3},
       {first, softmax(), conv1d({.channels = 5, .kernel = 3}), relu(), softmax(), avg_pool1d({.kernel = 2}),
        flatten(), linear({.features = 4}), softmax(), out}},
      {"softmax last",
       {1, 12},
       {linear({.features = 9}), relu(), linear({.features = 4}), softmax()},
       Loss::kMse},
      {"softmax of a signal last",
       {8, 2},
       {first, relu(), conv1d({.channels = 3, .kernel = 3}), softmax(), flatten()},
       Loss::kL1},
      {"sigmoid last",
       {1, 12},
       {linear({.features = 9}), mantissa::tanh(), linear({.features = 4}), sigmoid()},
       Loss::kHuber,
       {.delta = 0.25f}},
      {"grouped transposed",
       {6, 3},
       {first, relu(), conv_transpose1d({.channels = 4, .kernel = 3, .stride = 2, .padding = 1, .groups = 2}),
        relu(),
        conv_transpose1d(
            {.channels = 4, .kernel = 5, .stride = 3, .padding = 2, .output_padding = 1, .groups = 4}),
        relu(), conv_transpose1d({.channels = 6, .kernel = 2, .groups = 2, .bias = Bias::kNone}), gap, out}},
      {"classes that weigh",
       {1, 12},
       {linear({.features = 9}), relu(), out},
       Loss::kCrossEntropy,
       {.class_weights = kClassWeights}},
      {"targets that are smooth",
       {1, 12},
       {linear({.features = 9}), relu(), out},
       Loss::kCrossEntropy,
       {.smoothing = 0.25f}},
      {"the sum of both",
       {1, 12},
       {linear({.features = 9}), relu(), out},
       Loss::kCrossEntropy,
       {.reduction = LossReduction::kSum, .smoothing = 0.125f, .class_weights = kClassWeights}},
      {"absolute errors", {12, 2}, {first, relu(), avg_pool1d({.kernel = 3, .stride = 2})}, Loss::kL1},
      {"errors of Huber", {1, 12}, {linear({.features = 9}), relu(), out}, Loss::kHuber, {.delta = 0.25f}},
      {"binary entropies", {1, 12}, {linear({.features = 9}), relu(), out}, Loss::kBce},
      {"the sum of squares",
       {1, 12},
       {linear({.features = 9}), relu(), out},
       Loss::kMse,
       {.reduction = LossReduction::kSum}},
      {"the sum of binary entropies",
       {1, 12},
       {linear({.features = 9}), relu(), out},
       Loss::kBce,
       {.reduction = LossReduction::kSum}},
      {"quantize behind sums",
       {16, 3},
       {first, quantize({{.bits = 14}, {.bits = 13}}), relu(), max_pool1d({.kernel = 2}),
        conv1d({.channels = 4, .kernel = 3, .output = Output::kAccumulator}), relu(),
        quantize({{.bits = 15}, {}}), gap, out}},
      {"quantize by itself",
       {16, 3},
       {quantize({{.bits = 15}, {}}), first, relu(), max_pool1d({.kernel = 2}),
        quantize({{.bits = 14}, {.bits = 15}}), flatten(), quantize({{.bits = 13}, {.bits = 14}}),
        linear({.features = 6}), quantize({}), relu(), out}},
      {"quantize behind an average",
       {16, 3},
       {first, layer_norm(), quantize({{.bits = 14}, {.bits = 14}}), avg_pool1d({.kernel = 2}),
        quantize({{.bits = 16}, {.bits = 16}}), gap, out}},
      {"quantize to other kinds",
       {16, 3},
       {first, relu(),
        quantize(
            {{.bits = 13, .kind = FormatKind::kAsym}, {.bits = 13, .kind = FormatKind::kBfp, .group = 12}}),
        conv1d({.channels = 4, .kernel = 3}), layer_norm(),
        quantize({{.bits = 13, .group = 8}, {.bits = 14, .kind = FormatKind::kSym, .group = 4}}),
        avg_pool1d({.kernel = 2}),
        quantize({{.bits = 14, .kind = FormatKind::kAsym, .scale = 0x1p-10f, .zero_point = -1200}, {}}),
        flatten(), linear({.features = 6}),
        quantize({{.bits = 13, .kind = FormatKind::kBfp, .group = 3}, {.bits = 14}}), out}},
      {"leaky relus",
       {16, 3},
       {first, leaky_relu(), conv1d({.channels = 4, .kernel = 3}), leaky_relu({.slope = 0.3f}),
        quantize({{.bits = 14}, {.bits = 13}}), max_pool1d({.kernel = 2}), leaky_relu({.slope = 1.0f}),
        flatten(), linear({.features = 6}), relu(), leaky_relu({.slope = 0.0f}), out}},
      {"relu6",
       {16, 3},
       {conv1d({.channels = 6, .kernel = 3, .training = Training::kFrozen}), layer_norm(), relu6(), flatten(),
        linear({.features = 6}), relu(), relu6(), out}},
      {"curves",
       {16, 3},
       {first, tanh(), conv1d({.channels = 4, .kernel = 3}), sigmoid(), max_pool1d({.kernel = 2}), flatten(),
        linear({.features = 6}), tanh(), relu(), out}},
      {"curves behind relus",
       {16, 3},
       {first, relu(), tanh(), conv1d({.channels = 4, .kernel = 3}), relu(), max_pool1d({.kernel = 2}),
        sigmoid(), quantize({{.bits = 14}, {.bits = 14}}), conv1d({.channels = 4, .kernel = 3}), gap,
        sigmoid(), out}},
      {"curves first",
       {16, 3},
       {tanh(), leaky_relu(), relu6(), sigmoid(), conv1d({.channels = 4, .kernel = 3}), gap, out}},
      {"dropouts",
       {16, 3},
       {dropout({.p = 0.1f}), first, relu(), dropout({.p = 0.25f}), conv1d({.channels = 6, .kernel = 3}),
        leaky_relu(), dropout(), max_pool1d({.kernel = 2}), dropout({.p = 0.2f}), dropout({.p = 0.3f}),
        relu(), flatten(), linear({.features = 9}), tanh(), dropout({.p = 0.25f}), out}},
      {"dropouts between roundings",
       {16, 3},
       {first, dropout({.p = 0.25f}), quantize({{.bits = 14}, {.bits = 14}}), layer_norm(),
        dropout({.p = 0.2f}), avg_pool1d({.kernel = 2}), dropout({.p = 0.125f}), gap, out}},
      {"residual",
       {16, 3},
       {first, relu(), conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame}), relu(),
        conv1d({.channels = 6, .kernel = 5, .padding = Padding::kSame}), add({.with = 1}), relu(), gap, out}},
      {"residual with a projection",
       {16, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 3, .stride = 2, .padding = Padding::kSame}),
        layer_norm(), conv1d({.channels = 5, .kernel = 1, .stride = 2}).after(1), add({.with = 3}),
        quantize({{.bits = 14}, {.bits = 14}}), relu(), flatten(), out}},
      {"branches",
       image_shape(7, 6, 2),
       {conv2d({.channels = 4, .kernel = {3, 3}, .padding = Padding::kSame}), relu(),
        conv2d({.channels = 3, .kernel = {1, 1}}), relu(),
        conv2d({.channels = 2, .kernel = {3, 3}, .padding = Padding::kSame}).after(1),
        max_pool2d({.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}}).after(1), concat({.with = 3}),
        concat({.with = 4}), conv2d({.channels = 4, .kernel = {2, 2}}), gap, out}},
      {"what several change",
       {12, 3},
       {first, max_pool1d({.kernel = 2}), relu(), dropout({.p = 0.25f}).after(1), relu().after(1),
        add({.with = 2}), add({.with = 3}), add({.with = 6}), tanh(), dropout({.p = 0.2f}), add({.with = 8}),
        gap, out}},
      {"the input again",
       {16, 3},
       {first, avg_pool1d({.kernel = 2}), relu(), avg_pool1d({.kernel = 2}).after(kModelInput),
        concat({.with = 2}), conv1d({.channels = 4, .kernel = 3}), gap, out}},
      {"errors that pass and are dropped",
       {8, 3},
       {first, conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame}).after(0),
        dropout({.p = 0.25f}), conv1d({.channels = 6, .kernel = 1}).after(0), dropout({.p = 0.5f}),
        add({.with = 2}), gap, out}},
      {"sums at the end",
       {1, 12},
       {linear({.features = 9}), relu(), linear({.features = 3}), linear({.features = 3}).after(1),
        add({.with = 2})}},
      {"a frozen branch",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), relu(),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), add({.with = 1}), relu(), gap, out}},
      {"scales that follow otherwise",
       {16, 3},
       {first,
        quantize({{.bits = 14, .scaling = Scaling::kDynamic}, {.bits = 15, .scaling = Scaling::kDelayed}}),
        relu(), max_pool1d({.kernel = 2}), conv1d({.channels = 4, .kernel = 3}),
        quantize({{.bits = 14, .kind = FormatKind::kAsym, .scaling = Scaling::kDelayed},
                  {.bits = 14, .scaling = Scaling::kDynamic, .rounding = Rounding::kStochastic}}),
        gap,
        quantize({{.bits = 15, .scaling = Scaling::kDelayed}, {.bits = 15, .scaling = Scaling::kDynamic}}),
        out}},
  };
}

/// Norms by statistics of the batch, all of which must be in memory.
inline std::vector<NamedModel> batch_norm_models() {
  const Node first = conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame});
  const Node out = linear({.features = 3});
  return {
      {"batch norms",
       {16, 3},
       {first, relu(), batch_norm(), conv1d({.channels = 5, .kernel = 3}), batch_norm({.bias = Bias::kNone}),
        relu(), global_avg_pool1d(), out}},
      {"batch norms of features",
       {1, 12},
       {linear({.features = 20}), batch_norm({.epsilon = 0.01f}), relu(), linear({.features = 7}),
        batch_norm({.momentum = 0.5f}), out}},
      {"batch norm first and last",
       {1, 12},
       {batch_norm(), linear({.features = 9}), relu(), out, batch_norm()}},
      {"batch norms of an image",
       image_shape(6, 5, 2),
       {conv2d({.channels = 18, .kernel = {3, 3}}), batch_norm(), relu(), max_pool2d({}),
        batch_norm({.training = Training::kFrozen}), flatten(), out}},
      {"batch norm between roundings",
       {16, 3},
       {first, dropout({.p = 0.25f}), quantize({{.bits = 14}, {.bits = 14}}), batch_norm(),
        avg_pool1d({.kernel = 2}), tanh(), batch_norm(), flatten(), out}},
      {"residual with batch norms",
       {16, 3},
       {conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame, .bias = Bias::kNone}), batch_norm(),
        relu(), conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame, .bias = Bias::kNone}),
        batch_norm(), add({.with = 2}), relu(), global_avg_pool1d(), out}},
  };
}

/// Whether some layer draws by the place of a sample in its batch: Dropout, and what rounds stochastically on wires.
inline bool draws_by_place(const NamedModel& m) {
  return std::any_of(m.nodes.begin(), m.nodes.end(), [](const Node& n) {
    return n.op == Op::kDropout ||
           (n.op == Op::kQuantize &&
            (n.activation.rounding == Rounding::kStochastic || n.error.rounding == Rounding::kStochastic));
  });
}

/// The four recipes and what a user may write: other widths, storages, scalings and roundings.
inline std::vector<NamedRecipe> all_recipes() {
  std::vector<NamedRecipe> all = {{"float32", float32_recipe()},
                                  {"sym12", sym12_recipe()},
                                  {"sym8", sym8_recipe()},
                                  {"int8", int8_recipe()}};
  const auto add = [&all](std::string name, Recipe base, auto change) {
    change(base);
    all.push_back({std::move(name), base});
  };
  add("int8, 8-bit momentum", int8_recipe(), [](Recipe& r) { r.formats.momentum = sym_format(8); });
  add("int8, 8-bit parameters", int8_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(8); });
  add("int8, 12-bit parameters", int8_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(12); });
  add("int8, 6-bit weights", int8_recipe(), [](Recipe& r) { r.formats.weight = sym_format(6); });
  add("int8, rounding to even", int8_recipe(), [](Recipe& r) {
    r.formats.activation_rounding = r.formats.error_rounding = r.formats.parameter_rounding =
        Rounding::kHalfEven;
    r.decay = 0.0f;
  });
  add("int16", int8_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = r.formats.weight = sym_format(16); });
  add("sym8, 12-bit parameters", sym8_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(12); });
  add("sym8, stochastic wires", sym8_recipe(),
      [](Recipe& r) { r.formats.activation_rounding = r.formats.error_rounding = Rounding::kStochastic; });
  add("sym8, 16-bit errors", sym8_recipe(), [](Recipe& r) { r.formats.error = sym_format(16); });
  add("sym8, float parameters", sym8_recipe(), [](Recipe& r) { r.formats.parameter = float32_format(); });
  add("sym8 dynamic", sym8_recipe(), [](Recipe& r) { r.scaling = Scaling::kDynamic; });
  add("sym16 dynamic", sym12_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = r.formats.weight = sym_format(16); });
  add("sym12, 14-bit parameters", sym12_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(14); });
  // Groups of one element divide every tensor of every model.
  add("int8, asym wires", int8_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = asym_format(8); });
  add("int8, 16-bit asym wires", int8_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = asym_format(16); });
  add("int8, bfp wires", int8_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = bfp_format(6, 1); });
  add("int8, grouped wires", int8_recipe(), [](Recipe& r) {
    r.formats.activation = asym_format(5, 1);
    r.formats.error = sym_format(6, 1);
    r.formats.activation_rounding = Rounding::kStochastic;
  });
  add("int8, packed wires", int8_recipe(), [](Recipe& r) {
    r.formats.activation = sym_format(5);
    r.wire_memory = WireMemory::kPacked;
  });
  add("sym12, asym activations", sym12_recipe(), [](Recipe& r) { r.formats.activation = asym_format(9); });
  add("sym12, bfp wires", sym12_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = bfp_format(8, 1); });
  add("int8, weights of channels", int8_recipe(),
      [](Recipe& r) { r.formats.parameter = sym_format(4, kPerChannel); });
  add("int8, asym weights", int8_recipe(), [](Recipe& r) { r.formats.parameter = asym_format(6); });
  add("sym8, bfp weights", sym8_recipe(), [](Recipe& r) { r.formats.parameter = bfp_format(8, 1); });
  add("sym12, 16-bit asym weights of channels", sym12_recipe(),
      [](Recipe& r) { r.formats.parameter = asym_format(16, kPerChannel); });
  return all;
}

}  // namespace mantissa::test
