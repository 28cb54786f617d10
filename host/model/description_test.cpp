#include "host/model/description.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

constexpr const char* kSmall = R"(name = "small"
[input]
channels = 4
[[layer]]
type = "linear"
features = 3
)";

/// What a text is refused with; empty if it is accepted.
std::string refusal(const std::string& text) {
  return test::error_of([&] { parse_description(text, "m.toml"); });
}

std::string with_layer(const std::string& lines) {
  return "name = \"m\"\n[input]\nsteps = 32\nchannels = 6\n[[layer]]\n" + lines + "\n";
}

Node only_node(const std::string& lines) {
  return parse_description(with_layer(lines), "m.toml").nodes.at(0);
}

void expect_equal(const Node& a, const Node& b) {
  EXPECT_EQ(a.op, b.op);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.kernel, b.kernel);
  EXPECT_EQ(a.stride, b.stride);
  EXPECT_EQ(a.dilation, b.dilation);
  EXPECT_EQ(a.groups, b.groups);
  EXPECT_EQ(a.padding, b.padding);
  EXPECT_EQ(a.pad_left, b.pad_left);
  EXPECT_EQ(a.pad_right, b.pad_right);
  EXPECT_EQ(a.bias, b.bias);
  EXPECT_EQ(a.training, b.training);
}

void expect_equal(const Description& a, const Description& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.input, b.input);
  EXPECT_EQ(a.layout, b.layout);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.class_names, b.class_names);
  EXPECT_EQ(a.layer_names, b.layer_names);
  EXPECT_EQ(a.training, b.training);
  ASSERT_EQ(a.nodes.size(), b.nodes.size());
  for (size_t i = 0; i < a.nodes.size(); ++i) expect_equal(a.nodes[i], b.nodes[i]);
}

TEST(Description, HarExampleIsTheNetworkOfTheBenchmark) {
  const Description d = read_description(MANTISSA_SOURCE_DIR "/examples/har/har.toml");
  Description wanted{.name = "har", .input = {128, 9}, .layout = SampleLayout::kChannelsFirst, .classes = 6};
  wanted.class_names = {"walking", "upstairs", "downstairs", "sitting", "standing", "laying"};
  const auto conv = [](int32_t channels, int32_t kernel) {
    return conv1d({.channels = channels, .kernel = kernel, .padding = Padding::kSame});
  };
  wanted.nodes = {conv(16, 7),    relu(),      max_pool1d({}), conv(32, 5),         relu(),
                  max_pool1d({}), conv(64, 3), relu(),         global_avg_pool1d(), linear({.features = 6})};
  wanted.layer_names = {"conv1", "relu1", "max_pool1",        "conv2",  "relu2", "max_pool2",
                        "conv3", "relu3", "global_avg_pool1", "linear1"};
  wanted.training = {.epochs = 15, .batch = 64, .lr = 0.02, .schedule = Schedule::kLinear};
  expect_equal(d, wanted);
}

TEST(Description, OtherExamplesAreRead) {
  EXPECT_EQ(read_description(MANTISSA_SOURCE_DIR "/examples/ecg/ecg.toml").classes, 5);
  const Description mlp = read_description(MANTISSA_SOURCE_DIR "/examples/digits/mlp.toml");
  EXPECT_EQ(mlp.input, (Shape{784, 1}));
  EXPECT_EQ(mlp.layer_names, (std::vector<std::string>{"flatten1", "linear1", "relu1", "linear2"}));
}

TEST(Description, DefaultsAreTheDocumentedOnes) {
  const Description d = parse_description(kSmall, "m.toml");
  EXPECT_EQ(d.input, (Shape{1, 4}));
  EXPECT_EQ(d.layout, SampleLayout::kChannelsLast);
  EXPECT_EQ(d.classes, 0);
  EXPECT_TRUE(d.class_names.empty());
  const TrainingDefaults t{.epochs = 10,
                           .batch = 32,
                           .lr = 0.05,
                           .momentum = 0.9,
                           .weight_decay = 0,
                           .schedule = Schedule::kConstant,
                           .seed = 1};
  EXPECT_EQ(d.training, t);
  EXPECT_EQ(d.model().nodes.data(), d.nodes.data());
}

TEST(Description, EveryAttributeArrives) {
  expect_equal(only_node("type = 'conv1d'\nchannels = 8\nkernel = 5\nstride = 2\ndilation = 3\ngroups = 2\n"
                         "padding = [3, 2]\nbias = false\ntrainable = false"),
               conv1d({8, 5, 2, 3, 2, Padding::kExplicit, 3, 2, Bias::kNone, Training::kFrozen}));
  expect_equal(only_node("type = 'linear'\nfeatures = 7\nbias = false\ntrainable = false"),
               linear({7, Bias::kNone, Training::kFrozen}));
  expect_equal(only_node("type = 'avg_pool1d'\nkernel = 3"), avg_pool1d({3, 3}));
  expect_equal(only_node("type = 'max_pool1d'\nkernel = 3\nstride = 2"), max_pool1d({3, 2}));
  expect_equal(only_node("type = 'global_avg_pool1d'"), global_avg_pool1d());
  expect_equal(only_node("type = 'flatten'"), flatten());
}

