// Counts of regions as counts of steps.
#include "host/device/instructions.hpp"

#include <gtest/gtest.h>

#include "firmware/job.hpp"
#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr int kPart = 256;

/// What the plugin writes: the input, forward of layers 0 and 2, a gradient, parts of two of these, reading, and what is between.
std::string counted() {
  const auto region = [](int id, int entries, int instructions) {
    return "\"" + std::to_string(id) + "\": {\"entries\": " + std::to_string(entries) +
           ", \"instructions\": " + std::to_string(instructions) + "}";
  };
  return "{\"total\": 9000, \"regions\": {" + region(firmware::step_region(StepKind::kInput, -1), 6, 60) +
         ",\n" + region(firmware::step_region(StepKind::kForward, 0), 6, 200) + ",\n" +
         region(firmware::step_region(StepKind::kForward, 0) + kPart, 9, 400) + ",\n" +
         region(firmware::step_region(StepKind::kForward, 2), 6, 300) + ",\n" +
         region(firmware::step_region(StepKind::kGradient, 2) + kPart, 6, 70) + ",\n" +
         region(firmware::step_region(StepKind::kGradient, 2), 6, 20) + ",\n" +
         region(firmware::kReadRegion, 6, 5000) + ",\n" + region(firmware::kBatchRegion, 3, 30) + "}}\n";
}

TEST(Instructions, AreOfSteps) {
  const InstructionCounts c = parse_counts(counted(), "counts.json");
  EXPECT_EQ(c.total, 9000u);
  EXPECT_EQ(c.batches, 3u);
  EXPECT_EQ(c.between, 30u);
  EXPECT_EQ(c.of(StepKind::kInput), 60u);
  EXPECT_EQ(c.of(StepKind::kForward), 900u);
  EXPECT_EQ(c.of(StepKind::kGradient), 90u);
  EXPECT_EQ(c.of(StepKind::kUpdate), 0u);
  EXPECT_EQ(c.per_batch(), (60u + 900 + 90 + 30) / 3);
  ASSERT_EQ(c.steps.size(), 4u);
  const std::pair<int, StepKind> expected[] = {
      {-1, StepKind::kInput}, {0, StepKind::kForward}, {2, StepKind::kForward}, {2, StepKind::kGradient}};
  for (size_t i = 0; i < c.steps.size(); ++i)
    EXPECT_EQ(std::pair(c.steps[i].layer, c.steps[i].kind), expected[i]) << i;
}

/// A product is a part of its step, and counted with it.
TEST(Instructions, OfProductsAreAlsoCountedAlone) {
  const InstructionCounts c = parse_counts(counted(), "counts.json");
  ASSERT_EQ(c.steps.size(), 4u);
  const std::pair<uint64_t, uint64_t> expected[] = {{60, 0}, {600, 400}, {300, 0}, {90, 70}};
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(std::pair(c.steps[i].instructions, c.steps[i].product), expected[i]) << i;
}

TEST(Instructions, AreCalledInstructions) {
  PlanView plan;
  plan.summary.batch = 2;
  const std::string text = counts_text(parse_counts(counted(), "counts.json"), plan);
  EXPECT_NE(text.find("instructions (not cycles): 9,000 in the whole run"), std::string::npos) << text;
  EXPECT_NE(text.find("forward"), std::string::npos) << text;
  EXPECT_NE(text.find("a training step   360"), std::string::npos) << text;
}

TEST(Instructions, OfARunThatWasNotCountedAreAnError) {
  for (const char* bad :
       {"", "{", "[]", "{\"total\": 1}", "{\"total\": -}", "{\"total\": 1, \"regions\": {\"x\": 1}}"})
    EXPECT_THROW(parse_counts(bad, "counts.json"), Error) << bad;
  try {
    parse_counts("{\"error\": \"too many regions\"}", "counts.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "counts.json: instructions were not counted: too many regions");
  }
}

}  // namespace
}  // namespace mantissa::host
