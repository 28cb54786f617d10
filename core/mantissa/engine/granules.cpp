// Weights with a scale for each channel or group, zero points or shared exponents: first values, updates, and scales that follow.
// Products never see them so: once per batch they become an operand.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

TensorView Engine::weight_view(const LayerPlan& l) const {
  TensorView v;
  v.format = l.formats.parameter;
  v.elements = size_t(l.weights);
  v.channels = size_t(l.weight_rows());
  v.codes = {data<uint8_t>(l.weight), packed_bytes(v.elements, v.format.bits)};
  set_metadata(v, data<>(l.weight_scales));
  return v;
}

/// The codes of a granule as updates see them: less their zero point.
CodeView Engine::granule_codes(const LayerPlan& l, const TensorView& weights, size_t granule) const {
  CodeView view;
  view.layout = CodeLayout::kGranule;
  view.data = data<>(l.weight);
  view.bits = weights.format.bits;
  view.zero_point = zero_point_of(weights, granule);
  const CodeRange range = code_range(weights.format);
  view.range = {range.low - view.zero_point, range.high - view.zero_point};
  return view;
}

namespace {

/// What the codes of a granule span, less their zero point, 0 included.
struct Span {
  int32_t low = 0, high = 0;
};

Span span_of(const CodeView& view, int32_t first, int32_t count) {
  Span span;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t code = load_code(view, uint32_t(first + i));
    span.low = code < span.low ? code : span.low;
    span.high = code > span.high ? code : span.high;
  }
  return span;
}

/// Steps of the range that values take when their scale is chosen: all but a quarter.
constexpr int32_t wanted_steps(int32_t steps) { return steps - (steps / 4 > 1 ? steps / 4 : 1); }

/// The middle of what is left of the range of an Asym lies on either side.
int16_t middle_zero_point(CodeRange range, int32_t below, int32_t wanted) {
  return int16_t(range.low + below + (range.high - range.low - wanted) / 2);
}

/// A granule that holds -low .. high times `bound`; a norm's gamma is 1.
void set_first_scale(const TensorView& weights, size_t granule, Scale bound, bool is_norm) {
  const CodeRange range = code_range(weights.format);
  const int32_t steps = range.high - range.low;
  if (weights.format.kind == FormatKind::kAsym) {
    const int32_t wanted = wanted_steps(steps);
    const Scale width = is_norm ? bound : bound.shifted(1);
    weights.scales[granule] = width / Scale::normalized(uint32_t(wanted), 0);
    weights.zero_points[granule] = middle_zero_point(range, is_norm ? 0 : wanted / 2, wanted);
  } else if (weights.format.kind == FormatKind::kBfp) {
    weights.exponents[granule] = bfp_exponent({.above = bound}, weights.format.bits, Rounding::kHalfAway);
  } else {
    weights.scales[granule] = bound / Scale::normalized(uint32_t(range.high - range.high / 4), 0);
  }
}

/// How a granule goes on: nothing where its scale still fits.
struct Refit {
  bool is_needed = false;
  Scale scale;
  int32_t zero_point = 0;
  int32_t exponent_step = 0;
};

/// Largest code m of h: grows beyond 15/16 of the range, shrinks below half of it. Two bits have no room to grow into.
Refit refit_sym(Scale scale, int32_t m, int32_t h) {
  const bool outgrown = m * 16 > h * 15 && h > 1, small = m > 0 && m * 2 < h;
  if (!outgrown && !small) return {};
  return {true, scale * Scale::ratio(uint32_t(m), uint32_t(outgrown ? wanted_steps(h) : h - h / 4)), 0, 0};
}

Refit refit_bfp(int32_t m, int32_t h) {
  const bool outgrown = m * 16 > h * 15 && h > 1, small = m > 0 && m * 32 <= h * 15;
  if (!outgrown && !small) return {};
  return {true, {}, 0, outgrown ? 1 : -1};
}

/// A code at an end of the range, or a span below half of what is wanted.
Refit refit_asym(Scale scale, Span span, const CodeView& view) {
  const int32_t steps = view.range.high - view.range.low, used = span.high - span.low;
  const int32_t wanted = wanted_steps(steps);
  const bool outgrown = span.low == view.range.low || span.high == view.range.high;
  if (used == 0 || (!outgrown && used * 2 >= wanted)) return {};
  const int32_t below = int32_t(int64_t(-span.low) * wanted / used);
  const CodeRange codes = {view.range.low + view.zero_point, view.range.high + view.zero_point};
  return {true, scale * Scale::ratio(uint32_t(used), uint32_t(wanted)),
          middle_zero_point(codes, below, wanted), 0};
}

}  // namespace

