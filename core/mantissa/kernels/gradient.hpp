// Gradients that wait between micro-batches as packed codes: how sums join them, and how an update reads them.
// A granule, a row of dW or a bias vector, has a grid of its own: rows differ by orders of magnitude.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/num/random.hpp"
#include "mantissa/tensor/format.hpp"

namespace mantissa {

/// value = scale * (code - zero_point). Scale 0: nothing has been added, and every value is 0.
struct GradientGrid {
  float scale = 0.0f;
  int16_t zero_point = 0;
  uint16_t saturated = 0;  ///< codes that did not fit since the batch began; stays at the largest count
};

/// Elements first .. first + count - 1 of packed codes, all of one granule.
struct StoredGradient {
  uint8_t* codes = nullptr;
  Format format = sym_format(8);  ///< Sym or Asym
  GradientGrid* grid = nullptr;
  uint32_t first = 0;
  int32_t count = 0;
};

/// v = scale * (code - zero_point) + gain * sum, and code' = v on the new grid, rounded up with the probability of its fraction.
/// All in float32, each operation rounded, in this order. The grid stays where all v fit; else its scale grows to what they
/// need and is never less than it was. With a fixed margin the first v that are not all 0 set the grid, and later codes
/// saturate. Requires a whole granule.  Source: SPEC 6.
struct JoinGradient {
  StoredGradient stored;
  const void* sums = nullptr;
  Element element = Element::kInt32;  ///< kFloat32, kInt32 or kInt64
  float gain = 1.0f;                  ///< value of one unit of the sums
  float fixed_margin = 0.0f;  ///< range over the largest of the first values; 0: the grid follows the values
  RandomKey key;
  uint32_t first_random = 0;  ///< element i of the granule draws bits16(key, first_random + i)
};

void join_gradient(const JoinGradient& join);

/// out[i] = code - zero_point of the stored elements.
void read_gradient(const StoredGradient& stored, int32_t* out);

}  // namespace mantissa
