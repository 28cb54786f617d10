// The update against PyTorch (float32) and against exact real numbers (integers).
#include "mantissa/optim/sgd.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "mantissa/kernels/kernels.hpp"
#include "tests/scale_value.hpp"

namespace mantissa {
namespace {

TEST(Sgd, Float32FollowsPyTorch) {
  struct Step {
    float gradient[5], parameters[5], momentum[5];
  };
  // Printed by tools/gold/sgd_torch.py: lr 0.1, momentum 0.9, weight decay 0.01; the first row is the start.
  const Step steps[] = {
#include "mantissa/optim/sgd_torch.inc"
  };
  std::vector<float> p(steps[0].parameters, steps[0].parameters + 5), v(5);
  for (const Step* step = steps + 1; step != std::end(steps); ++step) {
    FloatUpdate u;
    u.sums = step->gradient;
    u.values = p.data();
    u.momentum = v.data();
    u.decay = 0.9f;
    u.pull = 0.01f;
    u.rate = 0.1f;
    u.count = 5;
    kernels_ref.update_float(u);
    for (size_t i = 0; i < 5;
         ++i) {  // PyTorch may fuse a product with its sum: a rounding less per operation
      EXPECT_NEAR(p[i], step->parameters[i], 4 * 0x1p-24 * 4);
      EXPECT_NEAR(v[i], step->momentum[i], 4 * 0x1p-24 * 8);
    }
  }
}

using test::value_of;

TEST(Sgd, FactorsAreTheNearestInQ32) {
  std::mt19937 random(4);
  for (int i = 0; i < 100000; ++i) {
    const float value = std::ldexp(float(1 + random() % 4096), -12);
    const Scale scale{(1u << 30) | (uint32_t(random()) >> 2 & (~0u << (random() % 30))),
                      -30 - int32_t(random() % 40)};
    const double wanted = std::floor(double(value) * value_of(scale) * 0x1p32 + 0.5);
    // The product of value and scale keeps 31 bits.
    ASSERT_NEAR(double(sgd_q32(value, scale, INT32_MAX)), std::min(wanted, 0x1p31 - 1), 1.0);
    const float exact = std::ldexp(1.0f, -int32_t(random() % 12));  // with it no bit is lost
    const double nearest = std::floor(double(exact) * value_of(scale) * 0x1p32 + 0.5);
    ASSERT_EQ(double(sgd_q32(exact, scale, INT32_MAX)), std::min(nearest, 0x1p31 - 1));
  }
}

/// 16 bits keep one free; 8 bits and what they drop are as long as the 15 that remain.
TEST(Sgd, MomentumHasRoomForASum) {
  EXPECT_EQ(momentum_range(16).low, -16384);
  EXPECT_EQ(momentum_range(16).high, 16383);
  EXPECT_EQ(momentum_range(8).low, -128);
  EXPECT_EQ(momentum_range(8).high, 127);
  EXPECT_EQ(momentum_drop(16), 0);
  EXPECT_EQ(momentum_drop(8), 7);
}

/// One element's update in real numbers.
struct Real {
  double v, p;
};

struct IntegerCase {
  SgdSettings settings;
  SgdScales scales;
  int doublings = 0;  ///< log2 of the old momentum's scale over the new one's
  int32_t sum = 0;
  int16_t momentum = 0;
  int16_t parameter = 0;

  Real expected() const {
    const double p = parameter * value_of(scales.parameter);
    const double v = settings.momentum * (momentum * std::ldexp(value_of(scales.momentum), doublings)) +
                     sum * value_of(scales.gradient) + settings.weight_decay * p;
    return {v, p};
  }
};

IntegerCase random_case(std::mt19937& random) {
  const auto real = [&] { return float(random() % 1000 + 1) / 1000; };
  const auto scale = [&](float least) { return Scale::from_float(least * (1 + real())); };
  IntegerCase c;
  c.settings = {
      .lr = 0.3f * real(), .momentum = 0.98f * real(), .weight_decay = random() % 2 ? 0.01f * real() : 0.0f};
  c.scales = {scale(1e-7f), scale(1e-5f), scale(8e-6f)};
  c.doublings = int(random() % 3) - 1;
  c.sum = int32_t(random() % 200001) - 100000;
  c.momentum = int16_t(int32_t(random() % 8001) - 4000);
  c.parameter = int16_t(int32_t(random() % 50001) - 25000);
  return c;
}

/// Both codes are the floor of the exact value plus a number in (0, 1), so less than 1 away, but for the factors.
TEST(Sgd, IntegersAreLessThanAStepFromTheRealUpdate) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    IntegerCase c = random_case(random);
    const Real expected = c.expected();
    IntegerUpdate u;
    set_momentum_factors(u, c.settings, c.scales, c.doublings);
    int16_t p = c.parameter, v = c.momentum;
    u.sums = &c.sum;
    u.parameters = {.data = &p, .bits = 16, .range = symmetric_range(16)};
    u.momentum = &v;
    u.momentum_range = momentum_range(16);
    u.rounding = i % 2 ? Rounding::kStochastic : Rounding::kHalfAway;
    u.key = random_key(1, uint32_t(i), 0);
    u.count = 1;
    kernels_ref.update_integer(u);
    const double step = i % 2 ? 1 : 0.5, v_unit = value_of(c.scales.momentum),
                 p_unit = value_of(c.scales.parameter);
    if (std::fabs(expected.v) >= 16000 * v_unit) continue;
    // The gain's 2^-17 of a term, below 0.13 of 16384 codes; pull and rate 2^-33 per unit, decay 2^-30 of a term; three
    // floors and the random bits 2^-16 each.
    const double gain_error = std::fabs(c.sum * value_of(c.scales.gradient) / v_unit) * 0x1p-17 + 0.001;
    ASSERT_NEAR(v, expected.v / v_unit, step + gain_error);
    const double p_expected = (expected.p - double(c.settings.lr) * v * v_unit) / p_unit;
    if (std::fabs(p_expected) < 32000) {
      ASSERT_NEAR(p, p_expected, step + 0.001);
    }
  }
}

