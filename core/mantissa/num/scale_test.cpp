// Scale against double (which holds 31 bits and any float32 exactly) and against 128-bit integers.
#include "mantissa/num/scale.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/scale_value.hpp"

namespace mantissa {
namespace {

using Wide = __int128;

using test::value_of;
bool is_normal(Scale s) { return s.mantissa >= 1u << 30 && s.mantissa < 1u << 31; }
Wide magnitude(Wide x) { return x < 0 ? -x : x; }

Scale random_scale(std::mt19937& random, int32_t lowest, int32_t highest) {
  return {(1u << 30) | uint32_t(random() >> 2), lowest + int32_t(random() % uint32_t(highest - lowest + 1))};
}

void expect_exact(float x) {
  const Scale s = Scale::from_float(x);
  ASSERT_TRUE(is_normal(s)) << x;
  ASSERT_EQ(value_of(s), double(x));
  ASSERT_EQ(s.to_float(), x);
}

TEST(Scale, HoldsEveryFloatExactly) {
  std::mt19937 random(1);
  for (uint32_t exponent = 0; exponent < 255; ++exponent)
    for (int i = 0; i < 200; ++i) {
      const uint32_t fraction = i == 0 ? 0 : i == 1 ? 0x7FFFFF : i == 2 ? 1 : uint32_t(random()) & 0x7FFFFF;
      if (exponent == 0 && fraction == 0) continue;
      expect_exact(std::bit_cast<float>(exponent << 23 | fraction));
    }
  for (int bit = 0; bit < 23; ++bit) expect_exact(std::bit_cast<float>(1u << bit));
}

/// What to_float promises, by the hardware's own rounding from double.
float nearest_float(Scale s) {
  const float x = float(value_of(s));
  return std::isinf(x) ? std::numeric_limits<float>::max() : x;
}

TEST(Scale, RoundsToTheNearestFloatTiesToEven) {
  std::mt19937 random(2);
  for (int32_t exponent = -200; exponent <= 120; ++exponent) {
    for (uint32_t low = 0; low < 512;
         ++low)  // every pattern of the bits that are dropped, and of the last one kept
      for (uint32_t high : {1u << 30, (1u << 31) - 512, 0x5A5A5A00u}) {
        const Scale s{high | low, exponent};
        ASSERT_EQ(s.to_float(), nearest_float(s)) << s.mantissa << " 2^" << exponent;
      }
    for (int bit = 0; bit < 31; ++bit) {  // ties of subnormals
      const Scale s{(1u << 30) | (1u << bit), exponent};
      ASSERT_EQ(s.to_float(), nearest_float(s)) << s.mantissa << " 2^" << exponent;
    }
    for (int i = 0; i < 200; ++i) {
      const Scale s = random_scale(random, exponent, exponent);
      ASSERT_EQ(s.to_float(), nearest_float(s)) << s.mantissa << " 2^" << exponent;
    }
  }
}

TEST(Scale, NormalizesToTheNearestTiesAway) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200000; ++i) {
    uint64_t m = random() >> (random() % 64);
    if (i % 4 == 0) m = (m & ~uint64_t(0) << (i % 33)) | uint64_t(1) << (i % 33);  // ties
    if (m == 0) continue;
    const Scale s = Scale::normalized(m, 5);
    ASSERT_TRUE(is_normal(s));
    const int32_t shift = s.exponent - 5;
    if (shift <= 0) {
      ASSERT_EQ(uint64_t(s.mantissa) >> -shift << -shift, s.mantissa);
      ASSERT_EQ(s.mantissa >> -shift, m);
    } else {
      const Wide twice_error = 2 * ((Wide(s.mantissa) << shift) - Wide(m)), unit = Wide(1) << shift;
      ASSERT_LE(twice_error, unit) << m;
      ASSERT_GT(twice_error, -unit) << m;  // a tie goes up
    }
  }
  EXPECT_EQ(Scale::normalized(~uint64_t(0), 0), (Scale{1u << 30, 34}));
}

TEST(Scale, MultipliesWithOneRounding) {
  std::mt19937 random(4);
  for (int i = 0; i < 200000; ++i) {
    const Scale a = random_scale(random, -100, 100), b = random_scale(random, -100, 100), c = a * b;
    ASSERT_TRUE(is_normal(c));
    const int32_t shift = c.exponent - a.exponent - b.exponent;
    const Wide error = (Wide(c.mantissa) << shift) - Wide(a.mantissa) * b.mantissa;
    ASSERT_LE(2 * magnitude(error), Wide(1) << shift);
  }
}

TEST(Scale, DividesToWithinALittleMoreThanHalfAUnit) {
  std::mt19937 random(5);
  for (int i = 0; i < 200000; ++i) {
    const Scale a = random_scale(random, -100, 100);
    const Scale b = i % 7 == 0 ? Scale{a.mantissa, 3} : random_scale(random, -100, 100), c = a / b;
    ASSERT_TRUE(is_normal(c));
    const int32_t shift = a.exponent - b.exponent - c.exponent;
    const Wide error = Wide(c.mantissa) * b.mantissa - (Wide(a.mantissa) << shift);
    // |error| <= (1/2 + 2^-31) b: half a unit, and the floor below 32 extra bits.
    ASSERT_LE(magnitude(error) << 31, Wide(b.mantissa) * ((Wide(1) << 30) + 1));
    if (a.mantissa == b.mantissa) {
      ASSERT_EQ(c.mantissa, 1u << 30);
    }
  }
}

