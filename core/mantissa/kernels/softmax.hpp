// Softmax of float32 logits, a kernel so that integer plans do not link it: in integers it is part of the loss.
#pragma once
#include "mantissa/num/fixed_math.hpp"

namespace mantissa {

/// p[c] = exp(logits[c] - largest) / sum, where sum adds these exponentials in order; the result is ln sum.
struct FloatSoftmax {
  const float* logits = nullptr;
  int32_t count = 0;
  float largest = 0.0f;  ///< of the logits
  float* p = nullptr;    ///< null if not wanted
};

namespace ref {

constexpr float softmax_float(const FloatSoftmax& s) {
  float sum = 0.0f;
  for (int32_t c = 0; c < s.count; ++c) sum += exp_float(s.logits[c] - s.largest);
  if (s.p != nullptr)
    for (int32_t c = 0; c < s.count; ++c) s.p[c] = exp_float(s.logits[c] - s.largest) / sum;
  return log_float(sum);
}

}  // namespace ref
}  // namespace mantissa