TEST(Description, PaddingIsAWordOrNumbers) {
  const std::string conv = "type = 'conv1d'\nchannels = 2\nkernel = 3\n";
  EXPECT_EQ(only_node(conv).padding, Padding::kValid);
  EXPECT_EQ(only_node(conv + "padding = 'valid'").padding, Padding::kValid);
  EXPECT_EQ(only_node(conv + "padding = 'same'").padding, Padding::kSame);
  const Node both = only_node(conv + "padding = 3");
  EXPECT_EQ(both.padding, Padding::kExplicit);
  EXPECT_EQ(both.pad_left, 3);
  EXPECT_EQ(both.pad_right, 3);
  EXPECT_EQ(refusal(with_layer(conv + "padding = [1]")),
            "m.toml, line 9: 'padding' in [[layer]] 1 (conv1d) has 1 entries; it must be \"valid\", "
            "\"same\", steps on "
            "both sides such as 3, or left and right such as [3, 2]");
  EXPECT_EQ(refusal(with_layer(conv + "padding = 'some'")),
            "m.toml, line 9: unknown padding 'some' in [[layer]] 1 (conv1d); did you mean 'same'?");
  EXPECT_EQ(refusal(with_layer(conv + "padding = [1, -1]")),
            "m.toml, line 9: 'padding' in [[layer]] 1 (conv1d) is -1; it must be from 0 to 32768");
}

TEST(Description, TransposedConvolutionsAreReadAndWritten) {
  const std::string layer = "type = 'conv_transpose1d'\nchannels = 3\nkernel = 5\n";
  const Node plain = only_node(layer);
  EXPECT_EQ(plain.op, Op::kConvTranspose1d);
  EXPECT_EQ((std::array{plain.outputs, plain.kernel, plain.stride, plain.pad_left, plain.output_padding}),
            (std::array{3, 5, 1, 0, 0}));
  const std::string full =
      layer + "stride = 4\npadding = 2\noutput_padding = 3\nbias = false\ntrainable = false";
  const Node node = only_node(full);
  EXPECT_EQ((std::array{node.outputs, node.kernel, node.stride, node.pad_left, node.output_padding}),
            (std::array{3, 5, 4, 2, 3}));
  EXPECT_EQ(node.bias, Bias::kNone);
  EXPECT_EQ(node.training, Training::kFrozen);
  const Description d = parse_description(with_layer(full), "m.toml");
  EXPECT_EQ(write_description(parse_description(write_description(d), "m.toml")), write_description(d));
  EXPECT_EQ(refusal(with_layer(layer + "stride = 4\noutput_padding = 4")),
            "m.toml, line 10: 'output_padding' in [[layer]] 1 (conv_transpose1d) is 4; it must be less than "
            "the stride, 4");
  EXPECT_EQ(refusal(with_layer(layer + "padding = -1")),
            "m.toml, line 9: 'padding' in [[layer]] 1 (conv_transpose1d) is -1; it must be from 0 to 32768");
  EXPECT_EQ(
      refusal(with_layer("type = 'conv_transpose1d'\nchannels = 3\nkernel = 5\ndilation = 2")).substr(0, 80),
      "m.toml, line 9: unknown key 'dilation' in [[layer]] 1 (conv_transpose1d); known ");
  EXPECT_EQ(
      refusal(with_layer("type = 'conv_transposed1d'")),
      "m.toml, line 6: unknown type 'conv_transposed1d' in [[layer]] 1; did you mean 'conv_transpose1d'?");
}

TEST(Description, TargetsAndClassesOfTrainingHaveRanges) {
  EXPECT_EQ(refusal("name = 'x'\ntarget = 'inputs'"),
            "m.toml, line 2: unknown target 'inputs' in the model; did you mean 'input'?");
  EXPECT_EQ(refusal(std::string(kSmall) + "[training]\nonly_class = -1\n").substr(0, 60),
            "m.toml, line 8: 'only_class' in [training] is -1; it must be");
}

TEST(Description, UnknownKeysNameTheNearestOne) {
  EXPECT_EQ(refusal("nam = 'x'"), "m.toml, line 1: unknown key 'nam' in the model; did you mean 'name'?");
  EXPECT_EQ(refusal("name = 'x'\n[input]\nstep = 3\nchannels = 1"),
            "m.toml, line 3: unknown key 'step' in [input]; did you mean 'steps'?");
  EXPECT_EQ(refusal(with_layer("type = 'conv1d'\nchannels = 8\nkernal = 5")),
            "m.toml, line 8: unknown key 'kernal' in [[layer]] 1 (conv1d); did you mean 'kernel'?");
  EXPECT_EQ(refusal(with_layer("type = 'relu'\nslope = 5")),
            "m.toml, line 7: unknown key 'slope' in [[layer]] 1 (relu); known are 'type', 'name', 'input'");
  EXPECT_EQ(refusal(with_layer("type = 'conv3d'")),
            "m.toml, line 6: unknown type 'conv3d' in [[layer]] 1; did you mean 'conv1d'?");
  EXPECT_EQ(refusal(std::string(kSmall) + "[training]\nlearning_rate = 1\n"),
            "m.toml, line 8: unknown key 'learning_rate' in [training]; known are 'epochs', 'batch', 'lr', "
            "'momentum', "
            "'weight_decay', 'schedule', 'seed', 'only_class'");
  EXPECT_EQ(refusal("name = 'x'\nloss = 'hinge'"),
            "m.toml, line 2: unknown loss 'hinge' in the model; known are 'cross_entropy', 'mse', 'l1', "
            "'huber', 'bce'");
}

