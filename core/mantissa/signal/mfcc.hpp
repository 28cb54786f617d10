// Mel-frequency cepstral coefficients of speech at 8 kHz in integers: ten numbers for every 20 ms.
// A microcontroller hears with the very bits that a PC has trained on.
#pragma once
#include <cstddef>
#include <cstdint>

#include "mantissa/signal/fft.hpp"

namespace mantissa {

inline constexpr int32_t kMfccRate = 8000;   ///< samples per second
inline constexpr int32_t kMfccWindow = 256;  ///< samples of a frame, 32 ms
inline constexpr int32_t kMfccHop = 160;     ///< samples between frames, 20 ms
inline constexpr int32_t kMfccBands = 40;    ///< triangles from 20 to 4000 Hz, equally wide on the Mel scale
inline constexpr int32_t kMfccCoefficients = 10;  ///< the first of the DCT's
inline constexpr int32_t kMfccUnitBits = 8;       ///< a feature is a code times 2^-8

/// Frames that lie within that many samples.
constexpr int32_t mfcc_frames(int32_t samples) {
  return samples < kMfccWindow ? 0 : (samples - kMfccWindow) / kMfccHop + 1;
}

/// feature[k] = 2^8 * sum over b of C[k,b] ln(1e-6 + sum over n of W[b,n] |X[n]|^2), rounded, where X is the spectrum of the
/// samples / 2^15 under a periodic Hann window, W are triangles with peak 1 in Hz whose edges are equally far apart in Mel
/// (2595 log10(1 + Hz / 700)), and C is the orthonormal DCT-II. Silence gives [-22369, 0, 0, ...]; no code exceeds 2^15.
/// Error against real arithmetic: half a unit, and what an error of X of at most 0.9 steps of a sample makes of each
/// logarithm (tests/mfcc_reference.hpp); bits: SPEC 13.  Source: Young et al., The HTK Book (Mel scale).
class MfccFrame {
 public:
  /// x: 256 samples.  features: 10 codes.  Any values will do: nothing overflows.
  void compute(const int16_t* x, int16_t* features);

 private:
  void load(const int16_t* x);
  void add_bins();
  void take_logarithms();

  Complex z_[kFftPairs];
  uint64_t bands_[kMfccBands + 2];  ///< energies in units of 2^-19; the first and the last are of no band
  int32_t levels_[kMfccBands];      ///< log2(energy / floor) in Q24
};

/// Features of a signal that arrives sample by sample; all its memory is the object.
class MfccStream {
 public:
  /// True where the sample completes a frame: the 256th and every 160th from there. features() are then its.
  bool push(int16_t sample);
  const int16_t* features() const { return features_; }
  /// Forgets what it has heard, before a signal of its own.
  void clear() { filled_ = 0; }

 private:
  int32_t filled_ = 0;
  int16_t window_[kMfccWindow];
  int16_t features_[kMfccCoefficients];
  MfccFrame frame_;
};
static_assert(sizeof(MfccStream) <= 2080);

}  // namespace mantissa
