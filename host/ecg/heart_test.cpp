#include "host/ecg/heart.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace mantissa::host {
namespace {

Beat example_beat(double rr_s) {
  Beat beat{};
  beat.rr_s = rr_s;
  beat.waves[kP] = {0.15, -0.16, 0.022};
  beat.waves[kQ] = {-0.1, -0.028, 0.009};
  beat.waves[kR] = {1.2, 0, 0.011};
  beat.waves[kR2] = {0.5, 0.03, 0.012};
  beat.waves[kS] = {-0.25, 0.05, 0.010};
  beat.waves[kST] = {0.05, 0.13, 0.035};
  beat.waves[kT] = {0.3, 0.28, 0.045};
  return beat;
}

// On the circle theta is known and z' + z = f(t) has a closed form, z(t) = z(t0) e^-(t-t0) + int e^-(t-s) f(s) ds.
// These values are that integral by the trapezoidal rule with steps of 10 us, in NumPy.
TEST(Heart, AgreesWithTheClosedFormOnTheCircle) {
  const double expected[] = {-0.00496, -0.11536, -0.13917, -0.13872, -0.13887, 0.92120,  0.11679,  -0.20927,
                             -0.14118, -0.12162, -0.12731, -0.10901, -0.02088, 0.09566,  0.12701,  0.03609,
                             -0.07978, -0.13640, -0.08659, -0.00818, -0.11038, -0.14467, -0.13940, -0.20366,
                             1.22247,  0.45603,  -0.11184, 0.01542,  0.03920,  0.03611,  0.04365,  0.11704,
                             0.23535,  0.29071,  0.21818,  0.09668,  0.02193,  -0.00012, -0.00062, 0.00342,
                             0.00788,  0.01223,  0.01641,  0.02040,  0.02421,  0.02782,  0.03123,  0.03441};
  const Beat beats[] = {example_beat(0.8), example_beat(0.6), example_beat(1.0)};
  const auto signal = simulate_heart(beats, {0.15, 0.3, 0.7}, {-0.75, 32, 48});
  ASSERT_EQ(signal.size(), std::size(expected));
  for (std::size_t n = 0; n < signal.size(); ++n) EXPECT_NEAR(signal[n], expected[n], 1e-4) << "sample " << n;
}

TEST(Heart, FinerSamplingGivesTheSameCurve) {
  const Beat beats[] = {example_beat(0.8), example_beat(0.6), example_beat(1.0)};
  const auto coarse = simulate_heart(beats, {0, 0.25, 0}, {-0.4, 125, 100});
  const auto fine = simulate_heart(beats, {0, 0.25, 0}, {-0.4, 1000, 800});
  for (std::size_t n = 0; n < coarse.size(); ++n) EXPECT_NEAR(coarse[n], fine[8 * n], 1e-4) << "sample " << n;
}

TEST(Heart, AWindowBeforeTheFirstBeatIsFlat) {
  const Beat beats[] = {example_beat(0.8), example_beat(0.8)};
  for (double mv : simulate_heart(beats, {0, 0.25, 0}, {-3, 125, 100})) EXPECT_NEAR(mv, 0, 1e-6);
}

}  // namespace
}  // namespace mantissa::host
