// Window, spectrum, bands, logarithm, DCT: each in integers, one after the other, in the object's memory.
#include "mantissa/signal/mfcc.hpp"

#include <bit>
#include <cstring>

#include "mantissa/num/fixed_math.hpp"

namespace mantissa {
namespace {

#include "mantissa/signal/mfcc_tables.inc"

static_assert(kMfccWindow == kFftSamples);

/// 2^8 x[n] (1 - cos(2 pi n / 256)) / 2, rounded. The window sums up to 128, so that |x| <= 2^15 gives sums of at most
/// 2^(8 + 15 + 7) = 2^30, and 256 roundings of a half: kFftLargestSum. The even samples have half of that, the odd ones too.
int32_t windowed(int32_t x, int32_t n) {
  const int32_t window = (1 << 29) - (cosine_q30(n) >> 1);  // Q30
  return int32_t((int64_t(x) * window + (1 << 21)) >> 22);
}

/// |X|^2 in units of 2^-3. X is in units of 2^-8 and at most 2^30, so that the square fits 61 bits.
uint64_t power(Complex x) {
  const uint64_t square = uint64_t(int64_t(x.re) * x.re) + uint64_t(int64_t(x.im) * x.im);
  return (square + (1 << 12)) >> 13;
}

/// log2(x) in Q24 of x >= 1, of its upper 32 bits.
int32_t log2_wide(uint64_t x) {
  const int32_t width = int32_t(std::bit_width(x));
  const int32_t drop = width > 32 ? width - 32 : 0;
  return int32_t(log2_fixed(uint32_t(x >> drop))) + (drop << 24);
}

}  // namespace

void MfccFrame::load(const int16_t* x) {
  for (int32_t n = 0; n < kFftPairs; ++n)
    z_[n] = {windowed(x[2 * n], 2 * n), windowed(x[2 * n + 1], 2 * n + 1)};
}

/// By Parseval the powers of bins 1 to 127 sum up to at most 128 sum (w x)^2 <= 128 * 96 * 2^30 < 2^43.6, in units of 2^-3
/// with weights in Q16 2^62.6: no sum of bands reaches 63 bits.
void MfccFrame::add_bins() {
  for (uint64_t& band : bands_) band = 0;
  for (int32_t k = 1; k < kFftPairs; ++k) {
    const uint64_t p = power(spectrum_bin(z_, k));
    const uint32_t interval = kMelInterval[k - 1], rising = kMelRising[k - 1];
    bands_[interval] += p * (65536 - rising);
    bands_[interval + 1] += p * rising;
  }
}

/// In [0, 33.6] of Q24. Against the floor, so that silence gives exact zeros.
void MfccFrame::take_logarithms() {
  const int32_t floor = log2_wide(kFloorEnergy);
  for (int32_t b = 0; b < kMfccBands; ++b) levels_[b] = log2_wide(bands_[b + 1] + kFloorEnergy) - floor;
}

/// The DCT's rows are even or odd about the middle, so bands meet their mirror images first: |sum| < 2^30.1. Twenty products
/// with coefficients below 2^27.4 stay below 2^61.9.
void MfccFrame::compute(const int16_t* x, int16_t* features) {
  load(x);
  transform_pairs(z_);
  add_bins();
  take_logarithms();
  for (int32_t k = 0; k < kMfccCoefficients; ++k) {
    int64_t sum = k == 0 ? kSilence : 0;  // Q54
    for (int32_t b = 0; b < kMfccBands / 2; ++b) {
      const int32_t mirrored = levels_[kMfccBands - 1 - b];
      sum += int64_t(levels_[b] + (k % 2 == 0 ? mirrored : -mirrored)) * kDct[k][b];
    }
    features[k] = int16_t((sum + (int64_t(1) << 45)) >> 46);
  }
}

bool MfccStream::push(int16_t sample) {
  window_[filled_++] = sample;
  if (filled_ < kMfccWindow) return false;
  frame_.compute(window_, features_);
  filled_ = kMfccWindow - kMfccHop;
  std::memmove(window_, window_ + kMfccHop, size_t(filled_) * sizeof(int16_t));
  return true;
}

}  // namespace mantissa
