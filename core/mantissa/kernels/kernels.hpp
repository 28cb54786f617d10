// A set of kernels: what the engine calls. A table of functions, so that a host chooses at run time and firmware links
// only what its constant table names. Every set gives the same bits as kernels_ref.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/kernels/pool.hpp"
#include "mantissa/kernels/sums.hpp"
#include "mantissa/kernels/update.hpp"

namespace mantissa {

struct Kernels {
  const GemmKernel* gemm;
  uint64_t (*finish_sums)(const FinishSums&);
  uint64_t (*rescale_sums)(const RescaleSums&);
  void (*column_sums)(const ColumnSums&);
  void (*max_pool)(const MaxPool&);
  void (*max_pool_backward)(const MaxPoolBackward&);
  void (*window_sums)(const WindowSums&);
  void (*spread)(const Spread&);
  void (*overlap_sums)(const OverlapSums&);
  UpdateSeen (*update_integer)(const IntegerUpdate&);
  UpdateSeen (*update_float)(const FloatUpdate&);
  uint64_t (*quantize_floats)(const QuantizeFloats&);
  void (*add_scaled)(const AddScaled&);
  float (*largest_magnitude)(const float* values, int32_t count);
};

/// The normative reference, for every target.
extern const Kernels kernels_ref;

/// Vectors by Highway, for hosts; chooses the best instructions of the machine at run time.
extern const Kernels kernels_hwy;

/// For Cortex-M0, M0+, M3: plain C++.
extern const Kernels kernels_small;

/// For Cortex-M4, M7, M33: DSP instructions. One thread: the product works in its scratch.
extern const Kernels kernels_dsp;

/// For Cortex-M55: Helium, where operands are int8.
extern const Kernels kernels_mve;

}  // namespace mantissa
