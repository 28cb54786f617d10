// plan(): shapes, parameters, windows, and the same in the compiler as at run time.
#include "mantissa/plan/planner.hpp"

#include <gtest/gtest.h>

#include "tests/plan_check.hpp"

namespace mantissa {
namespace {

using namespace test;

TEST(Planner, Shapes) {
  struct Expected {
    Node node;
    Shape out;
  };
  const Expected all[] = {
      {conv1d({.channels = 4, .kernel = 3}), {8, 4}},
      {conv1d({.channels = 4, .kernel = 3, .stride = 3, .padding = Padding::kSame}), {4, 4}},
      {conv1d({.channels = 4, .kernel = 3, .dilation = 4}), {2, 4}},
      {conv1d({.channels = 4, .kernel = 2, .padding = Padding::kExplicit, .pad_left = 3, .pad_right = 1}),
       {13, 4}},
      {conv_transpose1d({.channels = 4, .kernel = 3}), {12, 4}},
      {conv_transpose1d({.channels = 4, .kernel = 2, .stride = 3, .padding = 1, .output_padding = 2}),
       {29, 4}},
      {max_pool1d({.kernel = 3}), {3, 6}},
      {avg_pool1d({.kernel = 4, .stride = 3}), {3, 6}},
      {global_avg_pool1d(), {1, 6}},
      {adaptive_avg_pool1d({.steps = 4}), {4, 6}},
      {adaptive_avg_pool1d({.steps = 23}), {23, 6}},
      {softmax(), {10, 6}},
      {flatten(), {1, 60}},
      {relu(), {10, 6}},
  };
  for (const Expected& e : all) {
    const HeapPlan plan(one_layer({10, 6}, e.node).model(), float32_recipe(), {});
    ASSERT_FALSE(plan.error) << int(plan.error.code);
    EXPECT_EQ(plan.layers[0].out, e.out);
  }
}

TEST(Planner, CountsParameters) {
  const HeapPlan plan(small_model().model(), int8_recipe(), {});
  EXPECT_EQ(plan.summary.parameters, 8 * 9 + 8 + 8 * 24 + 8 + 24 + 3);
  EXPECT_EQ(plan.summary.classes, 3);
}

/// Windows of several sizes: how many meet in a step and how large they are, by counting.
TEST(Planner, CountsWindowsOfAdaptivePools) {
  for (int32_t steps = 1; steps <= 13; ++steps)
    for (int32_t outputs = 1; outputs <= 17; ++outputs) {
      LayerPlan l;
      l.in = {steps, 1};
      l.node = adaptive_avg_pool1d({.steps = outputs});
      ASSERT_FALSE(infer_shape(l));
      std::vector<int32_t> meeting(static_cast<size_t>(steps)), sizes;
      for (int32_t i = 0; i < outputs; ++i) {
        const int32_t first = i * steps / outputs, end = ((i + 1) * steps + outputs - 1) / outputs;
        sizes.push_back(end - first);
        for (int32_t u = first; u < end; ++u) ++meeting[size_t(u)];
      }
      const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
      EXPECT_EQ(l.windows.least, *least) << steps << " to " << outputs;
      EXPECT_EQ(l.windows.most, *most) << steps << " to " << outputs;
      EXPECT_GE(l.windows.meeting, *std::max_element(meeting.begin(), meeting.end()))
          << steps << " to " << outputs;
      EXPECT_EQ(l.windows.meeting > 1, *std::max_element(meeting.begin(), meeting.end()) > 1)
          << steps << " to " << outputs;
      EXPECT_EQ(l.out.steps, outputs);
    }
}

/// The unit that they share is as fine as 2^-8 of the largest window's, while 30 bits hold its codes.
TEST(Planner, SharedUnitsOfWindowsFit) {
  const Windows w{.most = 3, .least = 2, .meeting = 2};
  EXPECT_EQ(average_divisor(w, 127), 3 << 8);
  EXPECT_EQ(spread_divisor(w, 127), 3 << 8);
  EXPECT_EQ(spread_terms(w, 3 << 8), 2 * 384);
  EXPECT_EQ(average_divisor({.most = 4, .least = 4, .meeting = 3}, 127), 4);  // an AvgPool's
  for (int32_t most : {2, 127, 128, 129, 300, 32768, 32769}) {
    const Windows wide{.most = most, .least = most - 1, .meeting = 1};
    const int32_t divisor = average_divisor(wide, 32767);
    const bool is_finest = divisor == most << 8 || int64_t(2) * divisor * 32767 >= kShareRoom;
    EXPECT_TRUE(is_finest) << most;
    EXPECT_TRUE(divisor == most || int64_t(divisor) * 32767 < kShareRoom) << most;
  }
}

TEST(Planner, GroupsOfTransposedConvolutionsDivideChannels) {
  const auto planned = [](int32_t groups) {
    return HeapPlan(
        one_layer({10, 6}, conv_transpose1d({.channels = 4, .kernel = 3, .groups = groups})).model(),
        int8_recipe(), {});
  };
  const HeapPlan plan = planned(2);
  ASSERT_FALSE(plan.error);
  EXPECT_EQ(plan.view().layers[0].weights, 6 * 3 * 2);
  EXPECT_EQ(plan.view().proofs[0].terms, 3 * 3);  // taps that meet, inputs of a group
  expect_error(planned(4).error, ErrorCode::kBadGroups, 0, 4, 6);
  expect_error(planned(3).error, ErrorCode::kBadGroups, 0, 3, 4);
  expect_error(planned(0).error, ErrorCode::kBadAttribute, 0, 0, 0);
}

constexpr auto kModel = make_model({16, 3}, conv1d({.channels = 8, .kernel = 3, .padding = Padding::kSame}),
                                   relu(), max_pool1d({.kernel = 2}), conv1d({.channels = 8, .kernel = 3}),
                                   relu(), global_avg_pool1d(), linear({.features = 3}));
constexpr PlanOptions kOptions = {.batch = 4, .micro_batch = 2};
constexpr auto kPlan = plan(kModel, int8_recipe(), kOptions).value;
static_assert(kPlan.summary.arena_bytes > 0 && kPlan.summary.arena_bytes < 8192);

TEST(Planner, ConstantExpressionEqualsRunTime) {
  const HeapPlan at_run_time(small_model().model(), int8_recipe(), kOptions);
  const PlanView a = kPlan.view(), b = at_run_time.view();
  EXPECT_EQ(a.summary.arena_bytes, b.summary.arena_bytes);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].offset, b.tensors[i].offset);
    EXPECT_EQ(a.tensors[i].bytes, b.tensors[i].bytes);
    EXPECT_EQ(a.tensors[i].role, b.tensors[i].role);
  }
  for (size_t i = 0; i < a.steps.size(); ++i) {
    EXPECT_EQ(a.steps[i].kind, b.steps[i].kind);
    EXPECT_EQ(a.steps[i].layer, b.steps[i].layer);
  }
}

}  // namespace
}  // namespace mantissa
