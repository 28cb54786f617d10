// plan(): shapes, refusals, proofs, and a memory map in which no two living tensors meet.
#include "mantissa/model/planner.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

Error plan_error(const NamedModel& m, const Recipe& recipe = float32_recipe(),
                 const PlanOptions& options = {}) {
  return HeapPlan(m.model(), recipe, options).error;
}

NamedModel one_layer(Shape input, Node node) {
  return {"", input, {node, global_avg_pool1d(), linear({.features = 2})}};
}

void expect_error(const Error& e, ErrorCode code, int16_t layer, int64_t found, int64_t limit = 0) {
  EXPECT_EQ(int(e.code), int(code));
  EXPECT_EQ(e.layer, layer);
  EXPECT_EQ(e.found, found);
  EXPECT_EQ(e.limit, limit);
}

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

TEST(Planner, RefusesModels) {
  expect_error(plan_error({"", {4, 1}, {}}), ErrorCode::kNoLayers, -1, 0);
  expect_error(plan_error({"", {0, 1}, {relu()}}), ErrorCode::kBadShape, -1, 1);
  expect_error(plan_error(one_layer({10, 6}, linear({.features = 2}))), ErrorCode::kBadShape, 0, 10, 1);
  expect_error(plan_error(one_layer({10, 6}, conv1d({.channels = 0}))), ErrorCode::kBadAttribute, 0, 0);
  expect_error(plan_error(one_layer({10, 6}, conv1d({.channels = 2, .stride = -1}))),
               ErrorCode::kBadAttribute, 0, -1);
  expect_error(
      plan_error(one_layer({10, 6}, conv1d({.channels = 2, .padding = Padding::kExplicit, .pad_left = -2}))),
      ErrorCode::kBadAttribute, 0, -2);
  expect_error(plan_error(one_layer({10, 6}, conv1d({.channels = 2, .kernel = 4, .dilation = 4}))),
               ErrorCode::kWindowTooLarge, 0, 13, 10);
  expect_error(plan_error(one_layer({10, 6}, max_pool1d({.kernel = 11}))), ErrorCode::kWindowTooLarge, 0, 11,
               10);
  expect_error(plan_error(one_layer({10, 6}, conv1d({.channels = 2, .groups = 4}))), ErrorCode::kBadGroups, 0,
               4, 6);
  expect_error(plan_error(one_layer({10, 6}, conv1d({.channels = 4, .groups = 3}))), ErrorCode::kBadGroups, 0,
               3, 4);
  for (const float slope : {-0.1f, 1.5f, std::numeric_limits<float>::quiet_NaN()})
    expect_error(plan_error(one_layer({1, 6}, leaky_relu({.slope = slope}))), ErrorCode::kUnsupported, 0, 0);
  for (const float p : {-0.1f, 1.0f, 0.999999f, std::numeric_limits<float>::quiet_NaN()})
    expect_error(plan_error(one_layer({1, 6}, dropout({.p = p}))), ErrorCode::kUnsupported, 0, 0);
  expect_error(plan_error({"", {1, 6}, {linear({.features = 3}), sigmoid()}}), ErrorCode::kUnsupported, 1, 0);
  const Node out = linear({.features = 2});
  const auto loss_error = [&](Loss loss, const LossSettings& settings) {
    return plan_error({"", {1, 6}, {out}, loss, settings});
  };
  static constexpr float kThree[] = {1, 1, 1}, kNone[] = {0, 0}, kNegative[] = {1, -1}, kTwo[] = {0, 2};
  expect_error(loss_error(Loss::kCrossEntropy, {.class_weights = kThree}), ErrorCode::kUnsupported, -1, 3, 2);
  for (const LossSettings& s :
       {LossSettings{.class_weights = kNone}, LossSettings{.class_weights = kNegative},
        LossSettings{.smoothing = -0.1f}, LossSettings{.smoothing = 1.1f}, LossSettings{.delta = 0.0f}})
    expect_error(loss_error(Loss::kCrossEntropy, s), ErrorCode::kUnsupported, -1, 0);
  expect_error(loss_error(Loss::kMse, {.smoothing = 0.1f}), ErrorCode::kUnsupported, -1, 0);
  expect_error(loss_error(Loss::kL1, {.class_weights = kTwo}), ErrorCode::kUnsupported, -1, 0);
  EXPECT_FALSE(loss_error(Loss::kCrossEntropy, {.smoothing = 1.0f, .class_weights = kTwo}));
  expect_error(plan_error({"", {10, 6}, {conv1d({.channels = 2})}}), ErrorCode::kNotAClassifier, 0, 10);
  EXPECT_FALSE(plan_error({"", {10, 6}, {conv1d({.channels = 2})}, Loss::kMse}));
  expect_error(
      plan_error(one_layer({10, 6}, conv_transpose1d({.channels = 2, .kernel = 2, .output_padding = 1}))),
      ErrorCode::kBadAttribute, 0, 1);
  expect_error(plan_error(one_layer({10, 6}, conv_transpose1d({.channels = 2, .kernel = 3, .padding = 6}))),
               ErrorCode::kBadAttribute, 0, 6);
  expect_error(plan_error(one_layer({10, 6}, conv_transpose1d({.channels = 2, .kernel = 3, .padding = -1}))),
               ErrorCode::kBadAttribute, 0, -1);
  for (Node last : {relu(), max_pool1d({.kernel = 10})}) {
    const Error e = plan_error({"", {10, 6}, {conv1d({.channels = 2}), last}});
    expect_error(e, ErrorCode::kUnsupported, 1, 0);
    EXPECT_EQ(e.detail, Detail::kLossNeedsLogits);
  }
}

