// Averages over windows of several sizes: each window's sum, or error, is brought to one unit that all share.
#pragma once
#include "mantissa/kernels/pool.hpp"

namespace mantissa {

/// sums[t, c] = round(sums[t, c] * divisor / n) in place, n the elements of window t: sums in units of 1 / n codes come to units of
/// 1 / divisor. Nearest, ties away from zero; float32: sums[t, c] / n, as a product with the float32 of 1 / n.
/// plan() proves that |codes| * divisor stays below 2^30.  Source: SPEC 5.
struct ShareSums {
  PoolShape shape;
  Element element = Element::kInt32;  ///< or float32
  void* sums = nullptr;               ///< [out_steps, channels]
  int32_t divisor = 1;
};

/// sums[u, c] += round(dy[t, c] * divisor / n) at each step u of window t, n as above; the caller clears.
struct SpreadShares {
  PoolShape shape;
  Element error_element = Element::kInt8;
  const void* dy = nullptr;
  void* sums = nullptr;  ///< int32 or float32 [in_steps, channels]
  int32_t divisor = 1;
};

}  // namespace mantissa
