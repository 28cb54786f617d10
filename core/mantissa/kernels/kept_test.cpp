// Codes of kept wires against real numbers: one rounding each way, within half a step of the scale that the granule has.
#include "mantissa/kernels/kept.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "tests/scale_value.hpp"

namespace mantissa {
namespace {

using test::value_of;

/// A sample with memory for any format.
struct Sample {
  Sample(Format format, size_t elements)
      : codes(packed_bytes(elements, format.bits)),
        scales(granules(format, elements)),
        zero_points(scales.size()),
        exponents(scales.size()) {
    view.format = format;
    view.elements = elements;
    view.codes = codes;
    view.scales = scales;
    view.zero_points = zero_points;
    view.exponents = exponents;
  }
  double step(size_t i) const { return value_of(unit_of(view, i / view.granule_elements())); }
  double value(size_t i) const {
    const ExactValue exact = exact_value(view, i);
    return double(exact.integer) * value_of(exact.unit);
  }

  std::vector<uint8_t> codes;
  std::vector<Scale> scales;
  std::vector<int16_t> zero_points;
  std::vector<uint8_t> exponents;
  TensorView view;
};

constexpr int32_t kElements = 48;

std::vector<int32_t> any_sums() {
  const int bits = *rc::gen::inRange(1, 31);
  const int32_t bound = int32_t((uint32_t(1) << bits) - 1);
  return *rc::gen::container<std::vector<int32_t>>(size_t(kElements), rc::gen::inRange(-bound, bound));
}

KeepSums request(Sample& sample, const std::vector<int32_t>& sums, Scale unit) {
  KeepSums keep;
  keep.to = sample.view;
  keep.scales = KeptScales::kFromSums;
  keep.sums = sums.data();
  keep.count = kElements;
  keep.unit = unit;
  return keep;
}

RC_GTEST_PROP(Kept, SumsAreWithinHalfAStepOfTheirGranule, ()) {
  const int bits = *rc::gen::inRange(2, 17);
  const Format format = *rc::gen::element(sym_format(bits), sym_format(bits, 8), asym_format(bits),
                                          asym_format(bits, 16), bfp_format(bits, 12));
  const std::vector<int32_t> sums = any_sums();
  const Scale unit = Scale::from_float(0.37f);
  Sample sample(format, kElements);
  const KeptSeen seen = keep_sums(request(sample, sums, unit));
  int64_t high = 0, low = 0;
  for (size_t i = 0; i < size_t(kElements); ++i) {
    high = std::max(high, int64_t(sums[i]));
    low = std::min(low, int64_t(sums[i]));
    const double wanted = sums[i] * value_of(unit), step = sample.step(i);
    // At the ends of an Asym both ends and the zero point round: up to one step.
    const double most = format.kind == FormatKind::kAsym ? 1.0 : 0.5;
    RC_ASSERT(std::fabs(sample.value(i) - wanted) <= step * (most + 0x1p-13));
  }
  RC_ASSERT(int64_t(seen.above) == high);
  RC_ASSERT(int64_t(seen.below) == -low);
}

RC_GTEST_PROP(Kept, PartsEqualTheWhole, ()) {
  const std::vector<int32_t> sums = any_sums();
  const int32_t cut = *rc::gen::inRange(1, kElements);
  Sample whole(asym_format(6), kElements), parts(asym_format(6), kElements);
  const Scale unit = Scale::from_float(0.01f);
  KeepSums keep = request(whole, sums, unit);
  keep.rounding = Rounding::kStochastic;
  keep.key = random_key(1, 2, 3);
  keep_sums(keep);
  keep.to = parts.view;
  keep.scales = KeptScales::kGiven;
  parts.scales[0] = whole.scales[0];
  parts.zero_points[0] = whole.zero_points[0];
  keep.count = cut;
  keep_sums(keep);
  keep.first = cut;
  keep.count = kElements - cut;
  keep.sums = sums.data() + cut;
  keep_sums(keep);
  RC_ASSERT(parts.codes == whole.codes);
}

RC_GTEST_PROP(Kept, AnAsymOfFifteenBitsIsReadExactly, ()) {
  const int bits = *rc::gen::inRange(2, 16);
  const std::vector<int32_t> sums = any_sums();
  Sample sample(asym_format(bits), kElements);
  keep_sums(request(sample, sums, Scale::from_float(3.0f)));
  std::vector<int16_t> operand(size_t(kElements), 0);
  ReadKept read;
  read.from = sample.view;
  read.count = kElements;
  read.scale = sample.scales[0];
  read.range = symmetric_range(bits + 1);
  read.operand = operand.data();
  read.element = Element::kInt16;
  RC_ASSERT(read_kept(read) == 0u);
  for (size_t i = 0; i < size_t(kElements); ++i)
    RC_ASSERT(operand[i] == int_repr(sample.view, i) - sample.zero_points[0]);
}

TEST(Kept, WhatDoesNotFitIsCounted) {
  const std::vector<int32_t> sums = {-9, 8, 7, -8, 100};
  Sample sample(sym_format(4), sums.size());
  sample.scales[0] = Scale{};
  KeepSums keep;
  keep.to = sample.view;
  keep.sums = sums.data();
  keep.count = 5;
  EXPECT_EQ(keep_sums(keep).saturated, 4u);
  for (const auto& [i, code] : {std::pair(0, -7), {1, 7}, {2, 7}, {3, -7}, {4, 7}})
    EXPECT_EQ(int_repr(sample.view, size_t(i)), code);
  int8_t operand[5] = {};
  ReadKept read;
  read.from = sample.view;
  read.count = 5;
  read.scale = Scale::from_float(0.5f);
  read.range = symmetric_range(4);
  read.operand = operand;
  EXPECT_EQ(read_kept(read), 5u);
}

}  // namespace
}  // namespace mantissa