TEST(Sgd, IntegersWithoutMomentum) {
  std::mt19937 random(2);
  for (int i = 0; i < 20000; ++i) {
    IntegerCase c = random_case(random);
    c.settings.momentum = 0;
    const Real expected = c.expected();
    IntegerUpdate u;
    set_plain_factors(u, c.settings, c.scales);
    int16_t p = c.parameter;
    u.sums = &c.sum;
    u.parameters = {.data = &p, .bits = 16, .range = symmetric_range(16)};
    u.key = random_key(1, uint32_t(i), 0);
    u.count = 1;
    kernels_ref.update_integer(u);
    const double unit = value_of(c.scales.parameter);
    const double wanted = (expected.p - double(c.settings.lr) * expected.v) / unit;
    if (std::fabs(wanted) < 32000) {
      const double move = double(c.settings.lr) * c.sum * value_of(c.scales.gradient) / unit;
      ASSERT_NEAR(p, wanted, 1.001 + std::fabs(move) * 0x1p-17);
    }
  }
}

/// Updates of a hundredth of a step are not lost: 16 random bits leave a bias below 2^-16 of a step.
TEST(Sgd, SmallUpdatesArriveOnAverage) {
  constexpr int32_t kCount = 200000;
  const std::vector<int32_t> sums(kCount, 100);
  std::vector<int16_t> p(kCount, 0);
  IntegerUpdate u;
  u.sums = sums.data();
  u.parameters = {.data = p.data(), .bits = 16, .range = symmetric_range(16)};
  set_plain_factors(u, {.lr = 1.0f, .momentum = 0}, {Scale::ratio(1, 10000), Scale{}, Scale{}});
  u.key = random_key(9, 0, 0);
  u.count = kCount;
  kernels_ref.update_integer(u);
  double mean = 0;
  for (int16_t code : p) mean += double(code) / kCount;
  EXPECT_NEAR(mean, -0.01, 6 * std::sqrt(0.01 / kCount));  // six deviations of a rare event
}

TEST(Gain, IsAsExactAsItSays) {
  std::mt19937 random(3);
  for (int i = 0; i < 200000; ++i) {
    const Scale factor{(1u << 30) | uint32_t(random() >> 2), int32_t(random() % 60) - 75};
    const Gain gain = sgd_gain(factor);
    ASSERT_GE(gain.q, 0);
    ASSERT_LE(gain.q, Gain::kLimit);
    ASSERT_TRUE(gain.shift == 0 || gain.shift == 8 || gain.shift == 16 || gain.shift == 24);
    const double wanted = value_of(factor), actual = std::ldexp(double(gain.q), -16 - gain.shift);
    if (wanted >= 256)
      ASSERT_EQ(gain.q, Gain::kLimit);  // the largest there is
    else
      ASSERT_NEAR(actual, wanted, std::max(wanted * 0x1p-17, 0x1p-41)) << factor.exponent;
  }
}

TEST(MomentumFactors, KeepTheDecayExactly) {
  for (float momentum : {0.0f, 0.1f, 0.5f, 0.9f, 0.99f, 0x1.fffffep-1f})
    for (int doublings : {-40, -2, -1, 0, 1}) {
      IntegerUpdate u;
      set_momentum_factors(u, {.lr = 0.1f, .momentum = momentum}, {}, doublings);
      const double kept = u.base + std::ldexp(double(u.decay), -32);
      EXPECT_NEAR(kept, std::ldexp(double(momentum), doublings), 0x1p-30) << momentum << " " << doublings;
    }
}

}  // namespace
}  // namespace mantissa
