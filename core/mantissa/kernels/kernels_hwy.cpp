// The vector set for hosts: the reference's plain loops, compiled once for each instruction set, and vectors by hand for
// the hot ones. Integers and unfused floats leave the compiler no freedom to change a bit.
#include "mantissa/kernels/gemm_hwy.hpp"
#include "mantissa/kernels/kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mantissa/kernels/kernels_hwy.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
#undef MANTISSA_KERNEL_NAMESPACE
#define MANTISSA_KERNEL_NAMESPACE HWY_NAMESPACE
#include "mantissa/kernels/depthwise-inl.hpp"
#include "mantissa/kernels/pool-inl.hpp"
#include "mantissa/kernels/sums-inl.hpp"
#include "mantissa/kernels/update-inl.hpp"
#if HWY_TARGET != HWY_SCALAR
#include "mantissa/kernels/sums_hwy.hpp"  // in this order, hence the empty lines

#include "mantissa/kernels/pool_hwy.hpp"
#include "mantissa/kernels/update_parts_hwy.hpp"

#include "mantissa/kernels/update_hwy.hpp"
#else  // one lane is no vector
namespace mantissa {
namespace HWY_NAMESPACE {
inline uint64_t FastFinishSums(const FinishSums& f) { return finish_sums(f); }
inline uint64_t FastRescaleSums(const RescaleSums& r) { return rescale_sums(r); }
inline void FastColumnSums(const ColumnSums& s) { column_sums(s); }
inline void FastMaxPool(const MaxPool& p) { max_pool(p); }
inline void FastMaxPoolBackward(const MaxPoolBackward& p) { max_pool_backward(p); }
inline UpdateSeen FastUpdateInteger(const IntegerUpdate& u) { return update_integer(u); }
inline UpdateSeen FastUpdateFloat(const FloatUpdate& u) { return update_float(u); }
inline uint64_t FastQuantizeFloats(const QuantizeFloats& q) { return quantize_floats(q); }
}  // namespace HWY_NAMESPACE
}  // namespace mantissa
#endif
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mantissa {

HWY_EXPORT(depthwise);
HWY_EXPORT(depthwise_gradient);
HWY_EXPORT(FastFinishSums);
HWY_EXPORT(FastRescaleSums);
HWY_EXPORT(FastColumnSums);
HWY_EXPORT(FastMaxPool);
HWY_EXPORT(FastMaxPoolBackward);
HWY_EXPORT(window_sums);
HWY_EXPORT(spread);
HWY_EXPORT(overlap_sums);
HWY_EXPORT(FastUpdateInteger);
HWY_EXPORT(FastUpdateFloat);
HWY_EXPORT(FastQuantizeFloats);
HWY_EXPORT(add_scaled);
HWY_EXPORT(largest_magnitude);

constinit const Kernels kernels_hwy = {
    .gemm = &gemm_hwy,
    .depthwise = [](const Depthwise& d) { return HWY_DYNAMIC_DISPATCH(depthwise)(d); },
    .depthwise_gradient =
        [](const DepthwiseGradient& d) { return HWY_DYNAMIC_DISPATCH(depthwise_gradient)(d); },
    .finish_sums = [](const FinishSums& f) { return HWY_DYNAMIC_DISPATCH(FastFinishSums)(f); },
    .rescale_sums = [](const RescaleSums& r) { return HWY_DYNAMIC_DISPATCH(FastRescaleSums)(r); },
    .column_sums = [](const ColumnSums& s) { return HWY_DYNAMIC_DISPATCH(FastColumnSums)(s); },
    .max_pool = [](const MaxPool& p) { return HWY_DYNAMIC_DISPATCH(FastMaxPool)(p); },
    .max_pool_backward =
        [](const MaxPoolBackward& p) { return HWY_DYNAMIC_DISPATCH(FastMaxPoolBackward)(p); },
    .window_sums = [](const WindowSums& p) { return HWY_DYNAMIC_DISPATCH(window_sums)(p); },
    .spread = [](const Spread& p) { return HWY_DYNAMIC_DISPATCH(spread)(p); },
    .overlap_sums = [](const OverlapSums& p) { return HWY_DYNAMIC_DISPATCH(overlap_sums)(p); },
    .share_sums = RefKernels<Operands::kAny>::share_sums,
    .spread_shares = RefKernels<Operands::kAny>::spread_shares,
    .update_integer = [](const IntegerUpdate& u) { return HWY_DYNAMIC_DISPATCH(FastUpdateInteger)(u); },
    .update_float = [](const FloatUpdate& u) { return HWY_DYNAMIC_DISPATCH(FastUpdateFloat)(u); },
    .join_gradient = join_gradient,
    .read_gradient = read_gradient,
    .quantize_floats = [](const QuantizeFloats& q) { return HWY_DYNAMIC_DISPATCH(FastQuantizeFloats)(q); },
    .add_scaled = [](const AddScaled& a) { return HWY_DYNAMIC_DISPATCH(add_scaled)(a); },
    .largest_magnitude = [](const float* v,
                            int32_t n) { return HWY_DYNAMIC_DISPATCH(largest_magnitude)(v, n); },
    .softmax_float = ref::softmax_float,
    .pointwise_loss = pointwise_loss,
    .soft_cross_entropy = soft_cross_entropy,
    .norm_forward = RefKernels<Operands::kAny>::norm_forward,
    .norm_backward = RefKernels<Operands::kAny>::norm_backward,
    .norm_gradient = RefKernels<Operands::kAny>::norm_gradient,
    .group_moments = RefKernels<Operands::kAny>::group_moments,
    .group_forward = RefKernels<Operands::kAny>::group_forward,
    .group_errors = RefKernels<Operands::kAny>::group_errors,
    .group_backward = RefKernels<Operands::kAny>::group_backward,
    .group_gradient = RefKernels<Operands::kAny>::group_gradient,
    .update_running = RefKernels<Operands::kAny>::update_running,
    .read_running = RefKernels<Operands::kAny>::read_running,
    .activation_forward = RefKernels<Operands::kAny>::activation_forward,
    .activation_backward = RefKernels<Operands::kAny>::activation_backward,
    .softmax_forward = RefKernels<Operands::kAny>::softmax_forward,
    .softmax_backward = RefKernels<Operands::kAny>::softmax_backward,
    .drop_elements = RefKernels<Operands::kAny>::drop_elements,
    .join_codes = join_codes,
    .keep_sums = keep_sums,
    .read_kept = read_kept,
    .read_weights = read_weights,
};

}  // namespace mantissa
#endif
