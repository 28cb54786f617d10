// The plain loops, for every set: two passes over a granule, the first to find the grid and the second to round.
#include "mantissa/kernels/gradient.hpp"

#include "mantissa/tensor/pack.hpp"

namespace mantissa {
namespace {

constexpr float kSmallestScale = 0x1p-100f;  // whose inverse is finite

/// floor(x), and NaN as the largest, within what a code can be apart from its zero point.
int32_t bounded_floor(float& x) {
  constexpr float kLimit = 0x1p17f;
  x = x < kLimit ? x : kLimit;
  x = x > -kLimit ? x : -kLimit;
  const int32_t whole = int32_t(x);
  return whole - (float(whole) > x ? 1 : 0);
}

struct ValueRange {
  float low = 0.0f, high = 0.0f;  // 0 is always within
};

bool fits(const GradientGrid& grid, CodeRange codes, ValueRange values) {
  return values.low >= grid.scale * float(codes.low - grid.zero_point) &&
         values.high <= grid.scale * float(codes.high - grid.zero_point);
}

/// One step of Asym is kept, so that a rounded zero point leaves both ends within the codes.
GradientGrid next_grid(const JoinGradient& j, ValueRange values) {
  GradientGrid grid = *j.stored.grid;
  const bool is_fixed = j.fixed_margin > 0.0f, is_asym = j.stored.format.kind == FormatKind::kAsym;
  const CodeRange codes = code_range(j.stored.format);
  if (grid.scale > 0.0f && (is_fixed || fits(grid, codes, values))) return grid;
  if (!is_asym) {
    values.high = values.high > -values.low ? values.high : -values.low;
    values.low = -values.high;
  }
  if (j.fixed_margin > 1.0f) {  // to both sides, since sums may change their sign
    const float largest = values.high > -values.low ? values.high : -values.low;
    const float more = (j.fixed_margin - 1.0f) * largest;
    values = {values.low - more, values.high + more};
  }
  if (!(values.high > values.low)) return grid;
  const float needed = (values.high - values.low) / float(codes.high - codes.low - (is_asym ? 1 : 0));
  grid.scale = needed > grid.scale ? needed : grid.scale;
  if (grid.scale < kSmallestScale) grid.scale = kSmallestScale;
  if (!is_asym) return grid;
  float below = values.low / grid.scale;
  grid.zero_point = int16_t(clamp_code(int64_t(codes.low) - bounded_floor(below), codes));
  return grid;
}

template <class Sum>
void join_sums(const JoinGradient& j) {
  const StoredGradient& s = j.stored;
  const Sum* sums = static_cast<const Sum*>(j.sums);
  const GradientGrid old = *s.grid;
  const int bits = s.format.bits;
  const auto value = [&](int32_t i) {
    const float stored =
        old.scale * float(unpack_code(s.codes, bits, s.first + uint32_t(i)) - old.zero_point);
    return stored + j.gain * float(sums[i]);
  };
  ValueRange values;
  for (int32_t i = 0; i < s.count; ++i) {
    const float v = value(i);
    values.low = v < values.low ? v : values.low;
    values.high = v > values.high ? v : values.high;
  }
  GradientGrid grid = next_grid(j, values);
  if (!(grid.scale > 0.0f)) return;  // all are 0 still
  const CodeRange codes = code_range(s.format);
  const float inverse = 1.0f / grid.scale;
  for (int32_t i = 0; i < s.count; ++i) {
    float x = value(i) * inverse;
    const int32_t whole = bounded_floor(x);
    const uint32_t random = 2 * random16(j.key, j.first_random + uint32_t(i)) + 1;
    const float fraction = x - float(whole), offset = float(int32_t(random)) * 0x1p-17f;
    const int32_t code = whole + grid.zero_point + (fraction + offset >= 1.0f ? 1 : 0);
    const int32_t clamped = clamp_code(code, codes);
    if (clamped != code && j.fixed_margin > 0.0f && grid.saturated < UINT16_MAX) ++grid.saturated;
    pack_code(s.codes, bits, s.first + uint32_t(i), clamped);
  }
  *s.grid = grid;
}

}  // namespace

void join_gradient(const JoinGradient& join) {
  switch (join.element) {
    case Element::kFloat32: return join_sums<float>(join);
    case Element::kInt64: return join_sums<int64_t>(join);
    case Element::kInt32: return join_sums<int32_t>(join);
    case Element::kInt8:
    case Element::kInt16: return;  // operands, not sums
  }
}

void read_gradient(const StoredGradient& stored, int32_t* out) {
  for (int32_t i = 0; i < stored.count; ++i)
    out[i] =
        unpack_code(stored.codes, stored.format.bits, stored.first + uint32_t(i)) - stored.grid->zero_point;
}

}  // namespace mantissa
