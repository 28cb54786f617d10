// The set for Cortex-M55: the product by Helium, the rest as the compiler makes it, which uses Helium as well.
#include "mantissa/kernels/gemm_mve.hpp"
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/kernels/sums_mve.hpp"

#include "mantissa/kernels/pool-inl.hpp"

#include "mantissa/kernels/update-inl.hpp"

#include "mantissa/kernels/update_dsp.hpp"

namespace mantissa {

constinit const Kernels kernels_mve = {
    .gemm = &gemm_mve,
    .finish_sums = mve::finish_sums,
    .rescale_sums = mve::rescale_sums,
    .column_sums = small::column_sums,
    .max_pool = ref::max_pool,
    .max_pool_backward = ref::max_pool_backward,
    .window_sums = ref::window_sums,
    .spread = ref::spread,
    .overlap_sums = ref::overlap_sums,
    .update_integer = dsp::update_integer,
    .update_float = ref::update_float,
    .quantize_floats = small::quantize_floats,
    .add_scaled = ref::add_scaled,
    .largest_magnitude = ref::largest_magnitude,
};

}  // namespace mantissa
