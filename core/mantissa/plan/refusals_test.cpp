// plan() refuses models, options and recipes with the layer, what was found and what fits.
#include <gtest/gtest.h>

#include <limits>

#include "tests/plan_check.hpp"

namespace mantissa {
namespace {

using namespace test;

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

}  // namespace
}  // namespace mantissa
