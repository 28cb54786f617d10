// The engine's promises: memory is what the plan says, and the bits depend neither on micro-batches, threads nor kernels.
#include "mantissa/engine/engine.hpp"

#include <gtest/gtest.h>

#include <cctype>

#include "mantissa/engine/kernels_for.hpp"
#include "mantissa/kernels/host_targets.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "tests/same_run.hpp"

namespace mantissa {
namespace {

using namespace test;

/// Trains with those kernels of a set that the plan needs, as firmware with a constant plan does.
template <template <Operands> class Set>
RunResult train_with_needed(const NamedModel& m, const NamedRecipe& r, RunOptions o) {
  o.kernels = &kernels_of<Set<Operands::kAny>>;
  const HeapPlan plan(m.model(), r.recipe, o.plan_options());
  const Kernels needed = kernels_for<Set>(plan.view());
  o.kernels = &needed;
  return train(m, r.recipe, o);
}

/// Vectors, with each instruction set that this machine has.
void expect_vectors_equal(const RunResult& expected, const NamedModel& m, const NamedRecipe& r,
                          const std::string& what) {
  for (size_t i = 0; host_target_name(i); ++i) {
    select_host_target(host_target_name(i));
    expect_same(expected, train(m, r.recipe, {.kernels = &kernels_hwy}), what + host_target_name(i));
  }
  select_host_target("best");
  expect_same(expected, train(m, r.recipe, {.micro_batch = 3, .threads = 3, .kernels = &kernels_hwy}),
              what + "micro-batch 3 with vectors");
}

/// Memory arranged otherwise, and the kernels of small cores.
void expect_ways_equal(const RunResult& expected, const NamedModel& m, const NamedRecipe& r,
                       const std::string& what) {
  expect_same(expected, train(m, r.recipe, {.micro_batch = 1}), what + "micro-batch 1");
  expect_same(expected, train(m, r.recipe, {.micro_batch = 3}), what + "micro-batch 3");
  expect_same(expected, train(m, r.recipe, {.tile_bytes = 64}), what + "small tiles");
  for (int32_t micro_batch : {1, 3})
    expect_same(expected, train(m, r.recipe, {.micro_batch = micro_batch, .input = InputMemory::kStaged}),
                what + "samples in the arena, micro-batch " + std::to_string(micro_batch));
  for (const Kernels* kernels : {&kernels_dsp, &kernels_small}) {
    const std::string cores = kernels == &kernels_dsp ? "cores with DSP instructions" : "small cores";
    expect_same(expected, train(m, r.recipe, {.micro_batch = 3, .threads = 3, .kernels = kernels}),
                what + "micro-batch 3, " + cores);
    expect_same(expected, train(m, r.recipe, {.micro_batch = 1, .kernels = kernels, .tile_bytes = 512}),
                what + "micro-batch 1, " + cores);
  }
  for (int32_t micro_batch : {1, 7}) {
    const RunOptions o = {.micro_batch = micro_batch};
    if (micro_batch == 1)
      expect_same(expected, train_with_needed<RefKernels>(m, r, o), what + "needed reference kernels");
    expect_same(expected, train_with_needed<SmallKernels>(m, r, o), what + "needed kernels of small cores");
    expect_same(expected, train_with_needed<DspKernels>(m, r, o),
                what + "needed kernels with DSP instructions");
  }
}

/// A test for each model, so that they run side by side.
class EveryModel : public testing::TestWithParam<size_t> {
 protected:
  /// Calls expect(the measure, model, recipe, what) for each recipe.
  template <class Expect>
  static void with_every_recipe(Expect expect) {
    const NamedModel m = odd_models()[GetParam()];
    for (const NamedRecipe& r : all_recipes()) {
      const std::string what = m.name + ", " + r.name + ", ";
      const RunResult expected = train(m, r.recipe, {});
      ASSERT_FALSE(expected.error) << what << "error " << int(expected.error.code);
      EXPECT_TRUE(expected.guards_intact) << what;
      ASSERT_NO_FATAL_FAILURE(expect(expected, m, r, what));
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Engine, EveryModel, testing::Range(size_t{0}, odd_models().size()),
                         [](const auto& model) {
                           std::string name = odd_models()[model.param].name;
                           std::ranges::replace_if(
                               name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST_P(EveryModel, HasOneResultWithVectors) { with_every_recipe(expect_vectors_equal); }

TEST_P(EveryModel, HasOneResultForEveryWayAndSmallCore) { with_every_recipe(expect_ways_equal); }

/// Large enough that the engine wakes its threads.
TEST(Engine, OneResultForEveryNumberOfThreads) {
  const NamedModel convolutions = {
      "convolutions",
      {96, 4},
      {conv1d({.channels = 16, .kernel = 5, .padding = Padding::kSame}), relu(),
       max_pool1d({.kernel = 3, .stride = 2}), conv1d({.channels = 16, .kernel = 5, .stride = 2}), relu(),
       avg_pool1d({.kernel = 2}), flatten(), linear({.features = 32}), relu(), linear({.features = 4})}};
  const NamedModel linears = {
      "linears", {1, 256}, {linear({.features = 128}), relu(), linear({.features = 4})}};
  for (const NamedModel& m : {convolutions, linears})
    for (const NamedRecipe& r : all_recipes()) {
      const RunOptions base = {.batch = 8, .micro_batch = 8, .batches = 2, .kernels = &kernels_hwy};
      const RunResult expected = train(m, r.recipe, base);
      for (int32_t threads : {2, 3})
        for (int32_t micro_batch : {8, 7}) {
          RunOptions o = base;
          o.threads = threads;
          o.micro_batch = micro_batch;
          const RunResult actual = train(m, r.recipe, o);
          expect_same(expected, actual, m.name + ", " + r.name + ", threads " + std::to_string(threads));
          EXPECT_GT(actual.threaded_runs, 0);
        }
    }
}

TEST(Engine, WithoutMomentumToo) {
  for (const NamedRecipe& r : all_recipes()) {
    RunOptions o = {.settings = {.lr = 0.25f, .momentum = 0.0f, .weight_decay = 0.01f}, .momentum = false};
    const RunResult expected = train(small_model(), r.recipe, o);
    o.micro_batch = 2;
    o.kernels = &kernels_hwy;
    expect_same(expected, train(small_model(), r.recipe, o), r.name);
  }
}

TEST(Engine, SeedsDiffer) {
  for (const NamedRecipe& r : all_recipes())
    EXPECT_NE(train(small_model(), r.recipe, {.seed = 1}).hash,
              train(small_model(), r.recipe, {.seed = 2}).hash);
}

TEST(Engine, Learns) {
  for (const NamedRecipe& r : all_recipes()) {
    const RunOptions o = {.batch = 16,
                          .micro_batch = 16,
                          .batches = 60,
                          .kernels = &kernels_hwy,
                          .settings = {.lr = 0.05f, .momentum = 0.875f, .weight_decay = 1e-4f}};
    const RunResult run = train(small_model(), r.recipe, o);
    const double samples = 16 * 16777216.0, first = double(run.losses[0]) / samples;
    const double last =
        double(run.losses[58] + run.losses[57] + run.losses[55] + run.losses[54]) / (4 * samples);
    EXPECT_NEAR(first, 1.0986, 0.4) << r.name << ": ln 3 before anything is learnt";
    EXPECT_LT(last, 0.25 * first) << r.name;
  }
}

TEST(Engine, BindAcceptsExactlyWhatThePlanSays) {
  for (const NamedRecipe& r : all_recipes()) {
    const HeapPlan plan(small_model().model(), r.recipe, {.batch = 4, .micro_batch = 2});
    const uint32_t needed = plan.summary.arena_bytes;
    GuardedArena arena(needed + 8);
    for (uint32_t bytes = 0; bytes <= needed; ++bytes) {
      const Result<Engine> bound = Engine::bind(plan.view(), arena.bytes().first(bytes), kernels_ref);
      ASSERT_EQ(bound.ok(), bytes == needed) << r.name << ", " << bytes << " of " << needed;
      if (bound.ok()) break;
      ASSERT_EQ(bound.error.code, ErrorCode::kArenaTooSmall);
      ASSERT_EQ(bound.error.found, bytes);
      ASSERT_EQ(bound.error.limit, needed);
    }
    const Result<Engine> bound = Engine::bind(plan.view(), arena.bytes().subspan(4), kernels_ref);
    ASSERT_EQ(bound.error.code, ErrorCode::kArenaMisaligned);
    ASSERT_EQ(bound.error.found, 4);
  }
}

TEST(Engine, BindRefusesKernelsThatThePlanHasNoScratchFor) {
  for (const Kernels* planned : {&kernels_ref, &kernels_hwy, &kernels_dsp})
    for (const Kernels* bound : {&kernels_ref, &kernels_hwy, &kernels_dsp}) {
      const HeapPlan plan(small_model().model(), int8_recipe(),
                          {.alignment = 64, .scratch = planned->gemm->scratch});
      GuardedArena arena(plan.summary.arena_bytes);
      const Error error = Engine::bind(plan.view(), arena.bytes(), *bound).error;
      EXPECT_EQ(error.code,
                bound == planned || bound == &kernels_ref ? ErrorCode::kNone : ErrorCode::kKernelMismatch);
    }
  const HeapPlan plan(small_model().model(), int8_recipe(),
                      {.alignment = 8, .scratch = kernels_hwy.gemm->scratch});
  GuardedArena arena(plan.summary.arena_bytes);
  const Error error = Engine::bind(plan.view(), arena.bytes(), kernels_hwy).error;
  EXPECT_EQ(error.code, ErrorCode::kKernelMismatch);
  EXPECT_EQ(error.limit, 64);
}

constexpr auto kPlanned = plan(make_model(Shape{16, 3}, conv1d({.channels = 8, .kernel = 3}), relu(),
                                          max_pool1d({.kernel = 2}), flatten(), linear({.features = 3})),
                               int8_recipe())
                              .value;
constexpr Kernels kNeeded = kernels_for<SmallKernels>(kPlanned.view());
static_assert(kNeeded.operands == Operands::kInt8 && kNeeded.update_float == nullptr &&
              kNeeded.overlap_sums == nullptr && kNeeded.largest_magnitude == nullptr);
static_assert(kNeeded.update_integer == kernels_of<SmallKernels<Operands::kInt8>>.update_integer &&
              kNeeded.max_pool_backward == kernels_of<SmallKernels<Operands::kInt8>>.max_pool_backward);

TEST(Engine, BindRefusesKernelsOfAnotherPlan) {
  const auto error_of = [](const NamedModel& m, const Recipe& recipe, const Kernels& kernels) {
    const HeapPlan plan(m.model(), recipe, {.scratch = kernels.gemm->scratch});
    GuardedArena arena(plan.summary.arena_bytes);
    return Engine::bind(plan.view(), arena.bytes(), kernels).error.code;
  };
  NamedModel pooled = {"max pool", {16, 3}, {max_pool1d({.kernel = 2}), flatten(), linear({.features = 3})}};
  NamedModel average = {"average", {16, 3}, {avg_pool1d({.kernel = 2}), flatten(), linear({.features = 3})}};
  EXPECT_EQ(error_of(pooled, int8_recipe(), kNeeded), ErrorCode::kNone);
  EXPECT_EQ(error_of(average, int8_recipe(), kNeeded), ErrorCode::kKernelMissing);
  for (const Recipe& recipe : {sym8_recipe(), sym12_recipe(), float32_recipe()})
    EXPECT_EQ(error_of(pooled, recipe, kNeeded), ErrorCode::kKernelMissing);

  constexpr Operands kAll[] = {Operands::kAny, Operands::kFloat32, Operands::kIntegers, Operands::kInt8};
  const Recipe recipes[] = {float32_recipe(), sym12_recipe(), sym8_recipe()};  // of what they need
  const bool can_run[4][3] = {
      {true, true, true}, {true, false, false}, {false, true, true}, {false, false, true}};
  for (size_t i = 0; i < 4; ++i)
    for (size_t k = 0; k < 3; ++k) {
      Kernels kernels = kernels_ref;
      kernels.operands = kAll[i];
      EXPECT_EQ(error_of(pooled, recipes[k], kernels),
                can_run[i][k] ? ErrorCode::kNone : ErrorCode::kKernelMissing)
          << i << " " << k;
    }
}

TEST(Engine, EvaluationChangesNoState) {
  for (const NamedRecipe& r : all_recipes()) {
    const RunOptions o = {.batch = 6, .micro_batch = 3};
    const NamedModel m = small_model();
    ReadyEngine ready(m, r.recipe, o);
    Engine& engine = ready.engine;
    const Toy toy(m.input, 3, 12, 3);
    ready.train(toy, 0, 6);
    const uint64_t before = engine.state_hash();
    int32_t predictions[3];
    const BatchResult first = engine.evaluate(toy.x.data(), toy.labels.data(), 3, predictions);
    const BatchResult again = engine.evaluate(toy.x.data(), toy.labels.data(), 3, nullptr);
    EXPECT_EQ(first.loss_q24, again.loss_q24) << r.name;
    EXPECT_EQ(engine.state_hash(), before) << r.name;
    int32_t correct = 0;
    for (int32_t s = 0; s < 3; ++s) correct += predictions[s] == toy.labels[size_t(s)];
    EXPECT_EQ(first.correct, correct);
  }
}

/// Not even the scales of batches to come: what an evaluation saw, however large, is not what a batch saw.
TEST(Engine, EvaluationBetweenBatchesChangesNoTraining) {
  for (const NamedRecipe& r : all_recipes()) {
    const RunOptions o = {.batch = 6, .micro_batch = 6};
    const NamedModel m = small_model();
    const Toy toy(m.input, 3, 12, 3);
    const std::vector<float> large(size_t(6 * m.input.size()), 1.5f);
    const auto hash_after = [&](bool evaluates) {
      ReadyEngine ready(m, r.recipe, o);
      ready.train(toy, 0, 6);
      if (evaluates) ready.engine.evaluate(large.data(), toy.labels.data(), 6, nullptr);
      ready.train(toy, 6, 6);
      return ready.engine.state_hash();
    };
    EXPECT_EQ(hash_after(true), hash_after(false)) << r.name;
  }
}

/// Behind a Dropout the scale in evaluation is another one: neither it nor the units of sums may stay.
TEST(Engine, EvaluationWithinABatchChangesNoTraining) {
  const NamedModel m = {"dropped",
                        {16, 3},
                        {conv1d({.channels = 6, .kernel = 3}), relu(), dropout(),
                         conv1d({.channels = 4, .kernel = 3}), global_avg_pool1d(), linear({.features = 3})}};
  for (const NamedRecipe& r : all_recipes()) {
    const RunOptions o = {.batch = 6, .micro_batch = 2};
    const Toy toy(m.input, 3, 12, 3);
    const auto hash_after = [&](bool evaluates) {
      ReadyEngine ready(m, r.recipe, o);
      Engine& engine = ready.engine;
      for (int32_t first : {0, 6}) {
        const float* x = toy.x.data() + first * m.input.size();
        const int32_t* labels = toy.labels.data() + first;
        engine.begin_batch(6, o.settings, x, labels[0]);
        for (int32_t s = 0; s < 6; s += 2) engine.accumulate(x + s * m.input.size(), labels + s, 2);
        if (evaluates) engine.evaluate(toy.x.data(), toy.labels.data(), 2, nullptr);
        engine.end_batch();
      }
      return engine.state_hash();
    };
    EXPECT_EQ(hash_after(true), hash_after(false)) << r.name;
  }
}

/// A ReLU that passes nothing: the layers behind it see zeros in a unit which their biases and the targets still fit.
TEST(Engine, DynamicScalesOfNothingLeaveRoomForBiasesAndTargets) {
  const NamedModel m = {"dead",
                        {8, 1},
                        {conv1d({.channels = 4, .kernel = 3}), relu(), conv1d({.channels = 4, .kernel = 3}),
                         relu(), avg_pool1d({.kernel = 2}), flatten(), linear({.features = 2})},
                        Loss::kMse};
  Recipe asym = sym12_recipe();
  asym.formats.activation = asym_format(8);
  const float x[8] = {1.0f, -1.0f, 0.5f, 0.25f, -0.5f, 0.75f, 1.0f, 0.5f}, target[2] = {3.0f, -2.0f};
  for (const Recipe& recipe : {float32_recipe(), sym12_recipe(), asym}) {
    ReadyEngine ready(m, recipe, {.batch = 1, .micro_batch = 1});
    ASSERT_FALSE(ready.plan.error);
    Engine& engine = ready.engine;
    const auto set_biases = [&](size_t layer, float value) {
      const std::span<std::byte> bytes = engine.bytes(ready.plan.layers[layer].bias);
      for (size_t i = 0; i < bytes.size(); i += sizeof value) std::memcpy(&bytes[i], &value, sizeof value);
    };
    set_biases(0, -100.0f);
    set_biases(2, -100.0f);
    set_biases(6, 0.25f);
    const BatchResult found = engine.evaluate(x, Targets(target), 1, nullptr);
    EXPECT_NEAR(double(found.loss_q24) / (1 << 24), (2.75 * 2.75 + 2.25 * 2.25) / 2, 1e-3);
    EXPECT_EQ(engine.saturated(), 0u);
  }
}

/// The codes that each step of a training wrote, seen before another step takes their memory.
struct LargestCodes {
  Engine* engine;
  int32_t forward = 0, backward = 0;

  static void end(void* self, StepKind kind, int32_t layer) {
    LargestCodes& c = *static_cast<LargestCodes*>(self);
    if (kind != StepKind::kForward && kind != StepKind::kBackward) return;
    const LayerPlan& l = c.engine->plan().layers[size_t(layer)];
    const int16_t tensor = kind == StepKind::kForward ? l.y.tensor : l.dx.tensor;
    const Tensor& t = c.engine->plan().tensors[size_t(tensor)];
    if (t.role == Role::kLogits) return;
    const int8_t* codes = reinterpret_cast<const int8_t*>(c.engine->bytes(tensor).data()) + t.halo_before;
    int32_t& largest = kind == StepKind::kForward ? c.forward : c.backward;
    for (int32_t i = 0; i < t.elements; ++i) largest = std::max(largest, std::abs(int32_t(codes[i])));
  }
};

TEST(Engine, CodesThatSaturateStayInTheirWidth) {
  Recipe recipe = sym8_recipe();
  recipe.formats.activation = recipe.formats.error = sym_format(6);
  recipe.margin = 0.25f;  // so that many do
  const RunOptions o = {.batch = 6, .micro_batch = 6};
  const NamedModel m = small_model();
  ReadyEngine ready(m, recipe, o);
  Engine& engine = ready.engine;
  LargestCodes largest{&engine};
  engine.set_probe({&largest, [](void*, StepKind, int32_t) {}, LargestCodes::end});
  const Toy toy(m.input, 3, 12, 3);
  for (int32_t first : {0, 6}) ready.train(toy, first, 6);
  EXPECT_GT(engine.saturated(), 0u);
  EXPECT_EQ(largest.forward, 31);
  EXPECT_EQ(largest.backward, 31);
}

}  // namespace
}  // namespace mantissa
