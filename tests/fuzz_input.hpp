// What fuzzers share: numbers from the bytes that they are given, and an end with a stack where a promise is broken.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <span>

#include "mantissa/num/rescale.hpp"

namespace mantissa::test {

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// Reads numbers from the input; zeros behind its end.
struct FuzzInput {
  std::span<const uint8_t> left;

  uint8_t byte() {
    if (left.empty()) return 0;
    const uint8_t first = left.front();
    left = left.subspan(1);
    return first;
  }
  uint32_t word() {
    uint32_t x = 0;
    for (int i = 0; i < 4; ++i) x = x << 8 | byte();
    return x;
  }
  /// Magnitudes below 2^62 of all sizes.
  int64_t wide() {
    const uint64_t upper = word();
    return int64_t(upper << 32 | word()) >> (2 + byte() % 60);
  }
  Scale scale() { return {(word() >> 2) | 1u << 30, int32_t(byte()) - 190}; }
  Rounding rounding() { return Rounding(byte() % 4); }
};

}  // namespace mantissa::test
