// Stochastic gradient descent with momentum and weight decay, in the convention of PyTorch:
//   g = mean gradient + weight_decay * p;   v = momentum * v + g;   p = p - lr * v.
// Source: torch.optim.SGD with dampening 0. Here are the per-tensor factors; kernels/update.hpp has the elements.
#pragma once
#include "mantissa/kernels/update.hpp"

namespace mantissa {

struct SgdSettings {
  float lr = 0.05f;
  float momentum = 0.9f;
  float weight_decay = 0.0f;
};

/// The scales that meet in an integer update.
struct SgdScales {
  Scale gradient;  ///< of the mean gradient: one unit of the sums, divided by the number of samples
  Scale parameter;
  Scale old_momentum;  ///< of the codes as stored
  Scale new_momentum;  ///< of the codes to be written
};

/// A non-negative float times a scale as Q32; zero stays zero.
constexpr Q32 sgd_factor(float value, Scale scale, int bits) {
  return value > 0.0f ? q32(Scale::from_float(value) * scale, bits) : Q32{};
}

/// Magnitude bits of the codes that the factors multiply.
struct SgdBits {
  int parameter = 15;
  int momentum = 15;
};

/// Sums are clamped to what their factor allows (Q32::limit), so a factor need not care how large they can be.
inline constexpr int kSumBits = 1;

/// Factors with momentum: sums and parameters go into units of the new momentum, the momentum into units of the
/// parameter. Requires lr, momentum, weight_decay >= 0.
constexpr void set_momentum_factors(IntegerUpdate& u, const SgdSettings& s, const SgdScales& scales,
                                    SgdBits bits) {
  u.decay = sgd_factor(s.momentum, scales.old_momentum / scales.new_momentum, bits.momentum);
  u.gain = q32(scales.gradient / scales.new_momentum, kSumBits);
  u.pull = sgd_factor(s.weight_decay, scales.parameter / scales.new_momentum, bits.parameter);
  u.rate = sgd_factor(s.lr, scales.new_momentum / scales.parameter, bits.momentum);
}

/// Factors without momentum: everything in units of the parameter, with lr.
constexpr void set_plain_factors(IntegerUpdate& u, const SgdSettings& s, const SgdScales& scales,
                                 SgdBits bits) {
  u.gain = sgd_factor(s.lr, scales.gradient / scales.parameter, kSumBits);
  u.pull =
      s.weight_decay > 0.0f ? sgd_factor(s.lr, Scale::from_float(s.weight_decay), bits.parameter) : Q32{};
}

}  // namespace mantissa
