#include "host/train/trainer.hpp"

#include <gtest/gtest.h>

#include "host/data/dataset.hpp"
#include "host/ecg/ecg.hpp"
#include "host/error.hpp"
#include "host/file/model_file.hpp"
#include "host/train/evaluate.hpp"
#include "host/train/host_engine.hpp"
#include "host/train/kernels_by_name.hpp"
#include "host/train/saturation.hpp"
#include "mantissa/train/shuffle.hpp"

namespace mantissa::host {
namespace {

const Description& ecg_model() {
  static const Description description = [] {
    Description d = read_description(MANTISSA_SOURCE_DIR "/examples/ecg/ecg.toml");
    d.training.epochs = 2;
    d.training.batch = 12;
    return d;
  }();
  return description;
}

/// 100 beats: 8 whole batches of 12 and one of 4.
const Dataset& beats() {
  static const Dataset data = [] {
    EcgOptions options;
    options.beats_train = 100;
    options.beats_test = 30;
    EcgSet set = generate_ecg(options);
    ArraySet arrays;
    arrays.train_x = set.train_x;
    arrays.test_x = set.test_x;
    arrays.train_y.assign(set.train_y.begin(), set.train_y.end());
    arrays.test_y.assign(set.test_y.begin(), set.test_y.end());
    arrays.shape = ecg_model().input_shape();
    return make_dataset(std::move(arrays));
  }();
  return data;
}

/// An engine at the start of a run.
struct TrainingRun {
  explicit TrainingRun(const std::string& recipe = "int8", BatchOptions options = {.batch = 12},
                       const Kernels& kernels = kernels_hwy)
      : model{.description = ecg_model(), .recipe = find_recipe(recipe, ecg_model())},
        host_engine(model.description, model.recipe, options, kernels),
        engine(host_engine.engine()) {
    engine.initialize(model.description.training.seed);
    engine.set_input_range(beats().input_absmax);
  }
  Trainer trainer(TrainerHooks hooks = {}) {
    return Trainer(engine, host_engine.arena(), beats().train, model.description.training, std::move(hooks));
  }
  uint64_t train() {
    Trainer t = trainer();
    while (!t.finished()) t.run_epoch();
    return engine.state_hash();
  }

