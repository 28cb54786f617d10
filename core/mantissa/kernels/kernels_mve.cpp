// What the set for Cortex-M55 does by Helium beside the product.
#include "mantissa/kernels/kernels_small.hpp"
#include "mantissa/kernels/sums_mve.hpp"

namespace mantissa {

template <Operands kOperands>
uint64_t MveKernels<kOperands>::finish_sums(const FinishSums& f) {
  return mve::finish_sums<kOperands>(f);
}
template <Operands kOperands>
uint64_t MveKernels<kOperands>::rescale_sums(const RescaleSums& r) {
  return mve::rescale_sums<kOperands>(r);
}

template struct MveKernels<Operands::kAny>;
template struct MveKernels<Operands::kFloat32>;
template struct MveKernels<Operands::kIntegers>;
template struct MveKernels<Operands::kInt8>;

}  // namespace mantissa
