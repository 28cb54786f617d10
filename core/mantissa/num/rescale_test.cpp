// rescale against its definition in 128-bit integers: exhaustive where small, random and extreme beyond.
#include "mantissa/num/rescale.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "tests/exact_rescale.hpp"

namespace mantissa {
namespace {

using test::clamped;
using test::exact_code;
using test::Wide;

constexpr std::array kRoundings = {Rounding::kHalfAway, Rounding::kHalfEven, Rounding::kFloor,
                                   Rounding::kStochastic};
constexpr CodeRange kWidest = {-(1 << 30), 1 << 30};

TEST(Rescale, SmallExhaustiveWithAllTies) {
  for (Rounding rounding : kRoundings)
    for (int32_t shift = 1; shift <= 8; ++shift)
      for (int32_t mantissa : {1, 2, 3, 5, 8, 64, 127, 128, 255})
        for (int32_t accumulator = -520; accumulator <= 520; ++accumulator)
          for (uint32_t bits : {0u, 1u, 0x7FFFu, 0x8000u, 0xFFFFu}) {
            const Multiplier by{mantissa, shift};
            const Wide expected = exact_code(accumulator, by, rounding, bits);
            ASSERT_EQ(rescale(accumulator, by, rounding, kWidest, bits), clamped(expected, kWidest))
                << accumulator << " * " << mantissa << " >> " << shift << " rule " << int(rounding);
            ASSERT_EQ(rescale_wide(accumulator, by, rounding, kWidest, bits), clamped(expected, kWidest))
                << accumulator << " * " << mantissa << " >> " << shift << " rule " << int(rounding);
            const CodeRange narrow = symmetric_range(4);
            ASSERT_EQ(rescale(accumulator, by, rounding, narrow, bits), clamped(expected, narrow));
          }
}

/// Numbers of all sizes, and often a power of two or beside one.
int64_t any_integer(std::mt19937_64& random, int bits) {
  const int width = int(random() % uint64_t(bits)) + 1;
  uint64_t x = random() >> (64 - width);
  if (random() % 4 == 0) x = (uint64_t(1) << (width - 1)) + random() % 3 - 1;
  const int64_t limit = bits == 64 ? INT64_MAX : (int64_t(1) << bits) - 1;
  const int64_t bounded = int64_t(x) > limit ? limit : int64_t(x);
  return random() % 2 ? bounded : -bounded;
}

TEST(Rescale, RandomAndExtreme) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000000; ++i) {
    const Rounding rounding = kRoundings[random() % 4];
    int64_t wide = any_integer(random, 31);
    if (i % 100 == 0) wide = i % 200 == 0 ? INT32_MIN : INT32_MAX;
    const int32_t accumulator = int32_t(wide);
    const Multiplier by{int32_t(std::abs(any_integer(random, 31)) | 1), int32_t(random() % 62) + 1};
    const uint32_t bits = random() & 0xFFFF;
    const CodeRange range = symmetric_range(2 + int(random() % 15));
    ASSERT_EQ(rescale(accumulator, by, rounding, range, bits),
              clamped(exact_code(accumulator, by, rounding, bits), range))
        << accumulator << " * " << by.mantissa << " >> " << by.shift << " rule " << int(rounding);
  }
}

TEST(RescaleWide, RandomAndExtreme) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000000; ++i) {
    const Rounding rounding = kRoundings[random() % 4];
    int64_t accumulator = any_integer(random, 62);
    if (i % 100 == 0) accumulator = i % 200 == 0 ? -(int64_t(1) << 62) + 1 : (int64_t(1) << 62) - 1;
    const Multiplier by{int32_t(std::abs(any_integer(random, 31)) | 1), int32_t(random() % 62) + 1};
    const uint32_t bits = random() & 0xFFFF;
    const CodeRange range = i % 2 ? kWidest : symmetric_range(8);
    ASSERT_EQ(rescale_wide(accumulator, by, rounding, range, bits),
              clamped(exact_code(accumulator, by, rounding, bits), range))
        << accumulator << " * " << by.mantissa << " >> " << by.shift << " rule " << int(rounding);
  }
}

