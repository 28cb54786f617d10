// The front end for speech against exact integers, bit for bit, on hosts and boards: signals, their features, a hash.
// The numbers come from tools/gold/mfcc.py, and the signals are made here as there.
#pragma once
#include <string_view>

#include "mantissa/base/hash.hpp"
#include "mantissa/num/random.hpp"
#include "mantissa/signal/mfcc.hpp"

namespace mantissa::test {

#include "tests/golden/mfcc.inc"

/// Sample i of a signal.
inline int16_t mfcc_sample(std::string_view name, int32_t i) {
  const auto noise = [i](uint32_t step) {
    return int32_t(random16(random_key(7, step, 0), uint32_t(i))) - 32768;
  };
  if (name == "alternating") return i % 2 < 1 ? INT16_MAX : INT16_MIN;
  if (name == "square") return i % 32 < 16 ? INT16_MAX : INT16_MIN;
  if (name == "constant") return INT16_MIN;
  if (name == "impulse") return i == 200 ? INT16_MAX : 0;
  if (name == "noise") return int16_t(noise(0));
  if (name == "whisper") return int16_t(noise(0) >> 12);
  if (name == "ones") return int16_t(noise(0) >> 15);
  if (name != "speech") return 0;
  const int32_t swell = i % 2000 < 1000 ? 1000 - i % 2000 : i % 2000 - 1000;
  const int64_t n = i + 1,
                quarters = (n / 4) * (n / 4 - 1) / 2 * 4 + n / 4 * (n % 4);  // sum of j / 4 for j < n
  const int32_t phase = int32_t((3000 * n - quarters) & 0xFFFF);
  return int16_t((noise(1) * swell >> 14) + ((phase - 32768) * (1000 - swell) >> 12));
}

/// Where a signal's features leave the golden ones.
struct MfccDifference {
  bool differs = false;
  int32_t feature = -1;  ///< the first that is wrong; -1: the hash alone is
  int32_t found = 0, expected = 0;
};

inline MfccDifference check_mfcc(const MfccSignal& golden, MfccStream& stream) {
  Hash hash;
  int32_t count = 0;
  stream.clear();
  for (int32_t i = 0; i < golden.samples; ++i) {
    if (!stream.push(mfcc_sample(golden.name, i))) continue;
    for (int32_t k = 0; k < kMfccCoefficients; ++k, ++count) {
      const int32_t found = stream.features()[k];
      hash.add_u32(uint32_t(found));
      if (golden.features != nullptr && found != golden.features[count])
        return {true, count, found, golden.features[count]};
    }
  }
  return {.differs = hash.value() != golden.hash};
}

}  // namespace mantissa::test
