// Vectors for the updates of 16-bit parameters from 32-bit sums; other storage goes to the plain loops.
// Included once for each instruction set, after update_parts_hwy.hpp.
namespace mantissa {
namespace HWY_NAMESPACE {

inline UpdateSeen Merged(UpdateSeen a, const UpdateSeen& b) {
  return {a.momentum > b.momentum ? a.momentum : b.momentum,
          a.parameter > b.parameter ? a.parameter : b.parameter, a.momentum_saturated + b.momentum_saturated,
          a.parameter_saturated + b.parameter_saturated};
}

/// Elements begin .. end - 1 of an update with 32-bit sums.
template <class Update>
Update Part(const Update& u, int32_t begin, int32_t end) {
  Update part = u;
  part.sums = static_cast<const int32_t*>(u.sums) + begin;
  part.first = u.first + uint32_t(begin);
  part.count = end - begin;
  return part;
}

HWY_INLINE void StoreMomentum(Vec32 v, int16_t* out) {
  hn::StoreU(Lower16(v), hn::Rebind<int16_t, Int32s>(), out);
}
HWY_INLINE void StoreMomentum(Vec32 v, int8_t* out) { StoreCodes(v, out); }

/// Loads sums and clamps them to what their factor allows.
struct SumLoader {
  Vec32 limit;

  explicit HWY_INLINE SumLoader(Q32 gain) : limit(hn::Set(Int32s(), int32_t(gain.limit()))) {}
  HWY_INLINE Vec32 Load(const int32_t* sums) const {
    return hn::Min(hn::Max(hn::LoadU(Int32s(), sums), hn::Neg(limit)), limit);
  }
};

/// What is the same for all elements, in registers: a store of codes cannot change it.
template <class Momentum>
struct MomentumStep {
  Factor decay, gain, pull, rate;
  SumLoader loader;
  bool pulls;
  Clamp clamp_v, clamp_p;
  Vec32 largest;

  explicit HWY_INLINE MomentumStep(const IntegerUpdate& u)
      : decay(u.decay),
        gain(u.gain),
        pull(u.pull),
        rate(u.rate),
        loader(u.gain),
        pulls(u.pull.q != 0),
        clamp_v(u.momentum_range),
        clamp_p(u.parameters.range),
        largest(hn::Zero(Int32s())) {}

