// From accumulators to codes: bias, ReLU or mask, then the one rounding.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa {

/// Largest magnitude before rounding, and codes that did not fit.
struct Seen {
  uint64_t magnitude = 0;
  uint64_t saturated = 0;

  constexpr void merge(const Seen& other) {
    if (other.magnitude > magnitude) magnitude = other.magnitude;
    saturated += other.saturated;
  }
};

enum class Activation : uint8_t { kNone, kRelu };

/// A tile of sums [rows, columns], dense, as a product left it.
/// sums[r, c] += bias[c]; negative ones become 0 (kRelu); those whose mask code is not positive become 0.
struct FinishSums {
  void* sums = nullptr;
  Element element = Element::kInt32;  ///< kInt32, kInt64 or kFloat32
  int32_t rows = 0, columns = 0;
  int32_t stride = 0;          ///< of sums, elements
  const void* bias = nullptr;  ///< int32, or float32 with float32 sums; null for none
  Activation activation = Activation::kNone;
  const void* mask = nullptr;  ///< codes of the wire whose error this is, or null
  Element mask_element = Element::kInt8;
  int32_t mask_stride = 0;  ///< elements between rows of the mask
};

/// codes[r, c] = rescale(sums[r, c], by, rounding, range); element index first_index + r * columns + c draws the bits.
struct RescaleSums {
  const void* sums = nullptr;  ///< dense
  Element element = Element::kInt32;
  int32_t rows = 0, columns = 0;
  Multiplier by;
  Rounding rounding = Rounding::kHalfAway;
  CodeRange range;
  RandomKey key;
  uint32_t first_index = 0;
  void* codes = nullptr;
  Element code_element = Element::kInt8;
  int32_t code_stride = 0;
};

/// sums[c] += sum over rows of codes[r, c].  Exact; float32: added in the order of the rows.
struct ColumnSums {
  const void* codes = nullptr;
  Element element = Element::kInt8;
  int32_t rows = 0, columns = 0, stride = 0;
  void* sums = nullptr;
  Element sum_element = Element::kInt32;
};

}  // namespace mantissa
