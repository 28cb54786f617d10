// Bounds of sums: from the number of terms and the largest codes follows how wide an accumulator must be.
#pragma once
#include "mantissa/plan/plan.hpp"

namespace mantissa {

inline constexpr int64_t kInt32Max = INT32_MAX;
inline constexpr int64_t kBiasRoom = int64_t(1) << 24;  ///< least room for a bias beside a 32-bit sum

/// Bits of symmetric codes up to `largest`. 128, which the upper byte of an int16 code reaches, counts as 8.
constexpr uint8_t code_bits(int32_t largest) {
  int32_t bits = 2;
  while ((1 << (bits - 1)) < largest) ++bits;
  return uint8_t(bits);
}

constexpr bool adds_values(Reduction reduction) {
  return reduction == Reduction::kPool || reduction == Reduction::kBiasGradient ||
         reduction == Reduction::kNorm || reduction == Reduction::kWindowShare;
}

/// Width for `terms` products of codes up to a_max and b_max plus `extra`; refuses with the largest number that fits
/// if 64 bits are not allowed. 64 bits always suffice: terms < 2^31 and codes < 2^15 make less than 2^61.
constexpr Error prove_sum(Proof& proof, Accumulation allowed, ProductPlan& product) {
  const int64_t term = int64_t(proof.a_max) * proof.b_max;
  proof.worst = term * proof.terms + proof.extra;
  if (proof.worst <= kInt32Max) {
    product.accumulator = Element::kInt32;
    return {};
  }
  if (allowed == Accumulation::kInt32)
    return {.code = ErrorCode::kUnprovable,
            .layer = proof.layer,
            .found = proof.terms,
            .limit = (kInt32Max - proof.extra) / term,
            .a_bits = code_bits(proof.a_max),
            .b_bits = adds_values(proof.reduction) ? uint8_t(0) : code_bits(proof.b_max)};
  product.accumulator = Element::kInt64;
  product.block_terms = int32_t(kInt32Max / term);
  proof.bits = 64;
  proof.block_terms = product.block_terms;
  return {};
}

}  // namespace mantissa
