#include "host/model/recipe_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

Description two_layers() {
  return parse_description(
      "name = 'two'\n[input]\nsteps = 8\nchannels = 2\n[[layer]]\ntype = 'conv1d'\nchannels = 3\nkernel = 3\n"
      "[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'linear'\nname = 'head'\nfeatures = 4\n",
      "two.toml");
}

NamedRecipe parse(const std::string& text) { return parse_recipe(text, "r.toml", two_layers()); }

std::string recipe_refusal(const std::string& text) {
  return test::error_of([&] { parse(text); });
}

void expect_equal(const LayerFormats& a, const LayerFormats& b) {
  EXPECT_EQ(a.activation, b.activation);
  EXPECT_EQ(a.error, b.error);
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_EQ(a.parameter, b.parameter);
  EXPECT_EQ(a.gradient, b.gradient);
  EXPECT_EQ(a.momentum, b.momentum);
  EXPECT_EQ(a.bias_gradient, b.bias_gradient);
}

void expect_equal(const NamedRecipe& a, const NamedRecipe& b) {
  EXPECT_EQ(a.name, b.name);
  expect_equal(a.settings.formats, b.settings.formats);
  EXPECT_EQ(a.settings.scaling, b.settings.scaling);
  EXPECT_EQ(a.settings.margin, b.settings.margin);
  EXPECT_EQ(a.settings.decay, b.settings.decay);
  EXPECT_EQ(a.settings.wire_memory, b.settings.wire_memory);
  EXPECT_EQ(a.settings.accumulation, b.settings.accumulation);
  EXPECT_EQ(a.settings.gradient_accumulation, b.settings.gradient_accumulation);
  ASSERT_EQ(a.overrides.size(), b.overrides.size());
  for (size_t i = 0; i < a.overrides.size(); ++i) {
    EXPECT_EQ(a.overrides[i].layer, b.overrides[i].layer);
    expect_equal(a.overrides[i].formats, b.overrides[i].formats);
  }
}

constexpr const char* kMine = R"(name = "mine"
base = "int8"
activation = "sym7"
error = "sym12"
weight = "sym6"
parameter = "sym15"
gradient = "exact"
momentum = "sym8"
scaling = "dynamic"
margin = 1.1
decay = 0.5
rounding = { wire = "half_even", parameter = "floor" }
accumulation = "int32"
wire_memory = "packed"
gradient_accumulation = "fixed"

[layer.head]
activation = "sym12"
gradient = "asym5"
momentum = "sym16"
rounding = { error = "stochastic" }

[layer.conv1]
parameter = "float32"
gradient = "float32"
momentum = "float32"
)";

NamedRecipe mine() {
  NamedRecipe r{"mine", {}, {}};
  r.settings.formats = {sym_format(7),      sym_format(12), sym_format(6),     sym_format(15),
                        sym_int32_format(), sym_format(8),  sym_int32_format()};
  r.settings.scaling = Scaling::kDynamic;
  r.settings.margin = 1.1f;
  r.settings.decay = 0.5f;
  r.settings.wire_memory = WireMemory::kPacked;
  r.settings.formats.activation_rounding = r.settings.formats.error_rounding = Rounding::kHalfEven;
  r.settings.formats.parameter_rounding = Rounding::kFloor;
  r.settings.accumulation = Accumulation::kInt32;
  r.settings.gradient_accumulation = GradientAccumulation::kFixed;
  LayerFormats conv = r.settings.formats, head = r.settings.formats;
  conv.parameter = conv.gradient = conv.momentum = conv.bias_gradient = float32_format();
  head.activation = sym_format(12);
  head.gradient = asym_format(5);
  head.error_rounding = Rounding::kStochastic;
  head.bias_gradient = float32_format();
  head.momentum = sym_format(16);
  r.overrides = {{0, conv}, {2, head}};
  return r;
}

TEST(RecipeFile, BuiltInsAreThoseOfTheCore) {
  EXPECT_EQ(builtin_recipe_names(), (std::vector<std::string_view>{"float32", "sym12", "sym8", "int8"}));
  const Description d = two_layers();
  expect_equal(find_recipe("float32", d), {"float32", float32_recipe(), {}});
  expect_equal(find_recipe("sym12", d), {"sym12", sym12_recipe(), {}});
  expect_equal(find_recipe("sym8", d), {"sym8", sym8_recipe(), {}});
  expect_equal(find_recipe("int8", d), {"int8", int8_recipe(), {}});
}

TEST(RecipeFile, EveryKeyArrives) { expect_equal(parse(kMine), mine()); }

