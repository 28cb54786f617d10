#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/report/confusion_text.hpp"
#include "host/report/plan_text.hpp"
#include "host/report/results.hpp"
#include "host/report/text.hpp"
#include "host/train/batch_options.hpp"

namespace mantissa::host {
namespace {

/// Of so many classes; `mistakes` samples of class 0 are taken for class 1.
Evaluation evaluation(size_t classes, int32_t mistakes) {
  Evaluation e;
  e.classes.resize(classes);
  e.confusion_counts.resize(classes * classes);
  const auto add = [&](size_t label, size_t prediction, int32_t count) {
    for (int32_t i = 0; i < count; ++i)
      count_prediction(e.classes, static_cast<int32_t>(label), static_cast<int32_t>(prediction));
    e.confusion_counts[label * classes + prediction] += count;
    e.samples += count;
  };
  for (size_t i = 0; i < classes; ++i) add(i, i, 3);
  add(0, 1, mistakes);
  return e;
}

TEST(Text, NumbersAreGrouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-123456), "-123,456");
  EXPECT_EQ(grouped(INT64_MIN), "-9,223,372,036,854,775,808");
  EXPECT_EQ(percent(0.5), "50.00 %");
}

TEST(Text, TablesAlignTheirColumnsAlsoInUtf8) {
  Table table("lr");
  table.add({"größe", "1"});
  table.add({"n", "100"});
  table.add_rule();
  EXPECT_EQ(table.text(), "  größe    1\n  n      100\n  ----------\n");
}

TEST(ConfusionText, ShowsNamesWhereTheyFit) {
  EXPECT_EQ(confusion_text(evaluation(2, 1), {"cat", "dog"}, 80),
            "confusion matrix: rows are labels, columns are predictions\n"
            "                 cat     dog   recall\n"
            "  cat              3       1   75.0 %\n"
            "  dog              .       3  100.0 %\n"
            "  precision  100.0 %  75.0 %\n");
}

TEST(ConfusionText, ShowsNumbersWhereNamesDoNotFit) {
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) names.push_back("a rather long name " + std::to_string(i));
  const std::string text = confusion_text(evaluation(8, 1), names, 120);
  EXPECT_NE(text.find(" 7 a rather long name 7"), std::string::npos) << text;
  EXPECT_EQ(text.find("a rather long name 7", text.find("a rather long name 7") + 1), std::string::npos)
      << text;
}

TEST(ConfusionText, ListsConfusionsWhereAMatrixDoesNotFit) {
  EXPECT_EQ(confusion_text(evaluation(100, 2), {}, 120),
            "most frequent of 1 kinds of confusion among 100 classes\n  2  0  taken for 1\n");
  EXPECT_EQ(confusion_text(evaluation(100, 0), {}, 120), "no confusions among 100 classes\n");
}

Results some_results() {
  Results r;
  r.model = "m";
  r.recipe = "int8";
  r.seed = 7;
  r.batch = 4;
  r.train_loss = {0.5, 0.25};
  r.arena_bytes = 1024;
  r.peak_bytes = 1000;
  r.saturated = {{"conv1 output", 1200}, {"input", 34}};
  r.weights_hash = 0xABC;
  return r;
}

TEST(Results, JsonHasTheDocumentedKeys) {
  Results r = some_results();
  r.test = evaluation(2, 1);
  r.test->accuracy = 0.75;
  const auto j = nlohmann::json::parse(results_json(r));
  for (const char* key :
       {"test_accuracy", "test_loss", "macro_f1", "train_loss", "samples_per_second", "parameters",
        "arena_bytes", "peak_bytes", "saturated", "weights_hash", "recipe", "seed", "confusion_matrix",
        "train_accuracy", "epochs", "batch", "version", "kernels"})
    EXPECT_TRUE(j.contains(key)) << key;
  EXPECT_EQ(j["test_accuracy"], 0.75);
  EXPECT_EQ(j["train_loss"], (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(j["weights_hash"], "0000000000000abc");
  EXPECT_EQ(j["peak_bytes"], 1000);
  EXPECT_EQ(j["saturated"], 1234);
  EXPECT_EQ(j["confusion_matrix"], nlohmann::json::parse("[[3, 1], [0, 3]]"));
}

TEST(Results, WhatWasNotMeasuredIsNull) {
  const auto j = nlohmann::json::parse(results_json(some_results()));
  EXPECT_TRUE(j["test_accuracy"].is_null());
  EXPECT_TRUE(j["confusion_matrix"].is_null());
}

TEST(Results, JsonSurvivesNamesThatAreNotUtf8) {
  Results r = some_results();
  r.class_names = {"\xff"};
  EXPECT_TRUE(nlohmann::json::accept(results_json(r)));
}

TEST(Results, TextSaysWhereCodesSaturated) {
  const std::string text = results_text(some_results(), 100);
  for (const char* line : {"memory            1,024 bytes planned, 1,000 used", "saturated codes   1,234",
                           "1,200  conv1 output", "weights hash      0000000000000abc"})
    EXPECT_NE(text.find(line), std::string::npos) << text;
}

std::string plan_of(const char* recipe, const BatchOptions& options) {
  const Description d = read_description(MANTISSA_SOURCE_DIR "/examples/ecg/ecg.toml");
  const NamedRecipe named = find_recipe(recipe, d);
  return plan_text(HostPlan(d, named, host_plan_options(d, named, options, kernels_ref)).view(), d, recipe);
}

/// Numbers by hand: conv2 sums 5 * 8 products of 7-bit codes, and leaves 2^24 for the bias.
TEST(PlanText, ShowsTensorsMemoryAndProofs) {
  const std::string text = plan_of("int8", {.batch = 32, .micro_batch = 16});
  for (const char* part :
       {"batch 32, micro-batch 16", "conv2      weights          sym16   640          1,280",
        "conv2    forward             40      127      128  17,427,456      32 bits              6",
        "conv1    weight gradient  4,096      127      127  66,064,384      32 bits              5",
        "parameters         5,322", "optimizer state    5,322", "update            conv1",
        "The peak is step"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(PlanText, SaysWhenSumsAreFoldedInto64Bits) {
  const std::string text = plan_of("int8", {.batch = 4096});
  EXPECT_NE(text.find("64 bits"), std::string::npos) << text;
  EXPECT_NE(text.find("32 bits for 133,144 terms at a time"), std::string::npos) << text;
}

TEST(PlanText, FloatsNeedNoProof) {
  EXPECT_NE(plan_of("float32", {.batch = 1}).find("None are needed"), std::string::npos);
}

}  // namespace
}  // namespace mantissa::host