  /// Writes the momentum and returns the parameters.
  HWY_INLINE Vec32 Apply(const int32_t* sums, Momentum* momentum, Vec32 p, hn::Vec<Uint32s> bits) {
    const Uint32s du;
    const auto middle = hn::Set(du, 1u << 23);
    WideSum total(hn::Or(hn::ShiftLeft<24>(bits), middle));  // (2 * (bits & 0xFF) + 1) << 23
    total.AddProduct(LoadCodes(momentum), decay);
    total.AddProduct(loader.Load(sums), gain);
    if (pulls) total.AddProduct(p, pull);
    const auto v = total.Upper();
    largest = hn::Max(largest, hn::Abs(v));
    const auto v_clamped = clamp_v.Apply(v);
    StoreMomentum(v_clamped, momentum);
    WideSum move(hn::Or(hn::And(hn::ShiftLeft<16>(bits), hn::Set(du, 0xFF000000u)), middle));
    move.SubProduct(v_clamped, rate);
    return clamp_p.Apply(hn::Add(p, move.Upper()));
  }
};

template <class Momentum, class Codes>
UpdateSeen UpdateWithMomentum(const IntegerUpdate& u, Codes codes) {
  const int32_t lanes = int32_t(hn::Lanes(Int32s())), count = u.count;
  const uint32_t first = u.first;
  const int32_t* sums = static_cast<const int32_t*>(u.sums);
  Momentum* momentum = static_cast<Momentum*>(u.momentum) + first;
  RandomPairs random(u.key, first, u.rounding, 0x8080u);
  ParameterWriter<Codes> writer(codes);
  MomentumStep<Momentum> step(u);
  int32_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const uint32_t at = first + uint32_t(i);
    hn::Vec<Uint32s> low_bits, high_bits;
    random.Draw(low_bits, high_bits);
    const auto low = step.Apply(sums + i, momentum + i, LoadParameters(codes, at), low_bits);
    const auto high = step.Apply(sums + i + lanes, momentum + i + lanes,
                                 LoadParameters(codes, at + uint32_t(lanes)), high_bits);
    writer.Store(at, low, high);
  }
  const uint64_t largest = uint64_t(hn::GetLane(hn::MaxOfLanes(Int32s(), step.largest)));
  const UpdateSeen seen = {largest, writer.Largest(), step.clamp_v.Saturated(), step.clamp_p.Saturated()};
  return Merged(seen, update_with_momentum<int32_t, Momentum>(Part(u, i, count), codes));
}

template <class Codes>
UpdateSeen UpdatePlain(const IntegerUpdate& u, Codes codes) {
  const Int32s d;
  const Uint32s du;
  const int32_t lanes = int32_t(hn::Lanes(d)), count = u.count;
  const Factor gain(u.gain), pull(u.pull);
  const SumLoader loader(u.gain);
  const bool pulls = u.pull.q != 0;
  const int32_t* sums = static_cast<const int32_t*>(u.sums);
  RandomPairs random(u.key, u.first, u.rounding, 0x8000u);
  ParameterWriter<Codes> writer(codes);
  Clamp clamp(u.parameters.range);
  const auto step = [&](const int32_t* g, Vec32 p, hn::Vec<Uint32s> bits) HWY_ATTR {
    WideSum move(hn::Or(hn::ShiftLeft<16>(bits), hn::Set(du, 1u << 15)));
    move.SubProduct(loader.Load(g), gain);
    if (pulls) move.SubProduct(p, pull);
    return clamp.Apply(hn::Add(p, move.Upper()));
  };
  int32_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const uint32_t at = u.first + uint32_t(i);
    hn::Vec<Uint32s> low_bits, high_bits;
    random.Draw(low_bits, high_bits);
    const auto low = step(sums + i, LoadParameters(codes, at), low_bits);
    const auto high = step(sums + i + lanes, LoadParameters(codes, at + uint32_t(lanes)), high_bits);
    writer.Store(at, low, high);
  }
  return Merged({0, writer.Largest(), 0, clamp.Saturated()}, update_plain<int32_t>(Part(u, i, count), codes));
}

template <class Codes>
UpdateSeen UpdateCodes(const IntegerUpdate& u, Codes codes) {
  if (u.momentum == nullptr) return UpdatePlain(u, codes);
  return u.momentum_element == Element::kInt8 ? UpdateWithMomentum<int8_t>(u, codes)
                                              : UpdateWithMomentum<int16_t>(u, codes);
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
  return Merged({0, writer.Largest(), 0, step.clamp.Saturated()},
                update_codes<int32_t>(Part(u, i, count), codes));
}

/// Random words serve pairs, so vectors start at an even element.
template <class Update, class Plain, class Fast>
UpdateSeen FromEven(const Update& u, Plain plain, Fast fast) {
  if ((u.first & 1) == 0 || u.count == 0) return fast(u);
  return Merged(plain(Part(u, 0, 1)), fast(Part(u, 1, u.count)));
}

/// Calls `fast` with the update and its 16-bit codes, or else `plain`.
template <class Update, class Plain, class Fast>
UpdateSeen WithCodes16(const Update& u, Plain plain, Fast fast) {
  const CodeView& p = u.parameters;
  if (u.element != Element::kInt32 || p.bits != 16) return plain(u);
  if (p.layout == CodeLayout::kSplit)
    return FromEven(u, plain, [&](const Update& even) {
      return fast(even, SplitCodes{static_cast<int8_t*>(p.data), p.low});
    });
  return FromEven(u, plain,
                  [&](const Update& even) { return fast(even, Int16Codes{static_cast<int16_t*>(p.data)}); });
}

inline UpdateSeen FastUpdateInteger(const IntegerUpdate& u) {
  return WithCodes16(u, update_integer,
                     [](const IntegerUpdate& even, auto codes) { return UpdateCodes(even, codes); });
}

inline UpdateSeen FastUpdateFloat(const FloatUpdate& u) {
  if (u.values != nullptr) return update_float(u);
  return WithCodes16(u, update_float,
                     [](const FloatUpdate& even, auto codes) { return UpdateFloatCodes(even, codes); });
}

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
