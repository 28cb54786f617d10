// The matrix product for Cortex-M55: Helium, sixteen products of bytes per instruction.
#pragma once
#include "mantissa/kernels/gemm_dsp.hpp"

namespace mantissa {

namespace mve {

template <Operands kOperands>
void multiply(const Gemm& gemm);

/// Codes of a packed vector; more would save little.
constexpr int32_t kMostTerms = 192;
/// Taps of one packed signal.
constexpr int32_t kMostTaps = 8;

/// Four vectors of bytes, and four signals.
constexpr size_t gemm_scratch_bytes(const GemmShape& shape, Element a, Element b) {
  if (a != Element::kInt8 || b != Element::kInt8) return dsp::gemm_scratch_bytes(shape, a, b);
  const int64_t terms = int64_t(shape.outer) * whole_groups(shape.inner);
  return 4 * size_t(2 * (terms < kMostTerms ? terms : kMostTerms) + kMostTaps);
}

}  // namespace mve

inline constexpr GemmScratch kGemmMveScratch = {ScratchUse::kWorkspace, 8, mve::gemm_scratch_bytes};

/// Equals gemm_ref bit for bit. int8 operands by Helium, others as gemm_dsp.
template <Operands kOperands>
inline constexpr GemmKernel gemm_mve_for = {kGemmMveScratch, mve::multiply<kOperands>};
inline constexpr GemmKernel gemm_mve = gemm_mve_for<Operands::kAny>;

}  // namespace mantissa
