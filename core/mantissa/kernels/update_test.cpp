// The update of each element against its definition, in the reference and on every instruction set, bit for bit.
#include "mantissa/kernels/update.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "mantissa/tensor/format.hpp"
#include "tests/kernel_variants.hpp"

namespace mantissa {
namespace {

using test::on_every_variant;

using Wide = __int128;

/// Stored codes in one of the layouts.
struct Codes {
  Codes(CodeLayout layout, int bits, size_t n) : bytes(packed_bytes(n, bits)) {
    view.layout = layout;
    view.bits = bits;
    view.range = layout == CodeLayout::kOffset16 ? CodeRange{-32896, 32639} : symmetric_range(bits);
    attach();
  }
  void attach() { view.data = bytes.data(); }
  bool is_offset() const { return view.layout == CodeLayout::kOffset16; }
  int32_t get(size_t i) const { return unpack_code(bytes.data(), view.bits, i) - (is_offset() ? 128 : 0); }
  void set(size_t i, int32_t code) { pack_code(bytes.data(), view.bits, i, code + (is_offset() ? 128 : 0)); }
  std::vector<uint8_t> bytes;
  CodeView view;
};

Codes random_codes(std::mt19937_64& random, size_t n) {
  const int kind = int(random() % 4);
  Codes codes = kind < 2 ? Codes(CodeLayout::kOffset16, 16, n)
                         : Codes(CodeLayout::kPacked, kind == 2 ? 16 : 2 + int(random() % 15), n);
  const auto [low, high] = codes.view.range;
  for (size_t i = 0; i < n; ++i) {
    const int32_t inside = int32_t(random() % uint64_t(high - low + 1)) + low;
    codes.set(i, random() % 9 == 0 ? high : random() % 9 == 0 ? low : inside);
  }
  return codes;
}

int32_t clamp_wide(Wide x, CodeRange r) { return int32_t(x < r.low ? r.low : x > r.high ? r.high : x); }

/// Any factor of at most `bits` bits, often none or the largest.
int32_t random_factor(std::mt19937_64& random, int bits) {
  const int64_t limit = (int64_t(1) << bits) - 1;
  if (random() % 5 == 0) return 0;
  const int64_t size =
      random() % 9 == 0 ? limit : int64_t(random() >> (64 - bits)) >> random() % uint64_t(bits);
  return int32_t(random() % 2 ? size : -size);
}

struct State {
  std::vector<uint8_t> parameters;
  std::vector<int16_t> momentum;
  UpdateSeen seen;
};

/// The definition, element by element in 128 bits.
State expected_update(const IntegerUpdate& u, Codes codes, std::vector<int16_t> momentum,
                      const std::vector<int64_t>& sums) {
  State s;
  constexpr Wide kMost = (1 << 30) - (1 << 27);
  for (int32_t i = 0; i < u.count; ++i) {
    const size_t at = u.first + uint32_t(i);
    const bool draws = u.rounding == Rounding::kStochastic;
    const uint32_t n = draws ? rounding16(u.key, uint32_t(at)) : 0x8000;
    const uint32_t m = draws ? rounding16(u.key, uint32_t(at) ^ 1) : 0x8000;
    const Wide g = (Wide(sums[size_t(i)]) + (Wide(1) << u.sum_shift) / 2) >> u.sum_shift;
    const Wide p = codes.get(at), step = (g * u.gain.q) >> u.gain.shift;
    if (u.momentum != nullptr) s.seen.gradient = std::max(s.seen.gradient, uint64_t(g < 0 ? -g : g));
    Wide move = std::min(std::max(step, -kMost), kMost) + ((p * u.pull) >> 16);
    if (u.momentum != nullptr) {
      const Wide unit = u.momentum_element == Element::kInt8 ? 128 : 1, v = momentum[at] * unit;
      const Wide sum = u.base * v * 65536 + ((v * u.decay) >> 16) + move + n * unit;
      const Wide next = (sum - ((sum % (65536 * unit)) + 65536 * unit) % (65536 * unit)) / (65536 * unit);
      momentum[at] = int16_t(clamp_wide(next, u.momentum_range));
      s.seen.momentum_saturated |= next != momentum[at];
      if (u.looks) s.seen.momentum = std::max(s.seen.momentum, uint32_t(std::abs(momentum[at])));
      move = (momentum[at] * unit * u.rate) >> 16;
    }
    const int32_t code = clamp_wide(p + ((move + m) >> 16), u.parameters.range);
    if (u.looks) {
      s.seen.parameter_saturated += code == u.parameters.range.low || code == u.parameters.range.high;
      s.seen.parameter = std::max(s.seen.parameter, uint32_t(std::abs(code)));
    }
    codes.set(at, code);
  }
  s.parameters = codes.bytes;
  s.momentum = momentum;
  return s;
}

void expect_seen(const UpdateSeen& a, const UpdateSeen& b, const char* name) {
  EXPECT_EQ(a.gradient, b.gradient) << name;
  EXPECT_EQ(a.momentum, b.momentum) << name;
  EXPECT_EQ(a.parameter, b.parameter) << name;
  EXPECT_EQ(a.momentum_saturated, b.momentum_saturated) << name;
  EXPECT_EQ(a.parameter_saturated, b.parameter_saturated) << name;
}

/// Where the gradient comes from.
enum class Source { kInt32, kInt64, kOuter };

struct Gradient {
  std::vector<int64_t> wide;
  std::vector<int32_t> narrow;
  std::vector<int8_t> dy, x;