/// Values uniform in +-bound, or 1 in a norm, in granules that all have the same scale.
void Engine::initialize_granules(const LayerPlan& l, Scale bound, RandomKey key) {
  const TensorView weights = weight_view(l);
  const bool is_norm = l.node.is_norm();
  const Scale largest = is_norm ? Scale{} : bound;
  const Scale unit = is_norm ? Scale{} : bound / Scale::normalized(32767, 0);
  const int32_t each = int32_t(weights.granule_elements());
  for (int32_t first = 0; first < l.weights; first += each) {
    const size_t granule = size_t(first / each);
    set_first_scale(weights, granule, largest, is_norm);
    const CodeView view = granule_codes(l, weights, granule);
    const Multiplier by = multiplier(unit / unit_of(weights, granule));
    for (int32_t i = first; i < first + each; ++i)
      store_code(view, uint32_t(i),
                 rescale(is_norm ? 1 : initial_code(key, i), by, Rounding::kHalfAway, view.range));
  }
}

/// After a look: scales that no longer fit are chosen anew, and the codes of their granules rounded into them.
void Engine::refit_granules(const LayerPlan& l) {
  const TensorView weights = weight_view(l);
  const int32_t each = int32_t(weights.granule_elements());
  const int16_t layer = plan_.tensors[size_t(l.weight)].layer;
  const RandomKey key =
      random_key(progress_.seed, progress_.step, parameter_stream(layer, ParameterStream::kWeightRefit));
  for (int32_t first = 0; first < l.weights; first += each) {
    const size_t granule = size_t(first / each);
    const CodeView view = granule_codes(l, weights, granule);
    const Span span = span_of(view, first, each);
    const int32_t largest = span.high > -span.low ? span.high : -span.low;
    const Scale scale = unit_of(weights, granule);
    const FormatKind kind = weights.format.kind;
    const Refit refit = kind == FormatKind::kAsym  ? refit_asym(scale, span, view)
                        : kind == FormatKind::kBfp ? refit_bfp(largest, view.range.high)
                                                   : refit_sym(scale, largest, view.range.high);
    if (!refit.is_needed) continue;
    if (kind == FormatKind::kBfp) {
      const int32_t exponent = int32_t(weights.exponents[granule]) + refit.exponent_step;
      if (exponent < 0 || exponent > kLargestExponentByte) continue;
      weights.exponents[granule] = uint8_t(exponent);
    } else {
      weights.scales[granule] = refit.scale;
      if (kind == FormatKind::kAsym) weights.zero_points[granule] = int16_t(refit.zero_point);
    }
    const Multiplier by = multiplier(scale / unit_of(weights, granule));
    const CodeView fitted = granule_codes(l, weights, granule);
    for (int32_t i = first; i < first + each; ++i)
      store_code(fitted, uint32_t(i),
                 rescale(load_code(view, uint32_t(i)), by, l.formats.parameter_rounding, fitted.range,
                         random16(key, uint32_t(i))));
  }
}

/// An update granule by granule, each with factors of its own scale.
UpdateSeen Engine::update_granules(const LayerPlan& l, const ParameterUpdate& u, const void* sums,
                                   int32_t first, int32_t count) {
  const TensorView weights = weight_view(l);
  const int32_t each = int32_t(weights.granule_elements());
  UpdateSeen seen;
  for (int32_t at_element = first; at_element < first + count;) {
    const size_t granule = size_t(at_element / each);
    const int32_t end =
        int32_t(granule + 1) * each < first + count ? int32_t(granule + 1) * each : first + count;
    ParameterUpdate part = u;
    set_factors(l, part, granule_codes(l, weights, granule), unit_of(weights, granule));
    seen.merge(apply_part(l, part, at(sums, u.sums, at_element - first), at_element, end - at_element));
    at_element = end;
  }
  // At few bits codes at an end of the range are no sign of trouble.
  if (updates_exactly(l.formats)) seen.parameter_saturated = 0;
  return seen;
}

}  // namespace mantissa