TEST(Description, FormatsBetweenLayersAreReadAndWritten) {
  const Description d = parse_description(
      "name = 'chain'\nloss = 'mse'\n[input]\nchannels = 4\n"
      "[[layer]]\ntype = 'linear'\nfeatures = 8\noutput = 'accumulator'\n"
      "[[layer]]\ntype = 'quantize'\nbits = 6\nscale = 0.05\nerror_bits = 9\nerror_scale = 2.0\n"
      "[[layer]]\ntype = 'layer_norm'\nepsilon = 0.001\nbias = false\n"
      "[[layer]]\ntype = 'quantize'\n[[layer]]\ntype = 'linear'\nfeatures = 2\n",
      "m.toml");
  const std::vector<Node> expected = {linear({.features = 8, .output = Output::kAccumulator}),
                                      quantize({{.bits = 6, .scale = 0.05f}, {.bits = 9, .scale = 2.0f}}),
                                      layer_norm({.epsilon = 0.001f, .bias = Bias::kNone}), quantize({}),
                                      linear({.features = 2})};
  EXPECT_EQ(d.nodes, expected);
  EXPECT_EQ(d.loss, Loss::kMse);
  const Description again = parse_description(write_description(d), "written");
  EXPECT_EQ(again.nodes, expected);
  EXPECT_EQ(again.loss, Loss::kMse);
}

TEST(Description, NormsAreReadAndWritten) {
  const Description d = parse_description(
      "name = 'norms'\n[input]\nsteps = 4\nchannels = 6\n"
      "[[layer]]\ntype = 'group_norm'\n[[layer]]\ntype = 'group_norm'\ngroups = 3\nepsilon = 0.5\nbias = "
      "false\n"
      "[[layer]]\ntype = 'batch_norm'\n[[layer]]\ntype = 'batch_norm'\nmomentum = 0.25\nepsilon = "
      "0.001\ntrainable = "
      "false\n[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'linear'\nfeatures = 2\n",
      "m.toml");
  const std::vector<Node> expected = {
      group_norm(), group_norm({.groups = 3, .epsilon = 0.5f, .bias = Bias::kNone}),
      batch_norm(), batch_norm({.epsilon = 0.001f, .momentum = 0.25f, .training = Training::kFrozen}),
      flatten(),    linear({.features = 2})};
  EXPECT_EQ(d.nodes, expected);
  EXPECT_EQ(parse_description(write_description(d), "written").nodes, expected);
  EXPECT_EQ(refusal("name = 'x'\n[input]\nchannels = 4\n[[layer]]\ntype = 'batch_norm'\nmomentum = 2\n"),
            "m.toml, line 6: 'momentum' in [[layer]] 1 (batch_norm) is 2; it must be from 0 to 1");
}

TEST(Description, ActivationsAreReadAndWritten) {
  const Description d = parse_description(
      "name = 'curves'\n[input]\nchannels = 4\n"
      "[[layer]]\ntype = 'leaky_relu'\n[[layer]]\ntype = 'leaky_relu'\nslope = 0.3\n[[layer]]\ntype = "
      "'relu6'\n"
      "[[layer]]\ntype = 'sigmoid'\n[[layer]]\ntype = 'tanh'\n[[layer]]\ntype = 'dropout'\n"
      "[[layer]]\ntype = 'dropout'\np = 0.25\n[[layer]]\ntype = 'linear'\nfeatures = 2\n",
      "m.toml");
  const std::vector<Node> expected = {leaky_relu({.slope = 0.01f}),
                                      leaky_relu({.slope = 0.3f}),
                                      relu6(),
                                      sigmoid(),
                                      mantissa::tanh(),
                                      dropout({.p = 0.5f}),
                                      dropout({.p = 0.25f}),
                                      linear({.features = 2})};
  EXPECT_EQ(d.nodes, expected);
  EXPECT_EQ(d.layer_names[1], "leaky_relu2");
  EXPECT_EQ(parse_description(write_description(d), "written").nodes, expected);
}

