// From accumulators to codes with Helium: four sums at a time. What sums_small.hpp does otherwise is done as there.
#pragma once
#include <arm_mve.h>

#include "mantissa/kernels/sums_small.hpp"

namespace mantissa::mve {

template <bool kBias, bool kRelu, bool kMask>
uint32_t finish_row(int32_t* sums, int32_t columns, const int32_t* bias, const int8_t* mask) {
  const int32x4_t zero = vdupq_n_s32(0);
  uint32_t largest = 0;
  for (int32_t c = 0; c < columns; c += 4) {
    const mve_pred16_t lanes = vctp32q(uint32_t(columns - c));
    int32x4_t sum = vldrwq_z_s32(sums + c, lanes);
    if (kBias) sum = vaddq_s32(sum, vldrwq_z_s32(bias + c, lanes));
    if (kRelu) sum = vmaxq_s32(sum, zero);
    if (kMask) sum = vpselq_s32(sum, zero, vcmpgtq_n_s32(vldrbq_z_s32(mask + c, lanes), 0));
    if (kBias || kRelu || kMask) vstrwq_p_s32(sums + c, sum, lanes);
    largest = vmaxavq_s32(largest, sum);
  }
  return largest;
}

template <Operands kOperands>
uint64_t finish_sums(const FinishSums& f) {
  return small::finish_sums_by<kOperands>(f, [](auto has_bias, auto has_relu, auto has_mask) {
    return finish_row<has_bias, has_relu, has_mask>;
  });
}

inline void store_codes(int8_t* to, int32x4_t codes, mve_pred16_t lanes) { vstrbq_p_s32(to, codes, lanes); }
inline void store_codes(int16_t* to, int32x4_t codes, mve_pred16_t lanes) { vstrhq_p_s32(to, codes, lanes); }

/// As small::rescale_row.
template <class Code>
uint32_t rescale_row(const int32_t* sums, Code* codes, int32_t columns, Multiplier by, int32_t high) {
  const uint32x4_t mantissa = vdupq_n_u32(uint32_t(by.mantissa)), most = vdupq_n_u32(uint32_t(high));
  const uint32_t half = 1u << (by.shift - 33);
  const int32x4_t shift = vdupq_n_s32(32 - by.shift);  // to the right
  uint32x4_t saturated = vdupq_n_u32(0);
  for (int32_t c = 0; c < columns; c += 4) {
    const mve_pred16_t lanes = vctp32q(uint32_t(columns - c));
    const int32x4_t sum = vldrwq_z_s32(sums + c, lanes);
    const uint32x4_t upper = vmulhq_u32(vreinterpretq_u32_s32(vabsq_s32(sum)), mantissa);
    const uint32x4_t code = vshlq_u32(vaddq_n_u32(upper, half), shift);
    saturated = vaddq_m_n_u32(saturated, saturated, 1, vcmphiq_u32(code, most));
    const int32x4_t fits = vreinterpretq_s32_u32(vminq_u32(code, most));
    store_codes(codes + c, vnegq_m_s32(fits, fits, vcmpltq_n_s32(sum, 0)), lanes);
  }
  return vaddvq_u32(saturated);
}

template <Operands kOperands>
uint64_t rescale_sums(const RescaleSums& r) {
  return small::rescale_sums_by<kOperands>(
      r, [](const int32_t* sums, auto* codes, int32_t columns, Multiplier by, int32_t high) {
        return rescale_row(sums, codes, columns, by, high);
      });
}

}  // namespace mantissa::mve
