// Conversions: properties over random tensors of every pair, and errors. The bits themselves are in tests/golden.
#include "mantissa/tensor/convert.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <set>
#include <vector>

namespace mantissa {
namespace {

/// Owns a tensor of any format.
struct Owned {
  Format format;
  size_t elements = 0;
  size_t channels = 1;
  std::vector<uint8_t> codes{};
  std::vector<Scale> scales{};
  std::vector<int16_t> zero_points{};
  std::vector<uint8_t> exponents{};

  Owned(Format f, size_t n, size_t c = 1) : format(f), elements(n), channels(c) {
    codes.resize(packed_bytes(n, f.bits));
    const size_t count = granules(f, n, c);
    scales.resize(f.kind == FormatKind::kBfp ? 0 : count);
    zero_points.resize(f.kind == FormatKind::kAsym ? count : 0);
    exponents.resize(f.kind == FormatKind::kBfp ? count : 0, 127);
  }
  TensorView view() { return {format, elements, channels, codes, scales, zero_points, exponents}; }
  double value(size_t i) {
    const ExactValue x = exact_value(view(), i);
    return std::ldexp(double(x.integer) * x.unit.mantissa, x.unit.exponent);
  }
  /// What one step of a code is worth where element i is.
  double step(size_t i) {
    const Scale unit = unit_of(view(), i / view().granule_elements());
    return std::ldexp(double(unit.mantissa), unit.exponent);
  }
};

constexpr size_t kElements = 48, kChannels = 4;

Owned floats(const std::vector<float>& values, size_t channels = 1) {
  Owned t(float32_format(), values.size(), channels);
  std::memcpy(t.codes.data(), values.data(), t.codes.size());
  return t;
}

/// Values of about one magnitude, some of them zero, of which some stretches have one sign.
std::vector<float> any_values() {
  const int exponent = *rc::gen::inRange(-40, 40);
  const bool positive = *rc::gen::inRange(0, 3) == 0;
  auto values = *rc::gen::container<std::vector<float>>(
      kElements, rc::gen::map(rc::gen::inRange(-(1 << 24), 1 << 24),
                              [exponent](int k) { return std::ldexp(float(k), exponent - 24); }));
  for (float& x : values) {
    if (positive) x = std::fabs(x);
    if (*rc::gen::inRange(0, 8) == 0) x = 0.0f;
  }
  return values;
}

Format any_coded_format() {
  const auto bits = *rc::gen::inRange(2, 17);
  const auto group = *rc::gen::element<uint16_t>(1, 3, 16, 24, 48);
  const auto shared = *rc::gen::element<uint16_t>(0, kPerChannel, group);
  return *rc::gen::element(sym_format(bits, shared), asym_format(bits, shared), bfp_format(bits, group));
}

Rounding any_rounding() {
  return *rc::gen::element(Rounding::kHalfAway, Rounding::kHalfEven, Rounding::kFloor, Rounding::kStochastic);
}

Owned converted(Owned& from, Format format, const ConvertOptions& options = {}) {
  Owned to(format, from.elements, from.channels);
  const Result<Conversion> result = convert(from.view(), to.view(), options);
  RC_ASSERT(result.ok());
  return to;
}

/// The factor between scales has 31 bits, so a step may be wrong by 2^-13 of itself at 16 bits.
constexpr double kSlack = 1.0 + 1.0 / 4096;

TEST(Convert, ErrorIsAtMostHalfAStepOrOne) {
  EXPECT_TRUE(rc::check([] {
    Owned from = floats(any_values(), kChannels);
    if (*rc::gen::arbitrary<bool>()) from = converted(from, any_coded_format());
    const ConvertOptions options{.rounding = any_rounding(), .key = {*rc::gen::arbitrary<uint32_t>(), 1}};
    const bool nearest = options.rounding == Rounding::kHalfAway || options.rounding == Rounding::kHalfEven;
    Owned to = converted(from, any_coded_format(), options);
    for (size_t i = 0; i < kElements; ++i)
      RC_ASSERT(std::fabs(to.value(i) - from.value(i)) <= to.step(i) * (nearest ? 0.5 : 1.0) * kSlack);
  }));
}

TEST(Convert, ZeroStaysZero) {
  EXPECT_TRUE(rc::check([] {
    Owned from = floats(any_values(), kChannels);
    Owned coded = converted(from, any_coded_format(), {.rounding = any_rounding()});
    Owned twice = converted(coded, any_coded_format(), {.rounding = any_rounding()});
    for (size_t i = 0; i < kElements; ++i) {
      if (from.value(i) == 0.0) {
        RC_ASSERT(twice.value(i) == 0.0);
      }
    }
  }));
}

TEST(Convert, FloatsAndBackIsTheSameCode) {
  EXPECT_TRUE(rc::check([] {
    Owned from = floats(any_values(), kChannels);
    Owned coded = converted(from, any_coded_format(), {.rounding = any_rounding()});
    Owned values = converted(coded, float32_format());
    Owned again = coded;
    std::fill(again.codes.begin(), again.codes.end(), uint8_t{0});
    const auto counts = convert(values.view(), again.view(), {.scales = TargetScales::kGiven});
    RC_ASSERT(counts.ok() && counts.value.saturated == 0);
    RC_ASSERT(again.codes == coded.codes);
  }));
}

TEST(Convert, WiderWithTheSameScalesIsExact) {
  EXPECT_TRUE(rc::check([] {
    Owned from = floats(any_values(), kChannels);
    const Format format = any_coded_format();
    RC_PRE(format.bits < 16);
    Owned narrow = converted(from, format, {.rounding = any_rounding()});
    Format wider = format;
    wider.bits = uint8_t(*rc::gen::inRange(format.bits + 1, 17));
    Owned wide(wider, kElements, kChannels);
    wide.scales = narrow.scales;
    wide.zero_points = narrow.zero_points;
    const bool is_bfp = format.kind == FormatKind::kBfp;  // a wider Bfp finds an exponent that is exact
    RC_ASSERT(convert(narrow.view(), wide.view(),
                      {.rounding = any_rounding(),
                       .scales = is_bfp ? TargetScales::kDynamic : TargetScales::kGiven})
                  .ok());
    for (size_t i = 0; i < kElements; ++i) RC_ASSERT(wide.value(i) == narrow.value(i));
  }));
}

TEST(Convert, IsMonotonic) {
  EXPECT_TRUE(rc::check([] {
    std::vector<float> values = any_values();
    std::sort(values.begin(), values.end());
    Owned from = floats(values);
    const auto bits = *rc::gen::inRange(2, 17);
    const Format format = *rc::gen::element(sym_format(bits), asym_format(bits), bfp_format(bits, kElements));
    const Rounding rounding = *rc::gen::element(Rounding::kHalfAway, Rounding::kHalfEven, Rounding::kFloor);
    Owned to = converted(from, format, {.rounding = rounding});
    for (size_t i = 1; i < kElements; ++i) RC_ASSERT(int_repr(to.view(), i - 1) <= int_repr(to.view(), i));
  }));
}

TEST(Convert, AsymUsesAllOfItsBandAndBfpDoesNotSaturate) {
  EXPECT_TRUE(rc::check([] {
    Owned from = floats(any_values(), kChannels);
    const Format format = any_coded_format();
    Owned to(format, kElements, kChannels);
    const auto counts = convert(from.view(), to.view(), {.rounding = any_rounding()});
    RC_ASSERT(counts.ok());
    if (format.kind == FormatKind::kBfp) RC_ASSERT(counts.value.saturated == 0u);
    if (format.kind == FormatKind::kAsym) {
      const CodeRange range = code_range(format);
      for (const int16_t z : to.zero_points) RC_ASSERT(z >= range.low && z <= range.high);
    }
  }));
}

/// P(|mean - value| > t) <= 2 exp(-2 n t^2) for n draws within one step (Hoeffding): t makes that 10^-12.
TEST(Convert, StochasticRoundingIsUnbiased) {
  constexpr size_t kDraws = 200000;
  const double bound = std::sqrt(std::log(2e12) / (2.0 * kDraws));
  for (const double fraction : {0.03, 0.25, 0.5, 0.77, 0.999}) {
    for (const double sign : {1.0, -1.0}) {
      Owned from = floats(std::vector<float>(kDraws, float(sign * (5.0 + fraction))));
      Owned to(sym_format(8), kDraws);
      ASSERT_TRUE(convert(from.view(), to.view(),
                          {.rounding = Rounding::kStochastic,
                           .scales = TargetScales::kGiven,
                           .key = random_key(3, 1, uint32_t(fraction * 1000))})
                      .ok());
      double mean = 0.0;
      for (size_t i = 0; i < kDraws; ++i) mean += int_repr(to.view(), i);
      EXPECT_NEAR(mean / kDraws, sign * (5.0 + fraction), bound) << fraction;
    }
  }
}

TEST(Convert, AccumulatorsAreRequantized) {
  EXPECT_TRUE(rc::check([] {
    const auto sums = *rc::gen::container<std::vector<int32_t>>(kElements, rc::gen::arbitrary<int32_t>());
    Owned from(sym_int32_format(), kElements);
    std::memcpy(from.codes.data(), sums.data(), from.codes.size());
    from.scales[0] = {(1u << 30) + 12345, -50};
    const int bits = *rc::gen::inRange(2, 17);
    const Rounding rounding = any_rounding();
    Owned to = converted(from, sym_format(bits), {.rounding = rounding, .key = {1, 2}});
    const std::span<const int32_t> all(sums);
    const Scale scale = dynamic_scale(largest_magnitude(all), from.scales[0], symmetric_range(bits).high);
    RC_ASSERT(to.scales[0] == scale);
    std::vector<int16_t> codes(kElements);
    requantize(all, {from.scales[0], scale, bits, rounding, {1, 2}}, std::span(codes));
    for (size_t i = 0; i < kElements; ++i) RC_ASSERT(int_repr(to.view(), i) == codes[i]);
  }));
}

TEST(Convert, SpecialFloats) {
  const float inf = std::numeric_limits<float>::infinity();
  Owned from = floats({inf, -inf, std::numeric_limits<float>::quiet_NaN(), 2.0f, -0.0f, 1e-45f});
  Owned to(asym_format(8), 6);
  const auto counts = convert(from.view(), to.view());
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts.value.saturated, 2u);
  EXPECT_EQ(counts.value.not_a_number, 1u);
  const int32_t expected[] = {127, -128, -128, 127, -128, -128};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(int_repr(to.view(), i), expected[i]) << i;
  Owned copy(float32_format(), 6);
  ASSERT_TRUE(convert(from.view(), copy.view()).ok());
  EXPECT_EQ(copy.codes, from.codes);
}

TEST(Convert, CodesBeyondEveryFloatBecomeTheLargest) {
  Owned from(sym_format(8), 3);
  from.scales[0] = power_of_two(128);
  for (size_t i = 0; i < 3; ++i) store_code(from.view(), i, int32_t(i) - 1);
  Owned to(float32_format(), 3);
  const auto counts = convert(from.view(), to.view());
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts.value.saturated, 2u);
  const float largest = std::numeric_limits<float>::max();
  EXPECT_EQ(load_float(to.view(), 0), -largest);
  EXPECT_EQ(load_float(to.view(), 1), 0.0f);
  EXPECT_EQ(load_float(to.view(), 2), largest);
}