TEST(RescaleWide, TiesAtEveryShift) {
  for (Rounding rounding : kRoundings)
    for (int32_t shift = 1; shift <= 61; ++shift)
      for (int64_t odd : {1, 3, 5, 7, -1, -3, -5, -7}) {
        const int64_t accumulator = odd * (int64_t(1) << (shift - 1) / 2);
        const Multiplier by{1 << (shift - 1 - (shift - 1) / 2), shift};  // product = odd * 2^(shift - 1)
        ASSERT_EQ(rescale_wide(accumulator, by, rounding, kWidest, 0x7FFF),
                  exact_code(accumulator, by, rounding, 0x7FFF))
            << odd << " halves at shift " << shift << " rule " << int(rounding);
      }
}

TEST(Rescale, HalfAwayIsSymmetric) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200000; ++i) {
    const int32_t x = int32_t(any_integer(random, 31));
    const Multiplier by{int32_t(std::abs(any_integer(random, 31)) | 1), int32_t(random() % 62) + 1};
    ASSERT_EQ(rescale(-x, by, Rounding::kHalfAway, kWidest), -rescale(x, by, Rounding::kHalfAway, kWidest));
  }
}

TEST(Rescale, LargeFactorsSaturateEveryCodeButZero) {
  const Multiplier by = multiplier(Scale{1u << 30, 5});
  const CodeRange range = symmetric_range(16);
  EXPECT_EQ(rescale(1, by, Rounding::kHalfAway, range), range.high);
  EXPECT_EQ(rescale(-1, by, Rounding::kHalfAway, range), range.low);
  EXPECT_EQ(rescale(0, by, Rounding::kHalfAway, range), 0);
}

TEST(Rescale, TinyFactorsKeepTheSignUnderFloor) {
  const Multiplier by = multiplier(Scale{1u << 30, -120});
  EXPECT_EQ(rescale(-1, by, Rounding::kFloor, kWidest), -1);
  EXPECT_EQ(rescale(1, by, Rounding::kFloor, kWidest), 0);
  EXPECT_EQ(rescale(INT32_MIN, by, Rounding::kHalfAway, kWidest), 0);
}

/// Over all random bits, the mean is the value: the number that go up differs from 65536 * fraction by less than one.
TEST(Rescale, StochasticIsUnbiased) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 60; ++i) {
    const int32_t accumulator = int32_t(random() % 2001) - 1000;
    const Multiplier by{int32_t(random() >> 34) | 1, 20 + int32_t(random() % 16)};
    const Wide product = Wide(accumulator) * by.mantissa, floor = product >> by.shift;
    const double fraction = double(product - (floor << by.shift)) / double(int64_t(1) << by.shift);
    int64_t up = 0;
    for (uint32_t bits = 0; bits < 65536; ++bits)
      up += rescale(accumulator, by, Rounding::kStochastic, kWidest, bits) - int64_t(floor);
    ASSERT_NEAR(double(up), 65536 * fraction, 1.0);
  }
}

TEST(SymmetricRange, HasAsManyCodesOnBothSides) {
  for (int bits = 2; bits <= 16; ++bits) {
    EXPECT_EQ(symmetric_range(bits).high, std::pow(2, bits - 1) - 1);
    EXPECT_EQ(symmetric_range(bits).low, 1 - std::pow(2, bits - 1));
  }
}

TEST(Rescale, CodesOf16BitsTakeAShortcut) {
  std::mt19937 random(7);
  for (int32_t shift = 17; shift <= 62; ++shift)
    for (int i = 0; i < 20000; ++i) {
      const int32_t zeros = int32_t(random() % 31);  // many of them make ties
      const int32_t mantissa = int32_t(((1u << 30) | (random() >> 2)) >> zeros << zeros);
      const Multiplier by = {i % 100 == 0 ? INT32_MAX : i % 100 == 1 ? 1 : mantissa, shift};
      const int32_t code = i % 50 == 0 ? -32768 : i % 50 == 1 ? 32768 : int32_t(random() % 65537) - 32768;
      ASSERT_EQ(scaled_code(code, by), scaled(code, by, Rounding::kHalfAway)) << code << ", " << shift;
    }
}

}  // namespace
}  // namespace mantissa
