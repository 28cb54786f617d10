// Two runs of one training that must not differ in a bit.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "tests/training_run.hpp"

namespace mantissa::test {

inline void expect_same(const RunResult& expected, const RunResult& actual, const std::string& what) {
  ASSERT_FALSE(actual.error) << what << ": error " << int(actual.error.code);
  EXPECT_EQ(expected.losses, actual.losses) << what;
  EXPECT_EQ(expected.hash, actual.hash) << what;
  EXPECT_EQ(expected.saturated, actual.saturated) << what;
  EXPECT_TRUE(actual.guards_intact) << what;
}

}  // namespace mantissa::test
