// From sums to codes against the definitions, in the reference and on every instruction set of this machine.
#include "mantissa/kernels/sums.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "mantissa/kernels/sums_small.hpp"
#include "tests/kernel_variants.hpp"

namespace mantissa {
namespace {

using test::kElement;
using test::on_every_variant;

/// Numbers of all sizes up to `bits` bits, the extremes among them.
int64_t any_integer(std::mt19937_64& random, int bits) {
  const int64_t limit = (int64_t(1) << bits) - 1;
  const int64_t x =
      random() % 16 == 0 ? limit : int64_t(random() >> (64 - bits) >> (random() % uint64_t(bits)));
  return random() % 2 ? x : -x;
}

template <class T>
std::vector<T> random_values(size_t n, int bits, std::mt19937_64& random) {
  std::vector<T> values(n);
  for (T& v : values) v = T(any_integer(random, bits));
  return values;
}

int32_t random_count(std::mt19937_64& random) { return 1 + int32_t(random() % (random() % 3 ? 20 : 150)); }

template <class Sum, class Bias, class Mask>
void check_finish(std::mt19937_64& random) {
  FinishSums f;
  f.element = kElement<Sum>;
  f.rows = 1 + int32_t(random() % 6);
  f.columns = random_count(random);
  f.stride = f.columns + int32_t(random() % 3);
  f.mask_stride = f.columns + int32_t(random() % 3);
  f.mask_element = kElement<Mask>;
  f.activation = random() % 2 ? Activation::kRelu : Activation::kNone;
  const int bits = std::is_same_v<Sum, float> ? 20 : sizeof(Sum) == 4 ? 30 : 61;
  const auto sums = random_values<Sum>(size_t(f.rows) * size_t(f.stride), bits, random);
  const auto bias = random_values<Bias>(size_t(f.columns), 20, random);
  const auto mask = random_values<Mask>(size_t(f.rows) * size_t(f.mask_stride), 3, random);
  if (random() % 2) f.bias = bias.data();
  if (random() % 2) f.mask = mask.data();

  std::vector<Sum> expected = sums;
  uint64_t largest = 0;
  for (int32_t r = 0; r < f.rows; ++r)
    for (int32_t c = 0; c < f.columns; ++c) {
      Sum& s = expected[size_t(r * f.stride + c)];
      if (f.bias) s += Sum(bias[size_t(c)]);
      if (f.activation == Activation::kRelu && !(s > 0)) s = 0;
      if (f.mask && !(mask[size_t(r * f.mask_stride + c)] > 0)) s = 0;
      if (!std::is_same_v<Sum, float>) largest = std::max(largest, uint64_t(std::abs(int64_t(s))));
    }
  on_every_variant([&](const Kernels& kernels, const char* name) {
    std::vector<Sum> actual = sums;
    f.sums = actual.data();
    ASSERT_EQ(kernels.finish_sums(f), largest) << name;
    ASSERT_EQ(actual, expected) << name;
  });
}

TEST(Sums, Finish) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    check_finish<int32_t, int32_t, int8_t>(random);
    check_finish<int32_t, int32_t, int16_t>(random);
    check_finish<int64_t, int32_t, int8_t>(random);
    check_finish<int64_t, int32_t, int16_t>(random);
    check_finish<float, float, float>(random);
  }
}

TEST(Sums, FinishSeesTheMostNegative) {
  for (int32_t columns : {1, 7, 16, 33}) {
    std::vector<int32_t> sums(size_t(columns), 5);
    sums.back() = -INT32_MAX;
    FinishSums f;
    f.rows = 1;
    f.columns = f.stride = columns;
    on_every_variant([&](const Kernels& kernels, const char* name) {
      f.sums = sums.data();
      ASSERT_EQ(kernels.finish_sums(f), uint64_t(INT32_MAX)) << name;
    });
  }
}