TEST(Planner, RefusesOptionsAndSmallArrays) {
  const NamedModel m = small_model();
  expect_error(plan_error(m, {}, {.batch = 0}), ErrorCode::kBadBatch, -1, 0);
  expect_error(plan_error(m, {}, {.batch = 4, .micro_batch = 5}), ErrorCode::kBadBatch, -1, 5, 4);
  expect_error(plan_error(m, {}, {.batch = 4, .micro_batch = 0}), ErrorCode::kBadBatch, -1, 0, 4);
  LayerPlan layers[7];
  Tensor tensors[max_tensors(7)];
  Step steps[max_steps(7)];
  Proof proofs[max_proofs(7)];
  int16_t order[max_tensors(7)];
  const auto plan_with = [&](size_t layer_count, size_t order_count) {
    return plan_into(m.model(), float32_recipe(), {},
                     {std::span(layers).first(layer_count), tensors, steps, proofs},
                     std::span(order).first(order_count))
        .error;
  };
  expect_error(plan_with(6, max_tensors(7)), ErrorCode::kTooManyLayers, -1, 7, 6);
  EXPECT_EQ(plan_with(7, 3).code, ErrorCode::kCapacity);
  EXPECT_FALSE(plan_with(7, max_tensors(7)));
}

void expect_refused(Recipe recipe, ErrorCode code, Detail detail) {
  const Error e = plan_error(small_model(), recipe);
  EXPECT_EQ(int(e.code), int(code));
  EXPECT_EQ(int(e.detail), int(detail));
  EXPECT_EQ(e.layer, 0);
}

