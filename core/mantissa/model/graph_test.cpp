#include "mantissa/model/graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/models.hpp"
#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

const Node kSame = conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame});
const Node kOut = linear({.features = 3});

Error refusal(const std::vector<Node>& nodes, Shape input = {16, 6}) {
  return HeapPlan({input, nodes}, int8_recipe(), {}).error;
}

void expect_refused(const std::vector<Node>& nodes, Detail detail, int32_t layer, int64_t found = 0,
                    int64_t limit = 0) {
  const Error e = refusal(nodes);
  EXPECT_EQ(e.code, ErrorCode::kUnsupported);
  EXPECT_EQ(e.detail, detail);
  EXPECT_EQ(e.layer, layer);
  EXPECT_EQ(e.found, found);
  EXPECT_EQ(e.limit, limit);
}

TEST(Graph, LayersReadEarlierOnes) {
  expect_refused({kSame, kSame.after(1), global_avg_pool1d(), kOut}, Detail::kNotEarlier, 1, 1);
  expect_refused({kSame, add({.with = 2}), global_avg_pool1d(), kOut}, Detail::kNotEarlier, 1, 2);
  expect_refused({kSame.after(-3), global_avg_pool1d(), kOut}, Detail::kNotEarlier, 0, -3);
  EXPECT_FALSE(refusal({kSame, add({.with = 0}), global_avg_pool1d(), kOut}));
}

TEST(Graph, EverythingIsRead) {
  expect_refused({kSame, kSame, kSame.after(0), global_avg_pool1d(), kOut}, Detail::kUnread, 1);
  EXPECT_FALSE(refusal({kSame.after(kModelInput), global_avg_pool1d(), kOut}));
}

TEST(Graph, InputsFitEachOther) {
  const Node pool = max_pool1d({.kernel = 2});
  expect_refused({kSame, pool, add({.with = 0}), global_avg_pool1d(), kOut}, Detail::kJoinSteps, 2, 16, 8);
  expect_refused({kSame, pool, concat({.with = 0}), global_avg_pool1d(), kOut}, Detail::kJoinSteps, 2, 16, 8);
  const Node narrow = conv1d({.channels = 4, .kernel = 1});
  expect_refused({kSame, narrow, add({.with = 0}), global_avg_pool1d(), kOut}, Detail::kAddChannels, 2, 6, 4);
  EXPECT_FALSE(refusal({kSame, narrow, concat({.with = 0}), global_avg_pool1d(), kOut}));
  EXPECT_EQ(refusal({conv2d({.channels = 6}), flatten(), linear({.features = 6}), add({.with = kModelInput}),
                     global_avg_pool1d(), kOut},
                    image_shape(1, 1, 6))
                .detail,
            Detail::kJoinWidth);
}

TEST(Graph, SumsThatArePassedOnHaveOneReader) {
  const Node sums = conv1d({.channels = 6, .kernel = 1, .output = Output::kAccumulator});
  expect_refused({sums, quantize({}), add({.with = 0}), global_avg_pool1d(), kOut}, Detail::kRawAccumulator,
                 0, 1);
  EXPECT_FALSE(refusal({sums, relu(), quantize({}), add({.with = kModelInput}), global_avg_pool1d(), kOut}));
}

int count(const HeapPlan& plan, StepKind kind, int32_t layer) {
  const PlanView view = plan.view();
  return int(
      std::ranges::count_if(view.steps, [&](const Step& s) { return s.kind == kind && s.layer == layer; }));
}

const std::vector<Node> kTwice = {kSame, kSame, add({.with = 0}), relu(), global_avg_pool1d(), kOut};

TEST(Graph, AddPassesItsErrorOnWhereItLies) {
  const HeapPlan plan({{16, 6}, kTwice}, int8_recipe(), {});
  EXPECT_EQ(count(plan, StepKind::kBackward, 2), 0);
  EXPECT_EQ(plan.layers[2].dx.tensor, plan.layers[2].dy.tensor);
  EXPECT_EQ(plan.layers[2].dz.tensor, plan.layers[2].dy.tensor);
  EXPECT_TRUE(plan.layers[3].fused);
  EXPECT_EQ(count(plan, StepKind::kSumErrors, 0), 1);
  EXPECT_EQ(count(plan, StepKind::kSumErrors, 1), 0);
}

/// 2 * 127 * 2^14 fits in 31 bits; 16-bit codes of five readers need more.
TEST(Graph, UnitsAreAsFineAsSumsAllow) {
  const HeapPlan plan({{16, 6}, kTwice}, int8_recipe(), {});
  EXPECT_EQ(plan.layers[2].forward.unit_bits, 14);
  Recipe wide = int8_recipe();
  wide.formats.activation = wide.formats.error = wide.formats.weight = sym_format(16);
  std::vector<Node> nodes = {kSame};
  for (int i = 0; i < 4; ++i) {
    nodes.push_back(kSame.after(0));
    nodes.push_back(add({.with = 0}));
    if (i > 0) nodes.push_back(add({.with = int32_t(nodes.size()) - 3}));
  }
  nodes.push_back(global_avg_pool1d());
  nodes.push_back(kOut);
  const HeapPlan crowded({{16, 6}, nodes}, wide, {});
  EXPECT_EQ(crowded.layers[0].error_sum.unit_bits, 13);  // 8 errors: 8 * 32767 * 2^13 < 2^31 - 1
  for (const Proof& p : crowded.view().proofs)
    if (p.reduction == Reduction::kJoin) {
      EXPECT_LE(p.worst, INT32_MAX);
    }
}

TEST(Graph, WhatOthersReadStaysAsItIs) {
  const std::vector<Node> nodes = {max_pool1d({.kernel = 2}), relu(), dropout().after(0), add({.with = 1}),
                                   global_avg_pool1d(),       kOut};
  const HeapPlan plan({{16, 6}, nodes}, int8_recipe(), {});
  EXPECT_NE(plan.layers[1].y.tensor, plan.layers[0].y.tensor);
  EXPECT_NE(plan.layers[2].y.tensor, plan.layers[0].y.tensor);
  const std::vector<Node> alone = {max_pool1d({.kernel = 2}), relu(), dropout(), global_avg_pool1d(), kOut};
  const HeapPlan chain({{16, 6}, alone}, int8_recipe(), {});
  EXPECT_EQ(chain.layers[2].y.tensor, chain.layers[0].y.tensor);
}

}  // namespace
}  // namespace mantissa
