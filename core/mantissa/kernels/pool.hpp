// Pools over the steps of one sample, or over some rows of an image, channels-last.
#pragma once
#include "mantissa/kernels/sums.hpp"

namespace mantissa {

/// Windows first, first + 1, ... of a row; those of an image reach over `rows` rows of it, of which x, dx and sums are the first.
/// What of a window lies outside of the row is left out.
struct PoolShape {
  int32_t in_steps = 0, out_steps = 0, channels = 0, kernel = 0, stride = 0;
  int32_t pad = 0;    ///< steps of the first window before the row
  int32_t first = 0;  ///< window whose place in y is the first
  int32_t rows = 1;
  int32_t pitch = 0;  ///< steps from a row of an image to the next; 0: no image
  int32_t adaptive =
      0;  ///< windows that an adaptive pool has in a row; 0: kernel, stride and pad say where they are

  constexpr bool is_plain() const { return pad == 0 && first == 0 && pitch == 0 && adaptive == 0; }
};

/// The steps of window i of a PoolShape.
struct PoolWindow {
  int32_t first = 0, count = 0;
};
constexpr PoolWindow window_of(const PoolShape& s, int32_t i) {
  if (s.adaptive > 0) {
    const int32_t place = (s.first + i) * s.in_steps, first = place / s.adaptive;
    return {first, (place + s.in_steps + s.adaptive - 1) / s.adaptive - first};
  }
  const int32_t at = (s.first + i) * s.stride - s.pad;
  const int32_t first = at > 0 ? at : 0, end = at + s.kernel < s.in_steps ? at + s.kernel : s.in_steps;
  return {first, end - first};
}

/// y[t, c] = max over k of x[t * stride + k - pad, c].
struct MaxPool {
  PoolShape shape;
  Element element = Element::kInt8;
  const void* x = nullptr;
  void* y = nullptr;
};

/// dx = dy at the winner of each window (the first of equal codes), 0 elsewhere; a window whose winner is not positive
/// gives nothing if the input has passed a ReLU. Windows must not overlap. Of an image, elements of no window stay as they are.
struct MaxPoolBackward {
  PoolShape shape;
  Element element = Element::kInt8;        ///< of x
  Element error_element = Element::kInt8;  ///< of dy and dx
  const void* x = nullptr;
  const void* dy = nullptr;
  void* dx = nullptr;
  Activation input = Activation::kNone;
};

/// sums[t, c] = sum over k of x[t * stride + k - pad, c].
struct WindowSums {
  PoolShape shape;
  Element element = Element::kInt8;
  const void* x = nullptr;
  void* sums = nullptr;  ///< int32, or float32 for float32
};

/// dx[t * stride + k - pad, c] = dy[t, c] for every k: the error of an average, whose divisor is in the scale. 0 where no
/// window reaches (of an image those stay as they are), and where the mask (the codes of x, after a ReLU) is not positive.
/// Windows must not overlap.
struct Spread {
  PoolShape shape;
  Element element = Element::kInt8;        ///< of the mask
  Element error_element = Element::kInt8;  ///< of dy and dx
  const void* mask = nullptr;              ///< or null
  const void* dy = nullptr;
  void* dx = nullptr;
};

/// For windows that overlap: sums[t * stride + k - pad, c] += dy[t, c] at the winner of x, or everywhere if x is null.
struct OverlapSums {
  PoolShape shape;
  Element element = Element::kInt8;
  Element error_element = Element::kInt8;
  const void* x = nullptr;
  const void* dy = nullptr;
  void* sums = nullptr;  ///< int32 or float32 [in_steps, channels]; overwritten, but of an image added to
};

}  // namespace mantissa
