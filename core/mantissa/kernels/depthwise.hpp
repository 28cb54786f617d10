// Convolutions whose channels do not mix: for one output channel per group a matrix product has nothing to share, so all channels are
// taken side by side.
#pragma once
#include "mantissa/kernels/gemm.hpp"

namespace mantissa {

/// For each channel c: view with a and c moved by c elements, and b by c * weight_stride. n and inner are 1.
struct Depthwise {
  Gemm view;  ///< of channel 0; scratch is not used
  int32_t channels = 0;
  int32_t weight_stride = 0;
};

/// c[channel, outer] += sum over m of a[m, outer, channel] * b[m, outer, channel]: dw of a row of the window from rows of dy and x.
struct DepthwiseGradient {
  const void* a = nullptr;  ///< rows of dy, from the first channel on
  const void* b = nullptr;  ///< rows of x, likewise
  Element a_element = Element::kInt8, b_element = Element::kInt8;
  int32_t a_stride = 0, b_stride = 0;              ///< elements from row to row
  int32_t a_outer_stride = 0, b_outer_stride = 0;  ///< from tap to tap
  int32_t rows = 0, taps = 0, channels = 0;
  void* c = nullptr;
  Element c_element = Element::kInt32;
  int32_t c_stride = 0;  ///< from channel to channel; taps are neighbours
  GemmStore store = GemmStore::kAdd;
};

}  // namespace mantissa
