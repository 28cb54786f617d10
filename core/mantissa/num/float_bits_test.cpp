#include "mantissa/num/float_bits.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace mantissa {
namespace {

TEST(FloatBits, TruncatedIsTowardsZero) {
  std::mt19937 random(3);
  for (int i = 0; i < 100000; ++i) {
    const float x = std::ldexp(float(int32_t(random())), int(random() % 62) - 32);
    if (std::fabs(x) < 0x1p62f) {
      EXPECT_EQ(truncated(x), int64_t(std::trunc(double(x)))) << x;
    }
  }
  for (const float x :
       {0.0f, -0.0f, 0x1p-149f, 0.99999994f, -0.99999994f, 1.0f, -1.0f, 16777215.0f, -0x1p61f})
    EXPECT_EQ(truncated(x), int64_t(std::trunc(double(x)))) << x;
}

}  // namespace
}  // namespace mantissa
