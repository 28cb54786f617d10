// Bodies of update.hpp. Plain loops: compiled once as the reference and once for each vector target.
#include "mantissa/kernels/update.hpp"

namespace mantissa {
namespace MANTISSA_KERNEL_NAMESPACE {

/// Two planes of bytes.
struct SplitCodes {
  int8_t* __restrict high;
  int8_t* __restrict low;
  int32_t load(uint32_t i) const { return high[i] * 256 + low[i]; }
  void store(uint32_t i, int32_t code) const {
    high[i] = int8_t((code + 128) >> 8);
    low[i] = int8_t(code);
  }
};

struct Int16Codes {
  int16_t* __restrict codes;
  int32_t load(uint32_t i) const { return codes[i]; }
  void store(uint32_t i, int32_t code) const { codes[i] = int16_t(code); }
};

struct PackedCodes {
  uint8_t* bytes;
  int bits;
  int32_t load(uint32_t i) const { return unpack_code(bytes, bits, i); }
  void store(uint32_t i, int32_t code) const { pack_code(bytes, bits, i, code); }
};

template <class Body>
auto with_codes(const CodeView& view, Body body) {
  if (view.layout == CodeLayout::kSplit) return body(SplitCodes{static_cast<int8_t*>(view.data), view.low});
  if (view.bits == 16) return body(Int16Codes{static_cast<int16_t*>(view.data)});
  return body(PackedCodes{static_cast<uint8_t*>(view.data), view.bits});
}

inline int32_t magnitude_of(int32_t x) { return x < 0 ? -x : x; }

template <class Sum, class Momentum, class Codes>
UpdateSeen update_with_momentum(const IntegerUpdate& u, Codes codes) {
  const Sum* __restrict sums = static_cast<const Sum*>(u.sums);
  Momentum* __restrict momentum = static_cast<Momentum*>(u.momentum);
  const bool stochastic = u.rounding == Rounding::kStochastic;
  const int64_t half = u.sum_shift > 0 ? int64_t(1) << (u.sum_shift - 1) : 0, limit = u.gain.limit();
  int32_t largest_v = 0, largest_p = 0, saturated_v = 0, saturated_p = 0;
  for (int32_t i = 0; i < u.count; ++i) {
    const uint32_t at = u.first + uint32_t(i);
    const uint32_t bits = stochastic ? random16(u.key, at) : 0x8080u;
    const int64_t sum = sizeof(Sum) == 4 ? int64_t(sums[i]) : (int64_t(sums[i]) + half) >> u.sum_shift;
    const int64_t g = sum > limit ? limit : sum < -limit ? -limit : sum;
    const int32_t p = codes.load(at);
    const int64_t total = u.decay.times(momentum[at]) + u.gain.times(g) + u.pull.times(p);
    const int32_t v = int32_t((total + (int64_t(2 * (bits & 0xFF) + 1) << 23)) >> 32);
    const int32_t v_clamped = clamp_code(v, u.momentum_range);
    momentum[at] = Momentum(v_clamped);
    const int64_t move = (int64_t(2 * (bits >> 8) + 1) << 23) - u.rate.times(v_clamped);
    const int32_t p_new = p + int32_t(move >> 32);
    const int32_t p_clamped = clamp_code(p_new, u.parameters.range);
    codes.store(at, p_clamped);
    saturated_v += v != v_clamped;
    saturated_p += p_new != p_clamped;
    largest_v = magnitude_of(v) > largest_v ? magnitude_of(v) : largest_v;
    largest_p = magnitude_of(p_clamped) > largest_p ? magnitude_of(p_clamped) : largest_p;
  }
  return {uint64_t(largest_v), uint64_t(largest_p), uint64_t(saturated_v), uint64_t(saturated_p)};
}

template <class Sum, class Codes>
UpdateSeen update_plain(const IntegerUpdate& u, Codes codes) {
  const Sum* __restrict sums = static_cast<const Sum*>(u.sums);
  const bool stochastic = u.rounding == Rounding::kStochastic;
  const int64_t half = u.sum_shift > 0 ? int64_t(1) << (u.sum_shift - 1) : 0, limit = u.gain.limit();
  int32_t largest = 0, saturated = 0;
  for (int32_t i = 0; i < u.count; ++i) {
    const uint32_t at = u.first + uint32_t(i);
    const uint32_t bits = stochastic ? random16(u.key, at) : 0x8000u;
    const int64_t sum = sizeof(Sum) == 4 ? int64_t(sums[i]) : (int64_t(sums[i]) + half) >> u.sum_shift;
    const int64_t g = sum > limit ? limit : sum < -limit ? -limit : sum;
    const int32_t p = codes.load(at);
    const int64_t move = (int64_t(2 * bits + 1) << 15) - u.gain.times(g) - u.pull.times(p);
    const int32_t p_new = p + int32_t(move >> 32);
    const int32_t p_clamped = clamp_code(p_new, u.parameters.range);
    codes.store(at, p_clamped);
    saturated += p_new != p_clamped;
    largest = magnitude_of(p_clamped) > largest ? magnitude_of(p_clamped) : largest;
  }
  return {0, uint64_t(largest), 0, uint64_t(saturated)};
}

inline UpdateSeen update_integer(const IntegerUpdate& u) {
  return with_codes(u.parameters, [&u](auto codes) {
    const bool wide = u.element == Element::kInt64;
    if (u.momentum == nullptr)
      return wide ? update_plain<int64_t>(u, codes) : update_plain<int32_t>(u, codes);
    if (u.momentum_element == Element::kInt8)
      return wide ? update_with_momentum<int64_t, int8_t>(u, codes)
                  : update_with_momentum<int32_t, int8_t>(u, codes);
    return wide ? update_with_momentum<int64_t, int16_t>(u, codes)
                : update_with_momentum<int32_t, int16_t>(u, codes);
  });
}

/// floor without libm, for |x| < 2^31.
inline int32_t floor_to_int(float x) {
  const int32_t whole = int32_t(x);
  return whole - (float(whole) > x ? 1 : 0);
}

/// The factors as values: a store to a parameter cannot change them, and the compiler must see that.
struct FloatFactors {
  float gain, decay, pull, rate;
  explicit FloatFactors(const FloatUpdate& u) : gain(u.gain), decay(u.decay), pull(u.pull), rate(u.rate) {}
};

template <class Sum>
void update_values(const Sum* __restrict sums, float* __restrict values, float* __restrict momentum,
                   int32_t n, FloatFactors f) {
  if (momentum == nullptr) {
    for (int32_t i = 0; i < n; ++i) {
      const float g = float(sums[i]) * f.gain + f.pull * values[i];
      values[i] = values[i] - f.rate * g;
    }
    return;
  }
  for (int32_t i = 0; i < n; ++i) {
    const float g = float(sums[i]) * f.gain + f.pull * values[i];
    const float v = f.decay * momentum[i] + g;
    momentum[i] = v;
    values[i] = values[i] - f.rate * v;
  }
}

template <class Sum, class Codes>
UpdateSeen update_codes(const FloatUpdate& u, Codes codes) {
  const FloatFactors f(u);
  const Sum* __restrict sums = static_cast<const Sum*>(u.sums);
  float* __restrict momentum = u.momentum;
  const bool stochastic = u.rounding == Rounding::kStochastic;
  const float bound = float(2 * u.parameters.range.high), scale = u.scale, inverse_scale = u.inverse_scale;
  const CodeRange range = u.parameters.range;
  const RandomKey key = u.key;
  const uint32_t first = u.first;
  int32_t largest = 0, saturated = 0;
  for (int32_t i = 0; i < u.count; ++i) {
    const uint32_t at = first + uint32_t(i);
    const uint32_t bits = stochastic ? random16(key, at) : 0x8000u;
    const int32_t code = codes.load(at);
    const float g = float(sums[i]) * f.gain + f.pull * (float(code) * scale);
    float v = g;
    if (momentum != nullptr) {
      v = f.decay * momentum[at] + g;
      momentum[at] = v;
    }
    float move = f.rate * v * inverse_scale;
    move = move > bound ? bound : move < -bound ? -bound : move;
    const float offset = float(int32_t(2 * bits + 1)) * (1.0f / 131072.0f);
    const int32_t moved = code + floor_to_int(offset - move);
    const int32_t clamped = clamp_code(moved, range);
    codes.store(at, clamped);
    saturated += moved != clamped;
    largest = magnitude_of(clamped) > largest ? magnitude_of(clamped) : largest;
  }
  return {0, uint64_t(largest), 0, uint64_t(saturated)};
}

template <class Sum>
UpdateSeen update_float_with(const FloatUpdate& u) {
  if (u.values != nullptr) {
    update_values(static_cast<const Sum*>(u.sums), u.values + u.first,
                  u.momentum == nullptr ? nullptr : u.momentum + u.first, u.count, FloatFactors(u));
    return {};
  }
  return with_codes(u.parameters, [&u](auto codes) { return update_codes<Sum>(u, codes); });
}

inline UpdateSeen update_float(const FloatUpdate& u) {
  if (u.element == Element::kFloat32) return update_float_with<float>(u);
  return u.element == Element::kInt64 ? update_float_with<int64_t>(u) : update_float_with<int32_t>(u);
}

template <class Code>
uint64_t quantize_to(const QuantizeFloats& q) {
  const float low = float(q.range.low), high = float(q.range.high);
  Code* __restrict codes = static_cast<Code*>(q.codes);
  int32_t saturated = 0;
  for (int32_t i = 0; i < q.count; ++i) {
    const float x = q.values[i] * q.inverse_scale;
    const float bounded = x > high + 1.0f ? high + 1.0f : x < low - 1.0f ? low - 1.0f : x;
    const int32_t whole = int32_t(bounded);
    const float rest = bounded - float(whole);  // exact
    const int32_t code = whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
    const int32_t clamped = code < q.range.low ? q.range.low : code > q.range.high ? q.range.high : code;
    saturated += code != clamped;
    codes[i] = Code(clamped);
  }
  return uint64_t(saturated);
}

/// Returns the number of codes that did not fit.
inline uint64_t quantize_floats(const QuantizeFloats& q) {
  return q.element == Element::kInt8 ? quantize_to<int8_t>(q) : quantize_to<int16_t>(q);
}

inline void add_scaled(const AddScaled& a) {
  float* __restrict values = a.values;
  if (a.element == Element::kInt64) {
    const int64_t* __restrict sums = static_cast<const int64_t*>(a.sums);
    for (int32_t i = 0; i < a.count; ++i) values[i] += a.gain * float(sums[i]);
    return;
  }
  const int32_t* __restrict sums = static_cast<const int32_t*>(a.sums);
  for (int32_t i = 0; i < a.count; ++i) values[i] += a.gain * float(sums[i]);
}

/// The largest magnitude of finite floats.
inline float largest_magnitude(const float* values, int32_t count) {
  float largest = 0.0f;
  for (int32_t i = 0; i < count; ++i) {
    const float magnitude = values[i] < 0.0f ? -values[i] : values[i];
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

}  // namespace MANTISSA_KERNEL_NAMESPACE
}  // namespace mantissa
