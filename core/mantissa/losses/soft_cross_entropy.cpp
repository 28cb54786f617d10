// CrossEntropy with class weights and smoothed targets, in integers and in float32.
#include "mantissa/losses/soft_cross_entropy.hpp"

#include "mantissa/losses/cross_entropy.hpp"

namespace mantissa {
namespace {

constexpr int32_t kTargetBits = 20, kShareBits = 26;

/// part / whole in Q20.
uint64_t target_code(uint64_t part, Scale range) {
  return part == 0 ? 0 : whole(Scale::normalized(part, 0).shifted(kTargetBits) / range);
}

/// Powers of two of the logits below their largest, and their sum.
struct Powers {
  const SoftCrossEntropy& s;
  int32_t largest;
  Multiplier exponent;
  uint64_t sum = 0;

  explicit Powers(const SoftCrossEntropy& of)
      : s(of),
        largest(of.logits[first_largest(of.logits, of.classes)]),
        exponent(exponent_multiplier(of.unit)) {
    for (int32_t c = 0; c < s.classes; ++c) sum += exp2_negative(exponent_of(c));
  }
  uint32_t exponent_of(int32_t c) const {
    return exponent_q26(uint32_t(largest) - uint32_t(s.logits[c]), exponent);
  }
};

SoftResult integer_loss(const SoftCrossEntropy& s) {
  const ClassTargets targets(s.weights, s.classes, s.smoothing);
  const Scale range = Scale::normalized(targets.range(), 0);
  const uint64_t weight = targets.weight(s.label);
  const uint64_t own = targets.of_label(weight), spread = uint64_t(targets.smoothing);
  const uint64_t all = target_code(own + spread * targets.total, range);
  const Powers powers(s);
  const int64_t log2_sum = log2_of_sum(powers.sum);
  int64_t bits = 0;  // in Q44
  SoftResult r;
  r.loss.prediction = first_largest(s.logits, s.classes);
  for (int32_t c = 0; c < s.classes; ++c) {
    const uint64_t target = target_code(spread * targets.weight(c) + (c == s.label ? own : 0), range);
    const uint32_t exponent = powers.exponent_of(c);
    bits += int64_t(target) * (log2_sum + int64_t(exponent >> 2));
    if (!s.errors.wanted()) continue;
    const uint64_t share = (uint64_t(exp2_negative(exponent)) << kShareBits) / powers.sum;
    const int64_t difference = int64_t(share * all) - int64_t(target << kShareBits);
    constexpr int32_t kBits = kTargetBits + kShareBits;
    s.errors.put(c, int32_t((2 * s.errors.max_code * difference + (int64_t(1) << kBits)) >> (kBits + 1)));
  }
  const int64_t loss = ((bits >> kTargetBits) * kLn2Q30) >> 30;  // in units of the range
  r.weight = int32_t(weight);
  r.weight_unit = targets.weight_unit();
  if (loss > 0)
    r.loss.loss_q24 = int64_t(whole(Scale::normalized(uint64_t(loss), 0) / r.weight_unit.shifted(15)));
  return r;
}

SoftResult float_loss(const SoftCrossEntropy& s) {
  const int32_t best = first_largest(s.values, s.classes);
  const float log_sum = s.softmax({s.values, s.classes, s.values[best], s.errors.floats()});
  const auto weight = [&s](int32_t c) { return s.weights == nullptr ? 1.0f : s.weights[c]; };
  const float spread = s.smoothing / float(s.classes), own = (1.0f - s.smoothing) * weight(s.label);
  float all = own, loss = 0.0f, most = 0.0f;
  for (int32_t c = 0; c < s.classes; ++c) {
    const float target = spread * weight(c) + (c == s.label ? own : 0.0f);
    all += spread * weight(c);
    most = weight(c) > most ? weight(c) : most;
    loss += target * (log_sum - (s.values[c] - s.values[best]));
  }
  for (int32_t c = 0; s.errors.wanted() && c < s.classes; ++c)
    s.errors.floats()[c] = s.errors.floats()[c] * all - (spread * weight(c) + (c == s.label ? own : 0.0f));
  if (s.weight_sum != nullptr) *s.weight_sum += weight(s.label);
  const float shown = loss / most;
  SoftResult r;
  r.loss = {float_loss_q24(shown), best};
  r.weight = int32_t(weight(s.label) / most * 32768.0f + 0.5f);
  return r;
}

}  // namespace

SoftResult soft_cross_entropy(const SoftCrossEntropy& s) {
  return s.logits != nullptr ? integer_loss(s) : float_loss(s);
}

}  // namespace mantissa
