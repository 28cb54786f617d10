#include "host/train/reconstruction.hpp"

#include <gtest/gtest.h>

namespace mantissa::host {
namespace {

/// By hand: usual errors 1 and 5, others 3, 4.5 and 5. Each other one is above 1, and the tie of 5 with 5 counts half.
TEST(Reconstruction, CountsPairsAndErrorsAboveTheThreshold) {
  const std::vector<double> training = {1, 3};  // mean 2, deviation 1
  const std::vector<double> errors = {1, 5, 3, 4.5, 5};
  const std::vector<int32_t> labels = {0, 0, 1, 2, 1};
  const auto d = detect(training, errors, labels, 0);
  ASSERT_TRUE(d);
  EXPECT_DOUBLE_EQ(d->auc, 3.5 / 6);
  EXPECT_DOUBLE_EQ(d->threshold, 4);
  EXPECT_DOUBLE_EQ(d->f1, 2 * 2.0 / (2 + 1 + 3));
}

TEST(Reconstruction, NeedsBothKinds) {
  EXPECT_FALSE(detect(std::vector<double>{1}, std::vector<double>{1}, std::vector<int32_t>{0}, 0));
  EXPECT_FALSE(detect(std::vector<double>{1}, std::vector<double>{1}, std::vector<int32_t>{1}, 0));
}

}  // namespace
}  // namespace mantissa::host
