// Gradients that wait as codes, and float32 updates, against the independent model in tools/gold/updates.py, bit for bit.
#include <gtest/gtest.h>

#include "mantissa/kernels/host_targets.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "tests/golden_file.hpp"

namespace mantissa {
namespace {

float read_float(GoldenRow& row) { return std::bit_cast<float>(uint32_t(row.number())); }

std::vector<float> read_floats(GoldenRow& row) {
  std::vector<float> floats;
  for (const uint32_t bits : row.numbers<uint32_t>()) floats.push_back(std::bit_cast<float>(bits));
  return floats;
}

std::vector<uint32_t> bits_of(const std::vector<float>& floats) {
  std::vector<uint32_t> all;
  for (const float x : floats) all.push_back(std::bit_cast<uint32_t>(x));
  return all;
}

/// Sums of one of three elements.
struct GoldenSums {
  GoldenSums(GoldenRow& row, int64_t kind)
      : element(kind == 0   ? Element::kInt32
                : kind == 1 ? Element::kInt64
                            : Element::kFloat32) {
    if (element == Element::kFloat32)
      floats = read_floats(row);
    else
      wide = row.numbers<int64_t>();
    narrow.assign(wide.begin(), wide.end());
  }
  const void* data() const {
    return element == Element::kInt32   ? static_cast<const void*>(narrow.data())
           : element == Element::kInt64 ? static_cast<const void*>(wide.data())
                                        : floats.data();
  }
  Element element;
  std::vector<float> floats;
  std::vector<int64_t> wide;
  std::vector<int32_t> narrow;
};

RandomKey read_key(GoldenRow& row) {
  const auto offset = uint32_t(row.number());
  return {offset, uint32_t(row.number())};
}

void check_join(GoldenRow& row) {
  const auto kind = FormatKind(row.number());
  const Format format{kind, uint8_t(row.number()), 0};
  const auto count = int32_t(row.number());
  JoinGradient join;
  join.fixed_margin = read_float(row);
  join.gain = read_float(row);
  const int64_t source = row.number();
  join.key = read_key(row);
  constexpr uint32_t kFirst = 3;  // within its tensor
  std::vector<uint8_t> codes(packed_bytes(kFirst + size_t(count), format.bits));
  GradientGrid grid;
  join.stored = {codes.data(), format, &grid, kFirst, count};
  for (int turn = 0; turn < 3; ++turn) {
    join.first_random = uint32_t(row.number());
    const GoldenSums sums(row, source);
    join.sums = sums.data();
    join.element = sums.element;
    join_gradient(join);
    EXPECT_EQ(std::bit_cast<uint32_t>(grid.scale), row.number()) << "scale, join " << turn;
    EXPECT_EQ(grid.zero_point, row.number()) << "zero point, join " << turn;
    std::vector<int32_t> found;
    for (int32_t i = 0; i < count; ++i)
      found.push_back(unpack_code(codes.data(), format.bits, kFirst + size_t(i)));
    EXPECT_EQ(found, row.numbers<int32_t>()) << "codes, join " << turn;
    EXPECT_EQ(grid.saturated, row.number()) << "saturated, join " << turn;
  }
}

/// Parameters in one of their forms, from element `first` of the tensor on.
struct Parameters {
  Parameters(GoldenRow& row, int64_t bits, uint32_t index) : is_offset(bits == 1), first(index) {
    if (bits == 0) {
      floats = read_floats(row);
      floats.insert(floats.begin(), first, 0.0f);
      return;
    }
    const auto codes = row.numbers<int32_t>();
    view.bits = is_offset ? 16 : int32_t(bits);
    view.layout = is_offset ? CodeLayout::kOffset16 : CodeLayout::kPacked;
    view.range = is_offset ? kOffsetRange : symmetric_range(view.bits);
    packed.resize(packed_bytes(first + codes.size(), view.bits));
    for (size_t i = 0; i < codes.size(); ++i)
      pack_code(packed.data(), view.bits, first + i, codes[i] + (is_offset ? kCodeOffset : 0));
  }
  /// Codes, or the bits of floats.
  std::vector<int64_t> numbers(size_t count) const {
    std::vector<int64_t> all;
    for (size_t i = first; i < first + count; ++i)
      all.push_back(packed.empty()
                        ? int64_t(std::bit_cast<uint32_t>(floats[i]))
                        : unpack_code(packed.data(), view.bits, i) - (is_offset ? kCodeOffset : 0));
    return all;
  }

  bool is_offset;
  size_t first;
  std::vector<float> floats;
  std::vector<uint8_t> packed;
  CodeView view;
};

void check_sgd(GoldenRow& row) {
  FloatUpdate u;
  u.count = int32_t(row.number());
  const int64_t bits = row.number();
  const Scale scale = row.scale();
  u.scale = scale.to_float();
  u.inverse_scale = (Scale{} / scale).to_float();
  const int64_t source = row.number();
  for (float* number : {&u.gain, &u.rate, &u.decay, &u.pull}) *number = read_float(row);
  const bool has_momentum = row.number() == 1;
  u.rounding = row.number() == 1 ? Rounding::kStochastic : Rounding::kHalfAway;
  u.key = read_key(row);
  u.first = uint32_t(row.number());
  const GoldenSums sums(row, source);
  u.sums = sums.data();
  u.element = sums.element;
  const Parameters start(row, bits, u.first);
  std::vector<float> start_momentum = read_floats(row);
  start_momentum.insert(start_momentum.begin(), u.first, 0.0f);
  const auto expected = row.numbers<int64_t>();
  const std::vector<float> expected_momentum = read_floats(row);
  const int64_t largest = row.number(), saturated = row.number();
  const auto check = [&](const Kernels& kernels, const char* name) {
    Parameters found = start;
    std::vector<float> momentum = start_momentum;
    found.view.data = found.packed.data();
    u.parameters = found.view;
    u.values = bits == 0 ? found.floats.data() : nullptr;
    u.momentum = has_momentum ? momentum.data() : nullptr;
    const UpdateSeen seen = kernels.update_float(u);
    EXPECT_EQ(found.numbers(size_t(u.count)), expected) << name;
    if (has_momentum) {
      momentum.erase(momentum.begin(), momentum.begin() + u.first);
      EXPECT_EQ(bits_of(momentum), bits_of(expected_momentum)) << name;
    }
    EXPECT_EQ(seen.parameter, largest) << name;
    EXPECT_EQ(seen.parameter_saturated, saturated) << name;
  };
  check(kernels_ref, "reference");
  check(kernels_dsp, "cores with DSP instructions");
  check(kernels_small, "small cores");
  for (size_t i = 0; host_target_name(i); ++i) {
    select_host_target(host_target_name(i));
    check(kernels_hwy, host_target_name(i));
  }
  select_host_target("best");
}

TEST(Golden, Updates) {
  for_each_golden_row("updates.txt", [](GoldenRow& row, const std::string& text) {
    SCOPED_TRACE(text);
    const std::string kind = row.word();
    if (kind == "join")
      check_join(row);
    else if (kind == "sgd")
      check_sgd(row);
    else
      ADD_FAILURE() << "there is no " << kind;
  });
}

}  // namespace
}  // namespace mantissa
