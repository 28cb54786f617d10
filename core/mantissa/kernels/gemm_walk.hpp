// One operand of a matrix product with its k axis made as simple as its strides allow.
// Most windows are contiguous in memory once the two halves of k are joined; packing then copies instead of walking.
#pragma once
#include "mantissa/kernels/gemm.hpp"

namespace mantissa {

/// Element (i, k) is data[i * stride + (k / inner) * outer_stride + (k % inner) * inner_stride].
template <class T>
struct GemmWalk {
  const T* data;
  ptrdiff_t stride, outer_stride, inner_stride;
  int32_t inner;

  const T* at(int32_t i, int32_t outer_index, int32_t inner_index) const {
    return data + i * stride + outer_index * outer_stride + inner_index * inner_stride;
  }
};

inline int32_t gemm_terms(const GemmShape& shape) { return shape.outer * shape.inner; }

/// Joins (outer, inner) into one axis where they lie on one line.
template <class T>
GemmWalk<T> gemm_walk(const GemmOperand& operand, const GemmShape& shape) {
  GemmWalk<T> walk{static_cast<const T*>(operand.data), operand.stride, operand.outer_stride,
                   operand.inner_stride, shape.inner};
  if (shape.inner == 1) walk.inner_stride = walk.outer_stride;
  if (shape.outer == 1 || walk.outer_stride == shape.inner * walk.inner_stride || shape.inner == 1)
    walk.inner = gemm_terms(shape);
  if (walk.inner == 0) walk.inner = 1;  // no terms, but places are divided by it
  return walk;
}

}  // namespace mantissa
