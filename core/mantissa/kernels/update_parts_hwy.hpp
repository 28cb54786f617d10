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

/// Q32 in vectors.
struct Factor {
  Vec32 q, shift;
  explicit HWY_INLINE Factor(Q32 factor)
      : q(hn::Set(Int32s(), factor.q)), shift(hn::Set(Int32s(), factor.shift)) {}
};

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
  HWY_INLINE void AddProduct(Vec32 x, const Factor& factor) {
    const auto shifted = hn::Shl(x, factor.shift);
    even = hn::Add(even, hn::MulEven(shifted, factor.q));
    odd = hn::Add(odd, hn::MulEven(OddToEven(shifted), factor.q));
  }
  HWY_INLINE void SubProduct(Vec32 x, const Factor& factor) {
    const auto shifted = hn::Shl(x, factor.shift);
    even = hn::Sub(even, hn::MulEven(shifted, factor.q));
    odd = hn::Sub(odd, hn::MulEven(OddToEven(shifted), factor.q));
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
HWY_INLINE void StoreParameters(SplitCodes codes, uint32_t i, Vec16 p) {
  const Int16s d;
  const hn::RebindToUnsigned<Int16s> du;
  const hn::Rebind<uint8_t, Int16s> bytes;
  const auto high = hn::ShiftRight<8>(hn::BitCast(du, hn::Add(p, hn::Set(d, 128))));
  hn::StoreU(hn::TruncateTo(bytes, high), bytes, reinterpret_cast<uint8_t*>(codes.high + i));
  hn::StoreU(hn::TruncateTo(bytes, hn::BitCast(du, p)), bytes, reinterpret_cast<uint8_t*>(codes.low + i));
}
HWY_INLINE Vec32 LoadParameters(Int16Codes codes, uint32_t i) { return LoadCodes(codes.codes + i); }
HWY_INLINE void StoreParameters(Int16Codes codes, uint32_t i, Vec16 p) {
  hn::StoreU(p, Int16s(), codes.codes + i);
}

/// Parameters of 16 bits, two vectors at a time; knows the largest magnitude.
template <class Codes>
class ParameterWriter {
 public:
  explicit HWY_INLINE ParameterWriter(Codes codes) : codes_(codes), largest_(hn::Zero(Int16s())) {}
  HWY_INLINE void Store(uint32_t i, Vec32 low, Vec32 high) {
    const Vec16 p = hn::Combine(Int16s(), Lower16(high), Lower16(low));
    largest_ = hn::Max(largest_, hn::Abs(p));
    StoreParameters(codes_, i, p);
  }
  uint64_t Largest() const {
    int16_t lanes[HWY_MAX_BYTES / 2], largest = 0;
    hn::StoreU(largest_, Int16s(), lanes);
    for (size_t i = 0; i < hn::Lanes(Int16s()); ++i) largest = lanes[i] > largest ? lanes[i] : largest;
    return uint64_t(largest);
  }

 private:
  Codes codes_;
  Vec16 largest_;
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
  HWY_INLINE uint64_t Saturated() const {
    return uint64_t(hn::GetLane(hn::SumOfLanes(Int32s(), saturated_)));
  }

 private:
  Vec32 low_, high_, saturated_;
};

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
