#include "mantissa/train/shuffle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace mantissa {
namespace {

std::vector<int32_t> shuffled(size_t size, uint64_t seed, uint32_t epoch) {
  std::vector<int32_t> order(size);
  shuffle(order, seed, epoch);
  return order;
}

/// From a program in Python that follows the definition with integers of any size.
TEST(Shuffle, GoldenOrders) {
  EXPECT_EQ(shuffled(10, 1, 0), (std::vector<int32_t>{9, 3, 8, 7, 1, 6, 5, 2, 4, 0}));
  EXPECT_EQ(shuffled(10, 1, 1), (std::vector<int32_t>{7, 8, 6, 9, 4, 1, 3, 2, 5, 0}));
  EXPECT_EQ(shuffled(10, (uint64_t{1} << 40) | 7, 0), (std::vector<int32_t>{4, 3, 6, 8, 0, 1, 9, 7, 5, 2}));
}

TEST(Shuffle, IsAPermutation) {
  for (const size_t size : {0, 1, 2, 257}) {
    std::vector<int32_t> order = shuffled(size, 3, 5);
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(order[i], static_cast<int32_t>(i));
  }
}

/// All 6 orders of 3 within 5 standard deviations of the same frequency.
TEST(Shuffle, AllOrdersAreEquallyLikely) {
  std::map<std::vector<int32_t>, int> count;
  constexpr int kSeeds = 60000;
  for (int seed = 0; seed < kSeeds; ++seed) ++count[shuffled(3, static_cast<uint64_t>(seed), 0)];
  ASSERT_EQ(count.size(), 6u);
  for (const auto& [order, n] : count) EXPECT_NEAR(n, 10000, 456);
}

}  // namespace
}  // namespace mantissa