TEST(Planner, RefusesRecipes) {
  Recipe r = int8_recipe();
  r.formats.weight = sym_format(17);
  expect_refused(r, ErrorCode::kBadBits, Detail::kNone);
  r.formats.weight = sym_format(1);
  expect_refused(r, ErrorCode::kBadBits, Detail::kNone);
  for (Format LayerFormats::*stored : {&LayerFormats::activation, &LayerFormats::error, &LayerFormats::weight,
                                       &LayerFormats::parameter, &LayerFormats::momentum}) {
    r = int8_recipe();
    r.formats.*stored = sym_int32_format();
    expect_refused(r, ErrorCode::kBadRecipe, Detail::kStoredSymInt32);
  }
  r = int8_recipe();
  r.formats.error = float32_format();
  expect_refused(r, ErrorCode::kBadRecipe, Detail::kFloatWireMix);
  r = float32_recipe();
  r.formats.parameter = sym_format(16);
  expect_refused(r, ErrorCode::kBadRecipe, Detail::kFloatWireMix);
  r = sym8_recipe();
  r.formats.parameter = sym_format(6);
  expect_refused(r, ErrorCode::kBadRecipe, Detail::kWeightWiderThanParameter);
  r = int8_recipe();
  r.formats.momentum = sym_format(12);
  expect_refused(r, ErrorCode::kBadRecipe, Detail::kIntegerNeedsSym);
  r = int8_recipe();
  r.scaling = Scaling::kDynamic;
  expect_refused(r, ErrorCode::kBadRecipe, Detail::kExactNeedsConstant);
  r = sym8_recipe();
  r.formats.gradient = bfp_format(8);
  expect_refused(r, ErrorCode::kUnsupported, Detail::kGradientFormat);
  r.formats.gradient = sym_format(8, kPerChannel);
  expect_refused(r, ErrorCode::kUnsupported, Detail::kGradientFormat);
  r.formats.gradient = asym_format(17);
  expect_refused(r, ErrorCode::kBadBits, Detail::kNone);
  for (Format LayerFormats::*one : {&LayerFormats::gradient, &LayerFormats::bias_gradient}) {
    r = int8_recipe();
    r.formats.*one = sym_format(8);
    expect_refused(r, ErrorCode::kBadRecipe, Detail::kExactTogether);
  }
}

TEST(Planner, RefusesGroupsThatDoNotFitWires) {
  const auto plan = [](std::vector<Node> nodes, const Recipe& recipe) {
    return HeapPlan(Model{{6, 4}, nodes}, recipe, {}).error;
  };
  const auto expect = [](const Error& e, ErrorCode code, Detail detail, int layer, int64_t found,
                         int64_t limit) {
    EXPECT_EQ(e.code, code);
    EXPECT_EQ(e.detail, detail);
    EXPECT_EQ(e.layer, layer);
    EXPECT_EQ(e.found, found);
    EXPECT_EQ(e.limit, limit);
  };
  const Node conv = conv1d({.channels = 4, .kernel = 3}), out = linear({.features = 3});
  Recipe r = int8_recipe();
  r.formats.activation = sym_format(8, kPerChannel);
  expect(plan({conv, flatten(), out}, r), ErrorCode::kUnsupported, Detail::kWireChannels, 0, 0, 0);
  r.formats.activation = bfp_format(8, 5);
  expect(plan({conv, flatten(), out}, r), ErrorCode::kBadGroupSize, Detail::kNone, 0, 5, 16);
  r = int8_recipe();
  r.formats.parameter = bfp_format(8, 7);
  expect(plan({conv, flatten(), out}, r), ErrorCode::kBadGroupSize, Detail::kNone, 0, 7, 48);
  r = int8_recipe();
  r.formats.weight = asym_format(8);
  expect(plan({conv, flatten(), out}, r), ErrorCode::kUnsupported, Detail::kFormat, 0,
         int64_t(FormatKind::kAsym), 0);
  r = int8_recipe();
  r.formats.error = sym_format(8, 8);
  expect(plan({conv, layer_norm(), flatten(), out}, r), ErrorCode::kUnsupported, Detail::kNormErrorGroups, 1,
         8, 4);
  r = sym12_recipe();
  r.formats.error = asym_format(8);
  expect(plan({conv, layer_norm(), flatten(), out}, r), ErrorCode::kUnsupported, Detail::kNormErrorGroups, 1,
         0, 4);
}

