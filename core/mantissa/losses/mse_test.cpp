// Mean squared error: integers against golden values of exact arithmetic, float32 against its definition.
#include "mantissa/losses/mse.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mantissa {
namespace {

#include "tests/golden/mse.inc"

TEST(Mse, EqualsExactIntegers) {
  for (const MseCase& c : kMseCases) {
    const Scale unit = {uint32_t(c.unit[0]), c.unit[1]};
    const float* values = reinterpret_cast<const float*>(c.target);
    for (int32_t i = 0; i < c.outputs; ++i)
      EXPECT_EQ(in_units(values[i], unit), c.target_sum[i]) << values[i];
    std::vector<int32_t> outputs(c.z, c.z + c.outputs);
    const MseResult result = mse(outputs.data(), c.outputs, unit, MseTargets{values}, c.outputs);
    uint64_t largest = 0;
    for (int32_t i = 0; i < c.outputs; ++i) {
      EXPECT_EQ(outputs[size_t(i)], c.error[i]);
      largest = std::max(largest, uint64_t(std::llabs(c.error[i])));
    }
    EXPECT_EQ(result.loss.loss_q24, c.loss_q24);
    EXPECT_EQ(result.largest, largest);
    EXPECT_EQ(mse_error_unit(unit, c.outputs), (Scale{uint32_t(c.error_unit[0]), c.error_unit[1]}));
  }
}

TEST(Mse, LabelsAreOnehot) {
  const float y[3] = {0.5f, 0.25f, -1.0f};
  float errors[3];
  const LossResult loss = mse(y, 3, MseTargets{nullptr, 1}, 3, errors);
  const float expected[3] = {0.5f, -0.75f, -1.0f};
  for (int i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(errors[i], 2.0f / 3.0f * expected[i]);
  EXPECT_NEAR(double(loss.loss_q24) / 16777216.0, (0.25 + 0.5625 + 1.0) / 3, 1e-6);
  EXPECT_EQ(loss.prediction, 0);
}

}  // namespace
}  // namespace mantissa
