// Softmax with cross entropy against double.
#include "mantissa/losses/cross_entropy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace mantissa {
namespace {

struct Expected {
  std::vector<double> p;
  double loss = 0;
  int32_t prediction = 0;
};

Expected softmax(const std::vector<double>& logits, int32_t label) {
  Expected e;
  e.prediction = int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const double largest = logits[size_t(e.prediction)];
  double sum = 0;
  for (double x : logits) sum += std::exp(x - largest);
  for (double x : logits) e.p.push_back(std::exp(x - largest) / sum);
  e.loss = std::log(sum) + largest - logits[size_t(label)];
  return e;
}

constexpr double kQ24 = 16777216.0;

template <class Code>
void check_integer(int bits, std::mt19937& random) {
  const int32_t classes = 1 + int32_t(random() % 20), max_code = (1 << (bits - 1)) - 1;
  const int32_t label = int32_t(random() % uint32_t(classes));
  const Scale scale = Scale::from_float(std::ldexp(1.0f + float(random() % 1000) / 1000, -12));
  std::vector<int32_t> logits(size_t(classes), 0);
  for (int32_t& x : logits) x = int32_t(random() % 40001) - 20000;  // +-10 nats
  std::vector<double> reals;
  for (int32_t x : logits) reals.push_back(x * std::ldexp(double(scale.mantissa), scale.exponent));
  const Expected expected = softmax(reals, label);
  std::vector<Code> errors(static_cast<size_t>(classes));
  std::vector<int32_t> powers = logits;
  const LossResult result =
      cross_entropy(powers.data(), classes, exponent_multiplier(scale), label, max_code, errors.data());
  ASSERT_EQ(result.prediction, expected.prediction);
  const double p_error = 0x1p-22 * classes;
  int32_t sum = 0;
  for (int32_t c = 0; c < classes; ++c) {
    const double wanted = max_code * (expected.p[size_t(c)] - (c == label));
    ASSERT_NEAR(errors[size_t(c)], wanted, 0.5 + max_code * p_error);
    sum += errors[size_t(c)];
  }
  ASSERT_LE(std::abs(sum), (classes + 1) / 2 + 1);  // each is rounded by at most one half
  // Exponents lose the last 2 of 26 bits, logarithm and sum 2^-22 each.
  if (expected.loss < 21) {
    ASSERT_NEAR(double(result.loss_q24) / kQ24, expected.loss, 4 * 0x1p-22 + p_error);
  }
  const LossResult same = cross_entropy(logits.data(), classes, exponent_multiplier(scale), label, max_code,
                                        static_cast<Code*>(nullptr));
  ASSERT_EQ(same.loss_q24, result.loss_q24);
  const LossResult again = cross_entropy(logits.data(), classes, exponent_multiplier(scale), label, max_code,
                                         static_cast<Code*>(nullptr));
  ASSERT_EQ(again.loss_q24, result.loss_q24) << "without errors the logits stay";
}

/// The ends of 32 bits differ by more than an int32_t holds: by 2 nats in units of 2^-31.
TEST(CrossEntropy, LogitsMayBeAsFarApartAsTheyGo) {
  int32_t logits[] = {INT32_MIN, INT32_MAX};
  const Multiplier exponent = exponent_multiplier({1u << 30, -61});
  const LossResult right = cross_entropy(logits, 2, exponent, 1, 1, static_cast<int8_t*>(nullptr));
  const LossResult wrong = cross_entropy(logits, 2, exponent, 0, 1, static_cast<int8_t*>(nullptr));
  EXPECT_NEAR(double(right.loss_q24) / kQ24, std::log1p(std::exp(-2.0)), 1e-6);
  EXPECT_NEAR(double(wrong.loss_q24) / kQ24, std::log1p(std::exp(-2.0)) + 2, 1e-6);
}

TEST(CrossEntropy, IntegersFollowTheDefinition) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    check_integer<int8_t>(2 + i % 7, random);
    check_integer<int16_t>(9 + i % 8, random);
  }
}

