// LayerNorm of one step: integers against golden values of exact arithmetic, float32 against double and finite differences.
#include "mantissa/kernels/layer_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "mantissa/kernels/kernels.hpp"

namespace mantissa {
namespace {

#include "tests/golden/layer_norm.inc"

std::vector<int8_t> narrow(const int16_t* codes, int32_t n) { return {codes, codes + n}; }

/// A step in the container that its bits ask for.
struct Step {
  explicit Step(const LayerNormCase& c)
      : x(narrow(c.x, c.n)), gamma(narrow(c.gamma, c.n)), normalized(size_t(c.n)) {
    const Scale eps = {uint32_t(c.eps[0]), c.eps[1]}, scale = {uint32_t(c.x_scale[0]), c.x_scale[1]};
    step.x = c.x_bits == 8 ? static_cast<const void*>(x.data()) : c.x;
    step.x_element = c.x_bits == 8 ? Element::kInt8 : Element::kInt16;
    step.channels = c.n;
    step.gamma = gamma.data();
    step.epsilon = norm_epsilon(eps.to_float(), c.n, scale);
    step.normalized = normalized.data();
  }
  std::vector<int8_t> x, gamma;
  std::vector<int16_t> normalized;
  NormStep step;
};

TEST(LayerNorm, ForwardEqualsExactIntegers) {
  for (const LayerNormCase& c : kLayerNormCases) {
    Step s(c);
    std::vector<int32_t> sums(size_t(c.n));
    kernels_ref.norm_forward({s.step, sums.data()});
    EXPECT_EQ(normalized_bits(c.n), c.k);
    for (int32_t i = 0; i < c.n; ++i) {
      EXPECT_EQ(s.normalized[size_t(i)], c.h[i]) << c.n << " channels of " << c.x_bits << " bits, " << i;
      EXPECT_EQ(sums[size_t(i)], c.gamma[i] * c.h[i]);
    }
  }
}

TEST(LayerNorm, BackwardEqualsExactIntegers) {
  for (const LayerNormCase& c : kLayerNormCases) {
    Step s(c);
    std::vector<int64_t> sums(size_t(c.n)), masked(size_t(c.n));
    const NormSeen seen = kernels_ref.norm_backward({s.step, c.dy, Element::kInt16, false, sums.data()});
    kernels_ref.norm_backward({s.step, c.dy, Element::kInt16, true, masked.data()});
    EXPECT_EQ(seen.inverse, (Scale{uint32_t(c.inverse[0]), c.inverse[1]}));
    uint64_t largest = 0;
    for (int32_t i = 0; i < c.n; ++i) {
      EXPECT_EQ(sums[size_t(i)], c.dx[i]) << c.n << " channels of " << c.x_bits << " bits, " << i;
      EXPECT_EQ(masked[size_t(i)], c.x[i] == 0 ? 0 : c.dx[i]);
      largest = std::max(largest, uint64_t(std::llabs(c.dx[i])));
    }
    EXPECT_EQ(seen.largest, largest);
  }
}

TEST(LayerNorm, GradientAddsErrorsTimesNormalizedCodes) {
  for (const LayerNormCase& c : kLayerNormCases) {
    Step s(c);
    std::vector<int64_t> wide(size_t(c.n), 5);
    kernels_ref.norm_gradient({s.step, c.dy, Element::kInt16, wide.data(), Element::kInt64});
    std::vector<int32_t> sums(size_t(c.n), 5);
    kernels_ref.norm_gradient({s.step, c.dy, Element::kInt16, sums.data(), Element::kInt32});
    for (int32_t i = 0; i < c.n; ++i) {
      EXPECT_EQ(wide[size_t(i)], 5 + c.dy[i] * c.h[i]);
      EXPECT_EQ(sums[size_t(i)], 5 + c.dy[i] * c.h[i]);
    }
  }
}

/// sum of dy * LayerNorm(x) * gamma in double.
double objective(const std::vector<double>& x, const std::vector<float>& gamma, const std::vector<float>& dy,
                 double epsilon) {
  const double n = double(x.size());
  double mean = 0, variance = 0, sum = 0;
  for (double v : x) mean += v / n;
  for (double v : x) variance += (v - mean) * (v - mean) / n;
  for (size_t i = 0; i < x.size(); ++i)
    sum += double(dy[i]) * double(gamma[i]) * (x[i] - mean) / std::sqrt(variance + epsilon);
  return sum;
}

TEST(LayerNorm, FloatBackwardIsTheDerivative) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int32_t n : {2, 3, 8, 33}) {
    std::vector<float> x(size_t(n), 0), gamma(x), dy(x), dx(x), y(x);
    for (std::vector<float>* v : {&x, &gamma, &dy})
      for (float& value : *v) value = normal(random);
    NormStep step;
    step.x = x.data();
    step.x_element = Element::kFloat32;
    step.channels = n;
    step.gamma = gamma.data();
    step.float_epsilon = 1e-5f;
    kernels_ref.norm_forward({step, y.data()});
    kernels_ref.norm_backward({step, dy.data(), Element::kFloat32, false, dx.data()});
    const std::vector<double> at(x.begin(), x.end());
    double sum = 0;
    for (int32_t i = 0; i < n; ++i) sum += double(dy[size_t(i)]) * double(y[size_t(i)]);
    EXPECT_NEAR(sum, objective(at, gamma, dy, 1e-5), 1e-5 * n);
    for (size_t i = 0; i < size_t(n); ++i) {
      std::vector<double> up = at, down = at;
      up[i] += 1e-5;
      down[i] -= 1e-5;
      const double slope = (objective(up, gamma, dy, 1e-5) - objective(down, gamma, dy, 1e-5)) / 2e-5;
      EXPECT_NEAR(double(dx[i]), slope, 1e-4 * (1 + std::fabs(slope))) << n << " channels, " << i;
    }
  }
}

}  // namespace
}  // namespace mantissa
