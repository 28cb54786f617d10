// A model as a person describes it in a TOML file: layers with names, class names, how to train.
// The core knows a model as numbers only; the names and defaults that a user sees live here.
//
//   name = "har"
//   loss = "cross_entropy"        # the default; or "mse", "l1", "huber", "bce" (with logits), against onehot labels
//   class_weights = [1.0, 2.5]    # of cross_entropy; default: all alike
//   label_smoothing = 0.1         # of cross_entropy; default 0
//   huber_delta = 1.0             # of huber; the default
//   loss_reduction = "mean"       # the default; or "sum", over outputs and samples
//   target = "label"              # the default; or "input": with loss "mse", "l1" or "huber" the outputs are to be the normalised sample itself
//
//   [input]
//   steps = 128                   # default 1
//   channels = 9
//   layout = "channels_first"     # in data files; default "channels_last": [steps, channels]
//                                 # images: height and width instead of steps; [channels, height, width] or [height, width, channels]
//
//   [output]                      # optional
//   classes = 6                   # default: as many as there are names, or as the labels say
//   names = ["walking", "upstairs", "downstairs", "sitting", "standing", "laying"]
//
//   [[layer]]
//   type = "conv1d"
//   name = "conv1"                # default: the type and a running number
//   channels = 16                 # that come out
//   kernel = 7
//   stride = 1                    # default 1, as dilation and groups
//   padding = "same"              # default "valid"; or steps of zeros on both sides: 3, or [3, 2]
//   bias = true                   # default true, as trainable
//   trainable = true
//
//   output = "codes"              # the default; or "accumulator": the sums, for the quantize that must follow
//
//   type = "conv_transpose1d"     # channels, kernel, stride, padding (steps dropped at both ends), output_padding, groups, bias, trainable, output
//   type = "conv2d"               # channels, kernel, stride, dilation, groups, padding, ...: as conv1d, and each a number for both directions
//                                 # or [rows, columns], such as kernel = [3, 5]; padding also [top, bottom, left, right]
//   type = "linear"               # features, bias, trainable, output
//   type = "layer_norm"           # epsilon (default 1e-5), bias, trainable
//   type = "group_norm"           # groups (default 1; as many as channels: InstanceNorm), epsilon, bias, trainable
//   type = "batch_norm"           # epsilon, momentum (default 0.1: share of a batch in running statistics), bias, trainable; the micro-batch must be the
//                                 # batch, unless trainable = false: then running statistics serve in training, too
//   type = "quantize"             # format ("asym8", "bfp8", "sym4/16"; or bits), scale (constant, with zero_point), scaling ("dynamic",
//                                 # "delayed"), rounding; and each with error_ before it; what is left out is as the recipe says
//   type = "relu" | "relu6" | "sigmoid" | "tanh" | "flatten"
//   type = "softmax"              # over the channels of each step; cross_entropy has its own
//   type = "global_avg_pool1d"    # of images, too
//   type = "leaky_relu"           # slope (default 0.01)
//   type = "add" | "concat"       # inputs = ["conv3", "relu1"]: two earlier layers; "input" is the model's input
//                                 # any other layer: input = "relu1", an earlier layer; default: the layer before
//   type = "dropout"              # p (default 0.5): the share of elements that are 0 in training
//   type = "max_pool1d" | "avg_pool1d"   # kernel, stride (default: as kernel), padding (up to half of it); of an average also
//                                 # count_include_pad (default true): whether it divides by the zeros of the padding, too
//   type = "max_pool2d" | "avg_pool2d"   # the same, each a number or [rows, columns]
//   type = "adaptive_avg_pool1d"  # steps: that come out, whatever arrives
//   type = "adaptive_avg_pool2d"  # size: a number, or [rows, columns]
//
//   [training]                    # optional, and so is each key; the command line overrides it
//   epochs = 10
//   batch = 32
//   lr = 0.05
//   momentum = 0.9
//   weight_decay = 0.0
//   schedule = "constant"         # of lr; "linear" lets it fall to 0 at the end
//   only_class = 0                # default: samples of all labels
//   seed = 1
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/split.hpp"
#include "mantissa/model/model.hpp"
#include "mantissa/train/schedule.hpp"

namespace mantissa::host {

/// What the outputs of a model should be.
enum class Target : uint8_t { kLabel, kInput };

/// SGD in the PyTorch convention.
struct TrainingDefaults {
  int epochs = 10;
  int batch = 32;  ///< samples per update
  double lr = 0.05;
  double momentum = 0.9;
  double weight_decay = 0;
  Schedule schedule = Schedule::kConstant;
  int only_class = -1;  ///< the label whose samples alone are trained on; -1: all
  uint64_t seed = 1;    ///< in a file, a negative number stands for 2^64 more
  bool operator==(const TrainingDefaults&) const = default;
};

struct Description {
  std::string name;
  Shape input = {};
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};        ///< but for the weights of classes
  std::vector<float> class_weights = {};  ///< empty, or one per class
  Target target = Target::kLabel;
  SampleLayout layout = SampleLayout::kChannelsLast;
  int classes = 0;                            ///< 0: as the labels say
  std::vector<std::string> class_names = {};  ///< empty, or one per class
  std::vector<Node> nodes = {};
  std::vector<std::string> layer_names = {};  ///< one per node, unique
  TrainingDefaults training = {};

  /// A view of this description, which must outlive it.
  Model model() const& {
    LossSettings settings = loss_settings;
    settings.class_weights = class_weights;
    return {input, nodes, loss, settings};
  }
  Model model() const&& = delete;
  InputShape input_shape() const { return {input.steps, input.channels, layout, input.width}; }
};

/// What files call an operation: "conv1d".
std::string_view type_name(Op op);

/// The name of a layer that has none: "conv1" for the first Conv1d; `number` counts its type from 1.
std::string default_layer_name(Op op, int number);

/// `source_name` stands for the text in messages. Safe on arbitrary bytes. Numbers are so small that a window
/// with dilation, or the input, fits in 31 bits; whether layers fit each other is for plan() to say.
/// Throws Error with the line if the text is not TOML, a key is unknown (with the nearest known one),
/// missing, of the wrong type or out of range, a name is given twice, or classes and outputs differ.
Description parse_description(std::string_view toml_text, std::string_view source_name);

/// As parse_description(). Throws Error also if the file cannot be read.
Description read_description(const std::string& path);

/// The TOML text with every key written out, which parse_description() reads as an equal description.
std::string write_description(const Description& description);

}  // namespace mantissa::host
