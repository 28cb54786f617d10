// exp, log and square root against libm in double, within the errors that their comments promise.
#include "mantissa/num/fixed_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace mantissa {
namespace {

TEST(FixedMath, Exp2Negative) {
  double worst = 0;
  for (uint64_t t = 0; t < uint64_t(1) << 32; t += 1009) {
    const double error = exp2_negative(uint32_t(t)) * 0x1p-30 - std::exp2(-double(t) * 0x1p-26);
    worst = std::max(worst, std::fabs(error));
  }
  EXPECT_LT(worst, 0x1p-22);
  EXPECT_LE(exp2_negative(0), 1u << 30);
  EXPECT_EQ(exp2_negative(UINT32_MAX), 0u);
}

TEST(FixedMath, Log2Fixed) {
  std::mt19937 random(1);
  for (int width = 1; width <= 32; ++width)
    for (int i = 0; i < 3000; ++i) {
      const uint32_t top = 1u << (width - 1);
      const uint32_t x = i == 0 ? top : i == 1 ? top | (top - 1) : top | (uint32_t(random()) & (top - 1));
      ASSERT_NEAR(log2_fixed(x) * 0x1p-24, std::log2(double(x)), 0x1p-23) << x;
    }
  for (int width = 0; width < 32; ++width) EXPECT_EQ(log2_fixed(1u << width), uint32_t(width) << 24);
}

TEST(FixedMath, ExpFloat) {
  double worst = 0;
  for (int i = 0; i < 870000; ++i) {
    const float x = -float(i) * 1e-4f;
    const double expected = std::exp(double(x));
    worst = std::max(worst, std::fabs(exp_float(x) - expected) / expected);
  }
  EXPECT_LT(worst, 0x1p-22);
  EXPECT_EQ(exp_float(0.0f), 1.0f);
  EXPECT_EQ(exp_float(-88.0f), 0.0f);
  EXPECT_EQ(exp_float(-std::numeric_limits<float>::infinity()), 0.0f);
}

TEST(FixedMath, LogFloat) {
  std::mt19937 random(2);
  double worst = 0;
  for (uint32_t exponent = 1; exponent < 255; ++exponent)
    for (int i = 0; i < 2000; ++i) {
      const float x = std::bit_cast<float>(exponent << 23 | (uint32_t(random()) & 0x7FFFFF));
      const double expected = std::log(double(x));
      if (expected != 0) worst = std::max(worst, std::fabs((log_float(x) - expected) / expected));
    }
  for (int i = 1; i < 100000; ++i)  // where the logarithm passes 0
    for (float x : {1.0f + float(i) * 0x1p-23f, 1.0f - float(i) * 0x1p-24f}) {
      const double expected = std::log(double(x));
      worst = std::max(worst, std::fabs((log_float(x) - expected) / expected));
    }
  EXPECT_LT(worst, 0x1p-22);
  EXPECT_EQ(log_float(1.0f), 0.0f);
}

TEST(FixedMath, SqrtFloor) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t root = random() >> 32 >> (i % 32);
    ASSERT_EQ(sqrt_floor(root * root), root);
    if (root > 0) {
      ASSERT_EQ(sqrt_floor(root * root - 1), root - 1);
      ASSERT_EQ(sqrt_floor(root * root + 2 * root), root);
    }
  }
  EXPECT_EQ(sqrt_floor(UINT64_MAX), UINT32_MAX);
}

TEST(FixedMath, SqrtScaleHas31Bits) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t x = (random() >> 2 >> (random() % 62)) | 1;
    const Scale root = sqrt_scale(x);
    ASSERT_EQ(root.mantissa >> 30, 1u) << x;
    // Floored: root <= sqrt(x) < root + one unit of the last bit.
    using Wide = unsigned __int128;
    const Wide wanted = Wide(x) << (-2 * root.exponent), m = root.mantissa;
    ASSERT_LE(m * m, wanted) << x;
    ASSERT_GT((m + 1) * (m + 1), wanted) << x;
  }
}

TEST(FixedMath, SqrtFloatIsTheNearest) {
  std::mt19937 random(5);
  for (uint32_t exponent = 1; exponent < 255; ++exponent)
    for (int i = 0; i < 500; ++i) {
      const uint32_t fraction = i == 0 ? 0 : i == 1 ? 0x7FFFFF : uint32_t(random()) & 0x7FFFFF;
      const float x = std::bit_cast<float>(exponent << 23 | fraction);
      ASSERT_EQ(sqrt_float(x), std::sqrt(x)) << x;
    }
}

TEST(FixedMath, MultiplyShiftIsExact) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 1000000; ++i) {
    const int64_t a = int64_t(random()) >> (2 + random() % 60);
    const int32_t h = int32_t(int16_t(random())), shift = int32_t(random() % 31);
    const int64_t half = shift == 0 ? 0 : int64_t(1) << (shift - 1);
    const __int128 expected = (__int128(a) * h + half) >> shift;
    if (expected != int64_t(expected)) continue;
    ASSERT_EQ(multiply_shift(a, h, half, shift), int64_t(expected)) << a << " * " << h << " >> " << shift;
  }
}

}  // namespace
}  // namespace mantissa
