// Random bits: known answers of an independent implementation (tools/gold/exact.py), and statistics with their bounds.
#include "mantissa/num/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace mantissa {
namespace {

TEST(Random, KnownAnswers) {
  // Printed by: python3 tools/gold/random_answers.py
  struct Answer {
    uint64_t seed;
    uint32_t step, stream, index, word, half, rounding;
  };
  constexpr Answer kAnswers[] = {
#include "mantissa/num/random_answers.inc"
  };
  for (const Answer& a : kAnswers) {
    const RandomKey key = random_key(a.seed, a.step, a.stream);
    EXPECT_EQ(random_word(key, a.index), a.word)
        << a.seed << " " << a.step << " " << a.stream << " " << a.index;
    EXPECT_EQ(random16(key, a.index), a.half) << a.seed << " " << a.step << " " << a.stream << " " << a.index;
    EXPECT_EQ(rounding16(key, a.index), a.rounding)
        << a.seed << " " << a.step << " " << a.stream << " " << a.index;
  }
}

/// Sum of (n - expected)^2 / expected. For d degrees of freedom its mean is d, its deviation sqrt(2 d).
double chi_square(const std::vector<int>& counts, double expected) {
  double sum = 0;
  for (int n : counts) sum += (n - expected) * (n - expected) / expected;
  return sum;
}

/// Within six deviations of the mean on both sides: too even is as wrong as too uneven.
void expect_uniform(const std::vector<int>& counts, double samples, const char* what) {
  const double freedom = double(counts.size()) - 1;
  const double x = chi_square(counts, samples / double(counts.size()));
  EXPECT_LT(x, freedom + 6 * std::sqrt(2 * freedom)) << what;
  EXPECT_GT(x, freedom - 6 * std::sqrt(2 * freedom)) << what;
}

TEST(Random, Uniform) {
  constexpr int kSamples = 1 << 20;
  std::vector<int> upper(256), lower(256), pairs(4096), steps(256), streams(256), below(100);
  const RandomKey key = random_key(42, 7, 3);
  for (uint32_t i = 0; i < kSamples; ++i) {
    const uint32_t r = random16(key, i);
    ++upper[r >> 8];
    ++lower[r & 0xFF];
    ++pairs[(r >> 10) << 6 | random16(key, i + 1) >> 10];  // neighbours do not know each other
    ++steps[random16(random_key(42, i, 3), 5) >> 8];       // nor do steps
    ++streams[random16(random_key(42, 7, i), 5) >> 8];     // nor streams
    ++below[random_below(key, i, 100)];
  }
  expect_uniform(upper, kSamples, "upper");
  expect_uniform(lower, kSamples, "lower");
  expect_uniform(pairs, kSamples, "pairs");
  expect_uniform(steps, kSamples, "steps");
  expect_uniform(streams, kSamples, "streams");
  expect_uniform(below, kSamples, "below");
}

TEST(Random, MixIsAPermutationOfLowBits) {
  std::vector<bool> seen(1 << 16);
  uint32_t repeated = 0;
  for (uint32_t i = 0; i < 1 << 16; ++i) {
    const uint32_t low = mix32(i, 12345) & 0xFFFF;
    repeated += seen[low];
    seen[low] = true;
  }
  // 65536 draws into 65536 places leave a fraction 1/e empty, with a deviation below sqrt(65536 / 4).
  EXPECT_NEAR(repeated, 65536 / std::exp(1.0), 6 * 128);
}

TEST(Random, KeysDependOnEveryPart) {
  const RandomKey key = random_key(1, 2, 3);
  for (RandomKey other : {random_key(2, 2, 3), random_key(1 + (uint64_t(1) << 32), 2, 3), random_key(1, 3, 3),
                          random_key(1, 2, 4)}) {
    int equal = 0;
    for (uint32_t i = 0; i < 1000; ++i) equal += random16(key, i) == random16(other, i);
    EXPECT_LE(equal, 2);  // 1000 / 65536 expected
  }
}

}  // namespace
}  // namespace mantissa
