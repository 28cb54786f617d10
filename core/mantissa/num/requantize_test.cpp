// Requantization: the half step, the width, counts of what saturates, and how delayed scales move.
#include "mantissa/num/requantize.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace mantissa {
namespace {

double real(Scale s) { return std::ldexp(double(s.mantissa), s.exponent); }

Scale any_scale() {
  return {uint32_t(*rc::gen::inRange<int64_t>(int64_t(1) << 30, int64_t(1) << 31)),
          *rc::gen::inRange(-70, -10)};
}

/// Of all sizes: a random number of bits is dropped. Up to 2^32: beyond, a factor may have to be below 2^-32, where it has
/// fewer than 31 bits (SPEC 2).
template <class A>
std::vector<A> any_sums() {
  const int drop = *rc::gen::inRange(sizeof(A) == 4 ? 2 : 31, int(sizeof(A)) * 8 - 2);
  auto sums = *rc::gen::container<std::vector<A>>(20, rc::gen::arbitrary<A>());
  for (A& sum : sums) sum = A(sum >> drop);
  return sums;
}

template <class A>
void error_is_at_most_half_a_step() {
  EXPECT_TRUE(rc::check([] {
    const std::vector<A> sums = any_sums<A>();
    Requantization r{.unit = any_scale(), .bits = *rc::gen::inRange(2, 17)};
    r.rounding = *rc::gen::element(Rounding::kHalfAway, Rounding::kHalfEven);
    const int32_t max_code = symmetric_range(r.bits).high;
    const std::span<const A> all(sums);
    const uint64_t largest = largest_magnitude(all);
    r.scale = dynamic_scale(largest, r.unit, max_code);
    std::vector<int16_t> codes(sums.size());
    RC_ASSERT(requantize(all, r, std::span(codes)) == 0u);
    int32_t reached = 0;
    for (size_t i = 0; i < sums.size(); ++i) {
      const double exact = double(sums[i]) * real(r.unit) / real(r.scale);
      RC_ASSERT(std::fabs(codes[i] - exact) <= 0.5 + 1.0 / 8192);  // the factor has 31 bits
      reached = std::max(reached, std::abs(int32_t(codes[i])));
    }
    RC_ASSERT(largest == 0 || reached == max_code);
  }));
}

TEST(Requantize, ErrorIsAtMostHalfAStep) {
  error_is_at_most_half_a_step<int32_t>();
  error_is_at_most_half_a_step<int64_t>();
}

/// Where the scale is given, a sum within the range is off by half a step at most, and one beyond it has the nearest end.
template <class A>
void error_is_at_most_half_a_step_at_a_given_scale() {
  EXPECT_TRUE(rc::check([] {
    const std::vector<A> sums = any_sums<A>();
    Requantization r{.unit = any_scale(), .bits = *rc::gen::inRange(2, 17)};
    r.rounding = *rc::gen::element(Rounding::kHalfAway, Rounding::kHalfEven);
    const CodeRange range = symmetric_range(r.bits);
    const std::span<const A> all(sums);
    r.scale = dynamic_scale(std::max<uint64_t>(largest_magnitude(all), 1), r.unit, range.high);
    r.scale.mantissa = any_scale().mantissa;
    r.scale = r.scale.shifted(*rc::gen::inRange(-2, 3));
    std::vector<int16_t> codes(sums.size());
    requantize(all, r, std::span(codes));
    for (size_t i = 0; i < sums.size(); ++i) {
      const double exact = double(sums[i]) * real(r.unit) / real(r.scale);
      const double nearest = std::clamp(exact, double(range.low), double(range.high));
      RC_ASSERT(std::fabs(codes[i] - nearest) <= 0.5 + 1.0 / 4096);  // the factor has 31 bits
    }
  }));
}

TEST(Requantize, ErrorIsAtMostHalfAStepAtAGivenScale) {
  error_is_at_most_half_a_step_at_a_given_scale<int32_t>();
  error_is_at_most_half_a_step_at_a_given_scale<int64_t>();
}

TEST(Requantize, CodesStayInTheirWidthAndWhatDoesNotFitIsCounted) {
  EXPECT_TRUE(rc::check([] {
    const std::vector<int32_t> sums = any_sums<int32_t>();
    const Requantization r{.unit = {1u << 30, -30},
                           .scale = {1u << 30, *rc::gen::inRange(-40, 0)},
                           .bits = *rc::gen::inRange(2, 9)};
    const CodeRange range = symmetric_range(r.bits);
    std::vector<int8_t> codes(sums.size());
    const size_t saturated = requantize(std::span<const int32_t>(sums), r, std::span(codes));
    size_t beyond = 0;
    for (size_t i = 0; i < sums.size(); ++i) {
      RC_ASSERT(codes[i] >= range.low && codes[i] <= range.high);
      beyond += std::fabs(double(sums[i])) / real(r.scale) >= range.high + 0.5;  // powers of two: exact
    }
    RC_ASSERT(saturated == beyond);
  }));
}

/// The same sums in 64 bits, and in two parts whose random bits go on, give the same codes.
TEST(Requantize, WidthOfSumsAndPartsDoNotMatter) {
  EXPECT_TRUE(rc::check([] {
    const std::vector<int32_t> sums = any_sums<int32_t>();
    const std::vector<int64_t> wide(sums.begin(), sums.end());
    Requantization r{
        .unit = any_scale(), .bits = *rc::gen::inRange(2, 17), .key = {*rc::gen::arbitrary<uint32_t>(), 9}};
    r.scale = r.unit.shifted(*rc::gen::inRange(0, 28));
    r.rounding = *rc::gen::element(Rounding::kFloor, Rounding::kStochastic, Rounding::kHalfAway);
    std::vector<int16_t> expected(sums.size()), found(sums.size());
    const size_t saturated = requantize(std::span<const int32_t>(sums), r, std::span(expected));
    RC_ASSERT(requantize(std::span<const int64_t>(wide), r, std::span(found)) == saturated);
    RC_ASSERT(found == expected);
    const std::span<const int32_t> all(sums);
    const std::span<int16_t> codes(found);
    size_t in_parts = requantize(all.first(7), r, codes.first(7));
    r.first_index = 7;
    in_parts += requantize(all.subspan(7), r, codes.subspan(7));
    RC_ASSERT(in_parts == saturated);
    RC_ASSERT(found == expected);
  }));
}

TEST(Requantize, LargestMagnitudeAtTheEnds) {
  const int32_t narrow[] = {5, INT32_MIN, INT32_MAX};
  const int64_t wide[] = {-3, INT64_MIN, INT64_MAX};
  EXPECT_EQ(largest_magnitude(std::span<const int32_t>(narrow)), uint64_t(1) << 31);
  EXPECT_EQ(largest_magnitude(std::span<const int64_t>(wide)), uint64_t(1) << 63);
  EXPECT_EQ(largest_magnitude(std::span<const int32_t>()), 0u);
}

TEST(Requantize, DelayedScalesGrowAtOnceAndShrinkSlowly) {
  const Scale unit = Scale::from_float(0.125f);
  const DelayedRule rule{.margin = Scale::from_float(2.0f), .decay = Scale::from_float(0.875f)};
  const Scale start = Scale::from_float(1.0f);
  EXPECT_EQ(next_delayed_scale(start, 127 * 32, unit, 127, rule), Scale::from_float(8.0f));
  EXPECT_EQ(next_delayed_scale(start, 127, unit, 127, rule), Scale::from_float(0.875f));
  EXPECT_EQ(next_delayed_scale(start, 0, unit, 127, rule), start);
  EXPECT_EQ(dynamic_scale(0, unit, 127), unit);
}

/// Hoeffding: 200,000 draws within one step are off their mean by t with a probability of at most 2 exp(-2 n t^2) = 10^-12.
TEST(Requantize, StochasticRoundingIsUnbiased) {
  constexpr size_t kDraws = 200000;
  const double bound = std::sqrt(std::log(2e12) / (2.0 * kDraws));
  for (const int64_t sum : {1, -1, 700, -700, 1023, 513}) {
    const std::vector<int64_t> sums(kDraws, sum);
    std::vector<int16_t> codes(kDraws);
    const Requantization r{.unit = {1u << 30, -40},
                           .scale = {1u << 30, -30},
                           .bits = 8,
                           .rounding = Rounding::kStochastic,
                           .key = random_key(1, 2, uint32_t(sum))};
    ASSERT_EQ(requantize(std::span<const int64_t>(sums), r, std::span(codes)), 0u);
    double mean = 0.0;
    for (const int16_t code : codes) mean += code;
    EXPECT_NEAR(mean / kDraws, double(sum) / 1024, bound) << sum;
  }
}

}  // namespace
}  // namespace mantissa
