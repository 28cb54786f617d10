// Bodies of group_norm.hpp, plain loops.  Source: SPEC 5.
#pragma once
#include "mantissa/kernels/group_norm.hpp"
#include "mantissa/kernels/layer_norm-inl.hpp"
#include "mantissa/num/signed_scale.hpp"

namespace mantissa::ref {

/// Codes, or floats, of rows.
template <Operands kOperands>
struct GroupCodes {
  const NormCodes& codes;

  int32_t operator[](ptrdiff_t i) const {
    const int32_t code = is<kOperands>(codes.element, Element::kInt8)
                             ? static_cast<const int8_t*>(codes.data)[i]
                             : static_cast<const int16_t*>(codes.data)[i];
    if (codes.by.mantissa == 0) return code;
    return rescale(code, codes.by, Rounding::kHalfAway, {-codes.largest, codes.largest});
  }
  bool is_zero(ptrdiff_t i) const {
    return is<kOperands>(codes.element, Element::kInt8) ? static_cast<const int8_t*>(codes.data)[i] == 0
                                                        : static_cast<const int16_t*>(codes.data)[i] == 0;
  }
};

template <Operands kOperands>
int32_t gamma_of(const GroupRows& g, int32_t c) {
  const ptrdiff_t i = ptrdiff_t(c) * g.gamma_stride;
  return is<kOperands>(g.gamma_element, Element::kInt8) ? static_cast<const int8_t*>(g.gamma)[i]
                                                        : static_cast<const int16_t*>(g.gamma)[i];
}

/// Calls body(group, channel, index of the element) group by group, in each in the order of rows.
template <class Body>
void each_element(const GroupRows& g, Body body) {
  const int32_t width = g.channels / g.groups;
  for (int32_t group = 0; group < g.groups; ++group)
    for (int32_t row = 0; row < g.rows; ++row)
      for (int32_t c = group * width; c < (group + 1) * width; ++c)
        body(group, c, ptrdiff_t(row) * g.stride + c);
}

inline Moments& moments_of(const GroupRows& g, int32_t group) {
  return static_cast<Moments*>(g.moments)[group];
}
inline FloatMoments& float_moments_of(const GroupRows& g, int32_t group) {
  return static_cast<FloatMoments*>(g.moments)[group];
}

/// Codes of a group to normalized ones.
class Normalizer {
 public:
  Normalizer(const GroupRows& g, const Moments& m)
      : n_(g.elements), sum_(m.sum), runs_(g.runs), by_(multiplier(unit(g, m))) {}

  /// Counts what does not fit.
  int32_t operator()(int32_t x, uint64_t& saturated) const {
    constexpr CodeRange kRange = {-kLargestNormalized, kLargestNormalized};
    const int64_t wanted = runs_ ? past_mean(x) : scaled(n_ * x - sum_, by_, Rounding::kHalfAway);
    const int32_t code = clamp_code(wanted, kRange);
    saturated += code != wanted ? 1 : 0;
    return code;
  }

 private:
  static Scale unit(const GroupRows& g, const Moments& m) {
    return g.runs ? (m.inverse * g.x_scale).shifted(g.bits + kMeanBits) : m.inverse.shifted(g.bits);
  }
  /// Clamped before the mean leaves, so that samples with a small scale do not overflow it.
  int64_t past_mean(int32_t x) const {
    constexpr int32_t kFar = 1 << 29;
    const int32_t deviation = rescale(x, by_, Rounding::kHalfAway, {-kFar, kFar});
    return (deviation - sum_ + (1 << (kMeanBits - 1))) >> kMeanBits;
  }
  int32_t n_, sum_;
  bool runs_;
  Multiplier by_;
};

inline void float_group_moments(const GroupMoments& p) {
  const GroupRows& g = p.rows;
  const float* x = static_cast<const float*>(g.x.data);
  const float count = float(g.elements);
  if (p.phase == MomentPhase::kSums || p.phase == MomentPhase::kSquares) {
    each_element(g, [&](int32_t group, int32_t, ptrdiff_t i) {
      FloatMoments& m = float_moments_of(g, group);
      if (p.phase == MomentPhase::kSums)
        m.mean += x[i];
      else
        m.products += (x[i] - m.mean) * (x[i] - m.mean);
    });
    return;
  }
  for (int32_t group = 0; group < g.groups; ++group) {
    FloatMoments& m = float_moments_of(g, group);
    if (p.phase == MomentPhase::kMean)
      m.mean = m.mean / count;
    else
      m.inverse = 1.0f / sqrt_float(m.products / count + g.float_epsilon);
  }
}

/// Requires n * |x|max < 2^30, proved by plan().
template <Operands kOperands>
void group_moments(const GroupMoments& p) {
  const GroupRows& g = p.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) return float_group_moments(p);
  const GroupCodes<kOperands> x{g.x};
  if (p.phase == MomentPhase::kSums)
    each_element(g, [&](int32_t group, int32_t, ptrdiff_t i) {
      Moments& m = moments_of(g, group);
      const int32_t code = x[i];
      m.sum += code;
      m.products += int64_t(code) * code;
    });
  if (p.phase != MomentPhase::kInverse) return;
  for (int32_t group = 0; group < g.groups; ++group) {
    Moments& m = moments_of(g, group);
    m.inverse = inverse_deviation(spread_of(g.elements, m.sum, uint64_t(m.products)) + g.epsilon);
  }
}

