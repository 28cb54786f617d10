#include "host/report/check_text.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/model/recipe_file.hpp"
#include "host/refusal_check.hpp"
#include "host/train/host_plan.hpp"

namespace mantissa::host {
namespace {

Description vector_model(int inputs, const std::string& layers) {
  return parse_description(fmt::format("name = \"model\"\n[input]\nchannels = {}\n{}", inputs, layers),
                           "model.toml");
}

const std::string kChain = R"(
[[layer]]
type = "linear"
features = 16
output = "accumulator"
[[layer]]
type = "relu"
[[layer]]
type = "quantize"
bits = 6
error_bits = 10
[[layer]]
type = "layer_norm"
[[layer]]
type = "linear"
features = 4
)";

std::string text_of(const Description& d, const NamedRecipe& recipe, const PlanOptions& options) {
  return check_text(HostPlan(d, recipe, options).view(), d, recipe.name);
}

void expect_parts(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

/// Numbers by hand: 12 products of 127 and 128, and 2^24 for the bias; 2 (1 + 4) 16 * 511 * 128 for the errors of LayerNorm.
TEST(CheckText, ShowsSumsRoundingsAndConversions) {
  const Description d = vector_model(12, kChain);
  expect_parts(
      text_of(d, find_recipe("int8", d), {.batch = 8}),
      {"linear1      forward             12      127      128  16,972,288      32 bits",
       "layer_norm1  norm, squares       16      496       31     246,016      64 bits             45",
       "norm, backward      16      127      128   2,600,960      64 bits",
       "forward   input                                  float32",
       "forward   linear1 output                         26-bit sums in int32          sym6   half_away",
       "forward   layer_norm1 normalized", "fixed at 2^-13",
       "backward  error of the loss                      probabilities                 sym8   half_up",
       "update    linear1 weights and biases             32-bit sums, 2^-16 of a code  sym16  stochastic",
       "relu1                 sums of linear1", "fused: done on the sums, before they are rounded",
       "quantize1             sums of linear1", "fused: the sums are rounded into it, once",
       "linear1 weights       sym16            sym8 codes",
       "nothing: products read the upper bytes where they lie",
       "proved: nothing overflows; 13 sums, bits to spare in the tightest: "});
}

TEST(CheckText, AQuantizeByItselfIsOneMoreRounding) {
  const Description d = vector_model(6, R"(
[[layer]]
type = "linear"
features = 8
[[layer]]
type = "quantize"
bits = 12
error_bits = 7
[[layer]]
type = "quantize"
bits = 5
error_bits = 9
scale = 0.25
[[layer]]
type = "linear"
features = 3
)");
  expect_parts(text_of(d, find_recipe("sym12", d), {.batch = 2}),
               {"forward   quantize2 output", "sym12                 sym5     half_away  fixed at 0.25",
                "backward  quantize1 error to the layer before  sym9                  sym7",
                "quantize2            sym12            sym5", "a step of its own: one more rounding",
                "linear2              sym5 x sym12", "products of int8 and int16 are summed as they are",
                "each sample's sums are added"});
}

/// 16 bits allow 2 terms in 32 bits: 2 * 32767 * 32767 < 2^31.
TEST(CheckText, LongSumsOf16BitsAreFolded) {
  const Description d = vector_model(4096, "[[layer]]\ntype = \"linear\"\nfeatures = 3\n");
  const NamedRecipe recipe = parse_recipe(
      "name = \"wide\"\nbase = \"sym12\"\nactivation = \"sym16\"\nerror = \"sym16\"\nweight = \"sym16\"\n",
      "r", d);
  expect_parts(
      text_of(d, recipe, {.batch = 4}),
      {"linear1  forward          4,096   32,767   32,767", "64 bits", "32 bits for 2 terms at a time",
       "proved: nothing overflows; 3 sums, 1 of them folded into 64 bits",
       "linear1 logits              43-bit sums in int64  int32    half_up    2^12 of the sums",
       "bits are dropped, to fit int32"});
}

TEST(CheckText, FloatsNeedNoProof) {
  const Description d = vector_model(12, kChain);
  const std::string text = text_of(d, find_recipe("float32", d), {.batch = 8});
  expect_parts(text, {"None are needed", "Every float32 operation rounds, half to even",
                      "None: all are float32", "proved: nothing overflows"});
}

TEST(CheckText, JsonHasTheSame) {
  const Description d = vector_model(12, kChain);
  const NamedRecipe recipe = find_recipe("int8", d);
  const HostPlan plan(d, recipe, {.batch = 8});
  const auto j = nlohmann::json::parse(check_json(plan.view(), d, recipe.name));
  EXPECT_EQ(j["proved"], true);
  EXPECT_EQ(j["sums"].size(), plan.view().proofs.size());
  EXPECT_EQ(j["sums"][0]["worst_case"], 16972288);
  EXPECT_EQ(j["sums"][0]["spare_bits"], 6);
  EXPECT_EQ(j["roundings"][0]["where"], "input");
  EXPECT_EQ(j["meetings"][0]["inserted"], "one rounding, as samples enter");
}

std::string refusal_of(const Description& d, const NamedRecipe& recipe) {
  return test::error_of([&] { HostPlan(d, recipe, {.batch = 4}); });
}

TEST(CheckText, WhatCannotBeProvedNamesLayerWidthsAndTheLargestSum) {
  const Description d = vector_model(4096, "[[layer]]\ntype = \"linear\"\nfeatures = 3\n");
  const NamedRecipe recipe =
      parse_recipe("name = \"narrow\"\nbase = \"sym12\"\naccumulation = \"int32\"\n", "r", d);
  expect_parts(
      refusal_of(d, recipe),
      {"layer 1 'linear1' (linear)", "a sum of 4096 products of 12-bit and 12-bit codes may overflow 32 bits",
       "at most 508 are proved to fit"});
}

TEST(CheckText, ARawAccumulatorIsReadByQuantizeOnly) {
  std::string raw = kChain;
  raw.erase(raw.find("[[layer]]\ntype = \"quantize\""),
            raw.find("[[layer]]\ntype = \"layer_norm\"") - raw.find("[[layer]]\ntype = \"quantize\""));
  const Description d = vector_model(12, raw);
  expect_parts(refusal_of(d, find_recipe("int8", d)),
               {"layer 1 'linear1' (linear)", "which only a quantize can read; put one behind it"});
}

}  // namespace
}  // namespace mantissa::host
