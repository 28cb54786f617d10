// L1, Huber and binary cross-entropy of one sample, in integers and in float32.
#include "mantissa/losses/pointwise.hpp"

#include "mantissa/kernels/activation-inl.hpp"

namespace mantissa {
namespace {

constexpr int32_t kOneQ30 = 1 << 30;

uint64_t magnitude_of(int32_t x) { return uint64_t(x < 0 ? -int64_t(x) : int64_t(x)); }

/// y - t in units of the outputs.
int32_t difference(const PointwiseLoss& p, int32_t i) {
  return clamp_code(int64_t(p.sums[i]) - in_units(p.targets[i], p.unit), {-INT32_MAX, INT32_MAX});
}

/// A sum in a unit, divided, in Q24.
int64_t mean_q24(const PointwiseLoss& p, uint64_t sum, Scale unit_q24) {
  if (sum == 0) return 0;
  return int64_t(whole(Scale::normalized(sum, 0) * unit_q24 / Scale::normalized(uint32_t(p.divisor), 0)));
}

int64_t l1_loss(const PointwiseLoss& p) {
  uint64_t sum = 0;
  for (int32_t i = 0; i < p.count; ++i) {
    const int32_t e = difference(p, i);
    sum += magnitude_of(e);
    if (p.errors.wanted()) p.errors.put(i, e > 0 ? 1 : e < 0 ? -1 : 0);
  }
  return mean_q24(p, sum, p.unit.shifted(24));
}

/// Errors first, then h (2 |e| - h) of each with h = min(|e|, delta), in 24 bits or as many as the sum has room for.
MseResult huber_loss(const PointwiseLoss& p) {
  MseResult r;
  const int32_t wanted = in_units(p.delta, p.unit), limit = wanted > 0 ? wanted : 1;
  uint64_t farthest = 0;
  for (int32_t i = 0; i < p.count; ++i) {
    const uint64_t m = magnitude_of(difference(p, i));
    farthest = m > farthest ? m : farthest;
  }
  const int32_t room = (64 - int32_t(std::bit_width(uint32_t(p.count - 1)))) / 2,
                kept = room < 24 ? room : 24;
  const int32_t width = int32_t(std::bit_width(farthest)), drop = width > kept ? width - kept : 0;
  uint64_t sum = 0;
  for (int32_t i = 0; i < p.count; ++i) {
    const int32_t e = difference(p, i);
    const uint64_t m = magnitude_of(e) >> drop;
    const int32_t bounded = clamp_code(e, {-limit, limit});
    const uint64_t h = magnitude_of(bounded) >> drop;
    sum += h * (2 * m - h);
    r.largest = magnitude_of(bounded) > r.largest ? magnitude_of(bounded) : r.largest;
    p.sums[i] = bounded;
  }
  r.loss.loss_q24 = mean_q24(p, sum, p.unit * p.unit.shifted(2 * drop + 23));
  return r;
}

/// s and t in Q30: max (s - t) is rounded once. The loss: ln(1 + e^-|y|), and |y| by what t lacks of the side of y.
int64_t bce_loss(const PointwiseLoss& p) {
  constexpr int64_t kMost = int64_t(1) << 40;
  const Multiplier exponent = curve_exponent(Curve::kSigmoid, p.unit);
  int64_t total = 0;
  for (int32_t i = 0; i < p.count; ++i) {
    const int32_t y = p.sums[i];
    const uint32_t power = ref::curve_power(y, exponent), sum = uint32_t(kOneQ30) + power;
    const int64_t s = int64_t((uint64_t(y < 0 ? power : uint32_t(kOneQ30)) << 30) / sum);
    const int32_t t = clamp_code(in_units(p.targets[i], {1u << 30, -60}), {0, kOneQ30});
    if (p.errors.wanted()) p.errors.put(i, int32_t((2 * p.errors.max_code * (s - t) + kOneQ30) >> 31));
    const uint64_t apart = magnitude_of(y) * uint32_t(y < 0 ? t : kOneQ30 - t);
    const uint64_t straight = apart == 0 ? 0 : whole(Scale::normalized(apart, 0) * p.unit.shifted(24 - 30));
    total += (((int64_t(log2_fixed(sum)) - (int64_t(30) << 24)) * kLn2Q30) >> 30) +
             (straight < uint64_t(kMost) ? int64_t(straight) : kMost);
  }
  return total / p.divisor;
}

struct FloatLoss {
  float loss, slope;
};

FloatLoss float_loss(const PointwiseLoss& p, float y, float t) {
  const float e = y - t, m = e < 0.0f ? -e : e;
  const float sign = e > 0.0f ? 1.0f : e < 0.0f ? -1.0f : 0.0f;
  switch (p.kind) {
    case Pointwise::kL1: return {m, sign};
    case Pointwise::kHuber:
      if (m <= p.delta) return {0.5f * (e * e), e};
      return {p.delta * (m - 0.5f * p.delta), p.delta * sign};
    case Pointwise::kBce: break;
  }
  const float positive = y > 0.0f ? y : 0.0f;
  return {(positive - y * t) + log_float(1.0f + exp_float(y < 0.0f ? y : -y)), ref::sigmoid_float(y) - t};
}

LossResult float_losses(const PointwiseLoss& p) {
  float sum = 0.0f;
  const float share = 1.0f / float(p.divisor);
  for (int32_t i = 0; i < p.count; ++i) {
    const FloatLoss f = float_loss(p, p.values[i], p.targets[i]);
    sum += f.loss;
    if (p.errors.wanted()) p.errors.floats()[i] = share * f.slope;
  }
  const float loss = sum / float(p.divisor);
  return {float_loss_q24(loss), first_largest(p.values, p.count)};
}

}  // namespace

MseResult pointwise_loss(const PointwiseLoss& p) {
  if (p.sums == nullptr) return {float_losses(p), 0};
  MseResult r;
  const int32_t prediction = first_largest(p.sums, p.count);
  if (p.kind == Pointwise::kHuber)
    r = huber_loss(p);
  else
    r.loss.loss_q24 = p.kind == Pointwise::kL1 ? l1_loss(p) : bce_loss(p);
  r.loss.prediction = prediction;
  return r;
}

}  // namespace mantissa
