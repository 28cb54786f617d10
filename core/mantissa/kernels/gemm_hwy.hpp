// The matrix product with the vector instructions of the host, chosen when the program runs.
#pragma once
#include "mantissa/kernels/gemm.hpp"

namespace mantissa {

/// Equals gemm_ref bit for bit on every target. Scratch is the same on every target. Its size and prepare
/// see the largest m that will run: below a few rows b stays in place and must outlive the runs; more rows than that are
/// then slow, not wrong.
extern const GemmKernel gemm_hwy;

}  // namespace mantissa
