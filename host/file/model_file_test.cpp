// Saved models: training goes on with the same bits, and any other file than the one that was saved is seen.
// Every bit of a small file is flipped, and every number that the engine's proofs rely on is spoilt once.
#include "host/file/model_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "host/file/envelope.hpp"
#include "host/refusal_check.hpp"
#include "host/train/evaluate.hpp"
#include "host/train/host_engine.hpp"
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa::host {
namespace {

constexpr int kSamples = 12, kBatch = 4;

Description small_model(const std::string& dilation = "1") {
  return parse_description(R"(
name = "small \"ecg\""
[input]
steps = 8
channels = 2
layout = "channels_first"
[output]
names = ["normal", "früh", "spät"]
[[layer]]
type = "conv1d"
name = "erste Schicht"
channels = 3
kernel = 3
padding = "same"
dilation = )" + dilation + R"(
[[layer]]
type = "relu"
[[layer]]
type = "max_pool1d"
kernel = 2
[[layer]]
type = "conv1d"
channels = 4
kernel = 3
[[layer]]
type = "relu"
[[layer]]
type = "global_avg_pool1d"
[[layer]]
type = "linear"
features = 3
[training]
lr = 0.02
momentum = 0.8
weight_decay = 0.001
)",
                           "small");
}

/// A built-in recipe, or one of wires and weights in formats that products do not read.
NamedRecipe recipe_named(const std::string& name, const Description& d) {
  if (name == "asym")
    return parse_recipe(
        "name = 'asym'\nbase = 'int8'\nactivation = 'asym7'\nerror = 'asym9'\nparameter = 'asym5/channel'\n",
        "asym.toml", d);
  if (name == "bfp")
    return parse_recipe(
        "name = 'bfp'\nbase = 'int8'\nactivation = 'bfp8/4'\nerror = 'sym6/4'\nparameter = 'bfp8/2'\n",
        "bfp.toml", d);
  return find_recipe(name, d);
}

/// An engine, its model, and samples to train on.
struct TrainingRun {
  explicit TrainingRun(const std::string& recipe_name,
                       BatchOptions options = {.batch = kBatch, .micro_batch = 2},
                       const Description& description = small_model())
      : TrainingRun(description, recipe_named(recipe_name, description), options) {}
  TrainingRun(const Description& description, const NamedRecipe& recipe, const BatchOptions& options)
      : host(description, recipe, options, kernels_hwy), x(size_t(kSamples) * 16), labels(kSamples) {
    model.description = description;
    model.recipe = recipe;
    model.normalization = {{0.5f, -1}, {2, 0.25f}};
    std::mt19937 random(7);
    for (float& v : x) v = float(int(random() % 2001) - 1000) / 500;
    for (int32_t& label : labels) label = int32_t(random() % 3);
    model.input_range = 2;
  }

  TrainingRun& start() {
    host.engine().initialize(5);
    host.engine().set_input_range(model.input_range);
    return *this;
  }
  TrainingRun& train(int epochs) {
    Engine& engine = host.engine();
    const TrainingDefaults& t = model.description.training;
    const SgdSettings sgd{float(t.lr), float(t.momentum), float(t.weight_decay)};
    const int micro = host.plan().summary.micro_batch, batch = host.plan().summary.batch;
    for (int at = 0; at < epochs * kSamples; at += micro) {
      const int s = at % kSamples;
      if (s % batch == 0) engine.begin_batch(batch, sgd, &x[size_t(s) * 16], labels[size_t(s)]);
      engine.accumulate(&x[size_t(s) * 16], &labels[size_t(s)], micro);
      if ((s + micro) % batch == 0) engine.end_batch();
    }
    return *this;
  }
  SavedModel captured() const {
    SavedModel saved = model;
    capture(host.engine(), saved);
    return saved;
  }
  uint64_t hash() const { return host.engine().state_hash(); }

  SavedModel model;  ///< without state
  HostEngine host;
  std::vector<float> x;
  std::vector<int32_t> labels;
};

SavedModel trained(const std::string& recipe) { return TrainingRun(recipe).start().train(2).captured(); }

using test::expect_error;

class EachRecipe : public ::testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path path() const {
    return std::filesystem::path(::testing::TempDir()) / (std::string("model_") + GetParam() + ".mnt");
  }
  void TearDown() override { std::filesystem::remove(path()); }
};
INSTANTIATE_TEST_SUITE_P(ModelFile, EachRecipe,
                         ::testing::Values("float32", "sym12", "sym8", "int8", "asym", "bfp"),
                         [](const auto& recipe) { return std::string(recipe.param); });

