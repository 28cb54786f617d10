// A memory map in which no two living tensors meet, of every model of the tests and of random ones.
#include <gtest/gtest.h>

#include <random>

#include "tests/plan_check.hpp"

namespace mantissa {
namespace {

using namespace test;

void expect_no_overlap(const HeapPlan& plan, const std::string& what) {
  const PlanView v = plan.view();
  for (size_t i = 0; i < v.tensors.size(); ++i) {
    const Tensor& a = v.tensors[i];
    ASSERT_LE(int64_t(a.offset) + a.bytes, int64_t(v.summary.arena_bytes)) << what;
    for (size_t k = 0; k < i; ++k) {
      const Tensor& b = v.tensors[k];
      bool together = false;
      for (int32_t step = 0; step < v.summary.steps; ++step) together |= a.is_alive(step) && b.is_alive(step);
      const bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
      ASSERT_TRUE(!together || apart || a.bytes == 0 || b.bytes == 0)
          << what << ": tensors " << i << " (role " << int(a.role) << ") and " << k << " (role "
          << int(b.role) << ")";
    }
  }
}

PlanOptions random_options(std::mt19937& random) {
  PlanOptions o;
  o.batch = 1 + int32_t(random() % 20);
  o.micro_batch = 1 + int32_t(random() % uint32_t(o.batch));
  o.threads = 1 + int32_t(random() % 3);
  o.mode = random() % 4 ? PlanMode::kTrain : PlanMode::kInfer;
  o.momentum = random() % 2;
  o.input = random() % 2 ? InputMemory::kStaged : InputMemory::kBorrowed;
  o.tile_bytes = 1 << (random() % 13);
  o.alignment = 8 << (random() % 4);
  if (random() % 2) o.scratch = kernels_hwy.gemm->scratch;
  return o;
}

TEST(Planner, NoTwoLivingTensorsOverlap) {
  std::mt19937 random(1);
  for (const NamedModel& m : odd_models())
    for (const NamedRecipe& r : all_recipes())
      for (int i = 0; i < 4; ++i) {
        const HeapPlan plan(m.model(), r.recipe, random_options(random));
        ASSERT_FALSE(plan.error) << m.name << ", " << r.name;
        ASSERT_NO_FATAL_FAILURE(expect_no_overlap(plan, m.name + ", " + r.name));
      }
}

TEST(Planner, StagedSamplesTakeNoMoreThanLaterSteps) {
  const NamedModel m = small_model();
  for (const NamedRecipe& r : all_recipes())
    for (int32_t micro_batch : {1, 3}) {
      PlanOptions o = {.batch = 6, .micro_batch = micro_batch};
      const HeapPlan borrowed(m.model(), r.recipe, o);
      o.input = InputMemory::kStaged;
      const HeapPlan staged(m.model(), r.recipe, o);
      EXPECT_EQ(borrowed.summary.sample_tensor, -1);
      const Tensor& t = staged.tensors[size_t(staged.summary.sample_tensor)];
      EXPECT_EQ(t.bytes, uint32_t(micro_batch * m.input.size()) * sizeof(float));
      EXPECT_EQ(t.first_step, 0);
      EXPECT_EQ(staged.steps[size_t(t.last_step)].kind, StepKind::kInput);
      EXPECT_LT(staged.summary.arena_bytes, borrowed.summary.arena_bytes + t.bytes) << r.name;
    }
}

/// Any row of layers that fits its input.
NamedModel random_model(std::mt19937& random) {
  const auto up_to = [&](uint32_t n) { return 1 + int32_t(random() % n); };
  NamedModel m = {"random", {8 + up_to(40), up_to(6)}, {}};
  for (int32_t i = up_to(8); i > 0; --i) switch (random() % 5) {
      case 0: m.nodes.push_back(relu()); break;
      case 1: m.nodes.push_back(max_pool1d({.kernel = up_to(3), .stride = up_to(3)})); break;
      case 2: m.nodes.push_back(avg_pool1d({.kernel = up_to(3), .stride = up_to(3)})); break;
      default:
        m.nodes.push_back(conv1d({.channels = up_to(9),
                                  .kernel = up_to(5),
                                  .stride = up_to(3),
                                  .dilation = up_to(2),
                                  .padding = random() % 2 ? Padding::kSame : Padding::kValid,
                                  .training = random() % 4 ? Training::kTrainable : Training::kFrozen}));
    }
  m.nodes.push_back(random() % 2 ? global_avg_pool1d() : flatten());
  m.nodes.push_back(linear({.features = up_to(5)}));
  return m;
}

TEST(Planner, NoOverlapInRandomModels) {
  std::mt19937 random(2);
  const std::vector<NamedRecipe> recipes = all_recipes();
  int planned = 0;
  for (int i = 0; i < 2000; ++i) {
    const NamedModel m = random_model(random);
    const NamedRecipe& r = recipes[random() % recipes.size()];
    const HeapPlan plan(m.model(), r.recipe, random_options(random));
    if (plan.error) {  // a window has outgrown its signal
      ASSERT_EQ(int(plan.error.code), int(ErrorCode::kWindowTooLarge));
      continue;
    }
    ++planned;
    ASSERT_NO_FATAL_FAILURE(expect_no_overlap(plan, r.name));
  }
  EXPECT_GT(planned, 800);
}

}  // namespace
}  // namespace mantissa