TEST(Description, AdaptivePoolsSoftmaxAndGroupsAreReadAndWritten) {
  const auto read = [](const std::string& input, const std::string& layers) {
    const Description d = parse_description("name = 'p'\n[input]\n" + input + layers, "m.toml");
    EXPECT_EQ(parse_description(write_description(d), "written").nodes, d.nodes);
    return d;
  };
  const Description signal =
      read("steps = 9\nchannels = 4\n",
           "[[layer]]\ntype = 'adaptive_avg_pool1d'\nsteps = 4\n"
           "[[layer]]\ntype = 'avg_pool1d'\nkernel = 3\npadding = 1\ncount_include_pad = false\n"
           "[[layer]]\ntype = 'avg_pool1d'\nkernel = 3\npadding = 1\ncount_include_pad = true\n"
           "[[layer]]\ntype = 'conv_transpose1d'\nchannels = 6\nkernel = 3\ngroups = 2\n[[layer]]\ntype = "
           "'softmax'\n");
  const std::vector<Node> expected = {adaptive_avg_pool1d({.steps = 4}),
                                      avg_pool1d({.kernel = 3, .padding = 1, .divisor = Divisor::kInside}),
                                      avg_pool1d({.kernel = 3, .padding = 1}),
                                      conv_transpose1d({.channels = 6, .kernel = 3, .groups = 2}), softmax()};
  EXPECT_EQ(signal.nodes, expected);
  EXPECT_EQ(signal.layer_names[0], "adaptive_avg_pool1");
  const Description image =
      read("height = 7\nwidth = 6\nchannels = 2\n",
           "[[layer]]\ntype = 'adaptive_avg_pool2d'\nsize = 3\n[[layer]]\ntype = 'adaptive_avg_pool2d'\nsize "
           "= [2, 1]\n"
           "[[layer]]\ntype = 'avg_pool2d'\nkernel = [1, 2]\npadding = [0, 1]\ncount_include_pad = false\n");
  EXPECT_EQ(image.nodes[0], adaptive_avg_pool2d({.size = {3, 3}}));
  EXPECT_EQ(image.nodes[1], adaptive_avg_pool2d({.size = {2, 1}}));
  EXPECT_EQ(image.nodes[2], avg_pool2d({.kernel = {1, 2}, .padding = {0, 1}, .divisor = Divisor::kInside}));
}

/// Each key of images, wrong in each way.
TEST(Description, KeysOfImagesSayWhatWouldDo) {
  const auto layer = [](const std::string& keys) {
    return refusal("name = 'i'\n[input]\nheight = 8\nwidth = 8\nchannels = 4\n[[layer]]\n" + keys);
  };
  const auto conv = [&](const std::string& keys) { return layer("type = 'conv2d'\nchannels = 4\n" + keys); };
  const auto error = [](int line, const std::string& text) {
    return fmt::format("m.toml, line {}: {}", line, text);
  };
  EXPECT_EQ(conv("kernel = 3\nstride = [2, 1]\ndilation = [1, 2]\npadding = [1, 2, 3, 4]"), "");
  EXPECT_EQ(conv("stride = 1"), error(6, "[[layer]] 1 (conv2d) has no key 'kernel'"));
  for (const char* key : {"kernel", "stride", "dilation"}) {
    const std::string before = key == std::string("kernel") ? "" : "kernel = 3\n";
    const int line = before.empty() ? 9 : 10;
    const auto of = [&](const std::string& value) { return conv(before + key + " = " + value); };
    EXPECT_EQ(of("0"),
              error(line, fmt::format("'{}' in [[layer]] 1 (conv2d) is 0; it must be from 1 to 32768", key)));
    EXPECT_EQ(of("[3, 0]"),
              error(line, fmt::format("'{}' in [[layer]] 1 (conv2d) is 0; it must be from 1 to 32768", key)));
    EXPECT_EQ(
        of("[32769, 1]"),
        error(line, fmt::format("'{}' in [[layer]] 1 (conv2d) is 32769; it must be from 1 to 32768", key)));
    EXPECT_EQ(
        of("[1, 2, 3]"),
        error(line, fmt::format("'{}' in [[layer]] 1 (conv2d) has 3 entries; it must be a number for both "
                                "directions such as 3, or rows and columns such as [3, 5]",
                                key)));
    EXPECT_EQ(
        of("'3'"),
        error(line, fmt::format("'{}' in [[layer]] 1 (conv2d) is a string; it must be an integer", key)));
    EXPECT_EQ(of("[1, 2.5]"),
              error(line, fmt::format(
                              "'{}' in [[layer]] 1 (conv2d) contains a float; it must be a list of integers",
                              key)));
  }
  EXPECT_EQ(conv("kernel = 3\npadding = [1, 2, 3]"),
            error(10,
                  "'padding' in [[layer]] 1 (conv2d) has 3 entries; it must be \"valid\", \"same\", a number "
                  "for all sides such as "
                  "1, rows and columns such as [1, 2], or [top, bottom, left, right]"));
  EXPECT_EQ(conv("kernel = 3\npadding = -1"),
            error(10, "'padding' in [[layer]] 1 (conv2d) is -1; it must be from 0 to 32768"));
  EXPECT_EQ(conv("kernel = 3\npadding = 'some'"),
            error(10, "unknown padding 'some' in [[layer]] 1 (conv2d); did you mean 'same'?"));
  EXPECT_EQ(conv("kernel = 3\ngroups = 3"),
            error(10, "'groups' in [[layer]] 1 (conv2d) is 3, which does not divide its 4 channels"));
  for (const char* type : {"max_pool2d", "avg_pool2d"}) {
    const auto pool = [&](const std::string& keys) {
      return layer(fmt::format("type = '{}'\n", type) + keys);
    };
    EXPECT_EQ(pool("kernel = [2, 4]\npadding = [1, 2]"), "");
    EXPECT_EQ(
        pool("kernel = [2, 4]\npadding = 2"),
        error(9, fmt::format(
                     "'padding' in [[layer]] 1 ({}) is 2; it can be at most half of the kernel, which is 2",
                     type)));
    EXPECT_EQ(
        pool("kernel = [4, 2]\npadding = [1, 2]"),
        error(9, fmt::format(
                     "'padding' in [[layer]] 1 ({}) is 2; it can be at most half of the kernel, which is 2",
                     type)));
    EXPECT_EQ(pool("kernel = 2\npadding = [1, 1, 1, 1]"),
              error(9, fmt::format("'padding' in [[layer]] 1 ({}) has 4 entries; it must be a number for "
                                   "both directions such as 3, or "
                                   "rows and columns such as [3, 5]",
                                   type)));
  }
  EXPECT_EQ(layer("type = 'max_pool2d'\nkernel = 2\ncount_include_pad = false"),
            error(9,
                  "'count_include_pad' in [[layer]] 1 (max_pool2d) is for averages; a maximum does not see "
                  "its padding, leave it out"));
  EXPECT_EQ(
      layer("type = 'avg_pool2d'\nkernel = 2\ncount_include_pad = 0"),
      error(9, "'count_include_pad' in [[layer]] 1 (avg_pool2d) is an integer; it must be true or false"));
  EXPECT_EQ(layer("type = 'adaptive_avg_pool2d'"),
            error(6, "[[layer]] 1 (adaptive_avg_pool2d) has no key 'size'"));
  EXPECT_EQ(layer("type = 'adaptive_avg_pool2d'\nsize = [2, 4097]"),
            error(8, "'size' in [[layer]] 1 (adaptive_avg_pool2d) is 4097; it must be from 1 to 4096"));
  EXPECT_EQ(layer("type = 'adaptive_avg_pool1d'\nsteps = 0"),
            error(8, "'steps' in [[layer]] 1 (adaptive_avg_pool1d) is 0; it must be from 1 to 1048576"));
}

