// What the vector updates are made of: random bits, factors in 64-bit sums, 16-bit parameters, a clamp that counts.
// Included once for each instruction set, after sums_hwy.hpp and before update_hwy.hpp.
namespace mantissa {
namespace HWY_NAMESPACE {

using Uint32s = hn::RebindToUnsigned<Int32s>;
using Vec32 = hn::Vec<Int32s>;
using Wide = hn::Repartition<int64_t, Int32s>;

/// random16 of two vectors of elements at a time: each word serves two elements, the even one with its low half.
class RandomPairs {
 public:
  /// For elements first, first + 1 ...; first is even. Without randomness all bits are those of `constant`.
  HWY_INLINE RandomPairs(RandomKey key, uint32_t first, Rounding rounding, uint32_t constant)
      : stochastic_(rounding == Rounding::kStochastic), tweak_(hn::Set(d_, key.tweak)) {
    const auto index = hn::Add(hn::Iota(d_, 0u), hn::Set(d_, first >> 1));
    next_ = hn::Add(hn::Mul(index, hn::Set(d_, kGolden)), hn::Set(d_, key.offset));
    if (!stochastic_) next_ = hn::Set(d_, constant * 0x10001u);
  }
  HWY_INLINE void Draw(hn::Vec<Uint32s>& low, hn::Vec<Uint32s>& high) {
    auto x = next_;
    if (stochastic_) {
      next_ = hn::Add(next_, hn::Set(d_, kGolden * uint32_t(hn::Lanes(d_))));
      x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(d_, 0x21F0AAADu));
      x = hn::Mul(hn::Xor(x, hn::Xor(hn::ShiftRight<15>(x), tweak_)), hn::Set(d_, 0xD35A2D97u));
      x = hn::Xor(x, hn::ShiftRight<15>(x));
    }
    const hn::Repartition<uint16_t, Uint32s> halves;
    const hn::Half<decltype(halves)> half;
    low = hn::PromoteTo(d_, hn::LowerHalf(half, hn::BitCast(halves, x)));
    high = hn::PromoteTo(d_, hn::UpperHalf(half, hn::BitCast(halves, x)));
  }

 private:
  static constexpr uint32_t kGolden = 0x9E3779B9u;
  const Uint32s d_ = {};
  bool stochastic_;
  hn::Vec<Uint32s> tweak_, next_;
};

/// The lower halves of 32-bit lanes.
HWY_INLINE auto Lower16(Vec32 x) {
  const hn::Rebind<uint16_t, Uint32s> half;
  const hn::Rebind<int16_t, Int32s> codes;
  return hn::BitCast(codes, hn::TruncateTo(half, hn::BitCast(Uint32s(), x)));
}
using Int16s = hn::Repartition<int16_t, Int32s>;
using Vec16 = hn::Vec<Int16s>;

HWY_INLINE Vec32 LoadParameters(OffsetCodes codes, uint32_t i) {
  return hn::Sub(LoadCodes(codes.codes + i), hn::Set(Int32s(), kCodeOffset));
}
HWY_INLINE void StoreParameters(OffsetCodes codes, uint32_t i, Vec16 p) {
  hn::StoreU(hn::Add(p, hn::Set(Int16s(), int16_t(kCodeOffset))), Int16s(), codes.codes + i);
}
HWY_INLINE Vec32 LoadParameters(Int16Codes codes, uint32_t i) { return LoadCodes(codes.codes + i); }
HWY_INLINE void StoreParameters(Int16Codes codes, uint32_t i, Vec16 p) {
  hn::StoreU(p, Int16s(), codes.codes + i);
}

/// Parameters of 16 bits, two vectors at a time; knows the largest magnitude.
template <class Codes>
class ParameterWriter {
 public:
  explicit HWY_INLINE ParameterWriter(Codes codes) : codes_(codes), largest_(hn::Zero(Int32s())) {}
  HWY_INLINE void Store(uint32_t i, Vec32 low, Vec32 high) {
    largest_ = hn::Max(largest_, hn::Max(hn::Abs(low), hn::Abs(high)));
    StoreParameters(codes_, i, hn::Combine(Int16s(), Lower16(high), Lower16(low)));
  }
  uint32_t Largest() const { return uint32_t(hn::GetLane(hn::MaxOfLanes(Int32s(), largest_))); }

 private:
  Codes codes_;
  Vec32 largest_;
};

/// Clamps to a range, and counts what did not fit.
class Clamp {
 public:
  explicit HWY_INLINE Clamp(CodeRange range)
      : low_(hn::Set(Int32s(), range.low)),
        high_(hn::Set(Int32s(), range.high)),
        saturated_(hn::Zero(Int32s())) {}
  HWY_INLINE Vec32 Apply(Vec32 x) {
    const Vec32 clamped = hn::Min(hn::Max(x, low_), high_);
    saturated_ = hn::IfThenElse(hn::Ne(x, clamped), hn::Add(saturated_, hn::Set(Int32s(), 1)), saturated_);
    return clamped;
  }
  HWY_INLINE uint32_t Saturated() const {
    return uint32_t(hn::GetLane(hn::SumOfLanes(Int32s(), saturated_)));
  }

 private:
  Vec32 low_, high_, saturated_;
};

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
