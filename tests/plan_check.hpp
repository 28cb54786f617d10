// What tests of plan() ask of it: the error that it returns, for a network or for one layer.
#pragma once
#include <gtest/gtest.h>

#include "tests/training_run.hpp"

namespace mantissa::test {

inline Error plan_error(const NamedModel& m, const Recipe& recipe = float32_recipe(),
                        const PlanOptions& options = {}) {
  return HeapPlan(m.model(), recipe, options).error;
}

inline NamedModel one_layer(Shape input, Node node) {
  return {"", input, {node, global_avg_pool1d(), linear({.features = 2})}};
}

inline void expect_error(const Error& e, ErrorCode code, int16_t layer, int64_t found, int64_t limit = 0) {
  EXPECT_EQ(int(e.code), int(code));
  EXPECT_EQ(e.layer, layer);
  EXPECT_EQ(e.found, found);
  EXPECT_EQ(e.limit, limit);
}

}  // namespace mantissa::test
