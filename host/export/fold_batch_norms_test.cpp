// Folded models predict as the trained ones do, within the bound of their roundings, and keep what is not folded.
#include "host/export/fold_batch_norms.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "host/export/export_model.hpp"
#include "host/file/model_state.hpp"
#include "host/refusal_check.hpp"
#include "host/train/host_engine.hpp"
#include "tests/real_network.hpp"

namespace mantissa::host {
namespace {

constexpr int kBatch = 8;

/// Trained for some steps on noise, so that statistics are any.
SavedModel trained(const std::string& layers, const std::string& input, const char* recipe) {
  SavedModel model;
  model.description = parse_description("name = \"m\"\nloss = \"mse\"\n[input]\n" + input + layers, "test");
  model.recipe = find_recipe(recipe, model.description);
  model.description.training.batch = kBatch;
  HostEngine host(model.description, model.recipe, {.batch = kBatch, .micro_batch = kBatch}, kernels_ref);
  Engine& engine = host.engine();
  engine.initialize(5);
  engine.set_input_range(2.0f);
  model.input_range = 2.0f;
  const PlanSummary& plan = host.plan().summary;
  std::vector<float> x(static_cast<size_t>(kBatch * plan.input.size())),
      targets(static_cast<size_t>(kBatch * plan.classes));
  const RandomKey key = random_key(9, 0, 0);
  uint32_t next = 0;
  for (int step = 0; step < 12; ++step) {
    for (std::vector<float>* values : {&x, &targets})
      for (float& v : *values) v = static_cast<float>(random16(key, next++)) / 16384.0f - 1.75f;
    engine.begin_batch(kBatch, {.lr = 0.05f, .momentum = 0.9f}, x.data(), Targets(targets.data()));
    engine.accumulate(x.data(), Targets(targets.data()), kBatch);
    engine.end_batch();
  }
  capture(engine, model);
  return model;
}

std::vector<float> outputs(const SavedModel& model, const std::vector<float>& x) {
  HostEngine host(model.description, model.recipe, {.mode = PlanMode::kInfer}, kernels_ref);
  Engine& engine = host.engine();
  restore(model, engine);
  const PlanSummary& plan = host.plan().summary;
  std::vector<float> made(static_cast<size_t>(plan.classes));
  engine.evaluate(x.data(), Targets(made.data()), 1, nullptr);
  const std::byte* sums = engine.bytes(plan.logits_tensor).data();
  if (plan.is_float) {
    std::memcpy(made.data(), sums, made.size() * sizeof(float));
    return made;
  }
  const double unit = mantissa::test::sum_unit(engine, host.plan().layers.back(), 0);
  for (size_t i = 0; i < made.size(); ++i) {
    int32_t sum = 0;
    std::memcpy(&sum, sums + i * sizeof sum, sizeof sum);
    made[i] = static_cast<float>(sum * unit);
  }
  return made;
}

std::vector<float> sample(const SavedModel& model) {
  std::vector<float> x;
  for (int i = 0; i < model.description.input.size(); ++i)
    x.push_back(static_cast<float>(i * 29 % 31) / 10 - 1.5f);
  return x;
}

struct Foldable {
  const char *layers, *input;
  int terms;  ///< of a sum
};
constexpr Foldable kFoldable[] = {
    {"[[layer]]\ntype = 'linear'\nfeatures = 7\n[[layer]]\ntype = 'batch_norm'\n",
     "steps = 1\nchannels = 9\n", 9},
    {"[[layer]]\ntype = 'conv1d'\nchannels = 4\nkernel = 3\nbias = false\n[[layer]]\ntype = "
     "'batch_norm'\nepsilon = 0.01\n",
     "steps = 8\nchannels = 3\n", 9},
    {"[[layer]]\ntype = 'conv2d'\nchannels = 6\nkernel = [2, 3]\ngroups = 3\npadding = 1\n[[layer]]\ntype = "
     "'batch_norm'\nbias = "
     "false\n",
     "height = 5\nwidth = 4\nchannels = 3\n", 6},
    {"[[layer]]\ntype = 'conv_transpose1d'\nchannels = 5\nkernel = 4\nstride = 2\n[[layer]]\ntype = "
     "'batch_norm'\n",
     "steps = 4\nchannels = 3\n", 6},
};

/// One layer: sums of `terms` products, each rounded, of parameters that are rounded once when they are folded. No product is larger than
/// that of the largest factors.
TEST(Fold, Float32PredictsTheSameButForRoundings) {
  for (const Foldable& f : kFoldable) {
    const SavedModel before = trained(f.layers, f.input, "float32");
    SavedModel after = before;
    const FoldReport report = fold_batch_norms(after);
    ASSERT_EQ(report.folded.size(), 1u) << f.layers;
    EXPECT_TRUE(report.frozen.empty());
    ASSERT_EQ(after.description.nodes.size(), 1u);
    const auto floats = [](const SavedModel& m, StateRole role) {
      std::vector<float> values;
      for (const SavedTensor& t : m.tensors)
        if (t.role == role) {
          const size_t at = values.size();
          values.resize(at + t.data.size() / sizeof(float));
          std::memcpy(values.data() + at, t.data.data(), t.data.size());
        }
      return values;
    };
    const auto largest = [](const std::vector<float>& values) {
      double most = 0;
      for (const float v : values) most = std::max(most, std::fabs(static_cast<double>(v)));
      return most;
    };
    const std::vector<float> x = sample(before), y = outputs(before, x), z = outputs(after, x);
    ASSERT_EQ(y.size(), z.size());
    const std::vector<float> running = floats(before, StateRole::kRunning);
    double factor = 0, mean = 0;
    for (size_t c = 0; c < running.size() / 2; ++c) {
      factor = std::max(factor, 1 / std::sqrt(static_cast<double>(running[running.size() / 2 + c])));
      mean = std::max(mean, std::fabs(static_cast<double>(running[c])));
    }
    const double w = largest(floats(before, StateRole::kWeight)),
                 b = largest(floats(before, StateRole::kBias));
    const double bound =
        0x1p-24 * (2 * f.terms + 8) * (f.terms * w * largest(x) + b + mean) * factor * w + 0x1p-22 * b;
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(static_cast<double>(z[i]), static_cast<double>(y[i]), bound) << f.layers << i;
    EXPECT_LT(bound, 0.01 * largest(y));
  }
}

TEST(Fold, IntegersPredictNearlyTheSame) {
  for (const Foldable& f : kFoldable)
    for (const char* recipe : {"int8", "sym8", "sym12"}) {
      const SavedModel before = trained(f.layers, f.input, recipe);
      SavedModel after = before;
      fold_batch_norms(after);
      const std::vector<float> x = sample(before), y = outputs(before, x), z = outputs(after, x);
      double distance = 0, length = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        distance += std::pow(static_cast<double>(z[i] - y[i]), 2);
        length += std::pow(static_cast<double>(y[i]), 2);
      }
      EXPECT_LT(std::sqrt(distance / length), 0.06) << recipe << f.layers;
    }
}

constexpr char kMixed[] =
    "[[layer]]\ntype = 'batch_norm'\nname = 'first'\n"
    "[[layer]]\ntype = 'conv1d'\nname = 'conv'\nchannels = 4\nkernel = 3\n[[layer]]\ntype = "
    "'batch_norm'\nname = 'folds'\n"
    "[[layer]]\ntype = 'relu'\n[[layer]]\ntype = 'batch_norm'\nname = 'stays'\n"
    "[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'linear'\nfeatures = 3\n";

TEST(Fold, WhatIsNotBehindWeightsIsFrozen) {
  for (const char* recipe : {"float32", "int8"}) {
    const SavedModel before = trained(kMixed, "steps = 6\nchannels = 3\n", recipe);
    SavedModel after = before;
    const FoldReport report = fold_batch_norms(after);
    EXPECT_EQ(report.folded, std::vector<std::string>{"folds"});
    EXPECT_EQ(report.frozen, (std::vector<std::string>{"first", "stays"}));
    EXPECT_EQ(after.description.nodes.size(), before.description.nodes.size() - 1);
    EXPECT_EQ(after.description.training.batch, kBatch);
    const std::vector<float> x = sample(before), y = outputs(before, x), z = outputs(after, x);
    double most = 0;
    for (const float v : y) most = std::max(most, std::fabs(static_cast<double>(v)));
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(static_cast<double>(z[i]), static_cast<double>(y[i]),
                  (recipe[0] == 'f' ? 1e-5 : 0.1) * most);
    // What comes of it is a model as any other.
    const SavedModel read = parse_model(serialize_model(after), "test");
    EXPECT_EQ(outputs(read, x), z);
    ExportOptions options{.name = "folded", .trained = Trained::kInclude};
    options.input_range = 2.0f;
    EXPECT_NE(export_model(after, options).source.find("batch_norm"), std::string::npos);
  }
}

/// Formats of a layer follow it to its new place; a folded one has the wires of the norm.
TEST(Fold, OverridesOfRecipesMoveWithTheirLayers) {
  SavedModel model = trained(kMixed, "steps = 6\nchannels = 3\n", "int8");
  LayerFormats of_norm = model.recipe.settings.formats, of_last = of_norm;
  of_norm.activation = sym_format(7);
  of_last.parameter = sym_format(12);
  SavedModel other;
  other.description = model.description;
  other.recipe = model.recipe;
  other.recipe.overrides = {{2, of_norm}, {6, of_last}};
  HostEngine host(other.description, other.recipe, {.batch = kBatch, .micro_batch = kBatch}, kernels_ref);
  host.engine().initialize(1);
  capture(host.engine(), other);
  fold_batch_norms(other);
  ASSERT_EQ(other.recipe.overrides.size(), 2u);
  EXPECT_EQ(other.recipe.overrides[0].layer, 1);
  EXPECT_EQ(other.recipe.overrides[0].formats.activation, sym_format(7));
  EXPECT_EQ(other.recipe.overrides[1].layer, 5);
  EXPECT_EQ(other.recipe.overrides[1].formats.parameter, sym_format(12));
}

TEST(ModelFile, VariancesBelowZeroAreRefused) {
  SavedModel model = trained(kFoldable[0].layers, kFoldable[0].input, "int8");
  for (SavedTensor& t : model.tensors)
    if (t.role == StateRole::kRunning) t.data.back() |= std::byte(0x80);
  test::expect_error([&] { serialize_model(model); },
                     "running statistics of layer 'batch_norm1': the variance of channel 6");
}

void expect_error(SavedModel model, const std::string& text) {
  test::expect_error([&] { fold_batch_norms(model); }, text);
}

TEST(Fold, SaysWhatCannotBeFolded) {
  SavedModel model = trained(kMixed, "steps = 6\nchannels = 3\n", "int8");
  SavedModel empty = model;
  empty.tensors.clear();
  expect_error(empty, "has not been trained");
  expect_error(trained("[[layer]]\ntype = 'linear'\nfeatures = 3\n", "steps = 1\nchannels = 3\n", "int8"),
               "has no batch_norm to fold");
  test::expect_error([&] { export_model(model, {.name = "m"}); }, "--fold");
}

}  // namespace
}  // namespace mantissa::host