TEST_P(EachRecipe, TrainingGoesOnWithTheSameBits) {
  TrainingRun whole(GetParam());
  whole.start().train(3);
  TrainingRun first(GetParam());
  save_model(path(), first.start().train(2).captured());

  TrainingRun second(GetParam());
  restore(load_model(path()), second.host.engine());
  EXPECT_EQ(second.hash(), first.hash());
  EXPECT_EQ(second.host.engine().progress().step, first.host.engine().progress().step);
  EXPECT_EQ(second.train(1).hash(), whole.hash());
  EXPECT_NE(first.hash(), whole.hash());
}

TEST_P(EachRecipe, APlanWithOtherBatchesAndThreadsTakesTheSameState) {
  TrainingRun first(GetParam());
  const SavedModel saved = first.start().train(2).captured();
  TrainingRun second(GetParam(), {.batch = 2, .micro_batch = 1, .threads = 2});
  restore(saved, second.host.engine());
  EXPECT_EQ(second.hash(), first.hash());
}

TEST_P(EachRecipe, InferencePredictsAsTheTrainedEngine) {
  TrainingRun run(GetParam());
  const SavedModel saved = run.start().train(2).captured();
  TrainingRun infer(GetParam(), {.batch = 2, .micro_batch = 2, .mode = PlanMode::kInfer});
  restore(saved, infer.host.engine());
  for (size_t s = 0; s < kSamples; s += 2) {
    const BatchResult wanted = run.host.engine().evaluate(&run.x[s * 16], &run.labels[s], 2, nullptr);
    const BatchResult found = infer.host.engine().evaluate(&run.x[s * 16], &run.labels[s], 2, nullptr);
    EXPECT_EQ(found.loss_q24, wanted.loss_q24);
  }
}

TEST_P(EachRecipe, KeepsWhatIsKnownOfTheModel) {
  const SavedModel wanted = trained(GetParam());
  const SavedModel found = parse_model(serialize_model(wanted), "x.mnt");
  EXPECT_EQ(write_description(found.description), write_description(wanted.description));
  EXPECT_EQ(write_recipe(found.recipe, found.description), write_recipe(wanted.recipe, wanted.description));
  EXPECT_EQ(found.description.class_names, (std::vector<std::string>{"normal", "früh", "spät"}));
  EXPECT_EQ(found.description.classes, 3);
  EXPECT_EQ(found.description.layout, SampleLayout::kChannelsFirst);
  EXPECT_EQ(found.description.layer_names[0], "erste Schicht");
  EXPECT_EQ(found.description.training.batch, kBatch);
  EXPECT_EQ(found.normalization.mean, wanted.normalization.mean);
  EXPECT_EQ(found.normalization.inverse_std, wanted.normalization.inverse_std);
  EXPECT_EQ(found.input_range, 2);
  EXPECT_EQ(found.momentum, true);
  EXPECT_EQ(found.progress.seed, 5u);
  EXPECT_EQ(found.progress.step, 6u);
  EXPECT_EQ(found.progress.calibrated, true);
  EXPECT_EQ(serialize_model(found), serialize_model(wanted));
}

TEST_P(EachRecipe, EveryFlippedBitIsSeen) {
  const std::vector<std::byte> file = serialize_model(trained(GetParam()));
  std::vector<std::byte> damaged = file;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    damaged[bit / 8] ^= std::byte(1 << bit % 8);
    ASSERT_THROW(parse_model(damaged, "x.mnt"), Error) << "bit " << bit;
    damaged[bit / 8] = file[bit / 8];
  }
  EXPECT_NO_THROW(parse_model(damaged, "x.mnt"));
}

TEST_P(EachRecipe, EveryOtherLengthIsSeen) {
  std::vector<std::byte> file = serialize_model(trained(GetParam()));
  for (size_t size = 0; size < file.size(); ++size) {
    const std::vector<std::byte> cut(file.begin(), file.begin() + ptrdiff_t(size));  // its end is guarded
    ASSERT_THROW(parse_model(cut, "x.mnt"), Error) << size << " bytes";
  }
  for (int more = 0; more < 9; ++more) {
    file.push_back(std::byte(0));
    ASSERT_THROW(parse_model(file, "x.mnt"), Error) << more << " bytes more";
  }
}