TEST(Sums, NearestIntegerByBits) {
  for (int32_t quarters = -40000; quarters <= 40000; ++quarters) {
    const float x = float(quarters) / 4;
    for (const float y : {std::nextafter(x, -1e9f), x, std::nextafter(x, 1e9f)})
      ASSERT_EQ(small::nearest_integer(y), int32_t(std::lround(y))) << y;
  }
  EXPECT_EQ(small::nearest_integer(8388607.5f), 8388608);
  for (const float large : {8388608.0f, 1e30f}) {
    EXPECT_EQ(small::nearest_integer(large), 1 << 24);
    EXPECT_EQ(small::nearest_integer(-large), -(1 << 24));
  }
}

TEST(Sums, UpperProductByHalves) {
  std::mt19937 random(5);
  for (int i = 0; i < 100000; ++i) {
    const uint32_t x = uint32_t(random()) >> (random() % 32), y = uint32_t(random()) >> (random() % 32);
    for (const uint32_t a : {x, ~x})
      for (const uint32_t b : {y, ~y})
        ASSERT_EQ(small::upper_product_by_halves(a, b), uint32_t(uint64_t(a) * b >> 32)) << a << " " << b;
  }
}

/// A power of two as a factor: every tie, on both sides of zero.
/// Ties, extremes, and ranges whose ends differ in size.
TEST(Sums, RescaleTies) {
  std::vector<int32_t> sums;
  for (int32_t x = -5000; x <= 5000; ++x) sums.push_back(x);
  sums.insert(sums.end(), {INT32_MAX, -INT32_MAX, INT32_MIN});
  for (int32_t shift = 30; shift < 48; ++shift)
    for (const int32_t mantissa : {1 << 30, 3 << 29, INT32_MAX}) {
      RescaleSums r;
      r.sums = sums.data();
      r.rows = 1;
      r.columns = r.code_stride = int32_t(sums.size());
      r.by = {mantissa, shift};
      r.range = shift % 3 == 0   ? CodeRange{-128, 127}
                : shift % 3 == 1 ? CodeRange{0, 99}
                                 : symmetric_range(8);
      std::vector<int8_t> expected;
      for (const int32_t sum : sums) expected.push_back(int8_t(rescale(sum, r.by, r.rounding, r.range)));
      on_every_variant([&](const Kernels& kernels, const char* name) {
        std::vector<int8_t> actual(sums.size());
        r.codes = actual.data();
        kernels.rescale_sums(r);
        ASSERT_EQ(actual, expected) << name << ", shift " << shift << ", mantissa " << mantissa;
      });
    }
}

template <class Sum, class Code>
void check_rescale(std::mt19937_64& random) {
  RescaleSums r;
  r.element = kElement<Sum>;
  r.code_element = kElement<Code>;
  r.rows = 1 + int32_t(random() % 5);
  r.columns = random_count(random);
  r.code_stride = r.columns + int32_t(random() % 3);
  r.rounding = Rounding(random() % 4);
  r.range = symmetric_range(sizeof(Code) == 1 ? 2 + int(random() % 7) : 9 + int(random() % 8));
  r.key = random_key(random(), 1, 2);
  r.first_index = uint32_t(random());
  const int bits = sizeof(Sum) == 4 ? 31 : 61;
  // Half of the time a factor that brings sums into the range.
  const int32_t usual = bits - 7 + int32_t(random() % 8);
  r.by = {int32_t(1 << 30 | random() >> 34),
          random() % 2 ? std::min(usual + 20, 62) : 1 + int32_t(random() % 62)};
  if (random() % 8 == 0) r.by.mantissa = 1 << (random() % 31);  // ties
  const auto sums = random_values<Sum>(size_t(r.rows) * size_t(r.columns), bits, random);
  r.sums = sums.data();
  std::vector<Code> expected(size_t(r.rows) * size_t(r.code_stride), Code(77));
  uint64_t saturated = 0;
  const CodeRange wider = {-(1 << 30), 1 << 30};
  for (int32_t row = 0; row < r.rows; ++row)
    for (int32_t c = 0; c < r.columns; ++c) {
      const uint32_t i = uint32_t(row * r.columns + c);
      const int32_t code = rescale_wide(sums[i], r.by, r.rounding, wider, random16(r.key, r.first_index + i));
      expected[size_t(row * r.code_stride + c)] = Code(clamp_code(code, r.range));
      saturated += code != clamp_code(code, r.range);
    }
  on_every_variant([&](const Kernels& kernels, const char* name) {
    std::vector<Code> actual(expected.size(), Code(77));
    r.codes = actual.data();
    ASSERT_EQ(kernels.rescale_sums(r), saturated)
        << name << " rule " << int(r.rounding) << " shift " << r.by.shift;
    ASSERT_EQ(actual, expected) << name << " rule " << int(r.rounding) << " shift " << r.by.shift;
  });
}

