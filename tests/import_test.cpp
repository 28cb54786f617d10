// Imported PyTorch networks predict and learn as PyTorch does, to the bound of float32.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "host/import/import_model.hpp"
#include "host/refusal_check.hpp"
#include "host/train/host_engine.hpp"
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa::test {
namespace {

#include "tests/golden/import_torch.inc"

constexpr int kSamples = 4;
constexpr float kLr = 0.1f;

constexpr const char* kDescriptions[] = {R"(
name = "grouped"
[input]
steps = 10
channels = 4
[[layer]]
type = "conv1d"
channels = 6
kernel = 3
stride = 2
padding = 1
groups = 2
[[layer]]
type = "relu"
[[layer]]
type = "conv1d"
channels = 4
kernel = 3
bias = false
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
name = "head"
features = 3
)",
                                         R"(
name = "normalized"
[input]
steps = 8
channels = 3
[[layer]]
type = "conv1d"
channels = 4
kernel = 3
[[layer]]
type = "layer_norm"
[[layer]]
type = "relu"
[[layer]]
type = "max_pool1d"
kernel = 2
[[layer]]
type = "flatten"
[[layer]]
type = "layer_norm"
[[layer]]
type = "linear"
features = 5
[[layer]]
type = "relu"
[[layer]]
type = "linear"
features = 3
)",
                                         R"(
name = "transposed"
[input]
steps = 6
channels = 3
[[layer]]
type = "conv1d"
channels = 4
kernel = 3
[[layer]]
type = "relu"
[[layer]]
type = "conv_transpose1d"
channels = 5
kernel = 4
stride = 2
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 3
)",
                                         R"(
name = "batched"
[input]
steps = 6
channels = 3
[[layer]]
type = "conv1d"
channels = 4
kernel = 3
[[layer]]
type = "batch_norm"
momentum = 0.2
[[layer]]
type = "relu"
[[layer]]
type = "conv1d"
channels = 6
kernel = 2
[[layer]]
type = "group_norm"
groups = 2
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "batch_norm"
[[layer]]
type = "linear"
features = 3
)",
                                         R"(
name = "image"
[input]
height = 6
width = 5
channels = 2
[[layer]]
type = "conv2d"
channels = 4
kernel = [3, 2]
stride = [2, 1]
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "conv2d"
channels = 4
kernel = 3
padding = 1
groups = 4
bias = false
[[layer]]
type = "relu"
[[layer]]
type = "conv2d"
channels = 6
kernel = [1, 2]
groups = 2
[[layer]]
type = "adaptive_avg_pool2d"
size = [2, 3]
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 3
)",
                                         R"(
name = "spread"
[input]
steps = 6
channels = 3
[[layer]]
type = "conv_transpose1d"
channels = 6
kernel = 4
stride = 2
padding = 1
groups = 3
[[layer]]
type = "relu"
[[layer]]
type = "conv_transpose1d"
channels = 4
kernel = 3
groups = 2
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 3
)"};

std::vector<host::WeightTensor> weights_of(const TorchModel& golden) {
  std::vector<host::WeightTensor> weights;
  for (const TorchTensor& t : std::span(golden.tensors, golden.count)) {
    host::WeightTensor w{t.name, {}, {}};
    size_t size = 1;
    for (const size_t dimension : t.shape)
      if (dimension > 0) {
        w.shape.push_back(dimension);
        size *= dimension;
      }
    w.values.resize(size);
    std::memcpy(w.values.data(), t.values, size * sizeof(float));
    weights.push_back(w);
  }
  return weights;
}

host::SavedModel described(size_t which, const char* recipe = "float32") {
  host::SavedModel model;
  model.description = host::parse_description(kDescriptions[which], "test");
  model.recipe = host::find_recipe(recipe, model.description);
  model.description.training.batch = kSamples;
  return model;
}

/// [N, T, C] of [N, C, T].
std::vector<float> steps_first(const uint32_t* x, Shape shape) {
  std::vector<float> values;
  for (int s = 0; s < kSamples; ++s)
    for (int t = 0; t < shape.steps; ++t)
      for (int c = 0; c < shape.channels; ++c)
        values.push_back(std::bit_cast<float>(x[s * shape.size() + c * shape.steps + t]));
  return values;
}

