// Wires that are kept in formats which products do not read: sums become their codes, codes become operands.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

/// A sample of a kept wire. Scale and zero point of a wire with one scale for all samples are the slot's.
struct Engine::KeptView {
  Scale scale;
  int16_t zero_point = 0;
  TensorView codes;
};

/// Of the codes: that of the operand, except where these have a bit more than an operand can hold.
Scale Engine::kept_scale(const Wire& wire, int32_t sample) const {
  const bool halved = wire.format.kind == FormatKind::kAsym && wire.format.bits == 16;
  return wire_scale(wire, sample).shifted(halved ? -1 : 0);
}

int32_t Engine::zero_point(const Wire& wire, int32_t sample) const {
  if (wire.format.kind != FormatKind::kAsym) return 0;
  if (wire.below_slot < 0) return wire.zero_point;
  const Scale below = state(wire.below_slot, is_dynamic(wire) ? sample : 0).scale;
  const CodeRange range = code_range(wire.format);
  return range.low + rescale(1, multiplier(below / kept_scale(wire, sample)), Rounding::kHalfAway,
                             {0, range.high - range.low});
}

void Engine::view_kept(const Wire& wire, int32_t sample, KeptView& out) const {
  const size_t elements = size_t(plan_.tensors[size_t(wire.kept)].elements);
  const size_t bytes = packed_bytes(elements, wire.format.bits);
  TensorView& v = out.codes;
  v.format = wire.format;
  v.elements = elements;
  v.codes = {
      reinterpret_cast<uint8_t*>(arena_ + plan_.tensors[size_t(wire.kept)].offset) + size_t(sample) * bytes,
      bytes};
  if (wire.kept_scales < 0) {
    out.scale = kept_scale(wire, sample);
    out.zero_point = int16_t(zero_point(wire, sample));
    v.scales = {&out.scale, 1};
    v.zero_points = {&out.zero_point, 1};
    return;
  }
  set_metadata(v, data<>(wire.kept_scales, sample));
}

/// Sums of some rows of a sample to codes, and on to the operand. Returns what a delayed scale follows, and what did not fit.
Seen Engine::keep_rows(const Wire& wire, const RescaleSums& r, const SumRows& s) {
  const int32_t sample = s.sample;
  const bool own_scales = wire.kept_scales >= 0;
  const bool from_sums = own_scales || is_dynamic(wire);
  const bool is_asym = wire.format.kind == FormatKind::kAsym && !own_scales;
  KeptView view;
  view_kept(wire, sample, view);
  KeepSums keep;
  keep.to = view.codes;
  keep.scales = from_sums ? KeptScales::kFromSums : KeptScales::kGiven;
  keep.sums = r.sums;
  keep.element = r.element;
  keep.first = s.row * r.columns;
  keep.count = r.rows * r.columns;
  keep.unit = s.unit;
  keep.rounding = r.rounding;
  keep.key = r.key;
  keep.first_random = r.first_index - uint32_t(keep.first);
  const KeptSeen seen = kernels_->keep_sums(keep);
  if (from_sums && !own_scales) {
    if (s.magnitude == 0) view.scale = scale_of_nothing(code_range(wire.format).high);
    const bool halved = is_asym && wire.format.bits == 16;
    state(wire.slot, sample).scale = view.scale.shifted(halved ? 1 : 0);
    const uint32_t below = uint32_t(view.zero_point - code_range(wire.format).low);
    if (is_asym)
      state(wire.below_slot, sample).scale =
          below > 0 ? view.scale * Scale::normalized(below, 0) : view.scale.shifted(-kNothingBelow);
  }
  const uint64_t unread = read_rows(wire, sample, keep.first, keep.count);
  if (!is_asym) return {s.magnitude, seen.saturated + unread};
  WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[s.worker];
  const uint64_t below =
      in_unit(in_unit(seen.below, s.unit, s.seen_unit), s.seen_unit, seen_unit(wire, s.seen_unit));
  if (below > counter.wire_below) counter.wire_below = below;
  return {in_unit(seen.above, s.unit, s.seen_unit), seen.saturated + unread};
}

/// Some elements of a sample as an operand.
uint64_t Engine::read_rows(const Wire& wire, int32_t sample, int32_t first, int32_t count) const {
  const Tensor& t = plan_.tensors[size_t(wire.tensor)];
  KeptView view;
  view_kept(wire, sample, view);
  ReadKept read;
  read.from = view.codes;
  read.first = first;
  read.count = count;
  read.scale = wire_scale(wire, sample);
  read.range = symmetric_range(t.format.bits);
  read.operand = at(data<>(wire.tensor, sample), t.element, first);
  read.element = t.element;
  return kernels_->read_kept(read);
}

/// Codes that were selected from an operand with the same scale: nothing is rounded.
void Engine::keep_operand(const Wire& wire, int32_t sample) {
  constexpr int32_t kChunk = 32;
  const Tensor& t = plan_.tensors[size_t(wire.tensor)];
  KeptView view;
  view_kept(wire, sample, view);
  int32_t sums[kChunk];
  KeepSums keep;
  keep.to = view.codes;
  keep.sums = sums;
  keep.unit = view.scale;
  for (int32_t first = 0; first < t.elements; first += kChunk) {
    keep.first = first;
    keep.count = t.elements - first < kChunk ? t.elements - first : kChunk;
    widen(at(data<>(wire.tensor, sample), t.element, first), t.element, keep.count, sums);
    kernels_->keep_sums(keep);
  }
}

void Engine::run_read(const Wire& wire) {
  const int32_t elements = plan_.tensors[size_t(wire.tensor)].elements;
  parallel(count_, int64_t(count_) * elements * 16, [&](int32_t s, int32_t) {
    read_rows(wire, s, 0, elements);
    clear_halo(wire.tensor, s);
  });
}

/// The scale and the magnitude below zero for the next batch. The range is that of the largest sums on either side, with the
/// margin, and shrinks to no less than decay of itself on each.
void Engine::roll_asym(const Wire& wire) {
  ScaleState &above = state(wire.slot), &below = state(wire.below_slot);
  const uint64_t high = above.seen, low = below.seen;
  above.seen = below.seen = 0;
  if (high == 0 && low == 0) return;
  const Scale unit = above.unit * Scale::from_float(plan_.summary.margin);
  const Scale steps = Scale::normalized((uint64_t(1) << wire.format.bits) - 1, 0);
  const Scale tiny = unit.shifted(-kNothingBelow);
  Scale up = high > 0 ? Scale::normalized(high, 0) * unit : tiny;
  Scale down = low > 0 ? Scale::normalized(low, 0) * unit : tiny;
  const bool halved = wire.format.bits == 16;
  Scale width = dynamic::sum(up, down);
  if (progress_.calibrated && plan_.summary.decay > 0.0f) {
    const Scale decay = Scale::from_float(plan_.summary.decay);
    down = max(down, below.scale * decay);
    width = max(dynamic::sum(up, down), kept_scale(wire, 0) * steps * decay);
  }
  above.scale = (width / steps).shifted(halved ? 1 : 0);
  below.scale = down;
}

}  // namespace mantissa
