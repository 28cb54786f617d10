// Pools over the steps of one sample, channels-last.
#pragma once
#include "mantissa/kernels/sums.hpp"

namespace mantissa {

struct PoolShape {
  int32_t in_steps = 0, out_steps = 0, channels = 0, kernel = 0, stride = 0;
};

/// y[t, c] = max over k of x[t * stride + k, c].
struct MaxPool {
  PoolShape shape;
  Element element = Element::kInt8;
  const void* x = nullptr;
  void* y = nullptr;
};

/// dx = dy at the winner of each window (the first of equal codes), 0 elsewhere; a window whose winner is not positive
/// gives nothing if the input has passed a ReLU. Windows must not overlap.
struct MaxPoolBackward {
  PoolShape shape;
  Element element = Element::kInt8;        ///< of x
  Element error_element = Element::kInt8;  ///< of dy and dx
  const void* x = nullptr;
  const void* dy = nullptr;
  void* dx = nullptr;
  Activation input = Activation::kNone;
};

/// sums[t, c] = sum over k of x[t * stride + k, c].
struct WindowSums {
  PoolShape shape;
  Element element = Element::kInt8;
  const void* x = nullptr;
  void* sums = nullptr;  ///< int32, or float32 for float32
};

/// dx[t * stride + k, c] = dy[t, c] for every k: the error of an average, whose divisor is in the scale. 0 where no
/// window reaches, and where the mask (the codes of x, after a ReLU) is not positive. Windows must not overlap.
struct Spread {
  PoolShape shape;
  Element element = Element::kInt8;        ///< of the mask
  Element error_element = Element::kInt8;  ///< of dy and dx
  const void* mask = nullptr;              ///< or null
  const void* dy = nullptr;
  void* dx = nullptr;
};

/// For windows that overlap: sums[t * stride + k, c] += dy[t, c] at the winner of x, or everywhere if x is null.
struct OverlapSums {
  PoolShape shape;
  Element element = Element::kInt8;
  Element error_element = Element::kInt8;
  const void* x = nullptr;
  const void* dy = nullptr;
  void* sums = nullptr;  ///< int32 or float32 [in_steps, channels]; overwritten
};

}  // namespace mantissa
