// The update of each element against its definition, in the reference and on every instruction set, bit for bit.
#include "mantissa/kernels/update.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "mantissa/kernels/host_targets.hpp"
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/tensor/format.hpp"

namespace mantissa {
namespace {

using Wide = __int128;

template <class Body>
void on_every_target(Body body) {
  body(kernels_ref, "reference");
  for (size_t i = 0; host_target_name(i); ++i) {
    select_host_target(host_target_name(i));
    body(kernels_hwy, host_target_name(i));
  }
  select_host_target("best");
}

/// Stored codes in one of the layouts.
struct Codes {
  Codes(CodeLayout layout, int bits, size_t n)
      : bytes(layout == CodeLayout::kSplit ? 2 * n : packed_bytes(n, bits)), count(n) {
    view.layout = layout;
    view.bits = bits;
    view.range = layout == CodeLayout::kSplit ? CodeRange{-32639, 32639} : symmetric_range(bits);
    attach();
  }
  void attach() {
    view.data = bytes.data();
    view.low = reinterpret_cast<int8_t*>(bytes.data()) + count;
  }
  int32_t get(size_t i) const {
    if (view.layout == CodeLayout::kPacked) return unpack_code(bytes.data(), view.bits, i);
    return int8_t(bytes[i]) * 256 + int8_t(bytes[count + i]);
  }
  void set(size_t i, int32_t code) {
    if (view.layout == CodeLayout::kPacked) return pack_code(bytes.data(), view.bits, i, code);
    bytes[count + i] = uint8_t(code);
    bytes[i] = uint8_t((code - int8_t(uint8_t(code))) / 256);
  }
  std::vector<uint8_t> bytes;
  size_t count;
  CodeView view;
};

Codes random_codes(std::mt19937_64& random, size_t n) {
  const int kind = int(random() % 4);
  Codes codes = kind < 2 ? Codes(CodeLayout::kSplit, 16, n)
                         : Codes(CodeLayout::kPacked, kind == 2 ? 16 : 2 + int(random() % 15), n);
  const int32_t high = codes.view.range.high;
  for (size_t i = 0; i < n; ++i)
    codes.set(i, random() % 9 == 0 ? high : int32_t(random() % uint64_t(2 * high + 1)) - high);
  return codes;
}

Q32 random_factor(std::mt19937_64& random, int bits) {
  if (random() % 5 == 0) return {};
  return q32(Scale{uint32_t(1u << 30 | random() >> 34), -30 - int32_t(random() % 30)}, bits);
}

Wide times(Wide x, Q32 f) { return x * (Wide(1) << f.shift) * f.q; }
int32_t clamp_wide(Wide x, CodeRange r) { return int32_t(x < r.low ? r.low : x > r.high ? r.high : x); }

/// floor((sum of terms) / 2^32 + (bits + 1/2) / 2^width).
Wide rounded(Wide total, uint32_t bits, int width) {
  return (total + (Wide(2 * bits + 1) << (31 - width))) >> 32;
}

struct State {
  std::vector<uint8_t> parameters;
  std::vector<int16_t> momentum;
  UpdateSeen seen;
};

/// The definition, element by element in 128 bits.
template <class Sum>
State expected_update(const IntegerUpdate& u, Codes codes, std::vector<int16_t> momentum,
                      const std::vector<Sum>& sums) {
  State s;
  for (int32_t i = 0; i < u.count; ++i) {
    const size_t at = u.first + uint32_t(i);
    const uint32_t half = u.momentum ? 0x8080u : 0x8000u;
    const uint32_t bits = u.rounding == Rounding::kStochastic ? random16(u.key, uint32_t(at)) : half;
    const Wide unit = Wide(1) << u.sum_shift, most = (Wide(1) << (31 - u.gain.shift)) - 1;
    const Wide sum = (Wide(sums[size_t(i)]) + unit / 2) >> u.sum_shift;
    const Wide g = std::min(std::max(sum, -most), most);
    const Wide p = codes.get(at);
    Wide moved;
    if (u.momentum) {
      const Wide v =
          rounded(times(momentum[at], u.decay) + times(g, u.gain) + times(p, u.pull), bits & 0xFF, 8);
      momentum[at] = int16_t(clamp_wide(v, u.momentum_range));
      s.seen.momentum = std::max(s.seen.momentum, uint64_t(v < 0 ? -v : v));
      s.seen.momentum_saturated += v != momentum[at];
      moved = p + rounded(-times(momentum[at], u.rate), bits >> 8, 8);
    } else {
      moved = p + rounded(-times(g, u.gain) - times(p, u.pull), bits, 16);
    }
    const int32_t code = clamp_wide(moved, u.parameters.range);
    s.seen.parameter_saturated += code != moved;
    s.seen.parameter = std::max(s.seen.parameter, uint64_t(std::abs(code)));
    codes.set(at, code);
  }
  s.parameters = codes.bytes;
  s.momentum = momentum;
  return s;
}

void expect_seen(const UpdateSeen& a, const UpdateSeen& b, const char* name) {
  EXPECT_EQ(a.momentum, b.momentum) << name;
  EXPECT_EQ(a.parameter, b.parameter) << name;
  EXPECT_EQ(a.momentum_saturated, b.momentum_saturated) << name;
  EXPECT_EQ(a.parameter_saturated, b.parameter_saturated) << name;
}

template <class Sum>
void check_integer(std::mt19937_64& random) {
  const size_t n = 1 + random() % 90;
  const Codes codes = random_codes(random, n);
  const int sum_bits = sizeof(Sum) == 8 ? 40 : 1 + int(random() % 30);
  IntegerUpdate u;
  u.element = sizeof(Sum) == 8 ? Element::kInt64 : Element::kInt32;
  u.sum_shift = sizeof(Sum) == 8 ? 10 : 0;
  u.first = uint32_t(random() % n);
  u.count = int32_t(n - u.first);
  std::vector<Sum> sums(size_t(u.count));
  for (Sum& s : sums) s = Sum(int64_t(random() >> (64 - sum_bits)) * (random() % 2 ? 1 : -1));
  u.sums = sums.data();
  u.rounding = random() % 3 ? Rounding::kStochastic : Rounding::kHalfAway;
  u.key = random_key(random(), 3, 4);
  const bool with_momentum = random() % 3 != 0, momentum8 = random() % 2;
  const int momentum_bits = momentum8 ? 8 : 16;
  u.momentum_element = momentum8 ? Element::kInt8 : Element::kInt16;
  u.momentum_range = symmetric_range(momentum_bits);
  u.decay = random_factor(random, momentum_bits - 1);
  u.gain =
      random_factor(random, random() % 2 == 0 ? sum_bits - u.sum_shift : 1);  // 1: large sums are clamped
  u.pull = random_factor(random, 15);
  u.rate = random_factor(random, momentum_bits - 1);
  std::vector<int16_t> momentum(n);
  for (int16_t& v : momentum)
    v = int16_t(int32_t(random() % uint64_t(2 * u.momentum_range.high + 1)) - u.momentum_range.high);
  u.parameters = codes.view;
  u.momentum = with_momentum ? momentum.data() : nullptr;
  const State expected = expected_update(u, codes, momentum, sums);

  on_every_target([&](const Kernels& kernels, const char* name) {
    Codes actual = codes;
    actual.attach();
    u.parameters = actual.view;
    std::vector<int16_t> v16 = momentum;
    std::vector<int8_t> v8(momentum.begin(), momentum.end());
    if (with_momentum) u.momentum = momentum8 ? static_cast<void*>(v8.data()) : v16.data();
    expect_seen(kernels.update_integer(u), expected.seen, name);
    ASSERT_EQ(actual.bytes, expected.parameters)
        << name << " layout " << int(u.parameters.layout) << " " << u.parameters.bits;
    if (momentum8) v16.assign(v8.begin(), v8.end());
    ASSERT_EQ(v16, expected.momentum) << name;
  });
}

TEST(Update, Integer) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1500; ++i) {
    check_integer<int32_t>(random);
    check_integer<int64_t>(random);
  }
}