/// Half a step beyond the largest code rounds to a code that there is not, so the next exponent is needed.
TEST(Convert, BfpMakesRoomForATieBeyondItsLargestCode) {
  for (const float largest : {127.5f, std::nextafter(127.5f, 0.0f)}) {
    Owned from = floats({largest, 1.0f});
    Owned to(bfp_format(8, 2), 2);
    const auto counts = convert(from.view(), to.view());
    ASSERT_TRUE(counts.ok());
    EXPECT_EQ(counts.value.saturated, 0u);
    EXPECT_EQ(to.step(0), largest == 127.5f ? 2.0 : 1.0);
  }
}

TEST(Convert, EveryPairIsConvertedOrRefused) {
  const Format formats[] = {float32_format(), sym_format(5),  sym_int32_format(), asym_format(7),
                            bfp_format(8, 4), int32_format(), bool_format()};
  for (const Format from : formats)
    for (const Format to : formats) {
      Owned source(from, 8), target(to, 8);
      const auto result = convert(source.view(), target.view());
      const bool labels = !from.is_quantity() || !to.is_quantity();
      const bool meaningful = labels ? from == to : to.kind != FormatKind::kSymInt32;
      EXPECT_EQ(result.ok(), meaningful) << int(from.kind) << " " << int(to.kind);
      if (meaningful) continue;
      EXPECT_EQ(result.error.code, ErrorCode::kBadConversion);
      EXPECT_EQ(result.error.found, int64_t(from.kind));
      EXPECT_EQ(result.error.limit, int64_t(to.kind));
    }
  static_assert(Convertible<SymInt32, Bfp<8>> && Convertible<Bool, Bool> && !Convertible<Int32, Bool>);
}

