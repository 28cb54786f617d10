// Softmax and CrossEntropy in one: the error of the logits is p - onehot(label), the loss -ln p[label].
// The maximum is subtracted first, so no exponential overflows, whatever the logits.
#pragma once
#include <cstdint>

#include "mantissa/kernels/softmax.hpp"
#include "mantissa/num/fixed_math.hpp"
#include "mantissa/num/float_bits.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa {

struct LossResult {
  int64_t loss_q24 = 0;    ///< nats, Q24
  int32_t prediction = 0;  ///< the first of the largest logits
};

/// A loss that was computed in float32; 10^6 at most.
constexpr int64_t float_loss_q24(float loss) { return truncated((loss < 1e6f ? loss : 1e6f) * 0x1p24f); }

/// Largest and its first index.
template <class T>
constexpr int32_t first_largest(const T* x, int32_t n) {
  int32_t best = 0;
  for (int32_t i = 1; i < n; ++i)
    if (x[i] > x[best]) best = i;
  return best;
}

inline constexpr int64_t kLn2Q30 = 744261118;

/// The base-two logarithm, in Q24, of a sum of powers in Q30.
constexpr int64_t log2_of_sum(uint64_t sum) {
  int32_t drop = 0;
  while ((sum >> drop) >= uint64_t(1) << 32) ++drop;
  return int64_t(log2_fixed(uint32_t(sum >> drop))) + (int64_t(drop - 30) << 24);
}

/// Where a loss puts the errors of one sample's outputs.
struct LossErrors {
  void* data = nullptr;              ///< null if not wanted
  Element element = Element::kInt8;  ///< kInt8, kInt16 or kFloat32
  int32_t max_code = 0;              ///< of integers

  constexpr bool wanted() const { return data != nullptr; }
  float* floats() const { return static_cast<float*>(data); }
  void put(int32_t i, int32_t code) const {
    if (element == Element::kInt8)
      static_cast<int8_t*>(data)[i] = int8_t(code);
    else
      static_cast<int16_t*>(data)[i] = int16_t(code);
  }
};

/// Logits as integers: value = scale * logit.  errors[c] = round(max_code * p[c]) - max_code * onehot[c], ties up, so the
/// error's scale is 1 / max_code.  Loss saturates at 21.5 nats beyond the other terms.  errors may be null.
/// p[c] = 2^-t[c] / sum, t in Q26, powers in Q30: absolute error of p below 2^-22 times the number of classes.
/// With errors, the powers take the place of the logits; without, the logits stay.
template <class Code>
constexpr LossResult cross_entropy(int32_t* logits, int32_t classes, Multiplier exponent, int32_t label,
                                   int32_t max_code, Code* errors) {
  const int32_t best = first_largest(logits, classes), largest = logits[best];
  const auto exponent_of = [&](int32_t logit) {
    return exponent_q26(uint32_t(largest) - uint32_t(logit), exponent);
  };
  const uint32_t label_exponent = exponent_of(logits[label]);
  uint64_t sum = 0;
  for (int32_t c = 0; c < classes; ++c) {
    const uint32_t power = exp2_negative(exponent_of(logits[c]));
    if (errors != nullptr) logits[c] = int32_t(power);
    sum += power;
  }
  if (errors != nullptr) {
    // Slightly less than max_code / sum, and 2^-13 too little for a code at most, which is compared with the exact one.
    const Multiplier share = multiplier(Scale::normalized(uint32_t(max_code), 0) / Scale::normalized(sum, 0));
    for (int32_t c = 0; c < classes; ++c) {
      const uint64_t power = uint32_t(logits[c]);
      int32_t code =
          int32_t((power * uint32_t(share.mantissa - 2) + (uint64_t(1) << (share.shift - 1))) >> share.shift);
      if (uint64_t(code + 1) * (2 * sum) <= 2 * power * uint32_t(max_code) + sum) ++code;
      errors[c] = Code(code - (c == label ? max_code : 0));
    }
  }
  const int64_t bits_q24 = log2_of_sum(sum) + (label_exponent >> 2);
  return {(bits_q24 * kLn2Q30) >> 30, best};
}

/// The same in float32: errors[c] = p[c] - onehot[c], p and the logarithm of their sum from the kernel.
constexpr LossResult cross_entropy(const float* logits, int32_t classes, int32_t label, float* errors,
                                   float (*softmax)(const FloatSoftmax&)) {
  const int32_t best = first_largest(logits, classes);
  const float log_sum = softmax({logits, classes, logits[best], errors});
  if (errors != nullptr) errors[label] -= 1.0f;
  const float loss = log_sum - (logits[label] - logits[best]);
  return {float_loss_q24(loss), best};
}

}  // namespace mantissa