TEST(Description, InputsAreSignalsOrImages) {
  const auto input = [](const std::string& keys) {
    return refusal("name = 'i'\n[input]\n" + keys + "\nchannels = 1\n[[layer]]\ntype = 'flatten'");
  };
  EXPECT_EQ(input("height = 8\nwidth = 9"), "");
  EXPECT_EQ(input("height = 8"), "m.toml, line 2: [input] has no key 'width'");
  EXPECT_EQ(input("width = 8"), "m.toml, line 2: [input] has no key 'height'");
  EXPECT_EQ(input("height = 8\nwidth = 8\nsteps = 64"),
            "m.toml, line 5: [input] is a signal with 'steps', or an image with 'height' and 'width'; give "
            "one of them");
  EXPECT_EQ(input("height = 0\nwidth = 8"),
            "m.toml, line 3: 'height' in [input] is 0; it must be from 1 to 4096");
  EXPECT_EQ(input("height = 8\nwidth = 4097"),
            "m.toml, line 4: 'width' in [input] is 4097; it must be from 1 to 4096");
  EXPECT_EQ(input("height = [8, 8]\nwidth = 8"),
            "m.toml, line 3: 'height' in [input] is a list; it must be an integer");
  EXPECT_EQ(input("height = 8\nwidth = 'wide'"),
            "m.toml, line 4: 'width' in [input] is a string; it must be an integer");
  EXPECT_EQ(
      refusal("name = 'i'\n[input]\nheight = 4096\nwidth = 4096\nchannels = 2\n[[layer]]\ntype = 'flatten'"),
      "m.toml, line 3: [input] has 16777216 steps x 2 channels; at most 16777216 values make a sample");
}

/// The first ReLU6 and the 61st ReLU would be called alike.
TEST(Description, NamesThatAreLeftOutDiffer) {
  std::string text = "name = 'n'\n[input]\nchannels = 4\n";
  const auto with = [&](const std::string& first, const std::string& second, int count) {
    std::string layers = first;
    for (int i = 0; i < count; ++i) layers += "[[layer]]\ntype = 'relu'\n";
    return parse_description(text + layers + second, "m.toml").layer_names;
  };
  const std::string six = "[[layer]]\ntype = 'relu6'\n";
  const std::vector<std::string> before = with(six, "", 62), behind = with("", six, 61);
  EXPECT_EQ(before[0], "relu61");
  EXPECT_EQ(before[60], "relu60");
  EXPECT_EQ(before[61], "relu62");
  EXPECT_EQ(before[62], "relu63");
  EXPECT_EQ(behind[60], "relu61");
  EXPECT_EQ(behind[61], "relu62");
  const std::vector<std::string> pools =
      parse_description(
          "name = 'n'\n[input]\nheight = 4\nwidth = 4\nchannels = 4\n[[layer]]\ntype = 'avg_pool2d'\nkernel "
          "= 1\n"
          "[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'avg_pool1d'\nkernel = 1\n"
          "[[layer]]\ntype = 'conv1d'\nname = 'a'\nchannels = 4\nkernel = 1\n[[layer]]\ntype = "
          "'conv2d'\nchannels = "
          "4\nkernel = 1",
          "m.toml")
          .layer_names;
  EXPECT_EQ(pools, (std::vector<std::string>{"avg_pool1", "flatten1", "avg_pool2", "a", "conv1"}));
}

