// exp and log in integers, and in float32 without libm, for Softmax and its loss.
// newlib's and glibc's functions differ in the last bits; these are the same everywhere.
#pragma once
#include <bit>
#include <cstdint>

#include "mantissa/num/scale.hpp"

namespace mantissa {

/// 2^-t in Q30 for t in Q26 (0 <= t < 64).  Polynomial of degree 5 on [0, 1), absolute error below 2^-22.
/// Source: interpolation at the Chebyshev nodes of [0, 1], coefficients in Q30.
constexpr uint32_t exp2_negative(uint32_t t_q26) {
  const uint32_t whole = t_q26 >> 26;
  const int32_t f = int32_t((t_q26 & 0x3FFFFFFu) << 5);  // fraction in Q31
  constexpr int32_t c[6] = {1073741764, -744256774, 257890191, -59375904, 9888282, -1016701};
  int32_t p = c[5];
  for (int i = 4; i >= 0; --i) p = c[i] + int32_t((int64_t(2 * p) * f) >> 32);  // all |p| < 2^30
  return whole >= 31 ? 0 : uint32_t(p) >> whole;
}

/// log2(x) in Q24 for x >= 1, one bit at a time by squaring; error below 2^-23.
constexpr uint32_t log2_fixed(uint32_t x) {
  const int whole = 31 - std::countl_zero(x);
  uint32_t m = x << (31 - whole);  // Q31, in [1, 2)
  uint32_t fraction = 0;
  for (int i = 0; i < 24; ++i) {
    const uint64_t square = uint64_t(m) * m;  // Q62, in [1, 4)
    const uint32_t upper = uint32_t(square >> 32), bit = upper >> 31;
    fraction = 2 * fraction + bit;
    m = bit != 0 ? upper : uint32_t(square >> 31);
  }
  return (uint32_t(whole) << 24) | fraction;
}

/// e^x for x <= 0; 0 below -87.  Relative error below 2^-22.  Source: Cephes expf.
constexpr float exp_float(float x) {
  if (!(x > -87.0f)) return 0.0f;
  const int32_t n = int32_t(x * 1.44269504f - 0.5f);  // nearest, as x <= 0
  const float nf = float(n);
  const float r = (x - nf * 0.693359375f) + nf * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = (p * (r * r) + r) + 1.0f;
  return y * std::bit_cast<float>(uint32_t(n + 127) << 23);
}

/// ln(x) for finite x >= the smallest normal float32.  Relative error below 2^-22.  Source: Cephes logf.
constexpr float log_float(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  int32_t e = int32_t(bits >> 23) - 126;
  float m = std::bit_cast<float>((bits & 0x7FFFFFu) | 0x3F000000u);  // in [0.5, 1)
  if (m < 0.707106781f) {
    e -= 1;
    m = m + m;
  }
  m -= 1.0f;
  const float z = m * m;
  float p = 7.0376836292e-2f;
  constexpr float c[8] = {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                          -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
  for (float k : c) p = p * m + k;
  float y = p * m * z;
  const float ef = float(e);
  y += ef * -2.12194440e-4f;
  y += z * -0.5f;
  return (m + y) + ef * 0.693359375f;
}

/// floor(sqrt(x)).
constexpr uint32_t sqrt_floor(uint64_t x) {
  uint64_t root = 0;
  for (int bit = 31; bit >= 0; --bit) {
    const uint64_t candidate = root | (uint64_t(1) << bit);
    if (candidate * candidate <= x) root = candidate;
  }
  return uint32_t(root);
}

/// sqrt(x) with 31 bits, floored. Requires 0 < x < 2^62.
constexpr Scale sqrt_scale(uint64_t x) {
  const int32_t j = (std::countl_zero(x) - 2) / 2;
  return {sqrt_floor(x << (2 * j)), -j};
}

/// The nearest float32 to sqrt(x) for normal x > 0: a root is never half way between two.
constexpr float sqrt_float(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const int32_t e = int32_t(bits >> 23) - 150;  // x = m * 2^e
  const uint64_t m = (bits & 0x7FFFFFu) | 0x800000u;
  const int32_t odd = e & 1;
  const uint32_t root = sqrt_floor(m << (26 + odd));  // 25 or 26 bits
  const int32_t drop = int32_t(std::bit_width(root)) - 24;
  const uint32_t rounded = (root + (1u << (drop - 1))) >> drop;  // a carry moves the exponent
  return std::bit_cast<float>((uint32_t((e - odd - 26) / 2 + drop + 150) << 23) + rounded - 0x800000u);
}

/// floor((a * h + half) / 2^shift) with the product of up to 78 bits exact; shift in 0..30.
constexpr int64_t multiply_shift(int64_t a, int32_t h, int64_t half, int32_t shift) {
  const int64_t low = int64_t(uint32_t(a)) * h;
  const int64_t high = (a >> 32) * h + (low >> 32);
  return high * (int64_t(1) << (32 - shift)) + ((int64_t(uint32_t(low)) + half) >> shift);
}

}  // namespace mantissa
