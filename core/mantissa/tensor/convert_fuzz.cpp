// Fuzzes conversion between any two formats against its definition in 128-bit integers.
// The input is a pair of formats, options, scales and codes; the fuzzer looks for a stretch of bits that the tests never try.
#include "mantissa/tensor/convert.hpp"

#include <vector>

#include "tests/exact_rescale.hpp"
#include "tests/fuzz_input.hpp"

namespace {

using namespace mantissa;
using namespace mantissa::test;

struct Tensor {
  Format format;
  size_t elements, channels;
  std::vector<uint8_t> codes;
  std::vector<Scale> scales;
  std::vector<int16_t> zero_points;
  std::vector<uint8_t> exponents;

  TensorView view() { return {format, elements, channels, codes, scales, zero_points, exponents}; }
};

Tensor read_tensor(FuzzInput& in, size_t elements, size_t channels) {
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
    const auto zero_point = int16_t(in.word());
    t.zero_points.push_back(format.is_narrow() ? int16_t(clamp_code(zero_point, code_range(format)))
                                               : zero_point);
    t.exponents.push_back(uint8_t(in.byte() % 255));
  }
  return t;
}

/// Every finite element that became a code has the code of the definition.
void check_codes(Tensor& from, Tensor& to, const ConvertOptions& options) {
  const size_t each = to.view().granule_elements();
  for (size_t i = 0; i < from.elements; ++i) {
    const int64_t code = exact_unpacked(to.codes, to.format.bits, i);
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
        exact_code(x.integer, multiplier(x.unit / unit_of(to.view(), i / each)), options.rounding, bits);
    require(code == clamped(expected, range));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput in{{data, size}};
  const ConvertOptions options{
      .rounding = in.rounding(), .scales = TargetScales(in.byte() % 2), .key = {in.word(), in.word()}};
  const size_t channels = 1 + in.byte() % 4, elements = in.byte() % 65;
  Tensor from = read_tensor(in, elements, channels), to = read_tensor(in, elements, channels);
  const bool is_copy = from.format == to.format && options.scales == TargetScales::kDynamic;
  if (convert(from.view(), to.view(), options).ok() && to.format.is_narrow() && !is_copy)
    check_codes(from, to, options);
  return 0;
}
