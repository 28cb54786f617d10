// Two samples make one complex number, so that 256 real samples take a transform of 128.
#include "mantissa/signal/fft.hpp"

#include <utility>

namespace mantissa {
namespace {

#include "mantissa/signal/fft_tables.inc"

constexpr int32_t kQuarter = kFftSamples / 4;

/// e^(-2 pi i k / 256) as cosine and sine, 0 <= k <= 128.
struct Turn {
  explicit Turn(int32_t k) : c(cosine_q30(k)), s(cosine_q30(k < kQuarter ? kQuarter - k : k - kQuarter)) {}
  /// The sum of two products is at most |z| * 2^30 < 2^61.
  Complex of(Complex z) const {
    constexpr int64_t kHalf = int64_t(1) << 29;
    return {int32_t((int64_t(z.re) * c + int64_t(z.im) * s + kHalf) >> 30),
            int32_t((int64_t(z.im) * c - int64_t(z.re) * s + kHalf) >> 30)};
  }
  int32_t c, s;
};

void add_and_subtract(Complex& a, Complex& b, Complex turned) {
  b = {a.re - turned.re, a.im - turned.im};
  a = {a.re + turned.re, a.im + turned.im};
}

void reverse_bits(Complex* z) {
  for (int32_t i = 0, j = 0; i < kFftPairs; ++i) {
    if (i < j) std::swap(z[i], z[j]);
    int32_t bit = kFftPairs / 2;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j |= bit;
  }
}

}  // namespace

int32_t cosine_q30(int32_t k) {
  if (k > kFftSamples / 2) k = kFftSamples - k;
  return k <= kQuarter ? kCosine[k] : -kCosine[2 * kQuarter - k];
}

void transform_pairs(Complex* z) {
  reverse_bits(z);
  for (int32_t i = 0; i < kFftPairs; i += 2) add_and_subtract(z[i], z[i + 1], z[i + 1]);
  for (int32_t half = 2; half < kFftPairs; half *= 2)
    for (int32_t j = 0; j < half; ++j) {
      const Turn turn(j * (kFftPairs / half));
      for (int32_t i = j; i < kFftPairs; i += 2 * half)
        add_and_subtract(z[i], z[i + half], turn.of(z[i + half]));
    }
}

Complex spectrum_bin(const Complex* z, int32_t k) {
  const Complex a = z[k], b = z[kFftPairs - k];
  const Complex odd = Turn(k).of({a.im + b.im, b.re - a.re});  // twice, as the even ones
  return {(a.re + b.re + odd.re) >> 1, (a.im - b.im + odd.im) >> 1};
}

}  // namespace mantissa
