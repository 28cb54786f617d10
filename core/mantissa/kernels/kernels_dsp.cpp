// The set for Armv7E-M and Armv8-M cores with DSP instructions: the product by hand, the rest as the compiler makes it.
#include "mantissa/kernels/gemm_dsp.hpp"
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/kernels/sums_small.hpp"

#include "mantissa/kernels/pool-inl.hpp"

#include "mantissa/kernels/update-inl.hpp"

#include "mantissa/kernels/update_dsp.hpp"

namespace mantissa {

constinit const Kernels kernels_dsp = {
    .gemm = &gemm_dsp,
    .finish_sums = small::finish_sums,
    .rescale_sums = small::rescale_sums,
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
