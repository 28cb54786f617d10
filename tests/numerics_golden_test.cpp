// The numeric core against the independent model: rescale, packing, conversions and requantization, bit for bit.
#include <gtest/gtest.h>

#include "mantissa/tensor/convert.hpp"
#include "tests/golden_file.hpp"

namespace mantissa {
namespace {

TEST(Golden, Rescale) {
  for_each_golden_row("rescale.txt", [](GoldenRow& row, const std::string& text) {
    const int64_t width = row.number();
    const auto rounding = Rounding(row.number());
    const int64_t accumulator = row.number();
    const Multiplier by{.mantissa = int32_t(row.number()), .shift = int32_t(row.number())};
    const auto bits = uint32_t(row.number());
    const CodeRange range{.low = int32_t(row.number()), .high = int32_t(row.number())};
    const int64_t expected = row.number();
    EXPECT_EQ(rescale_wide(accumulator, by, rounding, range, bits), expected) << text;
    if (width == 32) {
      EXPECT_EQ(rescale(int32_t(accumulator), by, rounding, range, bits), expected) << text;
    }
  });
}

TEST(Golden, Packing) {
  for_each_golden_row("packing.txt", [](GoldenRow& row, const std::string& text) {
    const auto bits = int(row.number());
    const auto codes = row.numbers<int32_t>();
    const std::vector<uint8_t> expected = row.bytes();
    std::vector<uint8_t> packed(packed_bytes(codes.size(), bits));
    for (size_t i = 0; i < codes.size(); ++i) pack_code(packed.data(), bits, i, codes[i]);
    EXPECT_EQ(packed, expected) << text;
    for (size_t i = 0; i < codes.size(); ++i)
      EXPECT_EQ(unpack_code(expected.data(), bits, i), codes[i]) << text;
  });
}

struct GoldenTensor {
  Format format;
  size_t channels;
  std::vector<uint8_t> codes;
  std::vector<Scale> scales;
  std::vector<int16_t> zero_points;
  std::vector<uint8_t> exponents;

  static constexpr size_t kElements = 24;
  TensorView view() { return {format, kElements, channels, codes, scales, zero_points, exponents}; }
};

GoldenTensor read_tensor(GoldenRow& row, size_t channels) {
  constexpr FormatKind kKinds[] = {FormatKind::kFloat32, FormatKind::kSym, FormatKind::kSymInt32,
                                   FormatKind::kAsym, FormatKind::kBfp};
  const FormatKind kind = kKinds[row.number()];
  const auto bits = uint8_t(row.number());
  const auto group = uint16_t(row.number());
  GoldenTensor t{{kind, bits, group}, channels, row.bytes(), row.scales(), {}, {}};
  t.zero_points = row.numbers<int16_t>();
  t.exponents = row.numbers<uint8_t>();
  return t;
}

TEST(Golden, Convert) {
  for_each_golden_row("convert.txt", [](GoldenRow& row, const std::string& text) {
    const auto channels = size_t(row.number());
    ConvertOptions options{.rounding = Rounding(row.number())};
    const bool is_dynamic = row.number() == 1;
    options.scales = is_dynamic ? TargetScales::kDynamic : TargetScales::kGiven;
    options.key = {.offset = uint32_t(row.number()), .tweak = uint32_t(row.number())};
    GoldenTensor source = read_tensor(row, channels), expected = read_tensor(row, channels);
    GoldenTensor found = expected;
    std::fill(found.codes.begin(), found.codes.end(), uint8_t{0x5A});
    if (is_dynamic) {
      std::fill(found.scales.begin(), found.scales.end(), Scale{});
      std::fill(found.zero_points.begin(), found.zero_points.end(), int16_t{1});
      std::fill(found.exponents.begin(), found.exponents.end(), uint8_t{1});
    }
    const Result<Conversion> counts = convert(source.view(), found.view(), options);
    ASSERT_TRUE(counts.ok()) << int(counts.error.code) << " " << text;
    EXPECT_EQ(found.scales, expected.scales) << text;
    EXPECT_EQ(found.zero_points, expected.zero_points) << text;
    EXPECT_EQ(found.exponents, expected.exponents) << text;
    EXPECT_EQ(found.codes, expected.codes) << text;
    EXPECT_EQ(int64_t(counts.value.saturated), row.number()) << text;
    EXPECT_EQ(int64_t(counts.value.not_a_number), row.number()) << text;
  });
}

template <class A, class C>
void check_requantize(const Requantization& r, const std::vector<int64_t>& sums,
                      const std::vector<int64_t>& expected, size_t saturated) {
  const std::vector<A> accumulators(sums.begin(), sums.end());
  std::vector<C> codes(sums.size());
  EXPECT_EQ(requantize(std::span<const A>(accumulators), r, std::span<C>(codes)), saturated);
  EXPECT_EQ(std::vector<int64_t>(codes.begin(), codes.end()), expected);
}

TEST(Golden, Requantize) {
  for_each_golden_row("requantize.txt", [](GoldenRow& row, const std::string& text) {
    SCOPED_TRACE(text);
    const int64_t width = row.number();
    Requantization r{.unit = {}, .scale = {}, .bits = int(row.number()), .rounding = Rounding(row.number())};
    const int64_t mode = row.number();
    r.key = {.offset = uint32_t(row.number()), .tweak = uint32_t(row.number())};
    r.unit = row.scale();
    r.scale = row.scale();
    const DelayedRule rule{.margin = row.scale(), .decay = row.scale()};
    const auto sums = row.numbers<int64_t>();
    const uint64_t largest = largest_magnitude(std::span<const int64_t>(sums));
    const int32_t max_code = symmetric_range(r.bits).high;
    if (mode == 0) r.scale = dynamic_scale(largest, r.unit, max_code);
    EXPECT_EQ(r.scale, row.scale());
    const auto expected = row.numbers<int64_t>();
    const auto saturated = size_t(row.number());
    if (width == 32) check_requantize<int32_t, int16_t>(r, sums, expected, saturated);
    if (width == 32 && r.bits <= 8) check_requantize<int32_t, int8_t>(r, sums, expected, saturated);
    check_requantize<int64_t, int16_t>(r, sums, expected, saturated);
    EXPECT_EQ(next_delayed_scale(r.scale, largest, r.unit, max_code, rule), row.scale());
  });
}

}  // namespace
}  // namespace mantissa