TEST(CrossEntropy, CodesAreRoundedExactlyTiesUp) {
  std::mt19937 random(3);
  for (int i = 0; i < 200000; ++i) {
    const int32_t classes = 1 + int32_t(random() % 40), max_code = (1 << (1 + i % 15)) - 1;
    const Scale scale = Scale::from_float(std::ldexp(1.0f, -int(random() % 20)));
    std::vector<int32_t> powers(size_t(classes), 0);
    if (i % 3 != 0)  // else all are equal, and some codes ties
      for (int32_t& x : powers) x = int32_t(random() % (2u << random() % 12));
    std::vector<int16_t> errors(static_cast<size_t>(classes));
    cross_entropy(powers.data(), classes, exponent_multiplier(scale), 0, max_code, errors.data());
    int64_t sum = 0;
    for (int32_t p : powers) sum += p;
    for (int32_t c = 0; c < classes; ++c) {
      const int64_t wanted = (2 * int64_t(powers[size_t(c)]) * max_code + sum) / (2 * sum);
      ASSERT_EQ(errors[size_t(c)], wanted - (c == 0 ? max_code : 0)) << classes << " classes, " << max_code;
    }
  }
}

TEST(CrossEntropy, HugeLogitsNeitherOverflowNorLoseTheirOrder) {
  for (Scale scale :
       {Scale::from_float(1e-6f), Scale::from_float(1.0f), Scale::from_float(1e20f), Scale{1u << 30, -300}}) {
    int32_t logits[4] = {INT32_MIN, INT32_MAX, 0, INT32_MAX - 1};
    int16_t errors[4];
    const LossResult result = cross_entropy(logits, 4, exponent_multiplier(scale), 1, 32767, errors);
    EXPECT_EQ(result.prediction, 1);
    EXPECT_GE(result.loss_q24, -64);
    int32_t sum = 0;
    for (int16_t e : errors) sum += e;
    EXPECT_LE(std::abs(sum), 3);
  }
  int32_t apart[2] = {INT32_MIN, INT32_MAX};
  int8_t errors[2];
  const LossResult wrong =
      cross_entropy(apart, 2, exponent_multiplier(Scale::from_float(1.0f)), 0, 127, errors);
  EXPECT_EQ(errors[0], -127);
  EXPECT_EQ(errors[1], 127);
  EXPECT_NEAR(double(wrong.loss_q24) / kQ24, 31 * std::log(2.0), 1e-5) << "the largest loss";
}

TEST(CrossEntropy, TheFirstOfEqualLogitsIsPredicted) {
  int32_t codes[4] = {-3, 8, 8, 1};
  const float reals[4] = {-3, 8, 8, 1};
  EXPECT_EQ(
      cross_entropy(codes, 4, exponent_multiplier(Scale{}), 0, 127, static_cast<int8_t*>(nullptr)).prediction,
      1);
  EXPECT_EQ(cross_entropy(reals, 4, 0, nullptr, ref::softmax_float).prediction, 1);
}

TEST(CrossEntropy, Float32FollowsTheDefinition) {
  std::mt19937 random(2);
  for (int i = 0; i < 20000; ++i) {
    const int32_t classes = 1 + int32_t(random() % 20), label = int32_t(random() % uint32_t(classes));
    std::vector<float> logits(size_t(classes), 0.0f), errors(static_cast<size_t>(classes));
    for (float& x : logits) x = float(int32_t(random() % 40001) - 20000) / 1024;
    const Expected expected = softmax({logits.begin(), logits.end()}, label);
    const LossResult result = cross_entropy(logits.data(), classes, label, errors.data(), ref::softmax_float);
    ASSERT_EQ(result.prediction, expected.prediction);
    // exp is exact to 2^-22 of itself, the sum rounds once per class.
    const double relative = 2 * 0x1p-22 + classes * 0x1p-24;
    for (int32_t c = 0; c < classes; ++c)
      ASSERT_NEAR(errors[size_t(c)], expected.p[size_t(c)] - (c == label),
                  relative * expected.p[size_t(c)] + 0x1p-23);
    ASSERT_NEAR(double(result.loss_q24) / kQ24, expected.loss, relative + 0x1p-22 * expected.loss + 0x1p-23);
  }
  const float apart[3] = {-3e38f, 3e38f, 0.0f};
  float errors[3];
  const LossResult far = cross_entropy(apart, 3, 0, errors, ref::softmax_float);
  EXPECT_EQ(errors[1], 1.0f);
  EXPECT_EQ(errors[0], -1.0f);
  EXPECT_GT(far.loss_q24, int64_t(100000 * kQ24));
}

}  // namespace
}  // namespace mantissa
