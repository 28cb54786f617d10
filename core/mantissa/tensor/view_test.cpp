// Views: codes and values of each format, with every granularity, against values worked out by hand.
#include "mantissa/tensor/view.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace mantissa {
namespace {

/// Owns the parts of a tensor whose values the test sets.
struct Parts {
  Format format;
  size_t elements;
  size_t channels = 1;
  std::vector<uint8_t> codes{};
  std::vector<Scale> scales{};
  std::vector<int16_t> zero_points{};
  std::vector<uint8_t> exponents{};

  ConstTensorView view() const { return {format, elements, channels, codes, scales, zero_points, exponents}; }
};

TEST(View, CodesAndValuesOfEachFormat) {
  const Scale half = Scale::from_float(0.5f), three = Scale::from_float(3.0f);
  const Parts sym{sym_format(8, kPerChannel), 4, 2, {1, 0xFF, 2, 0x81}, {half, three}};
  ASSERT_FALSE(check_view(sym.view()));
  const float sym_values[] = {0.5f, -0.5f, 6.0f, -381.0f};
  const int32_t sym_codes[] = {1, -1, 2, -127};
  const Parts asym{asym_format(4, 2), 4, 1, {0x78, 0x80}, {half, three}, {-3, 7}};
  ASSERT_FALSE(check_view(asym.view()));
  const float asym_values[] = {-2.5f, 5.0f, -21.0f, -45.0f};
  const int32_t asym_codes[] = {-8, 7, 0, -8};
  const Parts bfp{bfp_format(8, 2), 4, 1, {64, 0xC0, 127, 1}, {}, {}, {127, 130}};
  ASSERT_FALSE(check_view(bfp.view()));
  const float bfp_values[] = {1.0f, -1.0f, 127.0f / 8, 0.125f};  // Microscaling: 2^(X - 127) * code / 64
  const int32_t bfp_codes[] = {64, -64, 127, 1};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(dequantize(sym.view(), i), sym_values[i]);
    EXPECT_EQ(int_repr(sym.view(), i), sym_codes[i]);
    EXPECT_EQ(dequantize(asym.view(), i), asym_values[i]);
    EXPECT_EQ(int_repr(asym.view(), i), asym_codes[i]);
    EXPECT_EQ(dequantize(bfp.view(), i), bfp_values[i]);
    EXPECT_EQ(int_repr(bfp.view(), i), bfp_codes[i]);
  }
  const Parts mask{bool_format(), 9, 1, {0x81, 1}};
  ASSERT_FALSE(check_view(mask.view()));
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(int_repr(mask.view(), i), i == 0 || i >= 7 ? 1 : 0);
  const Parts labels{int32_format(), 2, 1, {0xFE, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0}};
  EXPECT_EQ(int_repr(labels.view(), 0), -2);
  EXPECT_EQ(int_repr(labels.view(), 1), 65536);
}

TEST(View, OperandsLieInWholeBytes) {
  const Scale one;
  const std::vector<uint8_t> codes{0xF9, 0xFF, 5, 0};
  ConstTensorView v{
      .format = sym_format(4), .elements = 2, .codes = codes, .scales = {&one, 1}, .container_bits = 16};
  ASSERT_FALSE(check_view(v));
  EXPECT_EQ(int_repr(v, 0), -7);
  EXPECT_EQ(int_repr(v, 1), 5);
  v.elements = 3;
  EXPECT_EQ(check_view(v).code, ErrorCode::kBadStorage);
  v.elements = 1;
  v.container_bits = 12;
  EXPECT_EQ(check_view(v).code, ErrorCode::kBadStorage);
  v.format = sym_format(12);
  v.container_bits = 8;
  EXPECT_EQ(check_view(v).code, ErrorCode::kBadStorage);
}

TEST(View, WordsAreStoredWithTheLowestByteFirst) {
  std::vector<uint8_t> bytes(8);
  store_float({.format = float32_format(), .elements = 2, .codes = bytes}, 1, -0x1.04p-120f);
  store_code({.format = int32_format(), .elements = 2, .codes = bytes}, 0, 0x01020304);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{4, 3, 2, 1, 0x00, 0x00, 0x82, 0x83}));
}

TEST(View, WhatIsMissingIsAnError) {
  Parts p{asym_format(8, 2), 4, 1, {0, 0, 0, 0}, {{}, {}}, {0, 0}};
  EXPECT_FALSE(check_view(p.view()));
  p.zero_points.pop_back();
  EXPECT_EQ(check_view(p.view()).code, ErrorCode::kBadStorage);
  p.scales.pop_back();
  const Error scales = check_view(p.view());
  EXPECT_EQ(scales.found, 1);
  EXPECT_EQ(scales.limit, 2);
  p.codes.pop_back();
  EXPECT_EQ(check_view(p.view()).found, 3);
  Parts sym{sym_format(8, 2), 4, 1, {0, 0, 0, 0}, {{}, {}}};
  EXPECT_FALSE(check_view(sym.view()));
  sym.scales.pop_back();
  EXPECT_EQ(check_view(sym.view()).code, ErrorCode::kBadStorage);
  EXPECT_EQ(check_view(Parts{bfp_format(8, 2), 2, 1, {0, 0}}.view()).code, ErrorCode::kBadStorage);
}

/// The compiler's own conversion from a wider type is the reference.
TEST(NearestFloat, IsTheNearestAtEveryMagnitude) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000000; ++i) {
    const int32_t integer = int32_t(uint32_t(random())) >> (random() % 32);
    const Scale unit{uint32_t(random() >> 34 | 1u << 30) & (~0u << (random() % 31)),
                     int32_t(random() % 360) - 240};
    const long double exact = std::ldexp(static_cast<long double>(integer) * unit.mantissa, unit.exponent);
    const float expected = static_cast<float>(exact);  // 63 bits fit a long double
    ASSERT_EQ(nearest_float({integer, unit}), expected)
        << integer << " * " << unit.mantissa << "e" << unit.exponent;
  }
  const Scale one = power_of_two(0);
  EXPECT_EQ(nearest_float({INT32_MIN, one}), -2147483648.0f);
  EXPECT_EQ(nearest_float({16777217, one}), 16777216.0f);  // ties to even
  EXPECT_EQ(nearest_float({16777219, one}), 16777220.0f);
  EXPECT_EQ(nearest_float({1, power_of_two(-150)}), 0.0f);
  EXPECT_EQ(nearest_float({3, power_of_two(-150)}), 2 * std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(nearest_float({1, power_of_two(128)}), std::numeric_limits<float>::infinity());
  EXPECT_EQ(nearest_float({1, power_of_two(-5000)}), 0.0f);
  static_assert(nearest_float({-3, power_of_two(-1)}) == -1.5f);
}

TEST(SplitFloat, IsExact) {
  std::mt19937 random(2);
  for (int i = 0; i < 1000000; ++i) {
    const float x = std::bit_cast<float>(uint32_t(random()));
    if (!std::isfinite(x)) {
      ASSERT_EQ(is_nan(x), std::isnan(x));
      ASSERT_EQ(is_infinite(x), std::isinf(x));
      continue;
    }
    const FloatParts parts = split_float(x);
    ASSERT_LT(std::abs(parts.significand), 1 << 24);
    ASSERT_EQ(std::ldexp(double(parts.significand), parts.exponent), double(x));
  }
}

}  // namespace
}  // namespace mantissa