/// Calls body(group, channel, index, normalized code); returns how many of them did not fit.
template <Operands kOperands, class Body>
uint64_t each_normalized(const GroupRows& g, Body body) {
  const GroupCodes<kOperands> x{g.x};
  GroupRows one = g;
  one.groups = 1;
  one.channels = g.channels / g.groups;
  uint64_t saturated = 0;
  for (int32_t group = 0; group < g.groups; ++group) {
    const Normalizer normalize(g, moments_of(g, group));
    const int32_t first = group * one.channels;
    each_element(one, [&](int32_t, int32_t c, ptrdiff_t i) {
      body(group, first + c, first + i, normalize(x[first + i], saturated));
    });
  }
  return saturated;
}

/// Calls body(moments, channel, index, normalized value).
template <class Body>
void each_normalized_float(const GroupRows& g, Body body) {
  const float* x = static_cast<const float*>(g.x.data);
  each_element(g, [&](int32_t group, int32_t c, ptrdiff_t i) {
    FloatMoments& m = float_moments_of(g, group);
    body(m, c, i, (x[i] - m.mean) * m.inverse);
  });
}

template <Operands kOperands>
uint64_t group_forward(const GroupForward& f) {
  const GroupRows& g = f.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) {
    const float* gamma = static_cast<const float*>(g.gamma);
    each_normalized_float(g, [&](FloatMoments&, int32_t c, ptrdiff_t i, float h) {
      static_cast<float*>(f.sums)[i] = gamma[c] * h;
    });
    return 0;
  }
  return each_normalized<kOperands>(g, [&](int32_t, int32_t c, ptrdiff_t i, int32_t h) {
    static_cast<int32_t*>(f.sums)[i] = gamma_of<kOperands>(g, c) * h;
  });
}

template <Operands kOperands>
void group_errors(const GroupErrors& e) {
  const GroupRows& g = e.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) {
    const float *gamma = static_cast<const float*>(g.gamma), *dy = static_cast<const float*>(e.dy.data);
    each_normalized_float(g, [&](FloatMoments& m, int32_t c, ptrdiff_t i, float h) {
      const float error = dy[i] * gamma[c];
      m.errors += error;
      m.products += error * h;
    });
    return;
  }
  const GroupCodes<kOperands> dy{e.dy};
  each_normalized<kOperands>(g, [&](int32_t group, int32_t c, ptrdiff_t i, int32_t h) {
    const int64_t error = int64_t(dy[i]) * gamma_of<kOperands>(g, c);
    Moments& m = moments_of(g, group);
    m.errors += error;
    m.products += error * h;
  });
}

inline void float_group_backward(const GroupBackward& b) {
  const GroupRows& g = b.errors.rows;
  const float *x = static_cast<const float*>(g.x.data), *gamma = static_cast<const float*>(g.gamma);
  const float *dy = static_cast<const float*>(b.errors.dy.data), count = float(g.elements);
  each_normalized_float(g, [&](FloatMoments& m, int32_t c, ptrdiff_t i, float h) {
    const float dx = m.inverse * (dy[i] * gamma[c] - m.errors / count - h * (m.products / count));
    static_cast<float*>(b.sums)[i] = b.masked && x[i] == 0.0f ? 0.0f : dx;
  });
}

/// sum * factor, to 31 bits.
inline int64_t in_common_unit(int64_t sum, Scale factor) {
  if (sum == 0) return 0;
  const uint64_t magnitude = sum < 0 ? 0 - uint64_t(sum) : uint64_t(sum);
  const int64_t size = int64_t(whole(Scale::normalized(magnitude, 0) * factor));
  return sum < 0 ? -size : size;
}

template <Operands kOperands>
uint64_t group_backward(const GroupBackward& b) {
  const GroupRows& g = b.errors.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) {
    float_group_backward(b);
    return 0;
  }
  const GroupCodes<kOperands> x{g.x}, dy{b.errors.dy};
  const int32_t shift = 2 * g.bits;
  const int64_t half = int64_t(1) << (shift - 1);
  uint64_t largest = 0;
  each_normalized<kOperands>(g, [&](int32_t group, int32_t c, ptrdiff_t i, int32_t h) {
    const Moments& m = moments_of(g, group);
    const int64_t error = int64_t(dy[i]) * gamma_of<kOperands>(g, c);
    const int64_t sum = g.elements * error - m.errors - multiply_shift(m.products, h, half, shift);
    const Scale inverse = g.runs ? m.inverse * g.x_scale : m.inverse;
    const int64_t dx = b.masked && x.is_zero(i) ? 0 : in_common_unit(sum, inverse.shifted(kErrorBits));
    static_cast<int64_t*>(b.sums)[i] = dx;
    const uint64_t magnitude = uint64_t(dx < 0 ? -dx : dx);
    largest = magnitude > largest ? magnitude : largest;
  });
  return largest;
}

