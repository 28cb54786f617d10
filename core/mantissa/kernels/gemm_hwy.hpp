// The matrix product with the vector instructions of the host, chosen when the program runs.
#pragma once
#include "mantissa/kernels/gemm.hpp"

namespace mantissa {

/// Equals gemm_ref bit for bit on every target. scratch must be given, scratch_bytes is never 0; prepare sees the shape
/// that scratch_bytes saw, with the largest m that will run: below a few rows b is read in place, not packed.
extern const GemmKernel gemm_hwy;

}  // namespace mantissa
