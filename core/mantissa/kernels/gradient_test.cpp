// Stored gradients against real numbers: what is joined is what is read, but for one rounding without bias.
#include "mantissa/kernels/gradient.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "mantissa/tensor/pack.hpp"

namespace mantissa {
namespace {

/// A granule in memory of its own, from element `first` on.
struct Granule {
  Granule(Format of, int32_t n, uint32_t at = 3)
      : format(of), first(at), count(n), bytes(packed_bytes(size_t(n) + at + 5, of.bits), 0xA5) {}

  StoredGradient view() { return {bytes.data(), format, &grid, first, count}; }
  void join(const std::vector<float>& sums, uint32_t draw, float margin = 0.0f, float gain = 1.0f) {
    join_gradient({.stored = view(),
                   .sums = sums.data(),
                   .element = Element::kFloat32,
                   .gain = gain,
                   .fixed_margin = margin,
                   .key = random_key(7, 0, draw)});
  }
  std::vector<double> values() {
    std::vector<int32_t> steps(size_t(count), 0);
    read_gradient(view(), steps.data());
    std::vector<double> v;
    for (int32_t s : steps) v.push_back(double(grid.scale) * s);
    return v;
  }

  Format format;
  uint32_t first;
  int32_t count;
  std::vector<uint8_t> bytes;
  GradientGrid grid;
};

std::vector<Format> all_formats() {
  std::vector<Format> all;
  for (int bits = 2; bits <= 16; ++bits) {
    all.push_back(sym_format(bits));
    all.push_back(asym_format(bits));
  }
  return all;
}

std::vector<float> random_sums(std::mt19937& random, size_t n, float offset = 0.0f) {
  std::normal_distribution<float> normal(offset, 1.0f);
  std::vector<float> sums(n);
  for (float& s : sums) s = normal(random);
  return sums;
}

TEST(Gradient, ARescaledJoinErrsByLessThanOneStepAndItsScaleNeverShrinks) {
  std::mt19937 random(1);
  for (const Format format : all_formats())
    for (const float offset : {0.0f, 3.0f, -3.0f}) {
      Granule g(format, 37);
      float scale = 0.0f;
      for (uint32_t batch = 0; batch < 30; ++batch) {
        const std::vector<double> before = g.values();
        const std::vector<float> sums = random_sums(random, 37, offset);
        g.join(sums, batch, 0.0f, 0.25f);
        EXPECT_GE(g.grid.scale, scale);
        scale = g.grid.scale;
        const std::vector<double> after = g.values();
        for (size_t i = 0; i < sums.size(); ++i)
          EXPECT_LT(std::fabs(after[i] - (before[i] + 0.25 * double(sums[i]))), 1.001 * double(scale))
              << int(format.kind) << " " << int(format.bits);
      }
      EXPECT_EQ(g.grid.saturated, 0);
    }
}

TEST(Gradient, NeighboursKeepTheirBits) {
  std::mt19937 random(2);
  for (const Format format : all_formats()) {
    Granule g(format, 20);
    const std::vector<uint8_t> before = g.bytes;
    g.join(random_sums(random, 20), 1);
    for (size_t bit = 0; bit < before.size() * 8; ++bit) {
      const bool inside = bit >= 3u * format.bits && bit < 23u * format.bits;
      EXPECT_TRUE(inside || (before[bit / 8] >> bit % 8 & 1) == (g.bytes[bit / 8] >> bit % 8 & 1));
    }
  }
}

/// Mean over n trials of errors below one step, each of deviation at most half a step: within 5 / (2 sqrt(n)) of 0, which one
/// of 3.5 million misses.
TEST(Gradient, JoiningHasNoBias) {
  constexpr int kTrials = 20000;
  const std::vector<float> first = {1.0f, -0.7f, 0.31f, 0.0f, 0.123f},
                           second = {0.4f, -0.6f, 0.07f, 0.2f, -0.3f};
  for (const Format format :
       {sym_format(2), sym_format(4), sym_format(8), asym_format(2), asym_format(4), asym_format(8)}) {
    std::vector<double> sum(first.size(), 0.0);
    double scale = 0;
    for (uint32_t trial = 0; trial < kTrials; ++trial) {
      Granule g(format, int32_t(first.size()));
      g.join(first, 2 * trial);
      g.join(second, 2 * trial + 1);
      const std::vector<double> v = g.values();
      for (size_t i = 0; i < v.size(); ++i) sum[i] += v[i] - (double(first[i]) + double(second[i]));
      scale = std::max(scale, double(g.grid.scale));
    }
    for (size_t i = 0; i < sum.size(); ++i)  // two roundings
      EXPECT_LT(std::fabs(sum[i] / kTrials), 5 * scale * std::sqrt(0.5 / kTrials))
          << int(format.bits) << " " << i;
  }
}

TEST(Gradient, AFixedGridCountsWhatSaturates) {
  for (const Format format : {sym_format(8), asym_format(8)}) {
    Granule g(format, 3);
    g.join({0.0f, 0.0f, 0.0f}, 0, 2.0f);
    EXPECT_EQ(g.grid.scale, 0.0f);  // nothing to go by
    g.join({1.0f, -1.0f, 0.5f}, 1, 2.0f);
    const float scale = g.grid.scale;
    EXPECT_NEAR(scale, 4.0f / 254, 1e-4);
    g.join({0.9f, -0.9f, 0.0f}, 2, 2.0f);
    EXPECT_EQ(g.grid.saturated, 0);
    g.join({3.0f, -3.0f, 0.0f}, 3, 2.0f);
    EXPECT_EQ(g.grid.saturated, 2);
    EXPECT_EQ(g.grid.scale, scale);
    const std::vector<double> v = g.values();
    EXPECT_NEAR(v[0], 2.0, 0.02);
    EXPECT_NEAR(v[1], -2.0, 0.02);
    EXPECT_NEAR(v[2], 0.5, 0.04);
  }
}

TEST(Gradient, ExtremesAreBounded) {
  for (const float big : {3e38f, INFINITY, NAN, 1e-44f})
    for (const float margin : {0.0f, 2.0f})
      for (const Format format : all_formats()) {
        Granule g(format, 2);
        g.join({big, -big}, 0, margin);
        g.join({big, 1.0f}, 1, margin);
        std::vector<int32_t> steps(2);
        read_gradient(g.view(), steps.data());
        EXPECT_LE(std::max(std::abs(steps[0]), std::abs(steps[1])), 1 << 16);
      }
}

TEST(Gradient, IntegersJoinAsTheirFloats) {
  const std::vector<int32_t> narrow = {5, -1000, 77, 0};
  const std::vector<int64_t> wide = {5, -1000, 77, 0};
  Granule a(sym_format(6), 4), b(sym_format(6), 4), c(sym_format(6), 4);
  a.join({5, -1000, 77, 0}, 9, 0.0f, 0.01f);
  const RandomKey key = random_key(7, 0, 9);
  join_gradient(
      {.stored = b.view(), .sums = narrow.data(), .element = Element::kInt32, .gain = 0.01f, .key = key});
  join_gradient(
      {.stored = c.view(), .sums = wide.data(), .element = Element::kInt64, .gain = 0.01f, .key = key});
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_EQ(a.bytes, c.bytes);
}

}  // namespace
}  // namespace mantissa
