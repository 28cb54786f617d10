// Training with gradients that wait as codes: the same bits on every way of running it, nearly the float32 ones' losses, less memory.
#include <gtest/gtest.h>

#include "mantissa/engine/kernels_for.hpp"
#include "mantissa/kernels/host_targets.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "tests/same_run.hpp"

namespace mantissa {
namespace {

using namespace test;

Recipe with_gradients(Recipe r, Format weights, Format biases,
                      GradientAccumulation accumulation = GradientAccumulation::kRescale) {
  r.formats.gradient = weights;
  r.formats.bias_gradient = biases;
  r.gradient_accumulation = accumulation;
  return r;
}

std::vector<NamedRecipe> coded_recipes() {
  constexpr auto kFixed = GradientAccumulation::kFixed;
  const Recipe dynamic = sym12_recipe(), delayed = sym8_recipe(), wires = float32_recipe();
  Recipe wide = delayed;  // sums of 64 bits
  wide.formats.activation = wide.formats.error = wide.formats.weight = sym_format(16);
  return {{"sym8, sym8", with_gradients(delayed, sym_format(8), sym_format(8))},
          {"sym8, asym5 fixed", with_gradients(delayed, asym_format(5), asym_format(8), kFixed)},
          {"sym8, sym3 and float32", with_gradients(delayed, sym_format(3), float32_format())},
          {"sym8, float32 and asym6", with_gradients(delayed, float32_format(), asym_format(6))},
          {"sym16, sym12", with_gradients(wide, sym_format(12), sym_format(12))},
          {"sym12, sym8", with_gradients(dynamic, sym_format(8), sym_format(16))},
          {"sym12, asym8 fixed", with_gradients(dynamic, asym_format(8), float32_format(), kFixed)},
          {"float32, sym8", with_gradients(wires, sym_format(8), asym_format(8))},
          {"float32, asym6 fixed", with_gradients(wires, asym_format(6), sym_format(8), kFixed)}};
}

TEST(CodedGradients, BitsDependOnNeitherThreadsTilesNorKernels) {
  std::vector<NamedModel> models = odd_models();
  models.push_back(
      {"norm",
       {16, 3},
       {conv1d({.channels = 8, .kernel = 3}), layer_norm(), relu(), flatten(), linear({.features = 3})}});
  for (const NamedModel& m : models)
    for (const NamedRecipe& r : coded_recipes()) {
      const std::string what = m.name + ", " + r.name;
      const RunResult expected = train(m, r.recipe, {.micro_batch = 3});
      ASSERT_FALSE(expected.error) << what;
      expect_same(expected, train(m, r.recipe, {.micro_batch = 3, .tile_bytes = 64}), what + ", tiles");
      expect_same(expected, train(m, r.recipe, {.micro_batch = 3, .threads = 3, .kernels = &kernels_hwy}),
                  what + ", threads and vectors");
      expect_same(expected, train(m, r.recipe, {.micro_batch = 3, .kernels = &kernels_dsp}),
                  what + ", small");
      expect_same(expected, train(m, r.recipe, {.micro_batch = 3, .input = InputMemory::kStaged}),
                  what + ", staged");
    }
}

/// Wide enough for threads to be woken.
TEST(CodedGradients, ThreadsShareNoByte) {
  const NamedModel wide = {
      "wide",
      {64, 9},
      {conv1d({.channels = 33, .kernel = 5}), relu(), global_avg_pool1d(), linear({.features = 5})}};
  for (const int bits : {5, 8}) {
    const Recipe r = with_gradients(sym8_recipe(), sym_format(bits), sym_format(8));
    const RunResult one = train(wide, r, {.batch = 16, .micro_batch = 8});
    const RunResult three = train(wide, r, {.batch = 16, .micro_batch = 8, .threads = 3});
    EXPECT_GT(three.threaded_runs, 0);
    expect_same(one, three, std::to_string(bits) + " bits");
  }
}

TEST(CodedGradients, NothingIsStoredWhereTheMicroBatchIsTheBatch) {
  for (const NamedRecipe& r : coded_recipes()) {
    const Recipe plain = with_gradients(r.recipe, float32_format(), float32_format());
    expect_same(train(small_model(), plain, {}), train(small_model(), r.recipe, {}), r.name);
    EXPECT_NE(train(small_model(), plain, {.micro_batch = 2}).hash,
              train(small_model(), r.recipe, {.micro_batch = 2}).hash)
        << r.name;
  }
}

TEST(CodedGradients, TheLossFollowsThatOfFloatGradients) {
  RunOptions o = {.batch = 16, .micro_batch = 2, .batches = 60};
  o.settings.lr = 0.03f;
  for (const Recipe& base : {sym8_recipe(), sym12_recipe(), float32_recipe()}) {
    const auto last_losses = [&](const Recipe& r) {
      const RunResult result = train(small_model(), r, o);
      double sum = 0;
      for (size_t i = result.losses.size() - 10; i < result.losses.size(); ++i)
        sum += double(result.losses[i]);
      return sum / (10 * 16 * 0x1p24);
    };
    const double plain = last_losses(base);
    EXPECT_LT(plain, 0.5);
    for (const Format f : {sym_format(8), asym_format(8), sym_format(4)})
      for (const auto accumulation : {GradientAccumulation::kRescale, GradientAccumulation::kFixed})
        EXPECT_NEAR(last_losses(with_gradients(base, f, f, accumulation)), plain, 0.1)
            << int(f.kind) << " " << int(f.bits) << " " << int(accumulation);
  }
}

TEST(CodedGradients, WhatAFixedGridCutsIsCounted) {
  Recipe r = with_gradients(sym8_recipe(), sym_format(8), sym_format(8), GradientAccumulation::kFixed);
  const RunOptions o = {.batch = 12, .micro_batch = 1};
  r.margin = 0.125f;
  const uint64_t fixed = train(small_model(), r, o).saturated;
  r.gradient_accumulation = GradientAccumulation::kRescale;
  EXPECT_GT(fixed, train(small_model(), r, o).saturated + 100);
}

TEST(CodedGradients, ThePlanCountsCodesAndGrids) {
  const auto gradient_bytes = [](const Recipe& r, int32_t micro_batch) {
    const HeapPlan plan(small_model().model(), r, {.batch = 8, .micro_batch = micro_batch});
    EXPECT_FALSE(plan.error);
    uint32_t bytes = 0;
    for (const Tensor& t : plan.view().tensors)
      if (t.role == Role::kWeightGradient || t.role == Role::kBiasGradient || t.role == Role::kGradientScales)
        bytes += t.bytes;
    return bytes;
  };
  // Weights 8 x 9, 8 x 24 and 3 x 8; biases 8, 8 and 3.
  EXPECT_EQ(gradient_bytes(sym8_recipe(), 2), 4u * (72 + 192 + 24 + 19));
  EXPECT_EQ(gradient_bytes(with_gradients(sym8_recipe(), sym_format(4), float32_format()), 2),
            (72 + 192 + 24) / 2u + 8u * 19 + 4u * 19);
  EXPECT_EQ(gradient_bytes(with_gradients(sym8_recipe(), float32_format(), asym_format(3)), 2),
            4u * (72 + 192 + 24) + 3u + 3u + 2u + 3u * 8);
  EXPECT_EQ(gradient_bytes(with_gradients(sym8_recipe(), sym_format(4), sym_format(4)), 8),
            gradient_bytes(sym8_recipe(), 8));
}

}  // namespace
}  // namespace mantissa