// value = code * scale, with codes read as model.fbs describes them.
TEST(ModelFile, CodesMeanWhatTheFormatSays) {
  TrainingRun run("int8");
  const SavedModel saved = run.start().train(2).captured();
  const LayerPlan& l = run.host.plan().layers[0];
  const auto tensor = [&](StateRole role) -> const SavedTensor& {
    return *std::ranges::find_if(saved.tensors,
                                 [=](const SavedTensor& t) { return t.layer == 0 && t.role == role; });
  };
  const auto scale = [&](StateRole role) {
    return std::ranges::find_if(saved.scales,
                                [=](const SavedScale& s) { return s.layer == 0 && s.role == role; })
        ->scale.to_float();
  };
  const SavedTensor& weight = tensor(StateRole::kWeight);
  EXPECT_EQ(weight.encoding, Encoding::kOffset);
  ASSERT_EQ(weight.data.size(), 36u);  // 3 channels of 3 x 2 weights, 2 bytes each
  for (size_t i = 0; i < 18; ++i) {
    const int code = int8_t(weight.data[2 * i + 1]) * 256 + uint8_t(weight.data[2 * i]) - 128;
    EXPECT_EQ(float(code) * scale(StateRole::kWeight),
              run.host.engine().parameter_value(l, l.weight, int32_t(i)));
  }
  const SavedTensor& bias = tensor(StateRole::kBias);
  EXPECT_EQ(bias.encoding, Encoding::kPacked);
  ASSERT_EQ(bias.data.size(), 6u);
  for (size_t i = 0; i < 3; ++i) {
    const int code = int16_t(uint16_t(uint8_t(bias.data[2 * i]) | uint8_t(bias.data[2 * i + 1]) << 8));
    EXPECT_EQ(float(code) * scale(StateRole::kBias),
              run.host.engine().parameter_value(l, l.bias, int32_t(i)));
  }
}

TEST(ModelFile, TheClassCountIsThatOfTheOutputs) {
  Description description = small_model();
  description.classes = 0;
  description.class_names.clear();
  TrainingRun run("int8", {.batch = kBatch}, description);
  EXPECT_EQ(parse_model(serialize_model(run.captured()), "x.mnt").description.classes, 3);
}

TEST(ModelFile, AChecksumDoesNotMakeAModel) {
  const std::string payload = "mantissa";
  const std::vector<std::byte> file = seal(std::as_bytes(std::span(payload)));
  expect_error([&] { parse_model(file, "x.mnt"); }, "x.mnt: damaged: the checksum matches, but the content");
}

TEST(ModelFile, PathsThatDoNotWorkAreNamed) {
  const SavedModel saved = trained("int8");
  expect_error([&] { save_model("/no/such/folder/a.mnt", saved); },
               "/no/such/folder/a.mnt: cannot be written");
  expect_error([] { load_model("/no/such/folder/a.mnt"); },
               "/no/such/folder/a.mnt: cannot be read: No such file");
  expect_error([] { load_model(::testing::TempDir()); }, "not a regular file");
}

TEST(ModelFile, AnotherModelOrRecipeIsRefused) {
  const SavedModel saved = trained("int8");
  const auto expect_refused = [&saved](TrainingRun other, const std::string& part) {
    const uint64_t before = other.start().hash();
    expect_error([&] { restore(saved, other.host.engine()); }, part);
    EXPECT_EQ(other.hash(), before);
  };
  expect_refused(TrainingRun("int8", {.batch = kBatch}, small_model("2")),
                 "layer 'erste Schicht' is not what");
  expect_refused(TrainingRun("sym8"), "the formats of layer 'erste Schicht' are not what");
  NamedRecipe margin = find_recipe("int8", small_model());
  margin.settings.margin = 3;
  expect_refused(TrainingRun(small_model(), margin, {.batch = kBatch}),
                 "scaling, margin or decay are not what");
  Description shorter = small_model();
  shorter.input.steps = 9;
  expect_refused(TrainingRun("int8", {.batch = kBatch}, shorter), "its input is not what");
  Description longer = small_model();
  longer.nodes.push_back(flatten());
  longer.layer_names.push_back("end");
  expect_refused(TrainingRun("int8", {.batch = kBatch}, longer), "its number of layers is not what");
  shorter = small_model();
  shorter.nodes.erase(shorter.nodes.begin() + 1);
  shorter.layer_names.erase(shorter.layer_names.begin() + 1);
  expect_refused(TrainingRun("int8", {.batch = kBatch}, shorter), "its number of layers is not what");
}

TEST(ModelFile, MomentumIsOptionalOneWayOnly) {
  for (const char* recipe : {"float32", "int8"}) {
    TrainingRun with(recipe), without(recipe, {.batch = kBatch, .momentum = false});
    const SavedModel saved_with = with.start().train(1).captured();
    const SavedModel saved_without = without.start().train(1).captured();
    EXPECT_FALSE(parse_model(serialize_model(saved_without), "x.mnt").momentum);
    EXPECT_NO_THROW(restore(saved_with, without.host.engine()));
    expect_error([&] { restore(saved_without, with.host.engine()); },
                 "lacks the weight momentum of layer 'erste Schicht'");
  }
}

