// The spectrum of 256 real samples in 32-bit integers, for cores without floats.
// One rounding per turned value and a fixed order: the same bits everywhere.
#pragma once
#include <cstdint>

namespace mantissa {

struct Complex {
  int32_t re = 0, im = 0;
};

inline constexpr int32_t kFftSamples = 256;
inline constexpr int32_t kFftPairs = kFftSamples / 2;

/// The largest sum of |x| over 256 samples whose spectrum fits: full scale under a Hann window, see mfcc.cpp.
inline constexpr int32_t kFftLargestSum = (1 << 30) + 256;

/// cos(2 pi k / 256) in Q30, 0 <= k <= 256.
int32_t cosine_q30(int32_t k);

/// Z[k] = sum over n of z[n] e^(-2 pi i n k / 128), in place, with one rounding (ties up) of each turned value.
/// Requires sum(|re| + |im|) <= kFftLargestSum. Every value on the way is a sum of some z[n], each turned, so its parts stay
/// within that, and 32 bits hold them.  Error: at most 0.71 for each of the 63 turned values that an output is made of, and
/// 2^-30.5 of the largest sum for the cosines of each of 6 stages; together below 49.
/// Source: radix 2, decimation in time (Cooley, Tukey).
void transform_pairs(Complex* z);

/// X[k] = sum over n of x[n] e^(-2 pi i n k / 256), 1 <= k <= 127, where z[n] was x[2n] + i x[2n+1] before transform_pairs().
/// Requires that neither the even nor the odd samples have more than half of kFftLargestSum, as under Hann's window: then
/// twice the spectrum of either fits; and, by Parseval, no bin but 0 and 128 exceeds 2^29.9, so that twice it fits too.  Error: below 2 and twice that of transform_pairs(), together below 100.
Complex spectrum_bin(const Complex* z, int32_t k);

}  // namespace mantissa
