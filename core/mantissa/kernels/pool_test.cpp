// Pools against their definitions, in the reference and on every instruction set of this machine, bit for bit.
#include "mantissa/kernels/pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/kernel_variants.hpp"

namespace mantissa {
namespace {

using test::kElement;
using test::on_every_variant;

/// Few different values, so that windows tie, and the extremes.
template <class T>
std::vector<T> tying_values(size_t n, std::mt19937& random) {
  std::vector<T> values(n);
  for (T& v : values) {
    const uint32_t kind = random() % 8;
    const int32_t largest = kElement<T> == Element::kInt16 ? 32767 : 127;
    v = kind == 0   ? T(largest)
        : kind == 1 ? T(-largest)
        : kind < 5  ? T(int32_t(random() % 5) - 2)
                    : T(int32_t(random() % 255) - 127);
  }
  return values;
}

PoolShape random_shape(std::mt19937& random, bool overlaps) {
  PoolShape s;
  s.channels = random() % 3 ? 1 + int32_t(random() % 40) : 64 + int32_t(random() % 80);
  s.kernel = random() % 2 ? 2 : 1 + int32_t(random() % 6);
  s.stride = overlaps ? 1 + int32_t(random() % uint32_t(s.kernel))
                      : s.kernel + int32_t(random() % 3 == 0 ? random() % 3 : 0);
  if (random() % 3 == 0) s.pad = int32_t(random() % uint32_t(s.kernel / 2 + 1));
  s.out_steps = 1 + int32_t(random() % 9);
  s.in_steps = (s.out_steps - 1) * s.stride + s.kernel + int32_t(random() % uint32_t(s.stride)) - 2 * s.pad;
  if (s.in_steps < s.kernel) s.in_steps += 2 * s.pad;
  if (random() % 3 == 0) {
    s.rows = 1 + int32_t(random() % 3);
    s.pitch = s.in_steps + int32_t(random() % 2);
  }
  return s;
}

size_t in_size(const PoolShape& s) {
  return size_t(s.pitch == 0 ? s.in_steps : s.rows * s.pitch) * size_t(s.channels);
}
size_t out_size(const PoolShape& s) { return size_t(s.out_steps) * size_t(s.channels); }

/// Elements of a window that lie inside, row by row.
std::vector<size_t> window_elements(const PoolShape& s, int32_t t, int32_t c) {
  std::vector<size_t> elements;
  for (int32_t r = 0; r < s.rows; ++r)
    for (int32_t k = 0; k < s.kernel; ++k) {
      const int32_t step = t * s.stride + k - s.pad;
      if (step >= 0 && step < s.in_steps) elements.push_back(size_t((r * s.pitch + step) * s.channels + c));
    }
  return elements;
}

/// The element that wins a window: the first of the largest.
template <class T>
size_t winner(const PoolShape& s, const std::vector<T>& x, int32_t t, int32_t c) {
  const std::vector<size_t> elements = window_elements(s, t, c);
  return *std::max_element(elements.begin(), elements.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
}

/// What a kernel finds in memory that it writes: an image is cleared by its caller.
template <class T>
std::vector<T> before(const PoolShape& s) {
  return std::vector<T>(in_size(s), s.pitch == 0 ? T(99) : T(0));
}

template <class Body>
void for_each_window(const PoolShape& s, Body body) {
  for (int32_t t = 0; t < s.out_steps; ++t)
    for (int32_t c = 0; c < s.channels; ++c) body(t, c, size_t(t * s.channels + c));
}

template <class T, class Sum>
void check_forward(std::mt19937& random) {
  const PoolShape s = random_shape(random, random() % 2);
  const std::vector<T> x = tying_values<T>(in_size(s), random);
  std::vector<T> expected(out_size(s));
  std::vector<Sum> expected_sums(out_size(s));
  for_each_window(s, [&](int32_t t, int32_t c, size_t i) {
    expected[i] = x[winner(s, x, t, c)];
    for (size_t e : window_elements(s, t, c)) expected_sums[i] += x[e];
  });
  on_every_variant([&](const Kernels& kernels, const char* name) {
    std::vector<T> y(out_size(s), T(99));
    kernels.max_pool({s, kElement<T>, x.data(), y.data()});
    ASSERT_EQ(y, expected) << name;
    std::vector<Sum> sums(out_size(s), Sum(99));
    kernels.window_sums({s, kElement<T>, x.data(), sums.data()});
    ASSERT_EQ(sums, expected_sums) << name;
  });
}

TEST(Pool, Forward) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    check_forward<int8_t, int32_t>(random);
    check_forward<int16_t, int32_t>(random);
    check_forward<float, float>(random);
  }
}

template <class T, class E>
void check_backward(std::mt19937& random) {
  const PoolShape s = random_shape(random, false);
  const std::vector<T> x = tying_values<T>(in_size(s), random);
  const std::vector<E> dy = tying_values<E>(out_size(s), random);
  for (Activation input : {Activation::kNone, Activation::kRelu}) {
    std::vector<E> expected_max(in_size(s)), expected_average(in_size(s));
    for_each_window(s, [&](int32_t t, int32_t c, size_t i) {
      const size_t best = winner(s, x, t, c);
      if (input == Activation::kNone || x[best] > 0) expected_max[best] = dy[i];
      for (size_t e : window_elements(s, t, c))
        if (input == Activation::kNone || x[e] > 0) expected_average[e] = dy[i];
    });
    on_every_variant([&](const Kernels& kernels, const char* name) {
      std::vector<E> dx = before<E>(s);
      kernels.max_pool_backward({s, kElement<T>, kElement<E>, x.data(), dy.data(), dx.data(), input});
      ASSERT_EQ(dx, expected_max) << name << " kernel " << s.kernel << " stride " << s.stride;
      dx = before<E>(s);
      kernels.spread({s, kElement<T>, kElement<E>, input == Activation::kRelu ? x.data() : nullptr, dy.data(),
                      dx.data()});
      ASSERT_EQ(dx, expected_average) << name << " kernel " << s.kernel << " stride " << s.stride;
    });
  }
}

TEST(Pool, BackwardOfSeparateWindows) {
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    check_backward<int8_t, int8_t>(random);
    check_backward<int8_t, int16_t>(random);
    check_backward<int16_t, int8_t>(random);
    check_backward<int16_t, int16_t>(random);
    check_backward<float, float>(random);
  }
}

