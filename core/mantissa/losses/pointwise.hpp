// Losses that compare each output with its own target: L1, Huber, and binary cross-entropy with logits.
// They are a kernel, so that plans with another loss do not link them.  Source: SPEC 5.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/losses/mse.hpp"

namespace mantissa {

enum class Pointwise : uint8_t {
  kL1,     ///< |y - t|
  kHuber,  ///< (y - t)^2 / 2 up to delta, then delta (|y - t| - delta / 2)
  kBce,    ///< -t ln s - (1 - t) ln(1 - s), s = 1 / (1 + e^-y); t from 0 to 1
};

/// Of one sample. Integers: outputs are sums in a unit. Errors of L1 are codes -1, 0, 1; of Huber sums, which take the place of the
/// outputs; of Bce codes up to max_code. Losses, and errors of float32, are divided by `divisor`: the outputs, or 1 for their sum.
struct PointwiseLoss {
  Pointwise kind = Pointwise::kL1;
  int32_t count = 0, divisor = 1;
  MseTargets targets = {};
  float delta = 1.0f;
  int32_t* sums = nullptr;  ///< or null
  Scale unit = {};
  const float* values = nullptr;  ///< or null
  LossErrors errors = {};
};

/// With the largest |error| of Huber, in the unit of the outputs.
MseResult pointwise_loss(const PointwiseLoss& p);

}  // namespace mantissa
