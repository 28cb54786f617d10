// The sets for microcontrollers, from smaller to larger instruction sets: each does what it can better than the one before.
// They work in scratch, for one thread.
#pragma once
#include "mantissa/kernels/gemm_dsp.hpp"
#include "mantissa/kernels/gemm_mve.hpp"
#include "mantissa/kernels/gemm_small.hpp"
#include "mantissa/kernels/kernels.hpp"

namespace mantissa {

/// For Cortex-M0, M0+, M3: plain C++.
template <Operands kOperands>
struct SmallKernels : RefKernels<kOperands> {
  static constexpr const GemmKernel* gemm = &gemm_small_for<kOperands>;
  static uint64_t finish_sums(const FinishSums& f);
  static uint64_t rescale_sums(const RescaleSums& r);
  static void column_sums(const ColumnSums& s);
  static UpdateSeen update_integer(const IntegerUpdate& u);
  static uint64_t quantize_floats(const QuantizeFloats& q);
};
inline constexpr const Kernels& kernels_small = kernels_of<SmallKernels<Operands::kAny>>;

/// For Cortex-M4, M7, M33: DSP instructions.
template <Operands kOperands>
struct DspKernels : SmallKernels<kOperands> {
  static constexpr const GemmKernel* gemm = &gemm_dsp_for<kOperands>;
};
inline constexpr const Kernels& kernels_dsp = kernels_of<DspKernels<Operands::kAny>>;

/// For Cortex-M55: Helium, where operands are int8.
template <Operands kOperands>
struct MveKernels : DspKernels<kOperands> {
  static constexpr const GemmKernel* gemm = &gemm_mve_for<kOperands>;
  static uint64_t finish_sums(const FinishSums& f);
  static uint64_t rescale_sums(const RescaleSums& r);
};
inline constexpr const Kernels& kernels_mve = kernels_of<MveKernels<Operands::kAny>>;

}  // namespace mantissa