TEST(RecipeFile, BaseIsFloat32UnlessGiven) {
  expect_equal(parse("name = 'x'"), {"x", float32_recipe(), {}});
  expect_equal(parse("name = 'x'\nbase = 'sym12'"), {"x", sym12_recipe(), {}});
}

TEST(RecipeFile, CopiesOwnTheirOverrides) {
  NamedRecipe copy;
  {
    const NamedRecipe original = parse(kMine);
    copy = original;
  }
  const Recipe r = copy.recipe();
  EXPECT_EQ(r.overrides.data(), copy.overrides.data());
  EXPECT_EQ(r.at(2).activation, sym_format(12));
  EXPECT_EQ(r.at(1).activation, sym_format(7));
  EXPECT_EQ(r.at(0).parameter, float32_format());
}

TEST(RecipeFile, WhatIsWrittenIsReadAsEqual) {
  const Description d = two_layers();
  for (const NamedRecipe& r :
       {mine(), find_recipe("float32", d), find_recipe("sym12", d), find_recipe("int8", d)}) {
    const std::string text = write_recipe(r, d);
    expect_equal(parse(text), r);
    EXPECT_EQ(write_recipe(parse(text), d), text);
  }
}

TEST(RecipeFile, WrittenTextHasEveryKey) {
  EXPECT_EQ(write_recipe(find_recipe("int8", two_layers()), two_layers()), R"(name = "int8"
activation = "sym8"
error = "sym8"
weight = "sym8"
parameter = "sym16"
gradient = "exact"
bias_gradient = "exact"
momentum = "sym16"
rounding = { activation = "half_away", error = "half_away", parameter = "stochastic" }
scaling = "delayed"
margin = 2
decay = 0.9
accumulation = "auto"
wire_memory = "operands"
gradient_accumulation = "rescale"
)");
}

TEST(RecipeFile, FoundByPath) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / "mantissa_recipe_file_test.toml";
  std::ofstream(path) << kMine;
  expect_equal(find_recipe(path.string(), two_layers()), mine());
  std::filesystem::remove(path);
}

TEST(RecipeFile, UnknownNamesListTheBuiltIns) {
  const auto refusal_of = [](std::string_view name) {
    return test::error_of([&] { find_recipe(name, two_layers()); });
  };
  EXPECT_EQ(refusal_of("int9"),
            "recipe 'int9': no file has this name, and the built-in recipes are float32, sym12, sym8, int8; "
            "did you "
            "mean 'int8'?");
  EXPECT_EQ(
      refusal_of("my/own.toml"),
      "recipe 'my/own.toml': no file has this name, and the built-in recipes are float32, sym12, sym8, int8");
  EXPECT_NE(refusal_of(std::string(100000, 'x')), "");
  EXPECT_NE(refusal_of(std::string_view("a\0b", 3)), "");
  EXPECT_NE(refusal_of(""), "");
}

TEST(RecipeFile, AccumulatorsAreNotStored) {
  EXPECT_EQ(
      recipe_refusal("name = 'x'\nweight = 'sym_int32'"),
      "r.toml, line 2: 'weight' in the recipe is 'sym_int32', which is how sums of products are held "
      "while they "
      "are computed, and is never stored: float32 takes the same four bytes and keeps small magnitudes; use "
      "\"float32\" or \"sym2\" to \"sym16\"");
  for (const char* key : {"activation", "error", "parameter", "gradient", "momentum"})
    EXPECT_NE(recipe_refusal(std::string("name = 'x'\n") + key + " = 'sym_int32'").find("never stored"),
              std::string::npos)
        << key;
  EXPECT_NE(recipe_refusal("name = 'x'\n[layer.head]\nparameter = 'sym_int32'").find("line 3"),
            std::string::npos);
}

TEST(RecipeFile, FormatsHaveNames) {
  for (int bits = 2; bits <= 16; ++bits)
    for (const uint16_t group : {uint16_t{0}, uint16_t{1}, uint16_t{32}, kLargestGroup, kPerChannel})
      for (const Format format :
           {sym_format(bits, group), asym_format(bits, group), bfp_format(bits, group)}) {
        if (format.kind == FormatKind::kBfp && group == 0) continue;
        EXPECT_EQ(format_from_name(format_name(format)), format) << format_name(format);
      }
  EXPECT_EQ(format_from_name("bfp8"), bfp_format(8, 32));
  EXPECT_EQ(format_name(bfp_format(8, 32)), "bfp8");
  EXPECT_EQ(format_name(asym_format(4, 16)), "asym4/16");
  EXPECT_EQ(format_name(sym_format(4, kPerChannel)), "sym4/channel");
  for (const char* wrong : {"", "sym", "sym1", "sym17", "sym08", "sym8/", "sym8/0", "sym8/016",
                            "sym8/channels", "sym8/65535", "sym8/-4", "sym8 ", "symm8", "int8", "sym8/4/4"})
    EXPECT_FALSE(format_from_name(wrong)) << wrong;
}

