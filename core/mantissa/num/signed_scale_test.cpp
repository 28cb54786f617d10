// Signed reals: sums against exact arithmetic in 128 bits' worth of doubles, floats there and back.
#include "mantissa/num/signed_scale.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace mantissa {
namespace {

long double value_of(SignedScale x) {
  return x.sign * std::ldexp(static_cast<long double>(x.magnitude.mantissa), x.magnitude.exponent);
}

TEST(SignedScale, FloatsGoThereAndBack) {
  for (const float x : {0.0f, 1.0f, -1.0f, 0x1p-149f, -0x1.fffffep127f, 3.25f, -1e-20f})
    EXPECT_EQ(SignedScale::from_float(x).to_float(), x);
  EXPECT_EQ(std::signbit(SignedScale::from_float(-0.0f).to_float()), false);
}

TEST(SignedScale, SumsAreRoundedOnce) {
  std::mt19937 random(3);
  const auto any = [&random] {
    const float x = std::ldexp(float(int32_t(random() >> 1)), int(random() % 80) - 60);
    return SignedScale::from_float(random() % 2 == 0 ? x : -x);
  };
  for (int i = 0; i < 20000; ++i) {
    const SignedScale a = any(), b = i % 7 == 0
                                         ? SignedScale{-a.sign, a.magnitude.shifted(int(random() % 3) - 1)}
                                         : any();
    const SignedScale sum = a + b;
    EXPECT_EQ(sum, b + a);
    const long double exact = value_of(a) + value_of(b);  // 64 bits: enough to see an error of 2^-31
    const long double larger = std::max(std::fabs(value_of(a)), std::fabs(value_of(b)));
    // Half a unit of 31 bits, and what is floored 30 bits below the larger one's last.
    EXPECT_LE(std::fabs(value_of(sum) - exact), std::fabs(exact) * 0x1p-31L + larger * 0x1p-59L);
  }
}

TEST(SignedScale, OppositesAreNothing) {
  const SignedScale a = SignedScale::from_float(0.75f);
  EXPECT_EQ((a + SignedScale::from_float(-0.75f)).sign, 0);
  EXPECT_EQ((a + SignedScale{}), a);
  EXPECT_EQ((SignedScale{} + a), a);
  EXPECT_EQ(SignedScale::of(-5).to_float(), -5.0f);
  EXPECT_EQ(SignedScale::of(INT64_MIN).to_float(), -0x1p63f);
}

}  // namespace
}  // namespace mantissa
