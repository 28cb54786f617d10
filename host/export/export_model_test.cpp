#include "host/export/export_model.hpp"

#include <gtest/gtest.h>

#include "host/export/templates.hpp"
#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

SavedModel ecg(const std::string& recipe = "int8") {
  SavedModel model;
  model.description = read_description(MANTISSA_SOURCE_DIR "/examples/ecg/ecg.toml");
  model.description.training.batch = 1;
  model.recipe = find_recipe(recipe, model.description);
  return model;
}

std::string message_of(const SavedModel& model, const ExportOptions& options) {
  return test::error_of([&] { export_model(model, options); });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ExportModel, RefusesNamesThatAreNone) {
  EXPECT_EQ(message_of(ecg(), {.name = "3d"}), "'3d' cannot name a namespace of C++; 'model_3d' would do");
}

TEST(ExportModel, RefusesARangeThatIsNone) {
  EXPECT_EQ(message_of(ecg(), {.name = "ecg", .input_range = -1.0f}),
            "an input range of -1; it must be positive and finite");
  EXPECT_NE(message_of(ecg(), {.name = "ecg", .input_range = std::numeric_limits<float>::infinity()}), "");
}

TEST(ExportModel, RefusesWeightsThatAreNotThere) {
  EXPECT_TRUE(contains(message_of(ecg(), {.name = "ecg", .trained = Trained::kInclude}),
                       "model 'ecg' has not been trained"));
}

TEST(ExportModel, RefusesWhatCanNotBePlanned) {
  SavedModel model = ecg();
  model.description.nodes.pop_back();
  model.description.layer_names.pop_back();
  EXPECT_TRUE(contains(message_of(model, {.name = "ecg"}), "the loss needs sums of any sign"));
  model = ecg();
  model.description.classes = 7;
  EXPECT_TRUE(contains(message_of(model, {.name = "ecg"}), "has 7 classes, but the layers give 5 outputs"));
}

TEST(ExportModel, AsksForTheRangeWhereOneIsNeeded) {
  EXPECT_TRUE(
      contains(export_model(ecg(), {.name = "ecg"}).header, "void init(uint64_t seed, float input_range);"));
  EXPECT_TRUE(contains(export_model(ecg(), {.name = "ecg", .input_range = 3.5f}).header,
                       "void init(uint64_t seed, float input_range = 3.5f);"));
  EXPECT_TRUE(contains(export_model(ecg("float32"), {.name = "ecg"}).header, "float input_range = 1.0f);"));
  EXPECT_TRUE(contains(export_model(ecg("sym12"), {.name = "ecg"}).header, "float input_range = 1.0f);"));
}

TEST(ExportModel, LayersHaveTheAttributesThatTheyWereGiven) {
  SavedModel model;
  const auto text_of = [&model](const std::string& input, const std::string& layers) {
    model.description =
        parse_description("name = 'm'\n[input]\n" + input + layers +
                              "[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'linear'\nfeatures = 3\n",
                          "m.toml");
    model.recipe = find_recipe("int8", model.description);
    return export_model(model, {.name = "m"}).source;
  };
  const std::string signal =
      text_of("steps = 9\nchannels = 4\n",
              "[[layer]]\ntype = 'adaptive_avg_pool1d'\nsteps = 4\n"
              "[[layer]]\ntype = 'avg_pool1d'\nkernel = 3\npadding = 1\ncount_include_pad = false\n"
              "[[layer]]\ntype = 'conv_transpose1d'\nchannels = 6\nkernel = 3\ngroups = 2\n[[layer]]\ntype = "
              "'softmax'\n");
  EXPECT_TRUE(contains(signal, "mantissa::adaptive_avg_pool1d({.steps = 4})")) << signal;
  EXPECT_TRUE(contains(
      signal, "mantissa::avg_pool1d({.kernel = 3, .padding = 1, .divisor = mantissa::Divisor::kInside})"));
  EXPECT_TRUE(contains(signal, "mantissa::conv_transpose1d({.channels = 6, .kernel = 3, .groups = 2})"));
  EXPECT_TRUE(contains(signal, "mantissa::softmax()"));
  const std::string image =
      text_of("height = 7\nwidth = 6\nchannels = 2\n",
              "[[layer]]\ntype = 'adaptive_avg_pool2d'\nsize = [3, 4]\n[[layer]]\ntype = 'avg_pool2d'\n"
              "kernel = [1, 2]\npadding = [0, 1]\ncount_include_pad = false\n");
  EXPECT_TRUE(contains(image, "mantissa::adaptive_avg_pool2d({.size = {3, 4}})"));
  EXPECT_TRUE(
      contains(image,
               "mantissa::avg_pool2d({.kernel = {1, 2}, .stride = {1, 2}, .padding = {0, 1}, .divisor = "
               "mantissa::Divisor::kInside})"));
}

TEST(ExportModel, TextsFromOutsideStayWhereTheyBelong) {
  SavedModel model = ecg();
  model.description.name = "a\n#error";
  model.description.class_names[0] = "\", 0}; #error";
  model.description.layer_names[0] = "conv\\\n#error";
  const ExportedModel exported = export_model(model, {.name = "ecg", .command = "mantissa\n#error"});
  for (const std::string& text : {exported.header, exported.source}) EXPECT_FALSE(contains(text, "\n#error"));
  EXPECT_TRUE(contains(exported.header, R"({"\", 0}; #error", )"));
}

TEST(Templates, PlacesAndConditions) {
  const std::string text = "a @X@ b\n@IF(ONE)\none\n@ELSE\nother\n@END\nend @X@@Y@\n";
  EXPECT_EQ(fill_template(text, {{"X", "@Y@"}, {"Y", "2"}}, {"ONE"}), "a @Y@ b\none\nend @Y@2\n");
  EXPECT_EQ(fill_template(text, {{"X", "1"}, {"Y", "2"}}, {}), "a 1 b\nother\nend 12\n");
}

}  // namespace
}  // namespace mantissa::host
