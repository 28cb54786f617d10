// The matrix product for Armv7E-M and Armv8-M cores with DSP instructions: M4, M7, M33.
// Two 16-bit products per instruction; four vectors share each load.
#pragma once
#include "mantissa/kernels/gemm_blocks.hpp"

namespace mantissa {

namespace dsp {

template <Operands kOperands>
void multiply(const Gemm& gemm);

/// Terms that are worked on at a time: more of them would save little.
constexpr int32_t kMostTerms = 192;
/// Taps of one packed signal, see PackedColumns.
constexpr int32_t kMostTaps = 8;

/// Four vectors of 16-bit codes; float32 is left to the reference.
constexpr size_t gemm_scratch_bytes(const GemmShape& shape, Element a, Element) {
  if (a == Element::kFloat32) return 0;
  const int64_t terms = int64_t(shape.outer) * whole_groups(shape.inner);
  const int64_t both = terms + whole_groups(int32_t(terms)) + kMostTaps;
  return 8 * size_t(both < kMostTerms + 4 ? both : kMostTerms + 4);
}

}  // namespace dsp

inline constexpr GemmScratch kGemmDspScratch = {ScratchUse::kWorkspace, 8, dsp::gemm_scratch_bytes};

/// Equals gemm_ref bit for bit. Scratch is at most 1568 bytes. Fastest where c has a multiple of four rows.
template <Operands kOperands>
inline constexpr GemmKernel gemm_dsp_for = {kGemmDspScratch, dsp::multiply<kOperands>};
inline constexpr GemmKernel gemm_dsp = gemm_dsp_for<Operands::kAny>;

}  // namespace mantissa
