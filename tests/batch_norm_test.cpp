// BatchNorm: the same bits on every way of running it, a last batch that is smaller, statistics that run, states that come back, and plans that
// cannot be.
#include <gtest/gtest.h>

#include <cmath>

#include "mantissa/engine/kernels_for.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "mantissa/train/checkpoint.hpp"
#include "tests/real_network.hpp"
#include "tests/same_run.hpp"

namespace mantissa {
namespace {

using namespace test;

TEST(BatchNorm, BitsDependOnNeitherThreadsTilesNorKernels) {
  for (const NamedModel& m : batch_norm_models())
    for (const NamedRecipe& r : all_recipes()) {
      const std::string what = m.name + ", " + r.name;
      const RunResult expected = train(m, r.recipe, {});
      ASSERT_FALSE(expected.error) << what << ": error " << int(expected.error.code);
      expect_same(expected, train(m, r.recipe, {.tile_bytes = 64}), what + ", tiles");
      expect_same(expected, train(m, r.recipe, {.threads = 3, .kernels = &kernels_hwy}),
                  what + ", threads and vectors");
      expect_same(expected, train(m, r.recipe, {.kernels = &kernels_dsp}), what + ", small");
      expect_same(expected, train(m, r.recipe, {.input = InputMemory::kStaged}), what + ", staged");
      const HeapPlan plan(m.model(), r.recipe, RunOptions{}.plan_options());
      const Kernels needed = kernels_for<RefKernels>(plan.view());
      expect_same(expected, train(m, r.recipe, {.kernels = &needed}), what + ", needed kernels");
    }
}

/// Large enough for threads to be woken.
TEST(BatchNorm, ChannelsAreSummedApart) {
  const NamedModel wide = {
      "wide",
      {64, 9},
      {conv1d({.channels = 37, .kernel = 5}), batch_norm(), relu(), group_norm({.groups = 37}), batch_norm(),
       global_avg_pool1d(), linear({.features = 5})}};
  for (const Recipe& r : {float32_recipe(), sym12_recipe(), int8_recipe()}) {
    const RunResult one = train(wide, r, {.batch = 16, .micro_batch = 16});
    const RunResult three = train(wide, r, {.batch = 16, .micro_batch = 16, .threads = 3});
    EXPECT_GT(three.threaded_runs, 0);
    expect_same(one, three, "threads");
  }
}

struct TrainingRun : ReadyEngine {
  TrainingRun(const NamedModel& m, const Recipe& recipe, int32_t batch)
      : ReadyEngine(m, recipe, {.batch = batch, .micro_batch = batch}, 3) {}
  int64_t train(const Toy& toy, int32_t first, int32_t samples) {
    return ReadyEngine::train(toy, first, samples).loss_q24;
  }
};

/// What comes of fewer samples than the plan has room for is what a plan of that batch makes of them. (But for 64-bit gradients, of which a plan
/// drops bits by its batch, and samples with scales of their own, which are brought to one in fewer bits in batches of many elements.)
TEST(BatchNorm, ASmallerBatchIsABatchOfItsOwn) {
  for (const NamedModel& m : batch_norm_models())
    for (const NamedRecipe& r : all_recipes()) {
      TrainingRun large(m, r.recipe, 9), small(m, r.recipe, 5);
      ASSERT_FALSE(large.plan.error);
      const Toy toy(m.input, large.plan.summary.classes, 10, 7);
      for (int32_t first : {0, 5})
        EXPECT_EQ(large.train(toy, first, 5), small.train(toy, first, 5)) << m.name << ", " << r.name;
      if (updates_exactly(r.recipe.formats) && r.recipe.formats.activation.bits == 16) continue;
      EXPECT_EQ(large.engine.state_hash(), small.engine.state_hash()) << m.name << ", " << r.name;
    }
}

/// By the definition, from inputs that the first layer sees: exact in float32 but for roundings, in integers but for those of the codes.
TEST(BatchNorm, RunningStatisticsAreThoseOfTheSamples) {
  const NamedModel m = {
      "first", {5, 3}, {batch_norm({.momentum = 0.25f}), flatten(), linear({.features = 3})}};
  constexpr int32_t kBatch = 6, kBatches = 4, kN = kBatch * 5;
  const Toy toy(m.input, 3, kBatch * kBatches, 11);
  for (const NamedRecipe& r : all_recipes()) {
    TrainingRun run(m, r.recipe, kBatch);
    double mean[3] = {}, variance[3] = {1, 1, 1};
    for (int32_t b = 0; b < kBatches; ++b) {
      run.train(toy, b * kBatch, kBatch);
      for (int32_t c = 0; c < 3; ++c) {
        double sum = 0, squares = 0;
        for (int32_t i = 0; i < kN; ++i) sum += double(toy.x[size_t((b * kN + i) * 3 + c)]) / kN;
        for (int32_t i = 0; i < kN; ++i)
          squares += std::pow(double(toy.x[size_t((b * kN + i) * 3 + c)]) - sum, 2) / (kN - 1);
        mean[c] += 0.25 * (sum - mean[c]);
        variance[c] += 0.25 * (squares - variance[c]);
      }
    }
    const auto* running = reinterpret_cast<const float*>(run.engine.bytes(run.plan.layers[0].running).data());
    const Format f = r.recipe.formats.activation;
    const double half_code = f.is_float() ? 0x1p-20 : 1.6 / std::ldexp(1.0, f.bits);
    for (int32_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(double(running[c]), mean[c], half_code) << r.name;
      EXPECT_NEAR(double(running[3 + c]), variance[c], 4 * half_code) << r.name;  // |x - mean| < 2
    }
  }
}

/// After many batches of the same samples running statistics are theirs, so evaluation predicts what training saw.
TEST(BatchNorm, EvaluationComesToTraining) {
  for (const NamedModel& m : batch_norm_models()) {
    if (draws_by_place(m)) continue;
    for (const NamedRecipe& r : all_recipes()) {
      constexpr int32_t kBatch = 12;
      TrainingRun run(m, r.recipe, kBatch);
      run.options.settings = {.lr = 0.0f, .momentum = 0.5f, .weight_decay = 0.0f};
      const Toy toy(m.input, run.plan.summary.classes, kBatch, 13);
      int64_t trained = 0;
      for (int32_t b = 0; b < 120; ++b) trained = run.train(toy, 0, kBatch);
      const int64_t evaluated =
          run.engine.evaluate(toy.x.data(), Targets(toy.labels.data()), kBatch, nullptr).loss_q24;
      // Variances of n - 1, n at least 12, and what few bits make of weights and wires.
      EXPECT_NEAR(double(evaluated) / double(trained), 1, 0.1) << m.name << ", " << r.name;
    }
  }
}

struct MemoryFlash {
  std::vector<std::byte> slots[2];
  Flash flash(uint32_t size) {
    for (auto& slot : slots) slot.assign(size, std::byte(0xFF));
    return {.context = this,
            .slot_bytes = size,
            .unit = 8,
            .erase =
                [](void* self, int32_t slot) {
                  for (std::byte& b : static_cast<MemoryFlash*>(self)->slots[slot]) b = std::byte(0xFF);
                  return true;
                },
            .program =
                [](void* self, int32_t slot, uint32_t offset, std::span<const std::byte> bytes) {
                  std::copy(bytes.begin(), bytes.end(),
                            static_cast<MemoryFlash*>(self)->slots[slot].begin() + offset);
                  return true;
                },
            .read =
                [](void* self, int32_t slot, uint32_t offset, std::span<std::byte> bytes) {
                  std::copy_n(static_cast<MemoryFlash*>(self)->slots[slot].begin() + offset, bytes.size(),
                              bytes.begin());
                  return true;
                }};
  }
};

TEST(BatchNorm, FlashBringsRunningStatisticsBack) {
  for (const NamedModel& m : batch_norm_models())
    for (const Recipe& r : {float32_recipe(), sym12_recipe(), int8_recipe()}) {
      TrainingRun one(m, r, 4), other(m, r, 4);
      const Toy toy(m.input, one.plan.summary.classes, 12, 17);
      one.train(toy, 0, 4);
      MemoryFlash memory;
      const Flash flash = memory.flash(checkpoint_bytes(one.plan.view(), 8));
      ASSERT_TRUE(save(one.engine, flash).ok());
      other.engine.initialize(99);
      ASSERT_TRUE(restore(other.engine, flash).ok());
      EXPECT_EQ(one.engine.state_hash(), other.engine.state_hash()) << m.name;
      const auto evaluate = [&](TrainingRun& run) {
        return run.engine.evaluate(toy.x.data(), Targets(toy.labels.data()), 4, nullptr).loss_q24;
      };
      EXPECT_EQ(evaluate(one), evaluate(other)) << m.name;
      EXPECT_EQ(one.train(toy, 4, 4), other.train(toy, 4, 4)) << m.name;
      EXPECT_EQ(one.engine.state_hash(), other.engine.state_hash()) << m.name;
    }
}

/// The state's hash and the fingerprint of a plan know them.
TEST(BatchNorm, RunningStatisticsArePartOfTheState) {
  const NamedModel m = batch_norm_models()[1];
  TrainingRun run(m, int8_recipe(), 4);
  const uint64_t before = run.engine.state_hash();
  run.engine.bytes(run.plan.layers[1].running)[3] ^= std::byte(1);
  EXPECT_NE(run.engine.state_hash(), before);
  NamedModel other = m;
  other.nodes[1].momentum = 0.75f;
  const TrainingRun changed(other, int8_recipe(), 4);
  EXPECT_NE(checkpoint_fingerprint(changed.plan.view()), checkpoint_fingerprint(run.plan.view()));
}

Error plan_error(std::vector<Node> nodes, Shape input, const Recipe& recipe, const PlanOptions& options) {
  const NamedModel m = {"", input, std::move(nodes)};
  return HeapPlan(m.model(), recipe, options).error;
}

TEST(BatchNorm, WhatCannotBeIsRefused) {
  const Node out = linear({.features = 3});
  Error e = plan_error({out, batch_norm(), out}, {1, 4}, int8_recipe(), {.batch = 4, .micro_batch = 2});
  EXPECT_EQ(e.detail, Detail::kBatchInParts);
  EXPECT_EQ(e.layer, 1);
  EXPECT_EQ(e.found, 2);
  EXPECT_EQ(e.limit, 4);
  e = plan_error({out, batch_norm(), out}, {1, 4}, int8_recipe(), {});
  EXPECT_EQ(e.detail, Detail::kBatchOfOne);
  EXPECT_FALSE(plan_error({batch_norm(), flatten(), out}, {2, 4}, int8_recipe(), {}));
  EXPECT_FALSE(plan_error({out, batch_norm(), out}, {1, 4}, int8_recipe(), {.mode = PlanMode::kInfer}));
  const Node frozen = batch_norm({.training = Training::kFrozen});
  EXPECT_FALSE(plan_error({out, frozen, out}, {1, 4}, int8_recipe(), {.batch = 4, .micro_batch = 1}));
  for (const float momentum : {-0.1f, 1.5f, std::nanf("")}) {
    e = plan_error({batch_norm({.momentum = momentum}), out}, {1, 4}, int8_recipe(),
                   {.batch = 2, .micro_batch = 2});
    EXPECT_EQ(e.detail, Detail::kNormMomentum);
  }
  e = plan_error({group_norm({.groups = 3}), flatten(), out}, {2, 4}, int8_recipe(), {});
  EXPECT_EQ(e.code, ErrorCode::kBadGroups);
  EXPECT_EQ(e.limit, 4);
}

/// At the largest number of elements that is proved, and one beyond it.
TEST(BatchNorm, SumsAreProvedToTheLastElement) {
  Recipe wide = int8_recipe();
  wide.formats.activation = wide.formats.error = wide.formats.weight = sym_format(16);
  const auto plan_of = [&](Node norm, int32_t steps, int32_t batch) {
    return plan_error({norm, global_avg_pool1d(), linear({.features = 2})}, {steps, 1}, wide,
                      {.batch = batch, .micro_batch = batch});
  };
  constexpr int32_t kMost = ((1 << 30) - 1) / 32767;
  EXPECT_FALSE(plan_of(group_norm(), kMost, 1));
  Error e = plan_of(group_norm(), kMost + 1, 1);
  EXPECT_EQ(e.detail, Detail::kGroupTooWide);
  EXPECT_EQ(e.found, kMost + 1);
  EXPECT_EQ(e.limit, kMost);
  EXPECT_FALSE(plan_of(batch_norm(), kMost / 4, 4));
  e = plan_of(batch_norm(), kMost / 4 + 1, 4);
  EXPECT_EQ(e.detail, Detail::kGroupTooWide);
  EXPECT_EQ(e.found, (kMost / 4 + 1) * 4);
}

}  // namespace
}  // namespace mantissa