/// PyTorch's index of our parameter i.
size_t torch_index(const TorchTensor& t, size_t i, Shape flattened) {
  const size_t window = std::max<size_t>(1, t.shape[2]) * std::max<size_t>(1, t.shape[3]);
  const size_t columns = t.shape[1] == 0 ? t.shape[0] : t.shape[1] * window;
  const size_t row = i / columns, column = i % columns;
  if (t.shape[2] > 0) return row * columns + column % t.shape[1] * window + column / t.shape[1];
  const bool behind = flattened.steps > 1 && columns == size_t(flattened.size());
  if (!behind) return i;
  return row * columns + column % size_t(flattened.channels) * size_t(flattened.steps) +
         column / size_t(flattened.channels);
}

void expect_torch(size_t which) {
  const TorchModel& golden = kTorchModels[which];
  host::SavedModel model = described(which);
  host::import_weights(weights_of(golden), {}, model);
  host::HostEngine host(model.description, model.recipe, {.batch = kSamples, .micro_batch = kSamples},
                        kernels_ref);
  Engine& engine = host.engine();
  host::restore(host::parse_model(host::serialize_model(model), "test"), engine);

  const std::vector<float> x = steps_first(golden.x, model.description.input);
  std::vector<int32_t> predictions(kSamples);
  const BatchResult before = engine.evaluate(x.data(), golden.labels, kSamples, predictions.data());
  for (int s = 0; s < kSamples; ++s)
    EXPECT_EQ(predictions[size_t(s)], golden.predictions[s]) << golden.name << s;
  int32_t terms = 0;  // the longest chain of roundings that lead to a gradient
  Shape flattened{1, 0};
  for (const LayerPlan& l : host.plan().layers) {
    terms += 8 * l.in.channels * l.node.window() + 2 * l.out.steps + 4;
    if (l.node.op == Op::kFlatten) flattened = l.in;
  }
  EXPECT_NEAR(double(before.loss_q24) / 16777216.0 / kSamples, golden.loss,
              0x1p-24 * (terms + 1) * (1 + golden.loss));

  engine.begin_batch(kSamples, {.lr = kLr, .momentum = 0.9f}, x.data(), golden.labels);
  engine.accumulate(x.data(), golden.labels, kSamples);
  engine.end_batch();
  double largest_move = 0;
  for (const TorchTensor& t : std::span(golden.tensors, golden.count))
    for (size_t i = 0; i < weights_of(golden)[size_t(&t - golden.tensors)].values.size(); ++i)
      largest_move =
          std::max(largest_move, std::fabs(t.after[i] - double(std::bit_cast<float>(t.values[i]))));
  size_t next = 0;
  for (const LayerPlan& l : host.plan().layers)
    for (const int16_t id : {l.weight, l.bias}) {
      if (id < 0) continue;
      const TorchTensor& t = golden.tensors[next++];
      const int32_t count = id == l.weight ? l.weights : l.node.outputs;
      for (int32_t i = 0; i < count; ++i) {
        const double expected = t.after[torch_index(t, size_t(i), flattened)];
        // The gradient's roundings, the learning rate's, and one of the parameter itself.
        const double bound = 0x1p-24 * (terms + 2) * largest_move + 0x1p-24 * std::fabs(expected);
        EXPECT_NEAR(double(engine.parameter_value(l, id, i)), expected, bound)
            << golden.name << " " << t.name << i;
      }
      if (id != l.bias || l.running < 0) continue;
      const auto* running = reinterpret_cast<const float*>(engine.bytes(l.running).data());
      for (int32_t i = 0; i < 2 * l.in.channels; ++i) {
        const TorchTensor& statistic = golden.tensors[next + size_t(i / l.in.channels)];
        const double expected = statistic.after[torch_index(statistic, size_t(i % l.in.channels), flattened)];
        EXPECT_NEAR(double(running[i]), expected, 0x1p-24 * terms * (1 + std::fabs(expected)))
            << golden.name << " " << statistic.name << i;
      }
      next += 2;
    }
  EXPECT_EQ(next, golden.count);
}

TEST(Import, PredictsAndLearnsAsPyTorch) {
  ASSERT_EQ(std::size(kTorchModels), std::size(kDescriptions));
  for (size_t i = 0; i < std::size(kTorchModels); ++i) expect_torch(i);
}