TEST(Scale, MultipliesAsTheDefinitionSays) {
  std::mt19937 random(10);
  for (int i = 0; i < 1000000; ++i) {
    Scale a = random_scale(random, -100, 100), b = random_scale(random, -100, 100);
    const uint32_t kept = ~uint32_t(0) << (i % 31);  // few bits make ties
    a.mantissa = (a.mantissa & kept) | (1u << 30);
    b.mantissa = i % 50 == 0 ? (1u << 31) - 1 - uint32_t(i % 3) : (b.mantissa & kept) | (1u << 30);
    ASSERT_EQ(a * b, Scale::normalized(uint64_t(a.mantissa) * b.mantissa, a.exponent + b.exponent))
        << a.mantissa << " * " << b.mantissa;
  }
}

TEST(Scale, DividesAsTheDefinitionSays) {
  std::mt19937 random(9);
  const uint32_t ends[] = {1u << 30,    (1u << 30) + 1, (1u << 31) - 1, (1u << 31) - 2,
                           0x5FFF8000u, 0x60000000u,    0x7FFF0000u};
  const auto expect_definition = [](Scale a, Scale b) {
    const Scale wanted =
        Scale::normalized((uint64_t(a.mantissa) << 32) / b.mantissa, a.exponent - b.exponent - 32);
    ASSERT_EQ(a / b, wanted) << a.mantissa << " / " << b.mantissa;
  };
  for (uint32_t a : ends)
    for (uint32_t b : ends) expect_definition({a, 3}, {b, -4});
  for (int i = 0; i < 3000000; ++i) {
    // Few bits make digits that are too large, and ties.
    const uint32_t kept = ~uint32_t(0) << (i % 31);
    Scale a = random_scale(random, -100, 100), b = random_scale(random, -100, 100);
    if (i % 3 != 0) b.mantissa = (b.mantissa & kept) | (1u << 30);
    if (i % 3 == 1) a.mantissa = b.mantissa - 1 < 1u << 30 ? b.mantissa : b.mantissa - 1;
    expect_definition(a, b);
  }
}

TEST(Quotient, IsTheFloorOfTheLongDivision) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 1000000; ++i) {
    const uint32_t d =
        uint32_t(random() >> 32 << (random() % 31)) | 1u << 31;  // few bits divide without a rest
    const uint32_t n = uint32_t(random()) % d;
    ASSERT_EQ(quotient_q32(n, d), (uint64_t(n) << 32) / d) << n << " / " << d;
  }
}

TEST(Scale, RoundingCarriesIntoTheExponent) {
  for (uint32_t m : {UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 2, 1u << 31, (1u << 31) + 1})
    EXPECT_EQ(value_of(Scale::rounded(m, -7)), std::ldexp((uint64_t(m) + 1) / 2, -7)) << m;
  EXPECT_TRUE(is_normal(Scale::rounded(UINT32_MAX, 0)));
}

TEST(Scale, WholeIsTheNearestInteger) {
  std::mt19937 random(10);
  for (int32_t exponent = -40; exponent <= 40; ++exponent)
    for (int i = 0; i < 1000; ++i) {
      const uint32_t kept = ~uint32_t(0) << (random() % 31);  // few bits make ties
      const Scale s{(uint32_t(random()) & kept & ((1u << 30) - 1)) | 1u << 30, exponent};
      const double expected = std::min(std::floor(value_of(s) + 0.5), 0x1p61);
      ASSERT_EQ(double(whole(s)), expected) << s.mantissa << " 2^" << exponent;
    }
}

TEST(Scale, RatioIsWithinAUnit) {
  std::mt19937 random(6);
  for (int i = 0; i < 200000; ++i) {
    const uint32_t n = uint32_t(random() >> (1 + random() % 31)) | 1,
                   d = uint32_t(random() >> (1 + random() % 31)) | 1;
    const Scale s = Scale::ratio(n, d);
    ASSERT_TRUE(is_normal(s));
    const Wide scaled_n = s.exponent <= 0 ? Wide(n) << -s.exponent : Wide(n);
    const Wide product = (s.exponent > 0 ? Wide(s.mantissa) << s.exponent : Wide(s.mantissa)) * d;
    const Wide unit = s.exponent > 0 ? Wide(d) << s.exponent : Wide(d);
    ASSERT_LE(magnitude(product - scaled_n), unit) << n << " / " << d;
  }
  EXPECT_EQ(value_of(Scale::ratio(3, 4)), 0.75);
}

TEST(Scale, ComparesAndShiftsAsItsValue) {
  std::mt19937 random(7);
  for (int i = 0; i < 10000; ++i) {
    const Scale a = random_scale(random, -3, 3), b = random_scale(random, -3, 3);
    ASSERT_EQ(a < b, value_of(a) < value_of(b));
    ASSERT_EQ(value_of(max(a, b)), std::max(value_of(a), value_of(b)));
    ASSERT_EQ(value_of(a.shifted(-9)), value_of(a) / 512);
  }
}

TEST(Multiplier, EqualsTheScaleOrSaturates) {
  std::mt19937 random(8);
  for (int32_t exponent = -130; exponent <= 40; ++exponent)
    for (int i = 0; i < 100; ++i) {
      const Scale s = random_scale(random, exponent, exponent);
      const Multiplier m = multiplier(s);
      ASSERT_GE(m.shift, 1);
      ASSERT_LE(m.shift, 62);
      ASSERT_GT(m.mantissa, 0);
      const double value = std::ldexp(double(m.mantissa), -m.shift);
      if (exponent >= 0)
        ASSERT_EQ(m.mantissa, INT32_MAX);
      else if (exponent >= -62)
        ASSERT_EQ(value, value_of(s));
      else
        ASSERT_LE(std::fabs(value - value_of(s)), 0x1p-62);
    }
}

}  // namespace
}  // namespace mantissa