/// v and what is left of a step, in float32 and in this order.
template <class Sum>
void check_float(std::mt19937_64& random) {
  const size_t n = 1 + random() % 70;
  const auto real = [&] { return float(int32_t(random() % 2001) - 1000) / 1000; };
  const bool stored_float = random() % 2, with_momentum = random() % 2;
  FloatUpdate u;
  u.element = std::is_same_v<Sum, float> ? Element::kFloat32
              : sizeof(Sum) == 8         ? Element::kInt64
                                         : Element::kInt32;
  u.first = uint32_t(random() % n);
  u.count = int32_t(n - u.first);
  std::vector<Sum> sums(size_t(u.count));
  for (Sum& s : sums) s = Sum(1000 * real());
  u.sums = sums.data();
  u.gain = real() / 100;
  u.decay = std::fabs(real());
  u.pull = random() % 2 ? 0.0f : 0.01f;
  u.rate = std::fabs(real());
  u.rounding = random() % 3 ? Rounding::kStochastic : Rounding::kHalfAway;
  u.key = random_key(random(), 5, 6);
  const Codes codes = random_codes(random, n);
  u.scale = 1.0f / 1024;
  u.inverse_scale = random() % 9 == 0 ? 1e9f : 1024;
  std::vector<float> values(n), momentum(n);
  for (float& v : values) v = real();
  for (float& v : momentum) v = real();

  Codes expected = codes;
  std::vector<float> new_values = values, new_momentum = momentum;
  UpdateSeen seen;
  for (size_t i = u.first; i < n; ++i) {
    const float value = stored_float ? values[i] : float(codes.get(i)) * u.scale;
    const float g = float(sums[i - u.first]) * u.gain + u.pull * value;
    const float v = with_momentum ? u.decay * momentum[i] + g : g;
    if (with_momentum) new_momentum[i] = v;
    new_values[i] = value - u.rate * v;
    const uint32_t bits = u.rounding == Rounding::kStochastic ? random16(u.key, uint32_t(i)) : 0x8000u;
    const float bound = float(2 * codes.view.range.high),
                move = std::clamp(u.rate * v * u.inverse_scale, -bound, bound);
    const float offset = float(2 * bits + 1) / 131072;
    const int32_t moved = codes.get(i) + int32_t(std::floor(offset - move)),
                  code = clamp_code(moved, codes.view.range);
    expected.set(i, code);
    if (stored_float) continue;
    seen.parameter = std::max(seen.parameter, uint64_t(std::abs(code)));
    seen.parameter_saturated += code != moved;
  }
  on_every_target([&](const Kernels& kernels, const char* name) {
    std::vector<float> actual_values = values, actual_momentum = momentum;
    Codes actual = codes;
    actual.attach();
    u.values = stored_float ? actual_values.data() : nullptr;
    u.parameters = actual.view;
    u.momentum = with_momentum ? actual_momentum.data() : nullptr;
    expect_seen(kernels.update_float(u), seen, name);
    ASSERT_EQ(actual_momentum, new_momentum) << name;
    if (stored_float)
      for (size_t i = u.first; i < n; ++i) ASSERT_EQ(actual_values[i], new_values[i]) << name;
    else
      ASSERT_EQ(actual.bytes, expected.bytes) << name;
  });
}