TEST(Convert, ShapesMustAgree) {
  Owned from(sym_format(8), 8), fewer(sym_format(4), 6), grouped(bfp_format(8, 3), 8),
      empty(sym_format(8), 0);
  EXPECT_EQ(convert(from.view(), fewer.view()).error.code, ErrorCode::kBadShape);
  EXPECT_EQ(convert(from.view(), grouped.view()).error.code, ErrorCode::kBadGroupSize);
  Owned none(asym_format(4), 0);
  EXPECT_TRUE(convert(empty.view(), none.view()).ok());
  from.codes.pop_back();
  EXPECT_EQ(convert(from.view(), from.view()).error.code, ErrorCode::kBadStorage);
}

/// Two channels against four: the same format, but not the same granules.
TEST(Convert, OtherChannelsAreNotCopied) {
  Owned from(sym_format(8, kPerChannel), 4, 2), to(sym_format(8, kPerChannel), 4, 4);
  from.codes = {64, 1, 2, 127};
  ASSERT_TRUE(convert(from.view(), to.view()).ok());
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(int_repr(to.view(), i), 127) << i;
}

/// Masks and labels keep their bits; and the compiler converts, too.
TEST(Convert, IsAConstantExpression) {
  Owned mask(bool_format(), 9), copy(bool_format(), 9);
  mask.codes = {0x5A, 1};
  ASSERT_TRUE((convert<Bool, Bool>(mask.view(), copy.view()).ok()));
  EXPECT_EQ(copy.codes, mask.codes);
  constexpr int32_t kCode = [] {
    std::array<uint8_t, 8> source{0, 0, 0x80, 0x3F, 0, 0, 0, 0xBF};  // 1, -0.5
    std::array<uint8_t, 2> codes{};
    std::array<Scale, 1> scale{};
    const ConstTensorView from{.elements = 2, .codes = source};
    const TensorView to{.format = sym_format(8), .elements = 2, .codes = codes, .scales = scale};
    (void)convert<Float32, Sym<8>>(from, to);
    return int_repr(to, 1);
  }();
  static_assert(kCode == -64);
}

}  // namespace
}  // namespace mantissa