TEST(Import, IntegerParametersAreWithinHalfAStep) {
  for (const char* recipe : {"sym8", "int8"}) {
    host::SavedModel exact = described(0), model = described(0, recipe);
    host::import_weights(weights_of(kTorchModels[0]), {}, exact);
    host::import_weights(weights_of(kTorchModels[0]), {}, model);
    host::HostEngine of_float(exact.description, exact.recipe, {.batch = kSamples}, kernels_ref);
    host::HostEngine host(model.description, model.recipe, {.batch = kSamples}, kernels_ref);
    host::restore(exact, of_float.engine());
    host::restore(model, host.engine());
    for (size_t i = 0; i < host.plan().layers.size(); ++i) {
      const LayerPlan &l = host.plan().layers[i], &f = of_float.plan().layers[i];
      if (l.weights == 0) continue;
      const float step = host.engine().state(l.weight_slot).scale.to_float();
      float largest = 0;
      for (int32_t k = 0; k < l.weights; ++k) {
        const float wanted = of_float.engine().parameter_value(f, f.weight, k);
        largest = std::max(largest, std::fabs(wanted));
        EXPECT_NEAR(host.engine().parameter_value(l, l.weight, k), wanted,
                    0.5001f * step + 0x1p-23f * std::fabs(wanted));
      }
      EXPECT_NEAR(largest / step, 0.75 * 32767, 0.01 * 32767);  // room to grow, as initial weights have
    }
  }
}

void expect_error(const std::vector<host::WeightTensor>& weights, const host::ImportOptions& options,
                  const std::string& text, size_t which = 0) {
  host::SavedModel model = described(which);
  host::test::expect_error([&] { host::import_weights(weights, options, model); }, text);
}

/// Of images and of groups, a shape that has as many elements is not enough.
TEST(Import, SaysWhatDoesNotFitImagesAndGroups) {
  std::vector<host::WeightTensor> image = weights_of(kTorchModels[4]);
  EXPECT_EQ(image[0].shape, (std::vector<size_t>{4, 2, 3, 2}));
  image[0].shape = {4, 2, 2, 3};
  expect_error(image, {.map = {{"conv1", "0"}}},
               "layer 'conv1' needs weight [4, 2, 3, 2], bias [4], and '0' has weight [4, 2, 2, 3], bias [4]",
               4);
  image[0].shape = {4, 2, 6};
  expect_error(image, {.map = {{"conv1", "0"}}}, "'0' has weight [4, 2, 6], bias [4]", 4);
  std::vector<host::WeightTensor> spread = weights_of(kTorchModels[5]);
  EXPECT_EQ(spread[0].shape, (std::vector<size_t>{3, 2, 4}));
  spread[0].shape = {2, 3, 4};
  expect_error(spread, {.map = {{"conv_transpose1", "0"}}},
               "layer 'conv_transpose1' needs weight [3, 2, 4], bias [6], and '0' has weight [2, 3, 4]", 5);
}

TEST(Import, ReportsHowLayersWereFound) {
  std::vector<host::WeightTensor> weights = weights_of(kTorchModels[0]);
  host::SavedModel model = described(0);
  const host::ImportReport by_name = host::import_weights(weights, {}, model);
  EXPECT_EQ(by_name.layers[0].how, "by name");
  EXPECT_TRUE(by_name.left_over.empty());
  for (host::WeightTensor& w : weights) w.name = "net." + w.name;
  const host::ImportReport by_order = host::import_weights(weights, {}, model);
  EXPECT_EQ(by_order.layers[2].how, "by order");
  EXPECT_EQ(by_order.layers[2].group, "net.head");
  const host::ImportReport mapped = host::import_weights(weights, {.map = {{"head", "net.head"}}}, model);
  EXPECT_EQ(mapped.layers[2].how, "as mapped");
}

TEST(Import, SaysWhatDoesNotFit) {
  const std::vector<host::WeightTensor> good = weights_of(kTorchModels[0]);
  std::vector<host::WeightTensor> wrong = good;
  wrong[0].shape = {6, 3, 2};
  expect_error(wrong, {},
               "layer 'conv1' needs weight [6, 2, 3], bias [6], and 'conv1' has weight [6, 3, 2], bias [6]");
  std::vector<host::WeightTensor> more = good;
  more.push_back({"extra.weight", {2}, {1, 2}});
  more.push_back({"norm.num_batches_tracked", {}, {}, false});
  expect_error(more, {}, "left over in the file: extra.weight [2], norm.num_batches_tracked []");
  expect_error({good.begin(), good.end() - 2}, {}, "nothing fits layer 'head' (weight [3, 12], bias [3])");
  expect_error(good, {.map = {{"heat", "head"}}},
               "--map heat=head: no layer 'heat' with parameters; did you mean 'head'?");
  expect_error(good, {.map = {{"head", "hed"}}}, "no tensors 'hed.weight' in the file; did you mean 'head'?");
  host::SavedModel model = described(0);
  const host::ImportReport report = host::import_weights(wrong, {.partial = true}, model);
  EXPECT_EQ(report.layers[0].how, "");
  EXPECT_EQ(report.layers[1].how, "by name");
  EXPECT_EQ(report.left_over.size(), 2u);
}

}  // namespace
}  // namespace mantissa::test
