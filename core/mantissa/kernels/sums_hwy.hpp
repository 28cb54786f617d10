// Vectors for the hot cases of sums.hpp and quantization; everything else goes to the plain loops.
// Included once for each instruction set, after sums-inl.hpp and update-inl.hpp.
namespace mantissa {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Int32s = hn::ScalableTag<int32_t>;
using HalfOfUint64s = hn::Repartition<uint64_t, Int32s>;

/// Codes of one kind, widened to 32 bits.
template <class Code>
HWY_INLINE hn::Vec<Int32s> LoadCodes(const Code* codes) {
  const Int32s d;
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<Code, Int32s>(), codes));
}

/// 32-bit codes, known to fit, stored narrow.
template <class Code>
HWY_INLINE void StoreCodes(hn::Vec<Int32s> codes, Code* out) {
  const hn::Rebind<Code, Int32s> narrow;
  hn::StoreU(hn::DemoteTo(narrow, codes), narrow, out);
}

/// finish_rows for int32, with the largest magnitude kept in a vector over all rows.
template <class Mask>
uint64_t FinishInt32(const FinishSums& f) {
  const Int32s d;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const auto zero = hn::Zero(d);
  const int32_t* bias = static_cast<const int32_t*>(f.bias);
  const bool relu = f.activation == Activation::kRelu;
  auto largest = zero;
  int32_t largest_rest = 0;
  for (int32_t r = 0; r < f.rows; ++r) {
    int32_t* HWY_RESTRICT row = static_cast<int32_t*>(f.sums) + ptrdiff_t(r) * f.stride;
    const Mask* mask =
        f.mask == nullptr ? nullptr : static_cast<const Mask*>(f.mask) + ptrdiff_t(r) * f.mask_stride;
    int32_t c = 0;
    for (; c + lanes <= f.columns; c += lanes) {
      auto v = hn::LoadU(d, row + c);
      if (bias != nullptr) v = hn::Add(v, hn::LoadU(d, bias + c));
      if (relu) v = hn::Max(v, zero);
      if (mask != nullptr) v = hn::IfThenElseZero(hn::Gt(LoadCodes(mask + c), zero), v);
      hn::StoreU(v, d, row + c);
      largest = hn::Max(largest, hn::Abs(v));
    }
    for (; c < f.columns; ++c) {
      int32_t v = bias != nullptr ? row[c] + bias[c] : row[c];
      if ((relu && v < 0) || (mask != nullptr && mask[c] <= 0)) v = 0;
      row[c] = v;
      largest_rest = magnitude_of(v) > largest_rest ? magnitude_of(v) : largest_rest;
    }
  }
  const int32_t in_vectors = hn::GetLane(hn::MaxOfLanes(d, largest));
  return uint64_t(in_vectors > largest_rest ? in_vectors : largest_rest);
}

inline uint64_t FastFinishSums(const FinishSums& f) {
  if (f.element != Element::kInt32) return finish_sums(f);
  return f.mask_element == Element::kInt8 ? FinishInt32<int8_t>(f) : FinishInt32<int16_t>(f);
}

/// |x| * mantissa, rounded half up and shifted, at most `most`: for the even lanes of x.
template <class V>
HWY_INLINE hn::Vec<HalfOfUint64s> ScaleEven(V magnitude, V mantissa, hn::Vec<HalfOfUint64s> half, int shift,
                                            hn::Vec<HalfOfUint64s> most) {
  return hn::Min(hn::ShiftRightSame(hn::Add(hn::MulEven(magnitude, mantissa), half), shift), most);
}

/// rescale_row_half_away for a symmetric range: the magnitude is rounded half up, the sign comes back at the end.
template <class Code>
uint64_t RescaleHalfAway(const int32_t* HWY_RESTRICT sums, Code* HWY_RESTRICT codes, int32_t n, Multiplier by,
                         CodeRange range) {
  const Int32s d;
  const hn::RebindToUnsigned<Int32s> du;
  const HalfOfUint64s dw;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const auto mantissa = hn::Set(du, uint32_t(by.mantissa));
  const auto half = hn::Set(dw, uint64_t(1) << (by.shift - 1));
  const auto most = hn::Set(dw, uint64_t(range.high) + 1);
  const auto high = hn::Set(d, range.high);
  uint64_t saturated = 0;
  int32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, sums + i);
    const auto magnitude = hn::BitCast(du, hn::Abs(v));
    const auto odd_magnitude = hn::BitCast(du, hn::ShiftRight<32>(hn::BitCast(dw, magnitude)));
    const auto even = ScaleEven(magnitude, mantissa, half, by.shift, most);
    const auto odd = ScaleEven(odd_magnitude, mantissa, half, by.shift, most);
    const auto rounded = hn::BitCast(d, hn::Or(even, hn::ShiftLeft<32>(odd)));
    saturated += hn::CountTrue(d, hn::Gt(rounded, high));
    const auto sign = hn::ShiftRight<31>(v);
    StoreCodes(hn::Sub(hn::Xor(hn::Min(rounded, high), sign), sign), codes + i);
  }
  return saturated + rescale_row_half_away(sums + i, codes + i, n - i, by, range);
}

