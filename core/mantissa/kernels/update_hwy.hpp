// Vectors for the integer update of 16-bit parameters from 32-bit sums; other storage goes to the plain loops.
// Included once for each instruction set, after sums_hwy.hpp.
namespace mantissa {
namespace HWY_NAMESPACE {

using Uint32s = hn::RebindToUnsigned<Int32s>;
using Vec32 = hn::Vec<Int32s>;
using Wide = hn::Repartition<int64_t, Int32s>;

/// random16 of elements first .. first + lanes - 1, first even: each word serves two, the even one its low half.
HWY_INLINE hn::Vec<Uint32s> Random16(RandomKey key, uint32_t first) {
  const hn::Half<Uint32s> d;
  const auto index = hn::Add(hn::Iota(d, 0u), hn::Set(d, first >> 1));
  auto x = hn::Add(hn::Mul(index, hn::Set(d, 0x9E3779B9u)), hn::Set(d, key.offset));
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(d, 0x21F0AAADu));
  x = hn::Mul(hn::Xor(x, hn::Xor(hn::ShiftRight<15>(x), hn::Set(d, key.tweak))), hn::Set(d, 0xD35A2D97u));
  x = hn::Xor(x, hn::ShiftRight<15>(x));
  const hn::Rebind<uint16_t, Uint32s> halves;
  return hn::PromoteTo(Uint32s(), hn::BitCast(halves, x));
}

/// A 64-bit sum per 32-bit lane: even lanes and odd lanes apart.
struct WideSum {
  hn::Vec<Wide> even, odd;

  /// Starts at unsigned 32-bit offsets.
  explicit HWY_INLINE WideSum(hn::Vec<Uint32s> offset) {
    const hn::RebindToUnsigned<Wide> dw;
    const auto both = hn::BitCast(dw, offset);
    even = hn::BitCast(Wide(), hn::And(both, hn::Set(dw, 0xFFFFFFFFu)));
    odd = hn::BitCast(Wide(), hn::ShiftRight<32>(both));
  }
  HWY_INLINE void AddProduct(Vec32 x, Vec32 q) {
    even = hn::Add(even, hn::MulEven(x, q));
    odd = hn::Add(odd, hn::MulEven(OddToEven(x), q));
  }
  HWY_INLINE void SubProduct(Vec32 x, Vec32 q) {
    even = hn::Sub(even, hn::MulEven(x, q));
    odd = hn::Sub(odd, hn::MulEven(OddToEven(x), q));
  }
  /// floor(sum / 2^32) of each lane.
  HWY_INLINE Vec32 Upper() const {
    const Int32s d;
    return hn::OddEven(hn::BitCast(d, odd), OddToEven(hn::BitCast(d, even)));
  }
  static HWY_INLINE Vec32 OddToEven(Vec32 x) {
    const hn::RebindToUnsigned<Wide> dw;
    return hn::BitCast(Int32s(), hn::ShiftRight<32>(hn::BitCast(dw, x)));
  }
};

HWY_INLINE Vec32 LoadParameters(SplitCodes codes, uint32_t i) {
  return hn::Add(hn::ShiftLeft<8>(LoadCodes(codes.high + i)), LoadCodes(codes.low + i));
}
HWY_INLINE void StoreParameters(SplitCodes codes, uint32_t i, Vec32 p) {
  StoreCodes(hn::ShiftRight<8>(hn::Add(p, hn::Set(Int32s(), 128))), codes.high + i);
  StoreCodes(hn::ShiftRight<24>(hn::ShiftLeft<24>(p)), codes.low + i);
}
HWY_INLINE Vec32 LoadParameters(Int16Codes codes, uint32_t i) { return LoadCodes(codes.codes + i); }
HWY_INLINE void StoreParameters(Int16Codes codes, uint32_t i, Vec32 p) { StoreCodes(p, codes.codes + i); }

/// Clamps, and keeps count and the largest magnitude of what `largest_of` says.
struct Clamp {
  Vec32 low, high, largest;
  uint64_t saturated = 0;