TEST(Description, LossesAreReadAndWritten) {
  const std::string rest = "[input]\nchannels = 4\n[[layer]]\ntype = 'linear'\nfeatures = 2\n";
  const auto read = [&rest](const std::string& keys) {
    return parse_description("name = 'l'\n" + keys + rest, "m.toml");
  };
  const Description soft = read("class_weights = [1, 2.5]\nlabel_smoothing = 0.1\nloss_reduction = 'sum'\n");
  EXPECT_EQ(soft.class_weights, (std::vector<float>{1.0f, 2.5f}));
  EXPECT_EQ(soft.loss_settings.smoothing, 0.1f);
  EXPECT_EQ(soft.loss_settings.reduction, LossReduction::kSum);
  EXPECT_EQ(soft.model().loss_settings.class_weights.data(), soft.class_weights.data());
  const Description huber = read("loss = 'huber'\nhuber_delta = 0.3\n");
  EXPECT_EQ(huber.loss, Loss::kHuber);
  EXPECT_EQ(huber.loss_settings.delta, 0.3f);
  for (const Description& d : {soft, huber, read("loss = 'l1'\n"), read("loss = 'bce'\n")}) {
    const Description again = parse_description(write_description(d), "written");
    EXPECT_EQ(again.loss, d.loss);
    EXPECT_EQ(again.class_weights, d.class_weights);
    EXPECT_EQ(again.loss_settings.smoothing, d.loss_settings.smoothing);
    EXPECT_EQ(again.loss_settings.delta, d.loss_settings.delta);
    EXPECT_EQ(again.loss_settings.reduction, d.loss_settings.reduction);
  }
  for (const std::string wrong :
       {"loss = 'l1'\nlabel_smoothing = 0.1\n", "loss = 'mse'\nclass_weights = [1, 2]\n",
        "huber_delta = 1.0\n", "class_weights = [-1.0, 2.0]\n", "class_weights = ['a', 'b']\n",
        "label_smoothing = 1.5\n", "loss = 'bce'\ntarget = 'input'\n"})
    EXPECT_THROW(read(wrong), Error) << wrong;
}

TEST(Description, QuantizeNamesAnyFormat) {
  const std::string head = "name = 'q'\n[input]\nchannels = 16\n[[layer]]\ntype = 'quantize'\n";
  const std::string tail = "[[layer]]\ntype = 'linear'\nfeatures = 2\n";
  const Description d =
      parse_description(head +
                            "format = 'asym6'\nscale = 0.5\nzero_point = -7\nerror_format = 'bfp8/4'\n"
                            "error_scaling = 'dynamic'\nerror_rounding = 'stochastic'\n" +
                            tail,
                        "m.toml");
  const Node expected = quantize({{.bits = 6, .kind = FormatKind::kAsym, .scale = 0.5f, .zero_point = -7},
                                  {.bits = 8,
                                   .kind = FormatKind::kBfp,
                                   .group = 4,
                                   .scaling = Scaling::kDynamic,
                                   .rounding = Rounding::kStochastic}});
  EXPECT_EQ(d.nodes[0], expected);
  EXPECT_EQ(parse_description(write_description(d), "written").nodes, d.nodes);
  EXPECT_EQ(
      refusal(head + "bits = 6\nformat = 'asym6'\n" + tail),
      "m.toml, line 7: 'bits' and 'format' in [[layer]] 1 (quantize) both say how wide the wire is; give "
      "one of them");
  EXPECT_EQ(
      refusal(head + "error_format = 'sym8/channel'\n" + tail),
      "m.toml, line 6: 'error_format' in [[layer]] 1 (quantize) is 'sym8/channel'; it must be sym, asym or "
      "bfp with 2 to 16 "
      "bits, such as \"asym8\", and \"/32\" behind it for groups of 32");
  EXPECT_NE(refusal(head + "zero_point = 40000\n" + tail), "");
  EXPECT_NE(refusal(head + "scaling = 'dynamics'\n" + tail), "");
}

