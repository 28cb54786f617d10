// Codes of wires with different scales as sums in a common unit: what Add and Concat make, and errors that meet.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/num/scale.hpp"

namespace mantissa {

/// sums[r, c] = round(codes[r, c] * by), int32, ties away from 0; or the codes as they are, float32. With `adds`: += instead.
/// |codes| * by < 2^31, and so are their sums, proved by plan().  Source: SPEC 5.
struct JoinCodes {
  const void* codes = nullptr;
  Element element = Element::kInt8;
  int32_t rows = 0, columns = 0;
  int32_t code_stride = 0, sum_stride = 0;
  Multiplier by;
  bool adds = false;
  void* sums = nullptr;
};
void join_codes(const JoinCodes& j);

}  // namespace mantissa