TEST(Planner, RefusesSettingsThatContradict) {
  const auto detail = [](const WireSetting& setting) {
    const std::vector<Node> nodes = {quantize({setting, {}}), linear({.features = 3})};
    return HeapPlan(Model{{1, 8}, nodes}, int8_recipe(), {}).error.detail;
  };
  constexpr FormatKind kAsym = FormatKind::kAsym;
  EXPECT_EQ(detail({.bits = 8, .kind = kAsym, .scale = 0.1f, .zero_point = -128}), Detail::kNone);
  EXPECT_EQ(detail({.bits = 8, .kind = kAsym, .scale = 0.1f, .zero_point = 128}), Detail::kFixedScale);
  EXPECT_EQ(detail({.bits = 8, .kind = kAsym, .zero_point = 3}), Detail::kFixedScale);
  EXPECT_EQ(detail({.bits = 8, .scale = 0.1f, .zero_point = 3}), Detail::kFixedScale);
  EXPECT_EQ(detail({.bits = 8, .group = 4, .scale = 0.1f}), Detail::kGroupScale);
  EXPECT_EQ(detail({.bits = 8, .group = 4, .scaling = Scaling::kDelayed}), Detail::kGroupScale);
  EXPECT_EQ(detail({.bits = 8, .group = 4, .scaling = Scaling::kDynamic}), Detail::kNone);
}

/// A Linear of `terms` inputs; its forward proof, or the refusal.
HeapPlan linear_plan(int32_t terms, int bits, Bias bias, Accumulation accumulation) {
  Recipe r = sym12_recipe();
  r.formats.activation = r.formats.error = r.formats.weight = sym_format(bits);
  r.accumulation = accumulation;
  const NamedModel m = {"", {1, terms}, {linear({.features = 2, .bias = bias})}};
  return HeapPlan(m.model(), r, {.mode = PlanMode::kInfer});
}

TEST(Planner, ProvesTheWidthOfSums) {
  struct Expected {
    int bits;
    Bias bias;
    int64_t largest;  // number of terms that 32 bits hold
  };
  constexpr int64_t kRoom = INT32_MAX - (1 << 24);
  for (const Expected& e : {Expected{12, Bias::kNone, 512},
                            {12, Bias::kPerOutput, kRoom / (2047 * 2047)},
                            {8, Bias::kNone, 133144},
                            {8, Bias::kPerOutput, kRoom / (127 * 127)}}) {
    const HeapPlan fits = linear_plan(int32_t(e.largest), e.bits, e.bias, Accumulation::kInt32);
    ASSERT_FALSE(fits.error);
    EXPECT_EQ(fits.proofs[0].bits, 32);
    EXPECT_LE(fits.proofs[0].worst, INT32_MAX);
    const HeapPlan folds = linear_plan(int32_t(e.largest) + 1, e.bits, e.bias, Accumulation::kAuto);
    ASSERT_FALSE(folds.error);
    EXPECT_EQ(folds.proofs[0].bits, 64);
    EXPECT_GT(folds.proofs[0].worst, INT32_MAX);
    const int64_t term = int64_t(folds.proofs[0].a_max) * folds.proofs[0].b_max;
    EXPECT_LE(folds.proofs[0].block_terms * term, INT32_MAX);
    EXPECT_GT((folds.proofs[0].block_terms + 1) * term, INT32_MAX);
    const HeapPlan refused = linear_plan(int32_t(e.largest) + 1, e.bits, e.bias, Accumulation::kInt32);
    expect_error(refused.error, ErrorCode::kUnprovable, 0, e.largest + 1, e.largest);
  }
}

