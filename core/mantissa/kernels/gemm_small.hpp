// The matrix product for cores without DSP instructions: M0, M0+, M3.
// Four sums share each load; plain C++ for eight registers.
#pragma once
#include "mantissa/kernels/gemm_blocks.hpp"

namespace mantissa {

namespace small {

template <Operands kOperands>
void multiply(const Gemm& gemm);

constexpr int32_t kFewRows = 3;     ///< fewer are multiplied one by one
constexpr int32_t kMostTerms = 64;  ///< packed at a time: more would save little

/// Codes of four rows as words.
constexpr size_t gemm_scratch_bytes(const GemmShape& shape, Element a, Element) {
  if (a == Element::kFloat32 || shape.m < kFewRows) return 0;
  const int64_t terms = int64_t(shape.outer) * whole_groups(shape.inner);
  return 16 * size_t(terms < kMostTerms ? terms : kMostTerms);
}

}  // namespace small

inline constexpr GemmScratch kGemmSmallScratch = {ScratchUse::kWorkspace, 4, small::gemm_scratch_bytes};

/// Equals gemm_ref bit for bit. Scratch is at most 1 KB, and none for one or two rows; float32 as gemm_ref.
template <Operands kOperands>
inline constexpr GemmKernel gemm_small_for = {kGemmSmallScratch, small::multiply<kOperands>};
inline constexpr GemmKernel gemm_small = gemm_small_for<Operands::kAny>;

}  // namespace mantissa
