// Vectors for the updates of 16-bit parameters from 32-bit sums; other storage goes to the plain loops.
// Included once for each instruction set, after update_parts_hwy.hpp.
namespace mantissa {
namespace HWY_NAMESPACE {

/// Elements begin .. end - 1 of an update with 32-bit sums.
template <class Update>
Update Part(const Update& u, int32_t begin, int32_t end) {
  Update part = u;
  part.sums = static_cast<const int32_t*>(u.sums) + begin;
  part.first = u.first + uint32_t(begin);
  part.count = end - begin;
  return part;
}

/// The float update of codes from 32-bit sums: the operations of update_codes, in their order.
struct FloatStep {
  using Floats = hn::RebindToFloat<Int32s>;
  using VecF = hn::Vec<Floats>;
  const Floats d = {};
  const Int32s di = {};
  VecF gain, decay, pull, rate, scale, inverse_scale, bound;
  Clamp clamp;

  explicit HWY_INLINE FloatStep(const FloatUpdate& u)
      : gain(hn::Set(d, u.gain)),
        decay(hn::Set(d, u.decay)),
        pull(hn::Set(d, u.pull)),
        rate(hn::Set(d, u.rate)),
        scale(hn::Set(d, u.scale)),
        inverse_scale(hn::Set(d, u.inverse_scale)),
        bound(hn::Set(d, float(2 * u.parameters.range.high))),
        clamp(u.parameters.range) {}

  HWY_INLINE Vec32 Apply(const int32_t* sums, float* momentum, Vec32 code, hn::Vec<Uint32s> bits) {
    const auto value = hn::Mul(hn::ConvertTo(d, code), scale);
    auto v = hn::Add(hn::Mul(hn::ConvertTo(d, hn::LoadU(di, sums)), gain), hn::Mul(pull, value));
    if (momentum != nullptr) {
      v = hn::Add(hn::Mul(decay, hn::LoadU(d, momentum)), v);
      hn::StoreU(v, d, momentum);
    }
    const auto wanted = hn::Mul(hn::Mul(rate, v), inverse_scale);
    const auto move = hn::Max(hn::Min(wanted, bound), hn::Neg(bound));
    const auto odd = hn::Or(hn::ShiftLeft<1>(hn::BitCast(di, bits)), hn::Set(di, 1));  // 2 * bits + 1
    const auto offset = hn::Mul(hn::ConvertTo(d, odd), hn::Set(d, 1.0f / 131072.0f));
    return clamp.Apply(hn::Add(code, hn::ConvertTo(di, hn::Floor(hn::Sub(offset, move)))));
  }
};

template <class Codes>
UpdateSeen UpdateFloatCodes(const FloatUpdate& u, Codes codes) {
  const int32_t lanes = int32_t(hn::Lanes(Int32s())), count = u.count;
  const uint32_t first = u.first;
  const int32_t* sums = static_cast<const int32_t*>(u.sums);
  float* momentum = u.momentum == nullptr ? nullptr : u.momentum + first;
  RandomPairs random(u.key, first, u.rounding, 0x8000u);
  ParameterWriter<Codes> writer(codes);
  FloatStep step(u);
  int32_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const uint32_t at = first + uint32_t(i);
    float* m = momentum == nullptr ? nullptr : momentum + i;
    hn::Vec<Uint32s> low_bits, high_bits;
    random.Draw(low_bits, high_bits);
    const auto low = step.Apply(sums + i, m, LoadParameters(codes, at), low_bits);
    const auto high = step.Apply(sums + i + lanes, m == nullptr ? m : m + lanes,
                                 LoadParameters(codes, at + uint32_t(lanes)), high_bits);
    writer.Store(at, low, high);
  }
  UpdateSeen seen = {.parameter = writer.Largest(), .parameter_saturated = step.clamp.Saturated()};
  seen.merge(update_float_codes<int32_t>(Part(u, i, count), codes));
  return seen;
}

/// Random words serve pairs, so vectors start at an even element.
template <class Update, class Plain, class Fast>
UpdateSeen FromEven(const Update& u, Plain plain, Fast fast) {
  if ((u.first & 1) == 0 || u.count == 0) return fast(u);
  UpdateSeen seen = plain(Part(u, 0, 1));
  seen.merge(fast(Part(u, 1, u.count)));
  return seen;
}

/// Calls `fast` with the update and its 16-bit codes, or else `plain`.
template <class Update, class Plain, class Fast>
UpdateSeen WithCodes16(const Update& u, Plain plain, Fast fast) {
  const CodeView& p = u.parameters;
  if (u.element != Element::kInt32 || p.bits != 16 || p.layout == CodeLayout::kGranule) return plain(u);
  if (p.layout == CodeLayout::kOffset16)
    return FromEven(
        u, plain, [&](const Update& even) { return fast(even, OffsetCodes{static_cast<int16_t*>(p.data)}); });
  return FromEven(u, plain,
                  [&](const Update& even) { return fast(even, Int16Codes{static_cast<int16_t*>(p.data)}); });
}

inline UpdateSeen FastUpdateInteger(const IntegerUpdate& u) { return update_integer(u); }

inline UpdateSeen FastUpdateFloat(const FloatUpdate& u) {
  if (u.values != nullptr) return update_float(u);
  return WithCodes16(u, update_float,
                     [](const FloatUpdate& even, auto codes) { return UpdateFloatCodes(even, codes); });
}

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
