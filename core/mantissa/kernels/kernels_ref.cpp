// The reference set: the plain loops, compiled for whatever the target is.
#include "mantissa/kernels/kernels.hpp"

#include "mantissa/kernels/activation-inl.hpp"
#include "mantissa/kernels/group_norm-inl.hpp"
#include "mantissa/kernels/layer_norm-inl.hpp"
#include "mantissa/kernels/softmax-inl.hpp"
#include "mantissa/kernels/window_shares-inl.hpp"

#define MANTISSA_KERNEL_NAMESPACE ref
#include "mantissa/kernels/depthwise-inl.hpp"
#include "mantissa/kernels/pool-inl.hpp"
#include "mantissa/kernels/sums-inl.hpp"
#include "mantissa/kernels/update-inl.hpp"

namespace mantissa {

template <Operands kOperands>
void RefKernels<kOperands>::depthwise(const Depthwise& d) {
  return ref::depthwise(d);
}
template <Operands kOperands>
void RefKernels<kOperands>::depthwise_gradient(const DepthwiseGradient& d) {
  return ref::depthwise_gradient(d);
}
template <Operands kOperands>
uint64_t RefKernels<kOperands>::finish_sums(const FinishSums& f) {
  return ref::finish_sums<kOperands>(f);
}
template <Operands kOperands>
uint64_t RefKernels<kOperands>::rescale_sums(const RescaleSums& r) {
  return ref::rescale_sums<kOperands>(r);
}
template <Operands kOperands>
void RefKernels<kOperands>::column_sums(const ColumnSums& s) {
  return ref::column_sums<kOperands>(s);
}
template <Operands kOperands>
void RefKernels<kOperands>::max_pool(const MaxPool& p) {
  return ref::max_pool<kOperands>(p);
}
template <Operands kOperands>
void RefKernels<kOperands>::max_pool_backward(const MaxPoolBackward& p) {
  return ref::max_pool_backward<kOperands>(p);
}
template <Operands kOperands>
void RefKernels<kOperands>::window_sums(const WindowSums& p) {
  return ref::window_sums(p);
}
template <Operands kOperands>
void RefKernels<kOperands>::spread(const Spread& p) {
  return ref::spread(p);
}
template <Operands kOperands>
void RefKernels<kOperands>::overlap_sums(const OverlapSums& p) {
  return ref::overlap_sums(p);
}
template <Operands kOperands>
void RefKernels<kOperands>::share_sums(const ShareSums& s) {
  return ref::share_sums<kOperands>(s);
}
template <Operands kOperands>
void RefKernels<kOperands>::spread_shares(const SpreadShares& s) {
  return ref::spread_shares<kOperands>(s);
}
template <Operands kOperands>
UpdateSeen RefKernels<kOperands>::update_integer(const IntegerUpdate& u) {
  return ref::update_integer(u);
}
template <Operands kOperands>
UpdateSeen RefKernels<kOperands>::update_float(const FloatUpdate& u) {
  return ref::update_float(u);
}
template <Operands kOperands>
uint64_t RefKernels<kOperands>::quantize_floats(const QuantizeFloats& q) {
  return ref::quantize_floats<kOperands>(q);
}
template <Operands kOperands>
void RefKernels<kOperands>::add_scaled(const AddScaled& a) {
  return ref::add_scaled(a);
}
template <Operands kOperands>
float RefKernels<kOperands>::largest_magnitude(const float* values, int32_t count) {
  return ref::largest_magnitude(values, count);
}
template <Operands kOperands>
float RefKernels<kOperands>::softmax_float(const FloatSoftmax& s) {
  return ref::softmax_float(s);
}
template <Operands kOperands>
void RefKernels<kOperands>::norm_forward(const NormForward& f) {
  return ref::norm_forward<kOperands>(f);
}
template <Operands kOperands>
NormSeen RefKernels<kOperands>::norm_backward(const NormBackward& b) {
  return ref::norm_backward<kOperands>(b);
}
template <Operands kOperands>
void RefKernels<kOperands>::norm_gradient(const NormGradient& g) {
  return ref::norm_gradient<kOperands>(g);
}
template <Operands kOperands>
void RefKernels<kOperands>::group_moments(const GroupMoments& p) {
  return ref::group_moments<kOperands>(p);
}
template <Operands kOperands>
uint64_t RefKernels<kOperands>::group_forward(const GroupForward& f) {
  return ref::group_forward<kOperands>(f);
}
template <Operands kOperands>
void RefKernels<kOperands>::group_errors(const GroupErrors& e) {
  return ref::group_errors<kOperands>(e);
}
template <Operands kOperands>
uint64_t RefKernels<kOperands>::group_backward(const GroupBackward& b) {
  return ref::group_backward<kOperands>(b);
}
template <Operands kOperands>
void RefKernels<kOperands>::group_gradient(const GroupGradient& g) {
  return ref::group_gradient<kOperands>(g);
}
template <Operands kOperands>
void RefKernels<kOperands>::update_running(const RunningStatistics& r) {
  return ref::update_running<kOperands>(r);
}
template <Operands kOperands>
void RefKernels<kOperands>::read_running(const RunningStatistics& r) {
  return ref::read_running<kOperands>(r);
}

template <Operands kOperands>
void RefKernels<kOperands>::activation_forward(const ActivationForward& f) {
  return ref::activation_forward<kOperands>(f);
}
template <Operands kOperands>
void RefKernels<kOperands>::activation_backward(const ActivationBackward& b) {
  return ref::activation_backward<kOperands>(b);
}
template <Operands kOperands>
void RefKernels<kOperands>::softmax_forward(const SoftmaxForward& s) {
  return ref::softmax_forward<kOperands>(s);
}
template <Operands kOperands>
void RefKernels<kOperands>::softmax_backward(const SoftmaxBackward& s) {
  return ref::softmax_backward<kOperands>(s);
}
template <Operands kOperands>
void RefKernels<kOperands>::drop_elements(const DropElements& d) {
  return ref::drop_elements<kOperands>(d);
}

template struct RefKernels<Operands::kAny>;
template struct RefKernels<Operands::kFloat32>;
template struct RefKernels<Operands::kIntegers>;
template struct RefKernels<Operands::kInt8>;

}  // namespace mantissa
