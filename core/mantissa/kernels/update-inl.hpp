// Bodies of update.hpp. Plain loops: compiled once as the reference and once for each vector target.
#include "mantissa/kernels/update.hpp"

namespace mantissa {
namespace MANTISSA_KERNEL_NAMESPACE {

struct OffsetCodes {
  int16_t* __restrict codes;
  int32_t load(uint32_t i) const { return codes[i] - kCodeOffset; }
  void store(uint32_t i, int32_t code) const { codes[i] = int16_t(code + kCodeOffset); }
};
struct Int16Codes {
  int16_t* __restrict codes;
  int32_t load(uint32_t i) const { return codes[i]; }
  void store(uint32_t i, int32_t code) const { codes[i] = int16_t(code); }
};
struct PackedCodes {
  uint8_t* bytes;
  int bits;
  int32_t zero_point;
  int32_t load(uint32_t i) const { return unpack_code(bytes, bits, i) - zero_point; }
  void store(uint32_t i, int32_t code) const { pack_code(bytes, bits, i, code + zero_point); }
};
template <class Body>
auto with_codes(const CodeView& view, Body body) {
  if (view.layout == CodeLayout::kOffset16) return body(OffsetCodes{static_cast<int16_t*>(view.data)});
  if (view.bits == 16 && view.layout == CodeLayout::kPacked)
    return body(Int16Codes{static_cast<int16_t*>(view.data)});
  return body(PackedCodes{static_cast<uint8_t*>(view.data), view.bits, view.zero_point});
}

inline int32_t magnitude_of(int32_t x) { return x < 0 ? -x : x; }

/// Some elements of an update on their way from one form to another, so that the arithmetic is written and compiled once.
struct UpdateChunk {
  static constexpr int32_t kSize = 16;
  int32_t move[kSize];  ///< gain.times(g)
  int32_t momentum[kSize];
  int32_t parameter[kSize];
};

template <class Sum>
void scale_sums(const IntegerUpdate& u, int32_t begin, int32_t count, UpdateChunk& chunk, UpdateSeen& seen) {
  const Sum* sums = static_cast<const Sum*>(u.sums) + begin;
  const int64_t half = u.sum_shift > 0 ? int64_t(1) << (u.sum_shift - 1) : 0;
  int32_t largest = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t g = sizeof(Sum) == 4 ? int32_t(sums[i]) : int32_t((int64_t(sums[i]) + half) >> u.sum_shift);
    chunk.move[i] = u.gain.times(g);
    largest = magnitude_of(g) > largest ? magnitude_of(g) : largest;
  }
  if (u.momentum != nullptr && uint32_t(largest) > seen.gradient) seen.gradient = uint32_t(largest);
}

inline int32_t largest_code(const int8_t* codes, int32_t count) {
  int32_t largest = 0;
  for (int32_t i = 0; i < count; ++i)
    largest = magnitude_of(codes[i]) > largest ? magnitude_of(codes[i]) : largest;
  return largest;
}

/// Of dy[r] * x[c].
inline uint32_t largest_product(const IntegerUpdate& u) {
  const OuterSums& o = u.outer;
  return uint32_t(largest_code(o.dy, u.count / o.columns) * largest_code(o.x, o.columns));
}

inline void scale_products(const IntegerUpdate& u, int32_t begin, int32_t count, UpdateChunk& chunk) {
  int32_t row = begin / u.outer.columns, column = begin - row * u.outer.columns;
  for (int32_t i = 0; i < count; ++i) {
    chunk.move[i] = u.gain.times(u.outer.dy[row] * u.outer.x[column]);
    if (++column < u.outer.columns) continue;
    column = 0;
    ++row;
  }
}

/// n of the even and of the odd element of a pair, or one half each.
struct RoundingPair {
  int32_t even, odd;
};
inline RoundingPair rounding_pair(const IntegerUpdate& u, uint32_t even_index) {
  if (u.rounding != Rounding::kStochastic) return {0x8000, 0x8000};
  const uint32_t word = rounding_word(u.key, even_index >> 2);
  const uint32_t turned = (even_index & 2) != 0 ? (word >> 8) | (word << 24) : word;
  return {int32_t(turned & 0xFFFF), int32_t(turned >> 16)};
}

/// The arithmetic of elements at .. at + count - 1.
inline void update_chunk(const IntegerUpdate& u, uint32_t at, int32_t count, UpdateChunk& chunk,
                         UpdateSeen& seen) {
  const CodeRange range = u.parameters.range;
  const bool with_momentum = u.momentum != nullptr;
  const int32_t drop = u.momentum_drop;
  for (int32_t i = 0; i < count; ++i) {
    const uint32_t index = at + uint32_t(i);
    const RoundingPair pair = rounding_pair(u, index & ~1u);
    const bool odd = (index & 1) != 0;
    const int32_t n = odd ? pair.odd : pair.even, m = odd ? pair.even : pair.odd;
    const int32_t p = chunk.parameter[i];
    int32_t move = chunk.move[i];
    if (u.pull != 0) move += int32_t((int64_t(u.pull) * p) >> 16);
    if (with_momentum) {
      const int32_t old = chunk.momentum[i] * (1 << drop);
      const uint32_t sum = (uint32_t(u.base * old) << 16) + uint32_t(times_q32(u.decay, old)) +
                           uint32_t(move) + (uint32_t(n) << drop);
      const int32_t v = int32_t(sum) >> (16 + drop);
      const int32_t clamped = clamp_code(v, u.momentum_range);
      seen.momentum_saturated |= uint32_t(v != clamped);
      chunk.momentum[i] = clamped;
      move = times_q32(u.rate, clamped * (1 << drop));
    }
    chunk.parameter[i] = clamp_code(p + ((move + m) >> 16), range);
  }
  if (!u.looks) return;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t p = chunk.parameter[i];
    const uint32_t v = with_momentum ? uint32_t(magnitude_of(chunk.momentum[i])) : 0;
    seen.momentum = v > seen.momentum ? v : seen.momentum;
    seen.parameter = uint32_t(magnitude_of(p)) > seen.parameter ? uint32_t(magnitude_of(p)) : seen.parameter;
    seen.parameter_saturated += uint32_t(p == range.low || p == range.high);
  }
}

