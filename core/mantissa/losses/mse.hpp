// Mean squared error: (1 / O) sum (y - t)^2 of O outputs, whose error is 2 (y - t) / O.
// Integer outputs meet their targets in the outputs' own unit, so that only the error is rounded.
#pragma once
#include "mantissa/losses/cross_entropy.hpp"

namespace mantissa {

/// Of one sample: values, or onehot of a label.
struct MseTargets {
  const float* values = nullptr;
  int32_t label = -1;
  constexpr float operator[](int32_t i) const {
    return values != nullptr ? values[i] : i == label ? 1.0f : 0.0f;
  }
};

/// A finite float32 in units of `unit`: nearest, ties away from zero, at most +-2^30.
constexpr int32_t in_units(float value, Scale unit) {
  constexpr int32_t kMost = 1 << 30;
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const int32_t biased = int32_t((bits >> 23) & 0xFF), fraction = int32_t(bits & 0x7FFFFF);
  const int32_t m = biased == 0 ? fraction : fraction | 0x800000;
  const Multiplier by = multiplier(Scale::normalized(1, biased == 0 ? -149 : biased - 150) / unit);
  const int32_t magnitude = rescale(m, by, Rounding::kHalfAway, {0, kMost});
  return (bits >> 31) != 0 ? -magnitude : magnitude;
}

/// One unit of the error of outputs whose unit is `unit`; the divisor is their number, or 1 for the sum of their squares.
constexpr Scale mse_error_unit(Scale unit, int32_t divisor) {
  return unit.shifted(1) / Scale::normalized(uint32_t(divisor), 0);
}

struct MseResult {
  LossResult loss;
  uint64_t largest = 0;  ///< error, in its unit
};

/// The errors y - t take the place of the outputs.  Source: SPEC 5.
template <class Targets>
constexpr MseResult mse(int32_t* outputs, int32_t n, Scale unit, const Targets& targets, int32_t divisor) {
  MseResult r;
  r.loss.prediction = first_largest(outputs, n);
  for (int32_t i = 0; i < n; ++i) {
    const int32_t error =
        clamp_code(int64_t(outputs[i]) - in_units(targets[i], unit), {-INT32_MAX, INT32_MAX});
    const uint64_t magnitude = uint64_t(error < 0 ? -int64_t(error) : int64_t(error));
    r.largest = magnitude > r.largest ? magnitude : r.largest;
    outputs[i] = error;
  }
  if (r.largest == 0) return r;
  // 24 bits of each, or fewer where more than 2^16 squares would not fit in 64 bits.
  const int32_t room = (64 - int32_t(std::bit_width(uint32_t(n - 1)))) / 2, kept = room < 24 ? room : 24;
  const int32_t width = int32_t(std::bit_width(r.largest)), drop = width > kept ? width - kept : 0;
  uint64_t squares = 0;
  for (int32_t i = 0; i < n; ++i) {
    const uint64_t e = uint64_t(outputs[i] < 0 ? -int64_t(outputs[i]) : int64_t(outputs[i])) >> drop;
    squares += e * e;
  }
  const Scale sum = Scale::normalized(squares, 0) * unit * unit;
  r.loss.loss_q24 = int64_t(whole(sum.shifted(2 * drop + 24) / Scale::normalized(uint32_t(divisor), 0)));
  return r;
}

/// The same in float32; errors may be null.
template <class Targets>
constexpr LossResult mse(const float* outputs, int32_t n, const Targets& targets, int32_t divisor,
                         float* errors) {
  float sum = 0.0f;
  const float share = 2.0f / float(divisor);
  for (int32_t i = 0; i < n; ++i) {
    const float error = outputs[i] - targets[i];
    sum += error * error;
    if (errors != nullptr) errors[i] = share * error;
  }
  const float loss = sum / float(divisor);
  return {float_loss_q24(loss), first_largest(outputs, n)};
}

}  // namespace mantissa