TEST(ModelFile, AnEngineForInferenceHasNothingToSave) {
  TrainingRun run("int8", {.batch = 1, .mode = PlanMode::kInfer});
  expect_error([&] { (void)run.captured(); }, "planned for inference");
}

TEST(ModelFile, WhatHoldsNoModelIsNeitherSavedNorLoaded) {
  const auto expect_refused = [](const char* recipe, const std::function<void(SavedModel&)>& spoil,
                                 const std::string& part) {
    SavedModel model = trained(recipe);
    spoil(model);
    expect_error([&] { serialize_model(model); }, part);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_refused(
      "float32", [=](SavedModel& m) { std::memcpy(&m.tensors[1].data[4], &nan, 4); },
      "the bias of layer 'erste Schicht': value 1 is nan: training has diverged");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors[2].data[1] = std::byte(0x40); }, "must be from -16384 to 16383");
  expect_refused(
      "int8",
      [](SavedModel& m) {
        SavedScale& momentum = *std::ranges::find(m.scales, StateRole::kWeightMomentum, &SavedScale::role);
        momentum.unit.exponent = momentum.scale.exponent - 2;
      },
      "the same, its half or 2^k");
  expect_refused(
      "int8",
      [](SavedModel& m) {
        m.tensors[1].data = {6, std::byte(0)}, m.tensors[1].data[5] = std::byte(0x80);
      },
      "the bias of layer 'erste Schicht': code 2 is -32768");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors[2].encoding = Encoding::kOffset; },
      "another format than the recipe");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors[2].bits = 8; }, "another format than the recipe");
  const auto weight_scales = [](SavedModel& m) -> std::vector<std::byte>& {
    return std::ranges::find(m.tensors, StateRole::kWeightScales, &SavedTensor::role)->data;
  };
  expect_refused(
      "asym", [&](SavedModel& m) { weight_scales(m)[3] = std::byte(0x20); },
      "the weight scales of layer 'erste Schicht'");
  expect_refused(
      "asym", [&](SavedModel& m) { weight_scales(m)[3 * 8 + 1] = std::byte(0x20); }, "a zero point is");
  expect_refused(
      "bfp", [&](SavedModel& m) { weight_scales(m)[4] = std::byte(255); }, "an exponent byte is 255");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors[0].data.pop_back(); }, "has 35 bytes, and its layer needs 36");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors.pop_back(); }, "the bias momentum of layer 'linear1' is missing");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors[0].role = StateRole::kInput; }, "the weight of layer");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors.push_back(m.tensors[0]); }, "two records of role 0");
  expect_refused(
      "int8", [](SavedModel& m) { m.tensors.push_back(m.tensors[0]), m.tensors.back().layer = 1; },
      "13 records, and its model has 12");
  expect_refused(
      "int8", [](SavedModel& m) { m.scales.erase(m.scales.begin()); }, "the input is missing");
  expect_refused(
      "int8", [](SavedModel& m) { m.scales[1].scale.mantissa >>= 1; }, "is not a scale");
  expect_refused(
      "int8", [](SavedModel& m) { m.scales[1].unit.exponent = 1 << 20; }, "is not a scale");
  expect_refused(
      "int8", [](SavedModel& m) { m.description.classes = 0, m.description.class_names.clear(); },
      "the number of classes is missing");
  expect_refused(
      "int8", [](SavedModel& m) { m.input_range = -1; }, "an input range of -1");
  expect_refused(
      "int8", [=](SavedModel& m) { m.input_range = nan; }, "an input range of nan");
  expect_refused(
      "int8", [](SavedModel& m) { m.normalization.mean.pop_back(); }, "normalisation of 1 and 2 channels");
  expect_refused(
      "int8", [](SavedModel& m) { m.normalization.inverse_std.pop_back(); },
      "normalisation of 2 and 1 channels");
  expect_refused(
      "int8",
      [](SavedModel& m) {
        m.normalization = {{1}, {1}};
      },
      "normalisation of 1 and 1 channels");
  expect_refused(
      "int8", [](SavedModel& m) { m.normalization.inverse_std[1] = 0; }, "normalisation of channel 1");
  expect_refused(
      "int8", [](SavedModel& m) { m.description.nodes[3].outputs = 65536; }, "bytes of state, the file only");
}

}  // namespace
}  // namespace mantissa::host