template <Operands kOperands>
void group_gradient(const GroupGradient& p) {
  const GroupRows& g = p.errors.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) {
    const float* dy = static_cast<const float*>(p.errors.dy.data);
    each_normalized_float(g, [&](FloatMoments&, int32_t c, ptrdiff_t i, float h) {
      static_cast<float*>(p.sums)[c] += dy[i] * h;
    });
    return;
  }
  const GroupCodes<kOperands> dy{p.errors.dy};
  each_normalized<kOperands>(g, [&](int32_t, int32_t c, ptrdiff_t i, int32_t h) {
    const int32_t product = dy[i] * h;
    if (p.sum_element == Element::kInt64)
      static_cast<int64_t*>(p.sums)[c] += product;
    else
      static_cast<int32_t*>(p.sums)[c] += product;
  });
}

inline void update_running_float(const RunningStatistics& r) {
  const float count = float(r.rows.elements), keeps = 1.0f - r.momentum;
  for (int32_t c = 0; c < r.rows.channels; ++c) {
    const FloatMoments& m = float_moments_of(r.rows, c);
    r.mean[c] = keeps * r.mean[c] + r.momentum * m.mean;
    if (r.rows.elements > 1)
      r.variance[c] = keeps * r.variance[c] + r.momentum * (m.products / (count - 1.0f));
  }
}

/// running = (1 - momentum) * running + momentum * that of the batch; a variance of one element is none.
template <Operands kOperands>
void update_running(const RunningStatistics& r) {
  const GroupRows& g = r.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) return update_running_float(r);
  const SignedScale one = {1, {}}, share = SignedScale::from_float(r.momentum);
  const SignedScale keeps = one + SignedScale{-share.sign, share.magnitude};
  const auto join = [&](float& running, SignedScale batch) {
    SignedScale old = SignedScale::from_float(running) * keeps.magnitude, add = batch * share.magnitude;
    if (keeps.sign == 0) old = {};
    if (share.sign == 0) add = {};
    running = (old + add).to_float();
  };
  const Scale n = Scale::normalized(uint32_t(g.elements), 0), variance_unit = g.x_scale * g.x_scale;
  for (int32_t c = 0; c < g.channels; ++c) {
    const Moments& m = moments_of(g, c);
    join(r.mean[c], SignedScale::of(m.sum) * g.x_scale / n);
    if (g.elements < 2) continue;
    const Scale pairs = Scale::normalized(uint64_t(g.elements) * uint32_t(g.elements - 1), 0);
    const uint64_t spread = spread_of(g.elements, m.sum, uint64_t(m.products));
    join(r.variance[c], SignedScale::of(int64_t(spread)) * variance_unit / pairs);
  }
}

/// sqrt(x) with 31 bits, floored.
constexpr Scale sqrt_scale(Scale x) {
  const int32_t odd = x.exponent & 1;
  return mantissa::sqrt_scale(uint64_t(x.mantissa) << (30 + odd)).shifted((x.exponent - odd - 30) / 2);
}

inline void read_running_float(const RunningStatistics& r) {
  for (int32_t c = 0; c < r.rows.channels; ++c)
    float_moments_of(r.rows, c) = {r.mean[c], 1.0f / sqrt_float(r.variance[c] + r.rows.float_epsilon), 0.0f,
                                   0.0f};
}

/// Moments of running statistics: constants of forward and backward.
template <Operands kOperands>
void read_running(const RunningStatistics& r) {
  const GroupRows& g = r.rows;
  if (is<kOperands>(g.x.element, Element::kFloat32)) return read_running_float(r);
  constexpr uint64_t kFar = 1 << 29;
  for (int32_t c = 0; c < g.channels; ++c) {
    const SignedScale variance =
        SignedScale::from_float(r.variance[c]) + SignedScale::from_float(g.float_epsilon);
    const Scale inverse = Scale{} / sqrt_scale(variance.sign > 0 ? variance.magnitude : Scale{});
    const SignedScale mean = SignedScale::from_float(r.mean[c]) * inverse.shifted(g.bits + kMeanBits);
    const uint64_t far = mean.sign == 0 ? 0 : whole(mean.magnitude);
    moments_of(g, c) = {
        .inverse = inverse, .sum = mean.sign * int32_t(far < kFar ? far : kFar), .products = 0, .errors = 0};
  }
}

}  // namespace mantissa::ref