TEST(Update, Float) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 700; ++i) {
    check_float<float>(random);
    check_float<int32_t>(random);
    check_float<int64_t>(random);
  }
}

template <class Code>
void check_quantize(std::mt19937_64& random) {
  const size_t n = 1 + random() % 80;
  QuantizeFloats q;
  q.element = sizeof(Code) == 1 ? Element::kInt8 : Element::kInt16;
  q.range = symmetric_range(sizeof(Code) == 1 ? 8 : 9 + int(random() % 8));
  q.inverse_scale = random() % 2 ? 1.0f : float(random() % 1000) / 3;
  std::vector<float> values(n);
  for (float& v : values) {
    v = float(int32_t(random() % 80001) - 40000) / 2;  // ties
    if (random() % 2) v /= 97;
    if (random() % 20 == 0) v = random() % 2 ? 3e38f : -3e38f;
  }
  q.values = values.data();
  q.count = int32_t(n);
  std::vector<Code> expected;
  uint64_t saturated = 0;
  for (float v : values) {
    const double code = std::round(double(v * q.inverse_scale));
    expected.push_back(Code(std::clamp(code, double(q.range.low), double(q.range.high))));
    saturated += code != double(expected.back());
  }
  on_every_target([&](const Kernels& kernels, const char* name) {
    std::vector<Code> codes(n);
    q.codes = codes.data();
    ASSERT_EQ(kernels.quantize_floats(q), saturated) << name;
    ASSERT_EQ(codes, expected) << name;
  });
}

TEST(Update, QuantizeFloats) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    check_quantize<int8_t>(random);
    check_quantize<int16_t>(random);
  }
}

TEST(Update, AddScaledAndLargestMagnitude) {
  std::mt19937_64 random(4);
  for (int32_t n = 0; n < 100; ++n) {
    std::vector<float> values(size_t(n), 0.0f);
    std::vector<int32_t> narrow(static_cast<size_t>(n));
    std::vector<int64_t> wide(static_cast<size_t>(n));
    float largest = 0;
    std::vector<float> expected_narrow, expected_wide;
    for (size_t i = 0; i < size_t(n); ++i) {
      values[i] = float(int32_t(random())) * 1e-9f;
      narrow[i] = int32_t(random());
      wide[i] = int64_t(random()) >> 3;
      largest = std::max(largest, std::fabs(values[i]));
      expected_narrow.push_back(values[i] + 1e-9f * float(narrow[i]));
      expected_wide.push_back(values[i] + 1e-9f * float(wide[i]));
    }
    on_every_target([&](const Kernels& kernels, const char* name) {
      ASSERT_EQ(kernels.largest_magnitude(values.data(), n), largest) << name;
      std::vector<float> a = values, b = values;
      kernels.add_scaled({narrow.data(), Element::kInt32, 1e-9f, a.data(), n});
      ASSERT_EQ(a, expected_narrow) << name;
      kernels.add_scaled({wide.data(), Element::kInt64, 1e-9f, b.data(), n});
      ASSERT_EQ(b, expected_wide) << name;
    });
  }
}

}  // namespace
}  // namespace mantissa
