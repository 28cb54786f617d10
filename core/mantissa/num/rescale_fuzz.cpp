// Fuzzes the one rounding and what is made of it, requantization with each kind of scale, against 128-bit integers.
#include "mantissa/num/requantize.hpp"

#include <vector>

#include "tests/exact_rescale.hpp"
#include "tests/fuzz_input.hpp"

namespace {

using namespace mantissa;
using namespace mantissa::test;

constexpr CodeRange kWidest = {-(1 << 30), 1 << 30};

Multiplier any_multiplier(FuzzInput& in) { return {int32_t(1 + in.word() % INT32_MAX), 1 + in.byte() % 62}; }

/// Each way to round one sum.
void check_rescale(FuzzInput& in) {
  const int64_t sum = in.wide();
  const Multiplier by = any_multiplier(in);
  const Rounding rounding = in.rounding();
  const uint32_t bits = in.word() & 0xFFFF;
  const CodeRange range = in.byte() % 2 ? kWidest : symmetric_range(2 + in.byte() % 15);
  const Wide exact = exact_code(sum, by, rounding, bits);
  require(rescale_wide(sum, by, rounding, range, bits) == clamped(exact, range));
  size_t saturated = 0;
  require(rescale_counted(sum, by, rounding, range, bits, saturated) == clamped(exact, range));
  require(saturated == (clamped(exact, kWidest) != clamped(exact, range) ? 1u : 0u));
  const int32_t narrow = int32_t(sum >> 31);
  const Wide exact_narrow = exact_code(narrow, by, rounding, bits);
  require(scaled(narrow, by, rounding, bits) == exact_narrow);
  require(rescale(narrow, by, rounding, range, bits) == clamped(exact_narrow, range));
  const int32_t code = narrow >> 15;
  if (by.shift > 16) require(scaled_code(code, by) == exact_code(code, by, Rounding::kHalfAway, 0));
}

/// n / d as Scale says it: the quotient of the mantissas floored at 32 bits below the point, then 31 bits of it, ties up.
Scale exact_quotient(Scale a, Scale b) {
  const uint64_t quotient = uint64_t((Wide(a.mantissa) << 32) / b.mantissa);
  int drop = 0;
  while (quotient >> drop >= uint64_t(1) << 31) ++drop;
  const uint64_t rounded = (quotient + (uint64_t(1) << drop) / 2) >> drop;
  const bool carries = rounded == uint64_t(1) << 31;
  return {uint32_t(carries ? rounded / 2 : rounded), a.exponent - b.exponent - 32 + drop + (carries ? 1 : 0)};
}

/// What a kernel takes for a factor: shifts of 1 to 62, and where those leave no bit, the smallest factor there is.
Multiplier exact_multiplier(Scale factor) {
  if (factor.exponent >= 0) return {INT32_MAX, 1};
  int64_t mantissa = factor.mantissa;
  int32_t shift = -factor.exponent;
  for (; shift > 62; --shift) mantissa /= 2;
  return {int32_t(mantissa > 0 ? mantissa : 1), shift};
}

template <class Sum>
void check_requantize(FuzzInput& in, const std::vector<Sum>& sums) {
  Requantization r{in.scale(), in.scale(), 2 + in.byte() % 15, in.rounding(), {in.word(), in.word()},
                   in.word()};
  const std::span<const Sum> all(sums);
  const CodeRange range = symmetric_range(r.bits);
  const uint64_t largest = largest_magnitude(all);
  const bool is_dynamic = in.byte() % 2 == 0;
  if (is_dynamic) r.scale = dynamic_scale(largest, r.unit, range.high);
  std::vector<int16_t> codes(sums.size());
  const size_t saturated = requantize(all, r, std::span(codes));
  const Multiplier by = exact_multiplier(exact_quotient(r.unit, r.scale));
  size_t beyond = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const Wide exact = exact_code(sums[i], by, r.rounding, random16(r.key, r.first_index + uint32_t(i)));
    require(codes[i] == clamped(exact, range));
    beyond += exact != codes[i];
    if (is_dynamic)
      require(exact >= range.low - 1 && exact <= range.high + 1);  // Floor and Stochastic may go one beyond
  }
  require(saturated == beyond);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput in{{data, size}};
  check_rescale(in);
  std::vector<int64_t> wide(1 + in.byte() % 8);
  for (int64_t& sum : wide) sum = in.wide();
  check_requantize(in, wide);
  std::vector<int32_t> narrow(1 + in.byte() % 8);
  for (int32_t& sum : narrow) sum = int32_t(in.word()) >> in.byte() % 32;
  check_requantize(in, narrow);
  return 0;
}