template <class T, class E, class Sum>
void check_overlap(std::mt19937& random) {
  const PoolShape s = random_shape(random, true);
  const std::vector<T> x = tying_values<T>(in_size(s), random);
  const std::vector<E> dy = tying_values<E>(out_size(s), random);
  std::vector<Sum> expected_max(in_size(s)), expected_average(in_size(s));
  for_each_window(s, [&](int32_t t, int32_t c, size_t i) {
    expected_max[winner(s, x, t, c)] += dy[i];
    for (size_t e : window_elements(s, t, c)) expected_average[e] += dy[i];
  });
  on_every_variant([&](const Kernels& kernels, const char* name) {
    std::vector<Sum> sums = before<Sum>(s);
    kernels.overlap_sums({s, kElement<T>, kElement<E>, x.data(), dy.data(), sums.data()});
    ASSERT_EQ(sums, expected_max) << name;
    sums = before<Sum>(s);
    kernels.overlap_sums({s, kElement<T>, kElement<E>, nullptr, dy.data(), sums.data()});
    ASSERT_EQ(sums, expected_average) << name;
  });
}

TEST(Pool, BackwardOfOverlappingWindows) {
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    check_overlap<int8_t, int8_t, int32_t>(random);
    check_overlap<int8_t, int16_t, int32_t>(random);
    check_overlap<int16_t, int8_t, int32_t>(random);
    check_overlap<int16_t, int16_t, int32_t>(random);
    check_overlap<float, float, float>(random);
  }
}

}  // namespace
}  // namespace mantissa