  SavedModel model;
  HostEngine host_engine;
  Engine& engine;
};

constexpr BatchOptions kOneByOne{.batch = 12, .micro_batch = 1};

/// The loop by itself, for some of the 18 batches: every sample of an epoch in shuffled order, no painted
/// memory.
uint64_t train_by_hand(TrainingRun& run, uint32_t steps) {
  const TrainingDefaults& t = run.model.description.training;
  std::vector<float> x(128);
  std::vector<int32_t> order(beats().train.size());
  uint32_t step = 0;
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    shuffle(order, t.seed, epoch);
    for (size_t first = 0; first < order.size() && step < steps; first += 12) {
      const auto count = static_cast<int32_t>(std::min<size_t>(12, order.size() - first));
      const float lr = static_cast<float>(t.lr) * (1.0f - static_cast<float>(step++) / 18.0f);
      for (int32_t i = 0; i < count; ++i) {
        const auto sample = static_cast<size_t>(order[first + static_cast<size_t>(i)]);
        const int32_t label = beats().train.label(sample);
        beats().train.read(sample, x.data());
        if (i == 0)
          run.engine.begin_batch(count, {lr, static_cast<float>(t.momentum), 0.0f}, x.data(), label);
        run.engine.accumulate(x.data(), &label, 1);
      }
      run.engine.end_batch();
    }
  }
  return run.engine.state_hash();
}

TEST(Trainer, GivesTheBitsOfTheLoopByHand) {
  for (const char* recipe : {"float32", "sym12", "sym8", "int8"}) {
    TrainingRun by_hand(recipe, kOneByOne);
    EXPECT_EQ(train_by_hand(by_hand, 18), TrainingRun(recipe).train()) << recipe;
  }
}

TEST(Trainer, BitsDoNotDependOnMicroBatchThreadsOrKernels) {
  for (const char* recipe : {"float32", "sym8", "int8"}) {
    const uint64_t wanted = TrainingRun(recipe).train();
    EXPECT_EQ(TrainingRun(recipe, {.batch = 12, .micro_batch = 5}).train(), wanted) << recipe;
    EXPECT_EQ(TrainingRun(recipe, {.batch = 12, .micro_batch = 1, .threads = 2}).train(), wanted) << recipe;
    EXPECT_EQ(TrainingRun(recipe, {.batch = 12}, kernels_ref).train(), wanted) << recipe;
  }
}

TEST(Trainer, SeesEachSampleOncePerEpoch) {
  TrainingRun run;
  Trainer trainer = run.trainer();
  const EpochResult first = trainer.run_epoch();
  EXPECT_EQ(first.epoch, 1);
  EXPECT_EQ(first.samples, 100);
  EXPECT_TRUE(first.complete);
  EXPECT_EQ(run.engine.progress().step, 9u);
  EXPECT_FALSE(trainer.finished());
  EXPECT_EQ(trainer.run_epoch().epoch, 2);
  EXPECT_TRUE(trainer.finished());
}

TEST(Trainer, TheRunTouchesExactlyThePlannedBytes) {
  for (const char* recipe : {"float32", "sym12", "sym8", "int8"})
    for (const BatchOptions& options :
         {BatchOptions{.batch = 12}, BatchOptions{.batch = 12, .micro_batch = 4},
          BatchOptions{.batch = 12, .micro_batch = 1, .momentum = false}}) {
      TrainingRun run(recipe, options);
      run.train();
      EXPECT_EQ(run.host_engine.arena().peak_bytes(), run.engine.plan().summary.arena_bytes)
          << recipe << ", micro-batch " << options.micro_batch;
    }
}

TEST(Arena, SeesAByteWrittenBeyondItsEnd) {
  TrainingRun run;
  run.train();
  Arena& arena = run.host_engine.arena();
  const std::span<std::byte> bytes = arena.bytes();
  bytes.data()[bytes.size() + 2] ^= std::byte{1};
  EXPECT_EQ(arena.peak_bytes(), bytes.size() + 3);
}

/// A durable tensor of 40 bytes, and one of 70 that lives for a step.
TEST(Arena, ThePeakIsMeasuredAndNotCopied) {
  Tensor tensors[2];
  tensors[0].last_step = tensors[1].first_step = tensors[1].last_step = 1;
  tensors[0].bytes = 40;
  tensors[1].bytes = 70;
  tensors[1].offset = 64;
  PlanView plan;
  plan.summary.steps = 2;
  plan.summary.arena_bytes = 192;
  plan.tensors = tensors;
  Arena arena(plan);
  arena.paint(0);
  arena.look(0);
  EXPECT_EQ(arena.peak_bytes(), 64u);
  arena.paint(1);
  arena.bytes()[3] ^= std::byte{1};
  arena.bytes()[64 + 69] ^= std::byte{1};
  arena.look(1);
  EXPECT_EQ(arena.peak_bytes(), 192u);
}

TEST(Trainer, ARunIsTakenUpInTheMiddleOfAnEpoch) {
  TrainingRun first("int8", kOneByOne), second;
  train_by_hand(first, 11);
  capture(first.engine, first.model);
  restore(first.model, second.engine);
  Trainer trainer = second.trainer();
  EXPECT_EQ(trainer.epochs_done(), 1u);
  EXPECT_EQ(trainer.samples_into_epoch(), 24u);
  const EpochResult rest = trainer.run_epoch();
  EXPECT_EQ(rest.epoch, 2);
  EXPECT_EQ(rest.samples, 76);
  EXPECT_TRUE(trainer.finished());
  EXPECT_EQ(second.engine.state_hash(), TrainingRun().train());
}

TEST(Trainer, AStopEndsTheRun) {
  TrainingRun run;
  std::atomic<bool> stop = false;
  Trainer trainer = run.trainer({.on_progress = {}, .stop = &stop});
  EXPECT_FALSE(trainer.finished());
  stop = true;
  EXPECT_TRUE(trainer.finished());
  EXPECT_TRUE(trainer.stopped());
  EXPECT_EQ(trainer.run_epoch().samples, 0);
  EXPECT_EQ(run.engine.progress().step, 0u);
}

/// With a margin of 1/8 the largest of one batch is far beyond the range that the batch before has set.
TEST(OverflowGuard, NamesTheTensorAndEndsTheRunBetweenBatches) {
  for (const OverflowPolicy policy : {OverflowPolicy::kCount, OverflowPolicy::kError}) {
    TrainingRun run;
    NamedRecipe narrow = run.model.recipe;
    narrow.settings.margin = 0.125f;
    HostEngine host_engine(run.model.description, narrow, {.batch = 12}, kernels_ref);
    Engine& engine = host_engine.engine();
    engine.initialize(1);
    engine.set_input_range(beats().input_absmax);
    OverflowGuard guard(engine, run.model.description, policy);
    Trainer trainer(engine, host_engine.arena(), beats().train, run.model.description.training,
                    {.on_progress = {}, .after_batch = [&] { guard.check("in the first batch"); }});
    if (policy == OverflowPolicy::kCount) {
      EXPECT_EQ(trainer.run_epoch().samples, 100);
      EXPECT_GT(engine.saturated(), 0u);
      continue;
    }
    try {
      trainer.run_epoch();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& e) {
      const std::string text = e.what();
      EXPECT_NE(text.find("in the first batch"), std::string::npos) << text;
      EXPECT_NE(text.find(" of conv1 output"), std::string::npos) << text;
    }
    EXPECT_EQ(engine.progress().step, 1u);
    EXPECT_NO_THROW(guard.check("later")) << "what has been reported is not reported again";
  }
}

/// A last batch of one sample and one step has no variance.
TEST(Trainer, AShortBatchThatABatchNormCannotUseIsRefused) {
  Description d = ecg_model();
  d.nodes = {flatten(), linear({.features = 6}), batch_norm(), linear({.features = 5})};
  d.layer_names = {"flatten1", "linear1", "batch_norm1", "linear2"};
  const auto refusal = [&d](int batch) -> std::string {
    HostEngine host(d, find_recipe("int8", d), {.batch = batch}, kernels_ref);
    EXPECT_EQ(host.plan().summary.micro_batch, batch);
    try {
      Trainer(host.engine(), host.arena(), beats().train, d.training, {});
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_NE(refusal(33).find("has 1 sample"), std::string::npos);
  EXPECT_EQ(refusal(32), "");
}

TEST(Trainer, MoreStepsThanCanBeCountedAreRefused) {
  TrainingRun run;
  run.model.description.training.epochs = 1 << 30;
  EXPECT_THROW(run.trainer(), Error);
}

TEST(Evaluate, AgreesWithItsOwnPredictions) {
  TrainingRun run("sym8", {.batch = 12, .micro_batch = 7});
  run.train();
  const uint64_t before = run.engine.state_hash();
  const Evaluation e = evaluate(run.engine, beats().test);
  EXPECT_EQ(run.engine.state_hash(), before);
  ASSERT_EQ(e.predictions.size(), 30u);
  int correct = 0;
  for (size_t i = 0; i < 30; ++i) {
    correct += e.predictions[i] == beats().test.label(i);
    EXPECT_GE(e.confusions(static_cast<size_t>(beats().test.label(i)), static_cast<size_t>(e.predictions[i])),
              1);
  }
  EXPECT_EQ(e.samples, 30);
  EXPECT_DOUBLE_EQ(e.accuracy, correct / 30.0);
  EXPECT_EQ(e.classes[0].labelled, 6);
  EXPECT_GT(e.loss, 0);
}

TEST(Kernels, AreFoundByName) {
  EXPECT_EQ(&select_kernels("ref"), &kernels_ref);
  EXPECT_EQ(&select_kernels("best"), &kernels_hwy);
  EXPECT_EQ(kernels_in_use(kernels_ref), "ref");
  EXPECT_EQ(kernels_in_use(kernels_hwy), kernel_names()[1]);
  try {
    select_kernels("avx9");
    FAIL();
  } catch (const Error& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("kernels 'avx9' are not built, or not for this CPU"));
  }
}

TEST(MicroBatch, IsTheBatchUnlessItsWiresLeaveTheCache) {
  const auto micro = [](int steps, int batch) {
    Description d = ecg_model();
    d.input.steps = steps;
    return host_plan_options(d, find_recipe("float32", d), {.batch = batch}, kernels_ref).micro_batch;
  };
  EXPECT_EQ(micro(128, 1), 1);
  EXPECT_EQ(micro(128, 10), 10);
  EXPECT_EQ(micro(16, 1000), 64);
  EXPECT_EQ(micro(64, 64), 32);
  EXPECT_EQ(micro(4096, 64), 16);
  EXPECT_EQ(micro(4096, 7), 7);
}

}  // namespace
}  // namespace mantissa::host
