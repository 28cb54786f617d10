// Fuzzes packing, conversion and requantization against their definition in 128-bit integers.
// The input is a pair of formats, options, scales and codes; the fuzzer looks for a stretch of bits that the tests never try.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "mantissa/tensor/convert.hpp"

namespace {

using namespace mantissa;
using Wide = __int128;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Reads numbers from the input; zeros behind its end.
struct Bytes {
  std::span<const uint8_t> left;

  uint8_t byte() {
    if (left.empty()) return 0;
    const uint8_t first = left.front();
    left = left.subspan(1);
    return first;
  }
  uint32_t word() {
    uint32_t x = 0;
    for (int i = 0; i < 4; ++i) x = x << 8 | byte();
    return x;
  }
  Scale scale() { return {(word() >> 2) | 1u << 30, int32_t(byte()) - 190}; }
};

struct Tensor {
  Format format;
  size_t elements, channels;
  std::vector<uint8_t> codes;
  std::vector<Scale> scales;
  std::vector<int16_t> zero_points;
  std::vector<uint8_t> exponents;

  TensorView view() { return {format, elements, channels, codes, scales, zero_points, exponents}; }
};

Tensor read_tensor(Bytes& in, size_t elements, size_t channels) {
  const uint8_t shape = in.byte();
  Format format{FormatKind(in.byte() % 7), uint8_t(2 + in.byte() % 15)};
  if (format.is_narrow())
    format.group = shape % 3 == 0 ? uint16_t(0) : shape % 3 == 1 ? kPerChannel : uint16_t(1 + shape % 8);
  if (!format.is_narrow()) format.bits = format.kind == FormatKind::kBool ? 1 : 32;
  Tensor t{format, elements, channels, {}, {}, {}, {}};
  t.codes.resize(packed_bytes(elements, format.bits));
  for (uint8_t& code : t.codes) code = in.byte();
  const size_t count = check_format(format, elements, channels) ? 0 : granules(format, elements, channels);
  for (size_t g = 0; g < count; ++g) {
    t.scales.push_back(in.scale());
    t.zero_points.push_back(int16_t(clamp_code(int16_t(in.word()), code_range(format))));
    t.exponents.push_back(uint8_t(in.byte() % 255));
  }
  return t;
}

/// floor((k * mantissa + offset) / 2^shift) of SPEC 3, from what is left over the floor.
Wide expected_code(Wide k, Multiplier by, Rounding rounding, uint32_t random_bits) {
  const Wide product = k * by.mantissa, unit = Wide(1) << by.shift;
  const Wide floor = product >> by.shift, rest = product - floor * unit;
  switch (rounding) {
    case Rounding::kHalfAway: return floor + (2 * rest > unit || (2 * rest == unit && product > 0) ? 1 : 0);
    case Rounding::kHalfEven:
      return floor + (2 * rest > unit || (2 * rest == unit && floor % 2 != 0) ? 1 : 0);
    case Rounding::kFloor: return floor;
    case Rounding::kStochastic:
      return floor + (rest + (((2 * random_bits + 1) * unit) >> 17) >= unit ? 1 : 0);
  }
  return 0;
}

int64_t bit_by_bit(const Tensor& t, size_t i) {
  int64_t code = 0;
  const int bits = t.format.bits;
  for (int k = 0; k < bits; ++k) {
    const size_t at = i * size_t(bits) + size_t(k);
    code |= int64_t(t.codes[at / 8] >> (at % 8) & 1) << k;
  }
  return bits > 1 && code >> (bits - 1) != 0 ? code - (int64_t(1) << bits) : code;
}

/// Every finite element that became a code has the code of the definition.
void check_codes(Tensor& from, Tensor& to, const ConvertOptions& options) {
  const size_t each = to.view().granule_elements();
  for (size_t i = 0; i < from.elements; ++i) {
    const int64_t code = bit_by_bit(to, i);
    require(code == int_repr(to.view(), i));
    const CodeRange range = code_range(to.format);
    if (from.format.is_float() &&
        (is_nan(load_float(from.view(), i)) || is_infinite(load_float(from.view(), i))))
      continue;
    const ExactValue x = exact_value(from.view(), i);
    const int32_t zero_point = zero_point_of(to.view(), i / each);
    const uint32_t bits = options.rounding == Rounding::kStochastic ? random16(options.key, uint32_t(i)) : 0;
    const Wide expected =
        zero_point +
        expected_code(x.integer, multiplier(x.unit / unit_of(to.view(), i / each)), options.rounding, bits);
    require(code == (expected < range.low    ? range.low
                     : expected > range.high ? range.high
                                             : int64_t(expected)));
  }
}

void check_sums(Bytes& in, const ConvertOptions& options) {
  std::vector<int64_t> sums(1 + in.byte() % 8);
  for (int64_t& sum : sums) sum = int64_t(uint64_t(in.word()) << 32 | in.word()) >> (2 + in.byte() % 60);
  const Requantization r{in.scale(), in.scale(), 2 + in.byte() % 15, options.rounding, options.key, 0};
  std::vector<int16_t> codes(sums.size());
  const size_t saturated = requantize(std::span<const int64_t>(sums), r, std::span(codes));
  const CodeRange range = symmetric_range(r.bits);
  size_t beyond = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const Wide expected =
        expected_code(sums[i], multiplier(r.unit / r.scale), r.rounding, random16(r.key, uint32_t(i)));
    const bool fits = expected >= range.low && expected <= range.high;
    beyond += fits ? 0 : 1;
    require(codes[i] == (fits ? int64_t(expected) : expected > 0 ? range.high : range.low));
  }
  require(saturated == beyond);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes in{{data, size}};
  const ConvertOptions options{.rounding = Rounding(in.byte() % 4),
                               .scales = TargetScales(in.byte() % 2),
                               .key = {in.word(), in.word()}};
  const size_t channels = 1 + in.byte() % 4, elements = in.byte() % 65;
  Tensor from = read_tensor(in, elements, channels), to = read_tensor(in, elements, channels);
  const bool is_copy = from.format == to.format && options.scales == TargetScales::kDynamic;
  if (convert(from.view(), to.view(), options).ok() && to.format.is_narrow() && !is_copy)
    check_codes(from, to, options);
  check_sums(in, options);
  return 0;
}