  Gradient(std::mt19937_64& random, Source source, IntegerUpdate& u, size_t rows, size_t columns) {
    const int bits = source == Source::kInt64 ? 40 : 1 + int(random() % 31);
    for (size_t i = 0; i < rows * columns; ++i)
      wide.push_back(int64_t(random() >> (64 - bits)) * (random() % 2 ? 1 : -1));
    for (size_t i = 0; i < std::max(rows, columns); ++i) {
      dy.push_back(int8_t(random()));
      x.push_back(int8_t(random()));
    }
    if (source == Source::kOuter)
      for (size_t i = 0; i < wide.size(); ++i) wide[i] = dy[i / columns] * x[i % columns];
    narrow.assign(wide.begin(), wide.end());
    u.sum_shift = source == Source::kInt64 ? 10 : 0;
    u.element = source == Source::kInt64 ? Element::kInt64 : Element::kInt32;
    if (source == Source::kOuter)
      u.outer = {dy.data(), x.data(), int32_t(columns)};
    else
      u.sums = source == Source::kInt64 ? static_cast<const void*>(wide.data()) : narrow.data();
  }
};

/// Factors as optim/sgd.hpp may make them, so that all sums stay in 32 bits.
void choose_factors(std::mt19937_64& random, IntegerUpdate& u) {
  u.gain = {random_factor(random, 24), int32_t(random() % 4) * 8};
  u.pull = random() % 2 ? 0 : random_factor(random, 27);
  u.rate = random_factor(random, 31);
  u.base = int32_t(random() % 3);
  u.decay = u.base == 0 ? std::abs(random_factor(random, 31)) : -std::abs(random_factor(random, 31));
}

void check_integer(std::mt19937_64& random, Source source) {
  const size_t rows = 1 + random() % 4, columns = random() % 3 ? 4 * (1 + random() % 20) : 1 + random() % 40;
  const size_t before = random() % 3 ? 0 : random() % 9, n = before + rows * columns;
  const Codes codes = random_codes(random, n);
  IntegerUpdate u;
  const Gradient gradient(random, source, u, rows, columns);
  u.first = uint32_t(before);
  u.count = int32_t(rows * columns);
  u.rounding = random() % 3 ? Rounding::kStochastic : Rounding::kHalfAway;
  u.key = random_key(random(), 3, 4);
  u.looks = random() % 2;
  choose_factors(random, u);
  const bool with_momentum = random() % 3 != 0, momentum8 = random() % 2;
  u.momentum_element = momentum8 ? Element::kInt8 : Element::kInt16;
  const int32_t half = momentum8 ? 128 : 16384;
  u.momentum_range = {-half, half - 1};
  u.momentum_drop = momentum8 ? 7 : 0;
  const int32_t largest = u.base == 2 ? half / 4 : half;  // doubled only where there is room
  std::vector<int16_t> momentum(n);
  for (int16_t& v : momentum) v = int16_t(int32_t(random() % uint64_t(2 * largest)) - largest);
  u.parameters = codes.view;
  u.momentum = with_momentum ? momentum.data() : nullptr;
  const State expected = expected_update(u, codes, momentum, gradient.wide);

  on_every_variant([&](const Kernels& kernels, const char* name) {
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
    for (Source source : {Source::kInt32, Source::kInt64, Source::kOuter}) check_integer(random, source);
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
    seen.parameter = std::max(seen.parameter, uint32_t(std::abs(code)));
    seen.parameter_saturated += code != moved;
  }
  on_every_variant([&](const Kernels& kernels, const char* name) {
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
  on_every_variant([&](const Kernels& kernels, const char* name) {
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
    on_every_variant([&](const Kernels& kernels, const char* name) {
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
