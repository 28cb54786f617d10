// Plain loops over granules: a wire that is kept pays one more pass over its codes for each step that reads it.
#include "mantissa/kernels/kept.hpp"

#include "mantissa/num/requantize.hpp"
#include "mantissa/tensor/convert.hpp"

namespace mantissa {
namespace {

/// Calls body(granule, first, end) for the parts of first .. first + count - 1 that share a scale.
template <bool is_const, class Body>
void for_each_part(const BasicTensorView<is_const>& view, int32_t first, int32_t count, Body body) {
  const int32_t each = int32_t(view.granule_elements()), last = first + count;
  for (int32_t at = first; at < last;) {
    const int32_t granule = at / each, end = (granule + 1) * each;
    body(size_t(granule), at, end < last ? end : last);
    at = end;
  }
}

template <class Sum>
void look(const Sum* sums, int32_t count, KeptSeen& seen) {
  for (int32_t i = 0; i < count; ++i) {
    const int64_t sum = sums[i];
    if (sum > 0 && uint64_t(sum) > seen.above) seen.above = uint64_t(sum);
    if (sum < 0 && uint64_t(-sum) > seen.below) seen.below = uint64_t(-sum);
  }
}

Band band_of(const KeptSeen& seen, Scale unit) {
  Band band{.unit = unit};
  if (seen.above > 0) band.above = Scale::normalized(seen.above, 0) * unit;
  if (seen.below > 0) band.below = Scale::normalized(seen.below, 0) * unit;
  return band;
}

template <class Sum>
KeptSeen keep(const KeepSums& k) {
  KeptSeen all;
  for_each_part(k.to, k.first, k.count, [&](size_t granule, int32_t first, int32_t end) {
    const Sum* sums = static_cast<const Sum*>(k.sums) + (first - k.first);
    KeptSeen seen;
    look(sums, end - first, seen);
    if (k.scales == KeptScales::kFromSums)
      conversion::set_scale(k.to, granule, band_of(seen, k.unit), k.rounding);
    const conversion::Target target = conversion::target_of(k.to, granule);
    const Multiplier by = multiplier(k.unit / target.unit);
    size_t saturated = 0;
    for (int32_t i = first; i < end; ++i) {
      const uint32_t bits =
          k.rounding == Rounding::kStochastic ? random16(k.key, k.first_random + uint32_t(i)) : 0;
      const int32_t code = rescale_counted(sums[i - first], by, k.rounding, target.range, bits, saturated);
      store_code(k.to, size_t(i), code + target.zero_point);
    }
    all.above = seen.above > all.above ? seen.above : all.above;
    all.below = seen.below > all.below ? seen.below : all.below;
    all.saturated += saturated;
  });
  return all;
}

template <class Code>
uint64_t read(const ReadKept& r) {
  size_t saturated = 0;
  for_each_part(r.from, r.first, r.count, [&](size_t granule, int32_t first, int32_t end) {
    const Multiplier by = multiplier(unit_of(r.from, granule) / r.scale);
    const int32_t zero_point = zero_point_of(r.from, granule);
    Code* out = static_cast<Code*>(r.operand) - r.first;
    for (int32_t i = first; i < end; ++i)
      out[i] = Code(rescale_counted(int_repr(r.from, size_t(i)) - zero_point, by, Rounding::kHalfAway,
                                    r.range, 0, saturated));
  });
  return saturated;
}

}  // namespace

KeptSeen keep_sums(const KeepSums& k) {
  return k.element == Element::kInt64 ? keep<int64_t>(k) : keep<int32_t>(k);
}

uint64_t read_kept(const ReadKept& r) {
  return r.element == Element::kInt8 ? read<int8_t>(r) : read<int16_t>(r);
}

void read_weights(const ConstTensorView& weights, const TensorView& operand) {
  Conversion counts;
  conversion::set_scales<false>(weights, operand, Rounding::kHalfAway);
  conversion::codes_to_codes(weights, operand, {}, counts);
}

}  // namespace mantissa