TEST(RecipeFile, FormatsFitTheirKeys) {
  EXPECT_EQ(recipe_refusal("name = 'x'\nactivation = 'asym4/8'\nerror = 'bfp8'\nparameter = 'sym4/channel'"),
            "");
  EXPECT_NE(recipe_refusal("name = 'x'\nactivation = 'sym8/channel'"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\nweight = 'sym8/32'"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\ngradient = 'sym8/32'"), "");
  EXPECT_EQ(
      recipe_refusal("name = 'x'\nweight = 'sym17'"),
      "r.toml, line 2: 'weight' in the recipe is 'sym17'; it must be \"float32\" or \"sym2\" to \"sym16\"");
  EXPECT_EQ(recipe_refusal("name = 'x'\ngradient = 'bfp8'"),
            "r.toml, line 2: 'gradient' in the recipe is 'bfp8'; it must be \"float32\", \"exact\", \"sym2\" "
            "to \"sym16\" or \"asym2\" to \"asym16\"");
  EXPECT_EQ(
      recipe_refusal("name = 'x'\nmomentum = 'sym12'"),
      "r.toml, line 2: 'momentum' in the recipe is 'sym12'; it must be \"float32\", \"sym8\" or \"sym16\"");
  EXPECT_NE(recipe_refusal("name = 'x'\nmomentum = 'exact'"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\nactivation = 'exact'"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\nweight = 'sym1'"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\nweight = 'sym08'"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\nweight = ''"), "");
  EXPECT_EQ(recipe_refusal("name = 'x'\nweight = 'sym2'\nerror = 'sym16'"), "");
  EXPECT_EQ(recipe_refusal("name = 'x'\nweight = 8"),
            "r.toml, line 2: 'weight' in the recipe is an integer; it must be a string");
}

TEST(RecipeFile, UnknownWordsNameTheNearest) {
  EXPECT_EQ(recipe_refusal("name = 'x'\n[layer.conv2]\n"),
            "r.toml, line 2: model 'two' has no layer 'conv2'; did you mean 'conv1'?");
  EXPECT_EQ(recipe_refusal("name = 'x'\n[layer.head]\nactivaton = 'sym8'"),
            "r.toml, line 3: unknown key 'activaton' in [layer.head]; did you mean 'activation'?");
  EXPECT_EQ(recipe_refusal("name = 'x'\nparameters = 'sym8'"),
            "r.toml, line 2: unknown key 'parameters' in the recipe; did you mean 'parameter'?");
  EXPECT_EQ(recipe_refusal("name = 'x'\nbase = 'sym'"),
            "r.toml, line 2: unknown base 'sym' in the recipe; did you mean 'sym8'?");
  EXPECT_EQ(recipe_refusal("name = 'x'\nscaling = 'static'"),
            "r.toml, line 2: unknown scaling 'static' in the recipe; known are 'dynamic', 'delayed'");
  EXPECT_EQ(recipe_refusal("name = 'x'\nrounding = {wires = 'floor'}"),
            "r.toml, line 2: unknown key 'wires' in [rounding]; did you mean 'wire'?");
  EXPECT_EQ(recipe_refusal("name = 'x'\nrounding = {wire = 'flor'}"),
            "r.toml, line 2: unknown wire 'flor' in [rounding]; did you mean 'floor'?");
  EXPECT_EQ(recipe_refusal("name = 'x'\nlayer = 3"),
            "r.toml, line 2: 'layer' in the recipe is an integer; it must be a table: [layer]");
  EXPECT_EQ(recipe_refusal("name = 'x'\n[layer]\nhead = 3"),
            "r.toml, line 3: 'head' in [layer] is an integer; it must be a table: [head]");
}

TEST(RecipeFile, NumbersHaveRanges) {
  EXPECT_EQ(recipe_refusal("name = 'x'\nmargin = 0"),
            "r.toml, line 2: 'margin' in the recipe is 0; it must be from 0.125 to 1024");
  EXPECT_NE(recipe_refusal("name = 'x'\nmargin = nan"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\nmargin = 1e300"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\ndecay = -1"), "");
  EXPECT_NE(recipe_refusal("name = 'x'\ndecay = 1.5"), "");
  EXPECT_EQ(recipe_refusal("name = 'x'\nmargin = 1"), "");
}

}  // namespace
}  // namespace mantissa::host