  explicit HWY_INLINE Clamp(CodeRange range)
      : low(hn::Set(Int32s(), range.low)), high(hn::Set(Int32s(), range.high)), largest(hn::Zero(Int32s())) {}
  HWY_INLINE Vec32 Apply(Vec32 x) {
    const Vec32 clamped = hn::Min(hn::Max(x, low), high);
    saturated += hn::Lanes(Int32s()) - hn::CountTrue(Int32s(), hn::Eq(x, clamped));
    return clamped;
  }
  HWY_INLINE void See(Vec32 x) { largest = hn::Max(largest, hn::Abs(x)); }
  HWY_INLINE uint64_t Largest() const { return uint64_t(hn::GetLane(hn::MaxOfLanes(Int32s(), largest))); }
};

inline UpdateSeen Merged(UpdateSeen a, const UpdateSeen& b) {
  return {a.momentum > b.momentum ? a.momentum : b.momentum, a.parameter > b.parameter ? a.parameter : b.parameter,
          a.momentum_saturated + b.momentum_saturated, a.parameter_saturated + b.parameter_saturated};
}

/// Elements begin .. end - 1 of an update.
inline IntegerUpdate Part(const IntegerUpdate& u, int32_t begin, int32_t end) {
  IntegerUpdate part = u;
  part.sums = static_cast<const int32_t*>(u.sums) + begin;
  part.first = u.first + uint32_t(begin);
  part.count = end - begin;
  return part;
}

HWY_INLINE Vec32 Shifted(Vec32 x, Q32 factor) { return hn::ShiftLeftSame(x, factor.shift); }

template <class Momentum, class Codes>
UpdateSeen UpdateWithMomentum(const IntegerUpdate& u, Codes codes) {
  const Int32s d;
  const Uint32s du;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const auto decay = hn::Set(d, u.decay.q), gain = hn::Set(d, u.gain.q), pull = hn::Set(d, u.pull.q), rate = hn::Set(d, u.rate.q);
  const bool stochastic = u.rounding == Rounding::kStochastic, pulls = u.pull.q != 0;
  const int32_t* sums = static_cast<const int32_t*>(u.sums);
  Momentum* momentum = static_cast<Momentum*>(u.momentum) + u.first;
  Clamp clamp_v(u.momentum_range), clamp_p(u.parameters.range);
  int32_t i = 0;
  for (; i + lanes <= u.count; i += lanes) {
    const uint32_t at = u.first + uint32_t(i);
    const auto bits = stochastic ? Random16(u.key, at) : hn::Set(du, 0x8080u);
    const auto middle = hn::Set(du, 1u << 23);
    const auto p = LoadParameters(codes, at);
    WideSum total(hn::Add(hn::ShiftLeft<24>(bits), middle));  // (2 * (bits & 0xFF) + 1) << 23
    total.AddProduct(Shifted(LoadCodes(momentum + i), u.decay), decay);
    total.AddProduct(Shifted(hn::LoadU(d, sums + i), u.gain), gain);
    if (pulls) total.AddProduct(Shifted(p, u.pull), pull);
    const auto v = total.Upper();
    const auto v_clamped = clamp_v.Apply(v);
    clamp_v.See(v);
    StoreCodes(v_clamped, momentum + i);
    WideSum move(hn::Add(hn::ShiftLeft<24>(hn::ShiftRight<8>(bits)), middle));
    move.SubProduct(Shifted(v_clamped, u.rate), rate);
    const auto p_clamped = clamp_p.Apply(hn::Add(p, move.Upper()));
    clamp_p.See(p_clamped);
    StoreParameters(codes, at, p_clamped);
  }
  const UpdateSeen seen = {clamp_v.Largest(), clamp_p.Largest(), clamp_v.saturated, clamp_p.saturated};
  return Merged(seen, update_with_momentum<int32_t, Momentum>(Part(u, i, u.count), codes));
}

template <class Codes>
UpdateSeen UpdatePlain(const IntegerUpdate& u, Codes codes) {
  const Int32s d;
  const Uint32s du;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const auto gain = hn::Set(d, u.gain.q), pull = hn::Set(d, u.pull.q);
  const bool stochastic = u.rounding == Rounding::kStochastic, pulls = u.pull.q != 0;
  const int32_t* sums = static_cast<const int32_t*>(u.sums);
  Clamp clamp(u.parameters.range);
  int32_t i = 0;
  for (; i + lanes <= u.count; i += lanes) {
    const uint32_t at = u.first + uint32_t(i);
    const auto bits = stochastic ? Random16(u.key, at) : hn::Set(du, 0x8000u);
    const auto p = LoadParameters(codes, at);
    WideSum move(hn::Add(hn::ShiftLeft<16>(bits), hn::Set(du, 1u << 15)));
    move.SubProduct(Shifted(hn::LoadU(d, sums + i), u.gain), gain);
    if (pulls) move.SubProduct(Shifted(p, u.pull), pull);
    const auto p_clamped = clamp.Apply(hn::Add(p, move.Upper()));
    clamp.See(p_clamped);
    StoreParameters(codes, at, p_clamped);
  }
  return Merged({0, clamp.Largest(), 0, clamp.saturated}, update_plain<int32_t>(Part(u, i, u.count), codes));
}

template <class Codes>
UpdateSeen UpdateCodes(const IntegerUpdate& u, Codes codes) {
  if (u.momentum == nullptr) return UpdatePlain(u, codes);
  return u.momentum_element == Element::kInt8 ? UpdateWithMomentum<int8_t>(u, codes) : UpdateWithMomentum<int16_t>(u, codes);
}

template <class Codes>
UpdateSeen UpdateFromEven(const IntegerUpdate& u, Codes codes) {
  if ((u.first & 1) == 0 || u.count == 0) return UpdateCodes(u, codes);
  return Merged(update_integer(Part(u, 0, 1)), UpdateCodes(Part(u, 1, u.count), codes));
}

inline UpdateSeen FastUpdateInteger(const IntegerUpdate& u) {
  const bool split = u.parameters.layout == CodeLayout::kSplit;
  if (u.element != Element::kInt32 || (!split && u.parameters.bits != 16)) return update_integer(u);
  return split ? UpdateFromEven(u, SplitCodes{static_cast<int8_t*>(u.parameters.data), u.parameters.low})
               : UpdateFromEven(u, Int16Codes{static_cast<int16_t*>(u.parameters.data)});
}

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
