// Rows of groups: integers equal a LayerNorm where a group is a step, float32 against double and finite differences, and running statistics
// against their definition. Golden values of whole trainings are in tests/chain_test.cpp.
#include "mantissa/kernels/group_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "mantissa/kernels/kernels.hpp"

namespace mantissa {
namespace {

#include "tests/golden/layer_norm.inc"

constexpr MomentPhase kPhases[] = {MomentPhase::kSums, MomentPhase::kMean, MomentPhase::kSquares,
                                   MomentPhase::kInverse};

/// A group that is one step has the statistics and sums of a LayerNorm.
TEST(GroupNorm, AGroupOfOneStepIsALayerNorm) {
  int32_t compared = 0;
  for (const LayerNormCase& c : kLayerNormCases) {
    if (c.k < kLeastNormalizedBits) continue;
    std::vector<int8_t> gamma(c.gamma, c.gamma + c.n);
    Moments m;
    GroupRows g;
    g.x = {c.x, Element::kInt16, {0, 1}, 0};
    g.rows = 1;
    g.channels = g.stride = g.elements = c.n;
    g.gamma = gamma.data();
    g.moments = &m;
    g.bits = c.k;
    g.epsilon = norm_epsilon(Scale{uint32_t(c.eps[0]), c.eps[1]}.to_float(), c.n,
                             {uint32_t(c.x_scale[0]), c.x_scale[1]});
    for (const MomentPhase phase : kPhases) kernels_ref.group_moments({g, phase});
    EXPECT_EQ(m.inverse, (Scale{uint32_t(c.inverse[0]), c.inverse[1]}));
    std::vector<int32_t> sums(size_t(c.n));
    EXPECT_EQ(kernels_ref.group_forward({g, sums.data()}), 0u);
    for (int32_t i = 0; i < c.n; ++i) EXPECT_EQ(sums[size_t(i)], c.gamma[i] * c.h[i]);
    const GroupErrors errors = {g, {c.dy, Element::kInt16, {0, 1}, 0}};
    m.products = 0;
    kernels_ref.group_errors(errors);
    EXPECT_EQ(m.products, c.b);
    std::vector<int64_t> dx(size_t(c.n));
    const uint64_t largest = kernels_ref.group_backward({errors, false, dx.data()});
    uint64_t expected = 0;
    for (int32_t i = 0; i < c.n; ++i) {
      const uint64_t size = uint64_t(std::llabs(c.dx[i]));
      const uint64_t common =
          size == 0 ? 0 : whole(Scale::normalized(size, 0) * m.inverse.shifted(kErrorBits));
      EXPECT_EQ(dx[size_t(i)], c.dx[i] < 0 ? -int64_t(common) : int64_t(common));
      expected = std::max(expected, common);
    }
    EXPECT_EQ(largest, expected);
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

/// Only rows and channels of the view count.
TEST(GroupNorm, ViewsOfRowsAndChannelsMakeTheSameSums) {
  constexpr int32_t kRows = 5, kChannels = 8, kGroups = 4;
  std::mt19937 random(5);
  std::vector<int8_t> x(kRows * kChannels), gamma(kChannels);
  for (int8_t& v : x) v = int8_t(random() % 255 - 127);
  for (int8_t& v : gamma) v = int8_t(random() % 255 - 127);
  Moments all[kGroups], parts[kGroups];
  GroupRows g;
  g.x.data = x.data();
  g.rows = kRows;
  g.channels = g.stride = kChannels;
  g.groups = kGroups;
  g.gamma = gamma.data();
  g.moments = all;
  g.elements = kRows * kChannels / kGroups;
  g.bits = 12;
  for (const MomentPhase phase : kPhases) kernels_ref.group_moments({g, phase});
  std::vector<int32_t> sums(x.size()), in_parts(x.size());
  kernels_ref.group_forward({g, sums.data()});
  for (int32_t group = 0; group < kGroups; ++group) {
    GroupRows one = g;
    one.x.data = x.data() + 2 * group;
    one.channels = 2;
    one.groups = 1;
    one.gamma = gamma.data() + 2 * group;
    one.moments = &parts[group];
    for (const MomentPhase phase : kPhases) kernels_ref.group_moments({one, phase});
    EXPECT_EQ(parts[group].inverse, all[group].inverse);
    for (int32_t row = 0; row < kRows; ++row) {
      one.rows = 1;
      one.x.data = x.data() + row * kChannels + 2 * group;
      kernels_ref.group_forward({one, in_parts.data() + row * kChannels + 2 * group});
    }
  }
  EXPECT_EQ(sums, in_parts);
}

struct Floats {
  static constexpr int32_t kRows = 7, kChannels = 6, kGroups = 3, kElements = 14;
  std::vector<double> x = std::vector<double>(kRows * kChannels), gamma = std::vector<double>(kChannels),
                      dy = x;

  explicit Floats(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (std::vector<double>* v : {&x, &gamma, &dy})
      for (double& value : *v) value = double(normal(random));
  }
  /// Of channel c.
  std::vector<size_t> group(size_t c) const {
    std::vector<size_t> all;
    for (size_t i = 0; i < x.size(); ++i)
      if (i % kChannels / 2 == c / 2) all.push_back(i);
    return all;
  }
  double normalized(const std::vector<double>& at, size_t i) const {
    double mean = 0, variance = 0;
    for (const size_t j : group(i % kChannels)) mean += at[j] / kElements;
    for (const size_t j : group(i % kChannels)) variance += (at[j] - mean) * (at[j] - mean) / kElements;
    return (at[i] - mean) / std::sqrt(variance + 1e-5);
  }
  double objective(const std::vector<double>& at) const {
    double sum = 0;
    for (size_t i = 0; i < at.size(); ++i) sum += dy[i] * gamma[i % kChannels] * normalized(at, i);
    return sum;
  }
};

TEST(GroupNorm, FloatBackwardIsTheDerivative) {
  const Floats d(1);
  const auto floats = [](const std::vector<double>& v) { return std::vector<float>(v.begin(), v.end()); };
  const std::vector<float> x = floats(d.x), gamma = floats(d.gamma), dy = floats(d.dy);
  std::vector<float> y(x.size()), dx(x.size()), dgamma(gamma.size());
  FloatMoments moments[Floats::kGroups] = {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}};
  GroupRows g;
  g.x = {x.data(), Element::kFloat32, {0, 1}, 0};
  g.rows = Floats::kRows;
  g.channels = g.stride = Floats::kChannels;
  g.groups = Floats::kGroups;
  g.gamma = gamma.data();
  g.moments = moments;
  g.elements = Floats::kElements;
  g.float_epsilon = 1e-5f;
  for (const MomentPhase phase : kPhases) kernels_ref.group_moments({g, phase});
  kernels_ref.group_forward({g, y.data()});
  const GroupErrors errors = {g, {dy.data(), Element::kFloat32, {0, 1}, 0}};
  kernels_ref.group_gradient({errors, dgamma.data(), Element::kFloat32});
  for (FloatMoments& m : moments) m.products = 0;
  kernels_ref.group_errors(errors);
  kernels_ref.group_backward({errors, false, dx.data()});
  std::vector<double> expected_dgamma(gamma.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double h = d.normalized(d.x, i);
    EXPECT_NEAR(double(y[i]), d.gamma[i % Floats::kChannels] * h, 1e-5);
    expected_dgamma[i % Floats::kChannels] += d.dy[i] * h;
    std::vector<double> up = d.x, down = d.x;
    up[i] += 1e-5;
    down[i] -= 1e-5;
    const double slope = (d.objective(up) - d.objective(down)) / 2e-5;
    EXPECT_NEAR(double(dx[i]), slope, 1e-4 * (1 + std::fabs(slope))) << i;
  }
  for (size_t c = 0; c < gamma.size(); ++c) EXPECT_NEAR(double(dgamma[c]), expected_dgamma[c], 1e-4);
  std::vector<float> masked(x.size());
  std::vector<float> with_zero = x;
  with_zero[3] = 0;
  GroupErrors of_zero = errors;
  of_zero.rows.x.data = with_zero.data();
  kernels_ref.group_backward({of_zero, true, masked.data()});
  EXPECT_EQ(masked[3], 0.0f);
  EXPECT_EQ(masked[4], dx[4]);
}

/// Far codes saturate and are counted; a mean beyond all codes of a silent sample does not overflow.
TEST(GroupNorm, RunningStatisticsHoldAnyMean) {
  const int8_t x[] = {-127, 0, 127, 3}, gamma[] = {1, 1, 1, 1};
  float mean[] = {0.0f, 1000.0f, -1000.0f, 3e30f}, variance[] = {1.0f, 1.0f, 1e-12f, 4.0f};
  Moments moments[4];
  RunningStatistics r;
  r.rows.x.data = x;
  r.rows.rows = 1;
  r.rows.channels = r.rows.stride = r.rows.groups = 4;
  r.rows.gamma = gamma;
  r.rows.moments = moments;
  r.rows.bits = kLeastNormalizedBits;
  r.rows.runs = true;
  r.rows.x_scale = Scale::from_float(0x1p-40f);
  r.rows.float_epsilon = 1e-5f;
  r.mean = mean;
  r.variance = variance;
  kernels_ref.read_running(r);
  int32_t sums[4];
  EXPECT_EQ(kernels_ref.group_forward({r.rows, sums}), 3u);
  EXPECT_EQ(sums[0], 0);
  EXPECT_EQ(sums[1], -kLargestNormalized);
  EXPECT_EQ(sums[2], kLargestNormalized);
  EXPECT_EQ(sums[3], -kLargestNormalized);
}

TEST(GroupNorm, RunningStatisticsFollowThoseOfTheBatch) {
  const int8_t x[] = {10, -3, 20, -3, 60, -3};  // three steps of two channels
  Moments moments[2];
  GroupRows g;
  g.x.data = x;
  g.rows = g.elements = 3;
  g.channels = g.stride = g.groups = 2;
  g.moments = moments;
  g.bits = kLeastNormalizedBits;
  g.x_scale = Scale::from_float(0.5f);
  for (const MomentPhase phase : kPhases) kernels_ref.group_moments({g, phase});
  float mean[] = {1.0f, 0.0f}, variance[] = {1.0f, 2.0f};
  kernels_ref.update_running({g, mean, variance, 0.25f});
  EXPECT_FLOAT_EQ(mean[0], 0.75f + 0.25f * 15);
  EXPECT_FLOAT_EQ(mean[1], 0.25f * -1.5f);
  EXPECT_FLOAT_EQ(variance[0], 0.75f + 0.25f * 700 / 4);  // (20^2 + 10^2 + 30^2) / 2 codes
  EXPECT_FLOAT_EQ(variance[1], 1.5f);
  kernels_ref.update_running({g, mean, variance, 1.0f});
  EXPECT_EQ(mean[0], 15.0f);
  EXPECT_EQ(variance[0], 175.0f);
  EXPECT_EQ(variance[1], 0.0f);
  kernels_ref.update_running({g, mean, variance, 0.0f});
  EXPECT_EQ(mean[0], 15.0f);
  g.rows = g.elements = 1;
  for (Moments& m : moments) m = {};
  for (const MomentPhase phase : kPhases) kernels_ref.group_moments({g, phase});
  kernels_ref.update_running({g, mean, variance, 1.0f});
  EXPECT_EQ(mean[0], 5.0f);
  EXPECT_EQ(variance[0], 175.0f);  // one value has none
}

}  // namespace
}  // namespace mantissa
