// Sigmoid and Tanh in integers against doubles over all codes, within the bound that SPEC derives; float32 curves; Dropout's share.
#include "mantissa/kernels/activation-inl.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/scale_value.hpp"

namespace mantissa {
namespace {

using test::value_of;

/// Half a code, and what the power of two is off by: 2^-22 of its polynomial and 2^-26 of its exponent, twice for Tanh.
double bound(Curve curve, int32_t max_code) {
  return 0.5 + (curve == Curve::kTanh ? 2 : 1) * max_code * (0x1p-22 + 0x1p-26);
}

TEST(Activation, CurvesOfAllCodesAreWithinTheirBound) {
  for (const int x_bits : {2, 8, 13, 16})
    for (const Scale scale : {Scale{1u << 30, -30 - x_bits + 1}, Scale{0x5A5A5A5Au, -28 - x_bits},
                              Scale{0x7FFFFFFFu, -27 - x_bits}, Scale{1u << 30, -60}, Scale{1u << 30, -29}})
      for (const Curve curve : {Curve::kSigmoid, Curve::kTanh}) {
        const Multiplier exponent = curve_exponent(curve, scale);
        const int32_t high = symmetric_range(x_bits).high;
        for (const int32_t max_code : {1, 7, 127, 2047, 32767})
          for (int32_t code = -high; code <= high; ++code) {
            const double x = code * value_of(scale);
            const bool is_tanh = curve == Curve::kTanh;
            const double exact = is_tanh ? std::tanh(x) : 1 / (1 + std::exp(-x));
            const int32_t y = is_tanh ? ref::tanh_code(code, exponent, max_code)
                                      : ref::sigmoid_code(code, exponent, max_code);
            ASSERT_NEAR(y, max_code * exact, bound(curve, max_code))
                << code << " of " << x_bits << " bits, " << max_code;
          }
      }
}

TEST(Activation, CurvesAreSymmetricAndStayInTheirRange) {
  const Scale scale{0x4CCCCCCDu, -34};
  for (const int32_t max_code : {1, 127, 32767})
    for (int32_t code = 1; code <= 32767; ++code) {
      const Multiplier once = curve_exponent(Curve::kSigmoid, scale),
                       twice = curve_exponent(Curve::kTanh, scale);
      const int32_t y = ref::sigmoid_code(code, once, max_code), t = ref::tanh_code(code, twice, max_code);
      ASSERT_EQ(ref::sigmoid_code(-code, once, max_code), max_code - y);
      ASSERT_EQ(ref::tanh_code(-code, twice, max_code), -t);
      ASSERT_TRUE(y >= 0 && y <= max_code && t >= 0 && t <= max_code);
    }
  EXPECT_EQ(ref::tanh_code(0, curve_exponent(Curve::kTanh, scale), 32767), 0);
}

/// One code counts as at most 2^16 in powers of two: a curve whose input has such codes is a step, as near as 2^-15.
TEST(Activation, CurvesOfHugeScalesAreSteps) {
  const Multiplier exponent = curve_exponent(Curve::kTanh, {1u << 30, 10});
  EXPECT_EQ(ref::tanh_code(0, exponent, 32767), 0);
  EXPECT_NEAR(ref::tanh_code(1, exponent, 32767), 32767, 1);
  EXPECT_EQ(ref::tanh_code(2, exponent, 32767), 32767);
  EXPECT_EQ(ref::tanh_code(-1, exponent, 127), -127);
}

TEST(Activation, Float32CurvesAreWithinThreeRoundings) {
  for (float x = -100.0f; x <= 100.0f; x += 0.00390625f) {
    ASSERT_NEAR(ref::sigmoid_float(x), 1 / (1 + std::exp(-double(x))), 0x1p-22) << x;
    ASSERT_NEAR(ref::tanh_float(x), std::tanh(double(x)), 0x1p-21) << x;
  }
}

TEST(Activation, SixInCodes) {
  EXPECT_EQ(six_in_codes({1u << 30, -30}), 6);
  EXPECT_EQ(six_in_codes({1u << 30, -32}), 24);
  EXPECT_EQ(six_in_codes({1u << 30, -26}), 0);          // 6/16 of a code
  EXPECT_EQ(six_in_codes({1u << 30, -50}), 1 << 15);    // beyond all codes
  EXPECT_EQ(six_in_codes(Scale::from_float(4.0f)), 2);  // a tie goes up
}

/// As many are dropped as asked for, within four deviations, and no two steps drop the same.
TEST(Activation, DropoutDropsItsShare) {
  constexpr int32_t kCount = 1 << 16;
  static float x[kCount], before[kCount];
  for (const uint32_t dropped : {0u, 6554u, 32768u, 65535u}) {
    int32_t same = 0;
    for (uint32_t step = 0; step < 2; ++step) {
      for (float& v : x) v = 1.0f;
      ref::drop_elements<Operands::kAny>({.x = x,
                                          .element = Element::kFloat32,
                                          .count = kCount,
                                          .key = random_key(1, step, 8),
                                          .dropped = dropped,
                                          .factor = 2.0f});
      int32_t zeros = 0;
      for (int32_t i = 0; i < kCount; ++i) {
        ASSERT_TRUE(x[i] == 0.0f || x[i] == 2.0f);
        zeros += x[i] == 0.0f;
        same += step == 1 && x[i] == before[i];
        before[i] = x[i];
      }
      const double p = dropped / 65536.0;
      EXPECT_NEAR(zeros, p * kCount, 4 * std::sqrt(p * (1 - p) * kCount)) << dropped;
    }
    if (dropped == 32768) {
      EXPECT_NEAR(same, kCount / 2, 4 * std::sqrt(kCount / 4.0));
    }
  }
}

}  // namespace
}  // namespace mantissa