template <class Momentum, class Body>
void with_momentum_codes(const IntegerUpdate& u, uint32_t at, int32_t count, UpdateChunk& chunk, Body body) {
  Momentum* momentum = static_cast<Momentum*>(u.momentum) + at;
  for (int32_t i = 0; i < count; ++i) chunk.momentum[i] = momentum[i];
  body();
  for (int32_t i = 0; i < count; ++i) momentum[i] = Momentum(chunk.momentum[i]);
}

template <class Codes>
UpdateSeen update_codes(const IntegerUpdate& u, Codes codes) {
  UpdateSeen seen;
  UpdateChunk chunk;
  if (u.sums == nullptr && u.momentum != nullptr) seen.gradient = largest_product(u);
  for (int32_t done = 0; done < u.count; done += UpdateChunk::kSize) {
    const int32_t left = u.count - done, count = left < UpdateChunk::kSize ? left : UpdateChunk::kSize;
    const uint32_t at = u.first + uint32_t(done);
    if (u.sums == nullptr)
      scale_products(u, done, count, chunk);
    else if (u.element == Element::kInt64)
      scale_sums<int64_t>(u, done, count, chunk, seen);
    else
      scale_sums<int32_t>(u, done, count, chunk, seen);
    for (int32_t i = 0; i < count; ++i) chunk.parameter[i] = codes.load(at + uint32_t(i));
    const auto body = [&] { update_chunk(u, at, count, chunk, seen); };
    if (u.momentum == nullptr)
      body();
    else if (u.momentum_element == Element::kInt8)
      with_momentum_codes<int8_t>(u, at, count, chunk, body);
    else
      with_momentum_codes<int16_t>(u, at, count, chunk, body);
    for (int32_t i = 0; i < count; ++i) codes.store(at + uint32_t(i), chunk.parameter[i]);
  }
  return seen;
}

inline UpdateSeen update_integer(const IntegerUpdate& u) {
  return with_codes(u.parameters, [&u](auto codes) { return update_codes(u, codes); });
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
UpdateSeen update_float_codes(const FloatUpdate& u, Codes codes) {
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
  return {.parameter = uint32_t(largest), .parameter_saturated = uint32_t(saturated)};
}

template <class Sum>
UpdateSeen update_float_with(const FloatUpdate& u) {
  if (u.values != nullptr) {
    update_values(static_cast<const Sum*>(u.sums), u.values + u.first,
                  u.momentum == nullptr ? nullptr : u.momentum + u.first, u.count, FloatFactors(u));
    return {};
  }
  return with_codes(u.parameters, [&u](auto codes) { return update_float_codes<Sum>(u, codes); });
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
template <Operands kOperands = Operands::kAny>
uint64_t quantize_floats(const QuantizeFloats& q) {
  return is<kOperands>(q.element, Element::kInt8) ? quantize_to<int8_t>(q) : quantize_to<int16_t>(q);
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