TEST(Description, WrongTypesSayWhatWasFoundAndWanted) {
  EXPECT_EQ(refusal("name = 3"), "m.toml, line 1: 'name' in the model is an integer; it must be a string");
  EXPECT_EQ(refusal(with_layer("type = 'linear'\nfeatures = '6'")),
            "m.toml, line 7: 'features' in [[layer]] 1 (linear) is a string; it must be an integer");
  EXPECT_EQ(refusal(with_layer("type = 'linear'\nfeatures = 6.0")),
            "m.toml, line 7: 'features' in [[layer]] 1 (linear) is a float; it must be an integer");
  EXPECT_EQ(refusal(with_layer("type = 'linear'\nfeatures = 6\nbias = 1")),
            "m.toml, line 8: 'bias' in [[layer]] 1 (linear) is an integer; it must be true or false");
  EXPECT_EQ(refusal("name = 'x'\ninput = 1979-05-27"),
            "m.toml, line 2: 'input' in the model is a date; it must be a table: [input]");
  EXPECT_EQ(refusal("name = 'x'\n[input]\nchannels = 1\n[output]\nnames = ['a', 2]"),
            "m.toml, line 5: 'names' in [output] contains an integer; it must be a list of strings");
  EXPECT_EQ(refusal("name = 'x'\n[input]\nchannels = 1\n[layer]\ntype = 'relu'"),
            "m.toml, line 4: 'layer' in the model is a table; it must be a list of tables: [[layer]]");
  EXPECT_EQ(refusal(std::string(kSmall) + "[training]\nlr = true\n"),
            "m.toml, line 8: 'lr' in [training] is a boolean; it must be a number");
}

TEST(Description, NumbersHaveRanges) {
  const auto conv = [](const std::string& line) { return refusal(with_layer("type = 'conv1d'\n" + line)); };
  const auto training = [](const std::string& line) {
    return refusal(std::string(kSmall) + "[training]\n" + line);
  };
  EXPECT_EQ(conv("channels = 0"),
            "m.toml, line 7: 'channels' in [[layer]] 1 (conv1d) is 0; it must be from 1 to 65536");
  EXPECT_NE(conv("channels = 4\nkernel = 0"), "");
  EXPECT_NE(conv("channels = 4\nkernel = 32769"), "");
  EXPECT_EQ(conv("channels = 4\nkernel = 32768"), "");
  EXPECT_NE(conv("channels = 4\nkernel = 3\nstride = 0"), "");
  EXPECT_NE(conv("channels = 4\nkernel = 3\ndilation = 0"), "");
  EXPECT_NE(conv("channels = 4\nkernel = 4294967297"), "");
  EXPECT_EQ(conv("channels = 4\nkernel = 3\ngroups = 3"),
            "m.toml, line 9: 'groups' in [[layer]] 1 (conv1d) is 3, which does not divide its 4 channels");
  EXPECT_NE(refusal(with_layer("type = 'max_pool1d'\nkernel = 2\nstride = 0")), "");
  EXPECT_EQ(training("batch = 0"),
            "m.toml, line 8: 'batch' in [training] is 0; it must be from 1 to 1048576");
  EXPECT_NE(training("epochs = 0"), "");
  EXPECT_EQ(training("lr = inf"), "m.toml, line 8: 'lr' in [training] is inf; it must be from 1e-09 to 1000");
  EXPECT_NE(training("lr = nan"), "");
  EXPECT_NE(training("lr = 0"), "");
  EXPECT_NE(training("momentum = 1.0"), "");
  EXPECT_NE(training("weight_decay = -0.1"), "");
  EXPECT_EQ(training("schedule = 'cosine'"),
            "m.toml, line 8: unknown schedule 'cosine' in [training]; known are 'constant', 'linear'");
  EXPECT_EQ(training("lr = 1"), "");
  EXPECT_EQ(
      refusal("name = 'x'\n[input]\nsteps = 1048576\nchannels = 65536\n[[layer]]\ntype = 'relu'"),
      "m.toml, line 3: [input] has 1048576 steps x 65536 channels; at most 16777216 values make a sample");
}

TEST(Description, MissingPartsAreNamed) {
  EXPECT_EQ(refusal("[input]\nchannels = 1\n[[layer]]\ntype = 'relu'"),
            "m.toml: the model has no key 'name'");
  EXPECT_EQ(refusal("name = 'x'"), "m.toml: the model has no table [input]");
  EXPECT_EQ(refusal("name = 'x'\n[input]\nsteps = 1"), "m.toml, line 2: [input] has no key 'channels'");
  EXPECT_EQ(refusal("name = 'x'\n[input]\nchannels = 1"), "m.toml: the model has no [[layer]]");
  EXPECT_EQ(refusal("name = 'x'\nlayer = []\n[input]\nchannels = 1"),
            "m.toml, line 2: 0 layers; a model has 1 to 1024");
  EXPECT_EQ(refusal(with_layer("name = 'a'")), "m.toml, line 5: [[layer]] 1 has no key 'type'");
  EXPECT_EQ(refusal(with_layer("type = 'conv1d'\nchannels = 3")),
            "m.toml, line 5: [[layer]] 1 (conv1d) has no key 'kernel'");
}