TEST(Sums, Rescale) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 600; ++i) {
    check_rescale<int32_t, int8_t>(random);
    check_rescale<int32_t, int16_t>(random);
    check_rescale<int64_t, int8_t>(random);
    check_rescale<int64_t, int16_t>(random);
  }
}

/// Every shift, with sums around every tie and the extremes of 32 bits.
TEST(Sums, RescaleAtEveryShift) {
  std::vector<int32_t> sums = {INT32_MIN, INT32_MAX, INT32_MIN + 1, 0, 1, -1};
  for (int bit = 0; bit < 31; ++bit)
    for (int32_t near : {-1, 0, 1}) {
      sums.push_back((1 << bit) + near);
      sums.push_back(-(1 << bit) + near);
    }
  for (int32_t shift = 1; shift <= 62; ++shift)
    for (int32_t mantissa : {1, 1 << 30, INT32_MAX}) {
      RescaleSums r;
      r.sums = sums.data();
      r.rows = 1;
      r.columns = r.code_stride = int32_t(sums.size());
      r.by = {mantissa, shift};
      r.range = shift % 3 == 0   ? CodeRange{-128, 127}
                : shift % 3 == 1 ? CodeRange{0, 99}
                                 : symmetric_range(8);
      std::vector<int8_t> expected;
      for (int32_t s : sums) expected.push_back(int8_t(rescale(s, r.by, Rounding::kHalfAway, r.range)));
      on_every_variant([&](const Kernels& kernels, const char* name) {
        std::vector<int8_t> actual(sums.size());
        r.codes = actual.data();
        kernels.rescale_sums(r);
        ASSERT_EQ(actual, expected) << name << " shift " << shift << " mantissa " << mantissa;
      });
    }
}

template <class Code, class Sum>
void check_columns(std::mt19937_64& random) {
  ColumnSums s;
  s.element = kElement<Code>;
  s.sum_element = kElement<Sum>;
  s.rows = int32_t(random() % 300);
  s.columns = random_count(random);
  s.stride = s.columns + int32_t(random() % 3);
  const auto codes =
      random_values<Code>(size_t(s.rows + 1) * size_t(s.stride), sizeof(Code) == 1 ? 7 : 15, random);
  const auto before = random_values<Sum>(size_t(s.columns), 20, random);
  std::vector<Sum> expected = before;
  for (int32_t r = 0; r < s.rows; ++r)
    for (int32_t c = 0; c < s.columns; ++c) expected[size_t(c)] += codes[size_t(r * s.stride + c)];
  s.codes = codes.data();
  on_every_variant([&](const Kernels& kernels, const char* name) {
    std::vector<Sum> actual = before;
    s.sums = actual.data();
    kernels.column_sums(s);
    ASSERT_EQ(actual, expected) << name << " rows " << s.rows << " columns " << s.columns;
  });
}

TEST(Sums, Columns) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200; ++i) {
    check_columns<int8_t, int32_t>(random);
    check_columns<int16_t, int32_t>(random);
    check_columns<int8_t, int64_t>(random);
    check_columns<int16_t, int64_t>(random);
    check_columns<float, float>(random);
  }
}

TEST(Sums, ColumnsOfLargestCodes) {
  for (int32_t rows : {1, 255, 256, 257, 1000, 66000}) {
    const std::vector<int8_t> codes(size_t(rows) * 35, -127);
    on_every_variant([&](const Kernels& kernels, const char* name) {
      std::vector<int32_t> sums(35, 0);
      kernels.column_sums({codes.data(), Element::kInt8, rows, 35, 35, sums.data(), Element::kInt32});
      ASSERT_EQ(sums, std::vector<int32_t>(35, -127 * rows)) << name;
    });
  }
}

}  // namespace
}  // namespace mantissa