template <class Code>
uint64_t RescaleInt32(const RescaleSums& r) {
  const int32_t* sums = static_cast<const int32_t*>(r.sums);
  Code* codes = static_cast<Code*>(r.codes);
  if (r.code_stride == r.columns) return RescaleHalfAway(sums, codes, r.rows * r.columns, r.by, r.range);
  uint64_t saturated = 0;
  for (int32_t row = 0; row < r.rows; ++row)
    saturated += RescaleHalfAway(sums + ptrdiff_t(row) * r.columns, codes + ptrdiff_t(row) * r.code_stride,
                                 r.columns, r.by, r.range);
  return saturated;
}

inline uint64_t FastRescaleSums(const RescaleSums& r) {
  if (r.element != Element::kInt32 || r.rounding != Rounding::kHalfAway || r.range.low != -r.range.high)
    return rescale_sums(r);
  return r.code_element == Element::kInt8 ? RescaleInt32<int8_t>(r) : RescaleInt32<int16_t>(r);
}

/// A block of columns stays in a register over all rows.
template <class Code>
void AddColumns(const ColumnSums& s) {
  const Int32s d;
  const int32_t lanes = int32_t(hn::Lanes(d));
  int32_t* sums = static_cast<int32_t*>(s.sums);
  const Code* codes = static_cast<const Code*>(s.codes);
  int32_t c = 0;
  for (; c + lanes <= s.columns; c += lanes) {
    auto even = hn::LoadU(d, sums + c), odd = hn::Zero(d);
    int32_t r = 0;
    for (; r + 2 <= s.rows; r += 2) {
      even = hn::Add(even, LoadCodes(codes + ptrdiff_t(r) * s.stride + c));
      odd = hn::Add(odd, LoadCodes(codes + ptrdiff_t(r + 1) * s.stride + c));
    }
    if (r < s.rows) even = hn::Add(even, LoadCodes(codes + ptrdiff_t(r) * s.stride + c));
    hn::StoreU(hn::Add(even, odd), d, sums + c);
  }
  for (; c < s.columns; ++c)
    for (int32_t r = 0; r < s.rows; ++r) sums[c] += codes[ptrdiff_t(r) * s.stride + c];
}

inline void FastColumnSums(const ColumnSums& s) {
  if (s.sum_element != Element::kInt32) return column_sums(s);
  s.element == Element::kInt8 ? AddColumns<int8_t>(s) : AddColumns<int16_t>(s);
}

/// quantize_to with truncation and a compare for the tie, as there.
template <class Code>
uint64_t QuantizeTo(const QuantizeFloats& q) {
  const Int32s d;
  const hn::RebindToFloat<Int32s> df;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const auto inverse = hn::Set(df, q.inverse_scale);
  const auto low = hn::Set(df, float(q.range.low) - 1.0f), high = hn::Set(df, float(q.range.high) + 1.0f);
  const auto low_code = hn::Set(d, q.range.low), high_code = hn::Set(d, q.range.high), one = hn::Set(d, 1);
  Code* codes = static_cast<Code*>(q.codes);
  uint64_t saturated = 0;
  int32_t i = 0;
  for (; i + lanes <= q.count; i += lanes) {
    const auto x = hn::Mul(hn::LoadU(df, q.values + i), inverse);
    const auto bounded = hn::Min(hn::Max(x, low), high);
    const auto whole = hn::ConvertTo(d, bounded);
    const auto rest = hn::Sub(bounded, hn::ConvertTo(df, whole));
    const auto up = hn::RebindMask(d, hn::Ge(rest, hn::Set(df, 0.5f)));
    const auto down = hn::RebindMask(d, hn::Le(rest, hn::Set(df, -0.5f)));
    const auto code = hn::Sub(hn::Add(whole, hn::IfThenElseZero(up, one)), hn::IfThenElseZero(down, one));
    const auto clamped = hn::Min(hn::Max(code, low_code), high_code);
    saturated += uint64_t(lanes) - hn::CountTrue(d, hn::Eq(code, clamped));
    StoreCodes(clamped, codes + i);
  }
  QuantizeFloats rest = q;
  rest.values += i;
  rest.codes = codes + i;
  rest.count -= i;
  return saturated + quantize_to<Code>(rest);
}

inline uint64_t FastQuantizeFloats(const QuantizeFloats& q) {
  return q.element == Element::kInt8 ? QuantizeTo<int8_t>(q) : QuantizeTo<int16_t>(q);
}

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