TEST(Description, NamesAreUnique) {
  EXPECT_EQ(
      refusal(with_layer("type = 'relu'\nname = 'a'\n[[layer]]\ntype = 'flatten'\nname = 'a'")),
      "m.toml, line 10: [[layer]] 2 (flatten) and [[layer]] 1 are both called 'a'; give one another 'name'");
  EXPECT_EQ(
      refusal(with_layer("type = 'relu'\nname = 'relu2'\n[[layer]]\ntype = 'relu'")),
      "m.toml, line 8: [[layer]] 2 (relu) and [[layer]] 1 are both called 'relu2'; give one another 'name'");
  const std::string output = "name = 'x'\n[input]\nchannels = 1\n[output]\n";
  EXPECT_EQ(refusal(output + "names = ['a', 'a']"),
            "m.toml, line 5: 'names' in [output] has 'a' twice; give each class its own");
  EXPECT_EQ(refusal(output + "names = ['a', '']"),
            "m.toml, line 5: 'names' in [output] is ''; a name has 1 to 64 bytes and no control characters");
  EXPECT_EQ(
      refusal("name = \"a\\u001bb\""),
      "m.toml, line 1: 'name' in the model is 'a?b'; a name has 1 to 64 bytes and no control characters");
}

TEST(Description, ClassesAgree) {
  const std::string output = "name = 'x'\n[input]\nchannels = 1\n[output]\n";
  const std::string layers = "\n[[layer]]\ntype = 'linear'\nfeatures = 3\n[[layer]]\ntype = 'relu'\n";
  EXPECT_EQ(refusal(output + "classes = 3\nnames = ['a', 'b']"),
            "m.toml, line 6: 'names' in [output] has 2 entries, but 'classes' is 3; give one name per class, "
            "or leave "
            "'classes' out");
  EXPECT_EQ(refusal(output + "classes = 3" + layers), "");
  EXPECT_EQ(refusal(output + "classes = 4" + layers),
            "m.toml, line 4: [output] has 4 classes, but the layers give 3 outputs; make them equal");
  EXPECT_EQ(refusal(output + "classes = 6" + layers + "[[layer]]\ntype = 'flatten'"), "");
  EXPECT_NE(refusal(output + "names = ['a']" + layers), "");
}

TEST(Description, WhatIsWrittenIsReadAsEqual) {
  Description d{
      .name = "quote \" and \\ back", .input = {32, 6}, .layout = SampleLayout::kChannelsFirst, .classes = 2};
  d.class_names = {"über", "a \"b\""};
  d.nodes = {conv1d({8, 5, 2, 3, 2, Padding::kExplicit, 3, 2, Bias::kNone, Training::kFrozen}),
             conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}),
             max_pool1d({3, 2}),
             avg_pool1d({2, 2}),
             relu(),
             global_avg_pool1d(),
             flatten(),
             linear({2, Bias::kNone, Training::kFrozen})};
  for (size_t i = 0; i < d.nodes.size(); ++i) d.layer_names.push_back(fmt::format("layer {}.", i));
  d.training = {.epochs = 3,
                .batch = 7,
                .lr = 0.1,
                .momentum = 1.0 / 3,
                .weight_decay = 1e-5,
                .schedule = Schedule::kLinear,
                .seed = ~uint64_t{4}};
  const std::string text = write_description(d);
  expect_equal(parse_description(text, "m.toml"), d);
  EXPECT_EQ(write_description(parse_description(text, "m.toml")), text);
}

TEST(Description, WrittenTextHasEveryKey) {
  EXPECT_EQ(write_description(parse_description(kSmall, "m.toml")), R"(name = "small"
loss = "cross_entropy"

[input]
steps = 1
channels = 4
layout = "channels_last"

[[layer]]
type = "linear"
name = "linear1"
features = 3
bias = true
trainable = true

[training]
epochs = 10
batch = 32
lr = 0.05
momentum = 0.9
weight_decay = 0
schedule = "constant"
seed = 1
)");
}

TEST(Description, GarbageIsRefused) {
  EXPECT_NE(refusal("name = ").find("m.toml, line 1: not TOML: "), std::string::npos);
  EXPECT_NE(refusal("\xff\xfe\x00"), "");
  EXPECT_NE(refusal(std::string("name = 'a\0b'", 12)), "");
  EXPECT_NE(refusal(""), "");
  for (const char* text :
       {"[/a]", " [", "[ [", "[[[a]]]", "[=]", "\xEF\xBB\xBF[]", "[.a]", "names = [}]", "[\u0386]"})
    EXPECT_NE(refusal(text).find("m.toml, line 1: not TOML: "), std::string::npos) << text;
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  EXPECT_EQ(refusal(deep + " = 1"), "m.toml: more than 4096 dots; this is not a description");
  EXPECT_EQ(refusal(std::string(300000, '#')), "m.toml: more than 262144 bytes; this is not a description");
  EXPECT_NE(refusal("x = " + std::string(100000, '[')), "");
}

TEST(Description, UnreadableFileIsNamed) {
  const auto refusal_of_file = [](const std::string& path) {
    return test::error_of([&] { read_description(path); });
  };
  EXPECT_EQ(refusal_of_file("/no/such.toml"), "/no/such.toml: cannot be read: No such file or directory");
  EXPECT_EQ(refusal_of_file("/"), "/: cannot be read: Is a directory");
}

}  // namespace
}  // namespace mantissa::host
