// The order of the samples in an epoch: a function of seed and epoch, the same on every machine.
// No generator state is kept, so a run can be taken up again in any epoch.
#pragma once
#include <cstdint>
#include <span>

#include "mantissa/num/random.hpp"

namespace mantissa {

/// Names the random sequence of shuffles; far from those of parameters, which count up from 0.
inline constexpr uint32_t kShuffleStream = 0x53485546u;

/// Fills `order` with a permutation of 0..size-1.  Source: Fisher and Yates, in Durstenfeld's form.
constexpr void shuffle(std::span<int32_t> order, uint64_t seed, uint32_t epoch) {
  const RandomKey key = random_key(seed, epoch, kShuffleStream);
  for (size_t i = 0; i < order.size(); ++i) order[i] = int32_t(i);
  for (size_t i = order.size(); i > 1; --i) {
    const size_t other = random_below(key, uint32_t(i), uint32_t(i));
    const int32_t swapped = order[i - 1];
    order[i - 1] = order[other];
    order[other] = swapped;
  }
}

}  // namespace mantissa
