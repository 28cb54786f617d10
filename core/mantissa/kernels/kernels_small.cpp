// What the sets for microcontrollers share beside their product: the loops for 32-bit registers.
#include "mantissa/kernels/kernels_small.hpp"

#include "mantissa/kernels/sums_small.hpp"  // in this order, hence the empty lines

#include "mantissa/kernels/update-inl.hpp"

#include "mantissa/kernels/update_dsp.hpp"

namespace mantissa {

template <Operands kOperands>
uint64_t SmallKernels<kOperands>::finish_sums(const FinishSums& f) {
  return small::finish_sums<kOperands>(f);
}
template <Operands kOperands>
uint64_t SmallKernels<kOperands>::rescale_sums(const RescaleSums& r) {
  return small::rescale_sums<kOperands>(r);
}
template <Operands kOperands>
void SmallKernels<kOperands>::column_sums(const ColumnSums& s) {
  return small::column_sums<kOperands>(s);
}
template <Operands kOperands>
UpdateSeen SmallKernels<kOperands>::update_integer(const IntegerUpdate& u) {
  return dsp::update_integer(u);
}
template <Operands kOperands>
uint64_t SmallKernels<kOperands>::quantize_floats(const QuantizeFloats& q) {
  return small::quantize_floats<kOperands>(q);
}

template struct SmallKernels<Operands::kAny>;
template struct SmallKernels<Operands::kFloat32>;
template struct SmallKernels<Operands::kIntegers>;
template struct SmallKernels<Operands::kInt8>;

}  // namespace mantissa
