// The front end for speech in double, by its definition, and how far integers may be from it.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "mantissa/signal/mfcc.hpp"

namespace mantissa::test {

struct RealFeature {
  double value = 0;
  double bound = 0;  ///< of the integer feature's error
};

/// By halves; for a power of two.
inline std::vector<std::complex<double>> real_fft(const std::vector<std::complex<double>>& x) {
  const size_t n = x.size();
  if (n == 1) return x;
  std::vector<std::complex<double>> half[2], out(n);
  for (size_t i = 0; i < n; ++i) half[i % 2].push_back(x[i]);
  const auto even = real_fft(half[0]), odd = real_fft(half[1]);
  for (size_t k = 0; k < n / 2; ++k) {
    const auto t = std::polar(1.0, -2 * std::numbers::pi * double(k) / double(n)) * odd[k];
    out[k] = even[k] + t;
    out[k + n / 2] = even[k] - t;
  }
  return out;
}

/// Weights of bins 0 to 128 in each band.
inline const std::vector<std::vector<double>>& real_mel_weights() {
  static const std::vector<std::vector<double>> weights = [] {
    const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
    std::vector<double> edges;
    for (int i = 0; i < kMfccBands + 2; ++i)
      edges.push_back(700 *
                      (std::pow(10, (mel(20) + i * (mel(4000) - mel(20)) / (kMfccBands + 1)) / 2595) - 1));
    std::vector<std::vector<double>> rows;
    for (size_t b = 0; b < kMfccBands; ++b) {
      rows.emplace_back();
      for (int k = 0; k <= kFftPairs; ++k) {
        const double hertz = k * double(kMfccRate) / kFftSamples;
        rows.back().push_back(
            std::max(0.0, std::min((hertz - edges[b]) / (edges[b + 1] - edges[b]),
                                   (edges[b + 2] - hertz) / (edges[b + 2] - edges[b + 1]))));
      }
    }
    return rows;
  }();
  return weights;
}

/// The bound, with energies in squared steps of a sample, where the floor is F = 1e-6 * 2^30: the spectrum is wrong by at most
/// 0.9 (windowed samples: 256 roundings of 0.5 and 2^-8 for the window, in units of 2^-8; then fft.hpp's 100), so the root of a band's energy m by 0.9
/// times the root of its weights' sum s; each power is rounded by 2^-4, each weight by 2^-17; so ln(F + m) is wrong by at most
/// -ln(1 - e / (F + m)), where e is the error of m. log2 adds 2^-22 and its upper 32 bits 2^-31; the DCT sums all with its
/// weights, adds 2^-31 of each logarithm (below 34) and rounds by 2^-9.
inline std::vector<RealFeature> real_mfcc(const int16_t* x) {
  constexpr double kFloor = 1e-6 * 1073741824.0, kSpectrumError = 0.9;
  std::vector<std::complex<double>> windowed;
  for (int n = 0; n < kMfccWindow; ++n)
    windowed.push_back(x[n] * (0.5 - 0.5 * std::cos(2 * std::numbers::pi * n / kMfccWindow)));
  const auto spectrum = real_fft(windowed);
  std::vector<RealFeature> features(kMfccCoefficients);
  for (RealFeature& f : features) f.bound = 0x1p-9 + 40 * 34 * 0x1p-31;
  for (size_t b = 0; b < kMfccBands; ++b) {
    double m = 0, weights = 0, reached = 0;
    for (size_t k = 0; k <= kFftPairs; ++k) {
      const double w = real_mel_weights()[b][k], power = std::norm(spectrum[k]);
      m += w * power;
      weights += w;
      if (w > 0) reached += power;
    }
    const double e =
        kSpectrumError * std::sqrt(weights) * (2 * std::sqrt(m) + kSpectrumError * std::sqrt(weights)) +
        0x1p-4 * weights + 0x1p-17 * (std::sqrt(reached) + 3) * (std::sqrt(reached) + 3);
    const double wrong = -std::log1p(-std::min(0.999, e / (kFloor + m))) + 0x1.8p-22;
    const double level = std::log(kFloor + m) - 30 * std::numbers::ln2;
    for (int k = 0; k < kMfccCoefficients; ++k) {
      const double c = std::sqrt((k == 0 ? 1.0 : 2.0) / kMfccBands) *
                       std::cos(std::numbers::pi * k * (2 * double(b) + 1) / (2 * kMfccBands));
      features[size_t(k)].value += c * level;
      features[size_t(k)].bound += std::fabs(c) * wrong;
    }
  }
  return features;
}

}  // namespace mantissa::test
