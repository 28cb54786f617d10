// Wires and weights in formats that products do not read: how sums become their codes, and codes become operands.
// Asym, Bfp, groups and packed codes are storage; between them and every product stands one of these.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/tensor/view.hpp"

namespace mantissa {

enum class KeptScales : uint8_t {
  kGiven,
  kFromSums,  ///< of each granule from its own sums: needs all of them
};

/// code = clamp(round(sum * unit / scale) + zero_point), with the scale of the granule.
/// kFromSums sets scales, zero points and exponents first, as a conversion with dynamic scales does.  Source: SPEC 7, 12.
struct KeepSums {
  TensorView to;  ///< of one sample
  KeptScales scales = KeptScales::kGiven;
  const void* sums = nullptr;  ///< dense; of element `first`
  Element element = Element::kInt32;
  int32_t first = 0, count = 0;
  Scale unit;  ///< of the sums
  Rounding rounding = Rounding::kHalfAway;
  RandomKey key;
  uint32_t first_random = 0;  ///< element i draws bits16(key, first_random + i)
};

/// The largest sum above zero, the largest magnitude below, and how many codes did not fit.
struct KeptSeen {
  uint64_t above = 0, below = 0, saturated = 0;
};

KeptSeen keep_sums(const KeepSums& k);

/// operand[i] = clamp(round_half_away((code - zero_point) * granule's scale / scale)), which is exact where the scales are equal.
struct ReadKept {
  ConstTensorView from;
  int32_t first = 0, count = 0;
  Scale scale;  ///< of the operand
  CodeRange range;
  void* operand = nullptr;  ///< of element `first`
  Element element = Element::kInt8;
};

/// Returns how many did not fit.
uint64_t read_kept(const ReadKept& r);

/// Weights as an operand, its scale from their largest magnitude: `operand` is a view of 8 or 16 bits per code.
void read_weights(const ConstTensorView& weights, const TensorView& operand);

}  // namespace mantissa