/// Two products of the largest 16-bit codes leave 131,069 for what else is added.
/// Windows that are added meet in some steps more often than in others: as many as are found by counting.
TEST(Planner, ProvesTransposedConvolutionsByTheTapsThatMeet) {
  for (int32_t kernel = 1; kernel <= 7; ++kernel)
    for (int32_t stride = 1; stride <= 5; ++stride) {
      const HeapPlan plan(
          one_layer({10, 6}, conv_transpose1d({.channels = 2, .kernel = kernel, .stride = stride})).model(),
          int8_recipe(), {.batch = 4});
      ASSERT_FALSE(plan.error);
      std::vector<int32_t> taps(size_t(9 * stride + kernel));
      for (int32_t t = 0; t < 10; ++t)
        for (int32_t k = 0; k < kernel; ++k) ++taps[size_t(t * stride + k)];
      const auto terms = [&](Reduction reduction) {
        for (const Proof& p : plan.view().proofs)
          if (p.layer == 0 && p.reduction == reduction) return p.terms;
        return -1;
      };
      EXPECT_EQ(terms(Reduction::kForward), 6 * *std::max_element(taps.begin(), taps.end()));
      EXPECT_EQ(terms(Reduction::kGradient), 4 * 10);
      EXPECT_EQ(terms(Reduction::kBiasGradient), 4 * int32_t(taps.size()));
    }
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

TEST(Planner, RefusesAdaptivePoolsWithoutAPlaceForTheirWindows) {
  for (int32_t steps : {0, -3, 1 << 25})
    expect_error(plan_error(one_layer({10, 6}, adaptive_avg_pool1d({.steps = steps}))),
                 ErrorCode::kBadAttribute, 0, steps);
  expect_error(plan_error(one_layer({1 << 17, 1}, adaptive_avg_pool1d({.steps = 1 << 14}))),
               ErrorCode::kBadAttribute, 0, 1 << 14);
  EXPECT_FALSE(plan_error(one_layer({1 << 16, 1}, adaptive_avg_pool1d({.steps = 1 << 14}))));
  expect_error(plan_error(one_layer(image_shape(4, 4, 1), adaptive_avg_pool2d({.size = {0, 2}}))),
               ErrorCode::kBadAttribute, 0, 0);
  EXPECT_EQ(plan_error(one_layer({16, 1}, adaptive_avg_pool2d({}))).detail, Detail::kNeedsImage);
  EXPECT_EQ(plan_error(one_layer(image_shape(4, 4, 1), adaptive_avg_pool1d({}))).detail,
            Detail::kNeedsSignal);
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

TEST(Planner, RefusesSharesThatDoNotFit) {
  Recipe wide = int8_recipe();
  wide.formats.activation = sym_format(16);
  const auto planned = [&](int32_t steps) {
    const NamedModel m = {
        "", {steps, 1}, {adaptive_avg_pool1d({.steps = 3}), flatten(), linear({.features = 2})}};
    return HeapPlan(m.model(), wide, {}).error;
  };
  EXPECT_FALSE(planned(3 * 32767 + 2));  // windows of 32768 and 32769 steps
  expect_error(planned(3 * 32768 + 2), ErrorCode::kUnprovable, 0, 32770, 32769);
}

/// Proofs of what windows and probabilities come to, counted by hand.
TEST(Planner, ProvesSharesAndSoftmax) {
  const NamedModel m = {"",
                        {5, 3},
                        {conv1d({.channels = 7}), adaptive_avg_pool1d({.steps = 3}), softmax(), flatten(),
                         linear({.features = 2})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 2});
  ASSERT_FALSE(plan.error);
  std::vector<int32_t> shares, softmaxes;
  for (const Proof& p : plan.view().proofs) {
    if (p.reduction == Reduction::kWindowShare) shares.push_back(p.terms);
    if (p.reduction == Reduction::kSoftmax) softmaxes.push_back(p.terms);
  }
  EXPECT_EQ(shares,
            (std::vector<int32_t>{3 << 8, 2 * (3 << 7)}));  // windows of 2 and 3 steps, two of which meet
  EXPECT_EQ(softmaxes, std::vector<int32_t>{2 * 127 + 4});
}

TEST(Planner, OnlyLossesThatCompareReadCodes) {
  NamedModel m = {"", {1, 4}, {linear({.features = 3}), softmax()}};
  for (const Node& last : {softmax(), sigmoid(), mantissa::tanh()}) {
    m.nodes[1] = last;
    for (Loss loss : {Loss::kMse, Loss::kL1, Loss::kHuber}) {
      m.loss = loss;
      EXPECT_FALSE(HeapPlan(m.model(), int8_recipe(), {}).error);
    }
    for (Loss loss : {Loss::kCrossEntropy, Loss::kBce}) {
      m.loss = loss;
      EXPECT_EQ(HeapPlan(m.model(), int8_recipe(), {}).error.detail, Detail::kLossNeedsLogits);
    }
  }
  m.nodes[1] = leaky_relu();
  EXPECT_EQ(HeapPlan(m.model(), int8_recipe(), {}).error.detail, Detail::kLossNeedsLogits);
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

TEST(Proof, TheLargestSumIsTheLastThatFits32Bits) {
  constexpr int64_t kLeft = INT32_MAX - int64_t(2) * 32767 * 32767;
  for (const int64_t extra : {kLeft - 1, kLeft, kLeft + 1}) {
    Proof proof{.terms = 2, .a_max = 32767, .b_max = 32767, .extra = extra};
    ProductPlan product;
    ASSERT_FALSE(prove_sum(proof, Accumulation::kAuto, product));
    EXPECT_EQ(proof.worst, INT32_MAX + (extra - kLeft));
    EXPECT_EQ(product.accumulator, extra <= kLeft ? Element::kInt32 : Element::kInt64) << extra;
    EXPECT_EQ(bool(prove_sum(proof, Accumulation::kInt32, product)), extra > kLeft) << extra;
  }
}

TEST(Planner, ProvesGradientsOfTheWholeBatch) {
  const NamedModel m = {
      "", {100, 3}, {conv1d({.channels = 4, .kernel = 3}), global_avg_pool1d(), linear({.features = 2})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 64});
  for (const Proof& p : plan.view().proofs) {
    EXPECT_EQ(p.worst, int64_t(p.a_max) * p.b_max * p.terms + p.extra);
    if (p.layer == 0 && p.reduction == Reduction::kGradient) {
      EXPECT_EQ(p.terms, 98 * 64);
    }
  }
}

/// Terms and operands of each reduction, counted by hand.
TEST(Planner, ProvesEachReductionWithItsOwnTerms) {
  const NamedModel m = {
      "",
      {20, 4},
      {conv1d({.channels = 4, .kernel = 3, .groups = 2}), layer_norm(),
       avg_pool1d({.kernel = 5, .stride = 2}), conv1d({.channels = 6, .kernel = 3, .groups = 2}), flatten(),
       linear({.features = 3})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 2});
  ASSERT_FALSE(plan.error);
  struct Expected {
    Reduction reduction;
    int layer;
    int32_t terms, a_max;
  };
  for (const Expected& e : {Expected{Reduction::kForward, 3, 3 * 2, 127},  // taps, channels of a group
                            {Reduction::kBackward, 3, 3 * 3, 127},         // taps, outputs of a group
                            {Reduction::kGradient, 3, 2 * 5, 127},         // samples, steps
                            {Reduction::kPool, 2, 5, 127},                 // a window
                            {Reduction::kNorm, 1, 4, 2 * 127}}) {          // channels; a code less the mean
    bool found = false;
    for (const Proof& p : plan.view().proofs) {
      if (p.reduction != e.reduction || p.layer != e.layer || found) continue;
      found = true;
      EXPECT_EQ(p.terms, e.terms) << int(e.reduction);
      EXPECT_EQ(p.a_max, e.a_max) << int(e.reduction);
    }
    EXPECT_TRUE(found) << int(e.reduction);
  }
  // A bias has what the largest sum leaves of 32 bits; the upper byte of a weight may be -128.
  EXPECT_EQ(plan.view().layers[3].bias_limit, INT32_MAX - 6 * 127 * 128);
}

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

/// Forward and backward, for the largest codes.
TEST(Planner, SharesOfWindowsAreProvedForTheLargestCode) {
  const std::vector<Node> nodes = {conv1d({.channels = 4}), adaptive_avg_pool1d({.steps = 7}), flatten(),
                                   linear({.features = 2})};
  const HeapPlan plan({{17, 3}, nodes}, int8_recipe(), {});
  int32_t found = 0;
  for (const Proof& p : plan.view().proofs) {
    if (p.reduction != Reduction::kWindowShare) continue;
    ++found;
    EXPECT_EQ(p.a_max, 127);
  }
  EXPECT_EQ(found, 2);
}

}  // namespace
}  // namespace mantissa
