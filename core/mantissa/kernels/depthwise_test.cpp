// Depthwise products against one matrix product per channel, on every instruction set of this machine, bit for bit.
#include "mantissa/kernels/depthwise.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/kernel_variants.hpp"

namespace mantissa {
namespace {

using test::kElement;
using test::on_every_variant;

template <class T>
std::vector<T> random_codes(size_t n, std::mt19937& random) {
  std::vector<T> values(n);
  for (T& v : values) v = T(int32_t(random() % 255) - 127);
  return values;
}

template <class A, class B, class Sum>
void check(std::mt19937& random) {
  const int32_t channels = 1 + int32_t(random() % 70), rows = 1 + int32_t(random() % 9);
  const int32_t taps = int32_t(random() % 4), step = 1 + int32_t(random() % 2),
                stride = 1 + int32_t(random() % 2);
  const int32_t weight_row = (taps + 2) * step, pitch = channels + int32_t(random() % 2);
  const auto a = random_codes<A>(size_t((rows * stride + taps) * pitch), random);
  const auto b = random_codes<B>(size_t(channels * weight_row), random);
  const auto before = random_codes<Sum>(size_t(rows * channels), random);
  for (GemmStore store : {GemmStore::kOverwrite, GemmStore::kAdd}) {
    std::vector<Sum> expected = before;
    Gemm g;
    g.shape = {rows, 1, taps, 1};
    g.a = {a.data(), kElement<A>, stride * pitch, pitch, 1};
    g.b = {b.data(), kElement<B>, weight_row, step, 1};
    g.c_element = kElement<Sum>;
    g.c_stride = channels;
    g.store = store;
    g.block_terms = 1;
    for (int32_t c = 0; c < channels; ++c) {
      Gemm one = g;
      one.a.data = a.data() + c;
      one.b.data = b.data() + ptrdiff_t(c) * weight_row;
      one.c = expected.data() + c;
      gemm_ref.run(one);
    }
    on_every_variant([&](const Kernels& kernels, const char*) {
      std::vector<Sum> sums = before;
      g.c = sums.data();
      kernels.depthwise({g, channels, weight_row});
      ASSERT_EQ(sums, expected);
    });
  }
}

TEST(Depthwise, IsAProductPerChannel) {
  std::mt19937 random(1);
  for (int i = 0; i < 100; ++i) {
    check<int8_t, int8_t, int32_t>(random);
    check<int8_t, int16_t, int64_t>(random);
    check<int16_t, int8_t, int32_t>(random);
    check<int16_t, int16_t, int64_t>(random);
    check<float, float, float>(random);
  }
}

template <class A, class B, class Sum>
void check_gradient(std::mt19937& random) {
  const int32_t channels = 1 + int32_t(random() % 70), rows = 1 + int32_t(random() % 9);
  const int32_t taps = 1 + int32_t(random() % 4), stride = 1 + int32_t(random() % 2),
                spare = int32_t(random() % 3);
  const auto a = random_codes<A>(size_t(rows * channels), random);
  const auto b = random_codes<B>(size_t((rows * stride + taps) * channels), random);
  const auto before = random_codes<Sum>(size_t(channels * (taps + spare)), random);
  for (GemmStore store : {GemmStore::kOverwrite, GemmStore::kAdd}) {
    std::vector<Sum> expected = before;
    for (int32_t c = 0; c < channels; ++c)
      for (int32_t tap = 0; tap < taps; ++tap) {
        Sum& sum = expected[size_t(c * (taps + spare) + tap)];
        if (store == GemmStore::kOverwrite) sum = Sum(0);
        for (int32_t m = 0; m < rows; ++m)
          sum += Sum(a[size_t(m * channels + c)]) * Sum(b[size_t((m * stride + tap) * channels + c)]);
      }
    on_every_variant([&](const Kernels& kernels, const char*) {
      std::vector<Sum> sums = before;
      kernels.depthwise_gradient({.a = a.data(),
                                  .b = b.data(),
                                  .a_element = kElement<A>,
                                  .b_element = kElement<B>,
                                  .a_stride = channels,
                                  .b_stride = stride * channels,
                                  .b_outer_stride = channels,
                                  .rows = rows,
                                  .taps = taps,
                                  .channels = channels,
                                  .c = sums.data(),
                                  .c_element = kElement<Sum>,
                                  .c_stride = taps + spare,
                                  .store = store});
      ASSERT_EQ(sums, expected);
    });
  }
}

TEST(Depthwise, GradientIsAProductPerChannelAndTap) {
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    check_gradient<int8_t, int8_t, int32_t>(random);
    check_gradient<int8_t, int16_t, int32_t>(random);
    check_gradient<int16_t, int16_t, int64_t>(random);
    check_gradient<float, float, float>(random);
  }
}

}  // namespace
}  // namespace mantissa
