#include "mantissa/train/schedule.hpp"

#include <gtest/gtest.h>

namespace mantissa {
namespace {

TEST(Schedule, ConstantStays) {
  EXPECT_EQ(learning_rate(Schedule::kConstant, 0.05f, 0, 10), 0.05f);
  EXPECT_EQ(learning_rate(Schedule::kConstant, 0.05f, 9, 10), 0.05f);
}

TEST(Schedule, LinearWouldReachZeroAfterTheLastStep) {
  EXPECT_EQ(learning_rate(Schedule::kLinear, 0.5f, 0, 8), 0.5f);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 0.5f, 4, 8), 0.25f);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 0.5f, 7, 8), 0.0625f);
}

/// Each operation rounded to float32 by itself, as numpy.float32 does.
TEST(Schedule, RoundsEachOperationToFloat32) {
  EXPECT_EQ(learning_rate(Schedule::kLinear, 0.05f, 3, 7), 0x1.d41d4p-6f);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 0.05f, 5, 11), 0x1.bed61ap-6f);
}

}  // namespace
}  // namespace mantissa
