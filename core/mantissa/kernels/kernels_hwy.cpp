// The vector set for hosts: the reference's plain loops, compiled once for each instruction set.
// The compiler turns them into vectors; integers and unfused floats leave it no freedom to change a bit.
#include "mantissa/kernels/gemm_hwy.hpp"
#include "mantissa/kernels/kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mantissa/kernels/kernels_hwy.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
#undef MANTISSA_KERNEL_NAMESPACE
#define MANTISSA_KERNEL_NAMESPACE HWY_NAMESPACE
#include "mantissa/kernels/pool-inl.hpp"
#include "mantissa/kernels/sums-inl.hpp"
#include "mantissa/kernels/update-inl.hpp"
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mantissa {

HWY_EXPORT(finish_sums);
HWY_EXPORT(rescale_sums);
HWY_EXPORT(column_sums);
HWY_EXPORT(max_pool);
HWY_EXPORT(max_pool_backward);
HWY_EXPORT(window_sums);
HWY_EXPORT(spread);
HWY_EXPORT(overlap_sums);
HWY_EXPORT(update_integer);
HWY_EXPORT(update_float);
HWY_EXPORT(quantize_floats);
HWY_EXPORT(add_scaled);
HWY_EXPORT(largest_magnitude);

constinit const Kernels kernels_hwy = {
    .gemm = &gemm_hwy,
    .finish_sums = [](const FinishSums& f) { return HWY_DYNAMIC_DISPATCH(finish_sums)(f); },
    .rescale_sums = [](const RescaleSums& r) { return HWY_DYNAMIC_DISPATCH(rescale_sums)(r); },
    .column_sums = [](const ColumnSums& s) { return HWY_DYNAMIC_DISPATCH(column_sums)(s); },
    .max_pool = [](const MaxPool& p) { return HWY_DYNAMIC_DISPATCH(max_pool)(p); },
    .max_pool_backward = [](const MaxPoolBackward& p) { return HWY_DYNAMIC_DISPATCH(max_pool_backward)(p); },
    .window_sums = [](const WindowSums& p) { return HWY_DYNAMIC_DISPATCH(window_sums)(p); },
    .spread = [](const Spread& p) { return HWY_DYNAMIC_DISPATCH(spread)(p); },
    .overlap_sums = [](const OverlapSums& p) { return HWY_DYNAMIC_DISPATCH(overlap_sums)(p); },
    .update_integer = [](const IntegerUpdate& u) { return HWY_DYNAMIC_DISPATCH(update_integer)(u); },
    .update_float = [](const FloatUpdate& u) { return HWY_DYNAMIC_DISPATCH(update_float)(u); },
    .quantize_floats = [](const QuantizeFloats& q) { return HWY_DYNAMIC_DISPATCH(quantize_floats)(q); },
    .add_scaled = [](const AddScaled& a) { return HWY_DYNAMIC_DISPATCH(add_scaled)(a); },
    .largest_magnitude = [](const float* v, int32_t n) { return HWY_DYNAMIC_DISPATCH(largest_magnitude)(v, n); },
};

}  // namespace mantissa
#endif
