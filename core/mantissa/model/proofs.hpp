// Bounds of sums: from the number of terms and the largest codes follows how wide an accumulator must be.
#pragma once
#include "mantissa/model/plan.hpp"

namespace mantissa {

inline constexpr int64_t kInt32Max = INT32_MAX;
inline constexpr int64_t kBiasRoom = int64_t(1) << 24;  ///< least room for a bias beside a 32-bit sum

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
            .limit = (kInt32Max - proof.extra) / term};
  product.accumulator = Element::kInt64;
  product.block_terms = int32_t(kInt32Max / term);
  proof.bits = 64;
  proof.block_terms = product.block_terms;
  return {};
}

}  // namespace mantissa
