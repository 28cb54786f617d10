// The matrix product for a few rows of a: b is used once or twice, so arranging it first would cost more than the product.
// Integers: vectors along k where both operands are contiguous there, else along n. Float32: lanes are always columns,
// since the terms of one sum have an order.
#if defined(MANTISSA_GEMM_ROWS_HWY) == defined(HWY_TARGET_TOGGLE)
#ifdef MANTISSA_GEMM_ROWS_HWY
#undef MANTISSA_GEMM_ROWS_HWY
#else
#define MANTISSA_GEMM_ROWS_HWY
#endif

#include "mantissa/kernels/gemm_tile_hwy.hpp"

MANTISSA_BEFORE_NAMESPACE();
namespace mantissa {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

constexpr int32_t kDots = 4;

/// Four columns of b, each contiguous along k; behind the last column it is repeated.
template <class T>
struct Columns {
  const T* at[kDots];
  Columns(const GemmWalk<T>& b, int32_t n, int32_t count, int32_t k) {
    for (int32_t j = 0; j < kDots; ++j) at[j] = b.at(std::min(n + j, count - 1), 0, k);
  }
};

/// out[j] = sum over k of a[k] * b.at[j][k].
template <class TA, class TB>
HWY_INLINE void Dots(const TA* a, const Columns<TB>& b, int32_t terms, int32_t (&out)[kDots]) {
  const Int32Tag d;
  const hn::Repartition<int16_t, Int32Tag> d16;
  const int32_t lanes = int32_t(hn::Lanes(d16));
  DotInt16::Sum sum[kDots];
  HWY_UNROLL(4)
  for (int32_t j = 0; j < kDots; ++j) sum[j] = DotInt16::Zero();
  int32_t k = 0;
  for (; k + lanes <= terms; k += lanes) {
    const Int32Vec words = hn::BitCast(d, LoadAs(d16, a + k));
    HWY_UNROLL(4)
    for (int32_t j = 0; j < kDots; ++j)
      DotInt16::Add(sum[j], words, hn::BitCast(d, LoadAs(d16, b.at[j] + k)));
  }
  if (k < terms) {
    const Int32Vec words = hn::BitCast(d, LoadFirstAs(d16, a + k, terms - k));
    HWY_UNROLL(4)
    for (int32_t j = 0; j < kDots; ++j)
      DotInt16::Add(sum[j], words, hn::BitCast(d, LoadFirstAs(d16, b.at[j] + k, terms - k)));
  }
  for (int32_t j = 0; j < kDots; ++j) out[j] = hn::GetLane(hn::SumOfLanes(d, DotInt16::Finish(sum[j])));
}

#if MANTISSA_VNNI
HWY_INLINE void Dots(const int8_t* a, const Columns<int8_t>& b, int32_t terms, int32_t (&out)[kDots]) {
  const Int32Tag d;
  const hn::Repartition<uint8_t, Int32Tag> unsigned8;
  const hn::Repartition<int8_t, Int32Tag> signed8;
  const int32_t lanes = int32_t(hn::Lanes(signed8));
  const Int32Vec offset = hn::Set(d, int32_t(0x80808080u));
  Int32Vec sum[kDots], excess[kDots];
  HWY_UNROLL(4)
  for (int32_t j = 0; j < kDots; ++j) sum[j] = excess[j] = hn::Zero(d);
  for (int32_t k = 0; k < terms; k += lanes) {
    const int32_t count = std::min(terms - k, lanes);
    const Int32Vec words = hn::BitCast(d, LoadFirstAs(unsigned8, a + k, count));
    HWY_UNROLL(4)
    for (int32_t j = 0; j < kDots; ++j) {
      const Int32Vec column = hn::BitCast(d, LoadFirst(signed8, b.at[j] + k, count));
      DotInt8::Add(sum[j], words, column);
      DotInt8::Add(excess[j], offset, column);
    }
  }
  for (int32_t j = 0; j < kDots; ++j) out[j] = hn::GetLane(hn::SumOfLanes(d, hn::Sub(sum[j], excess[j])));
}
#endif

/// Integers, both operands contiguous along k. C is int32_t, or int64_t with at most block_terms terms in 32 bits.
template <class TA, class TB, class C>
void MultiplyDots(const Gemm& g) {
  const GemmWalk<TA> a = gemm_walk<TA>(g.a, g.shape);
  const GemmWalk<TB> b = gemm_walk<TB>(g.b, g.shape);
  const int32_t terms = gemm_terms(g.shape), block = sizeof(C) == 8 ? g.block_terms : terms;
  for (int32_t m = 0; m < g.shape.m; ++m) {
    C* c = static_cast<C*>(g.c) + ptrdiff_t(m) * g.c_stride;
    for (int32_t n = 0; n < g.shape.n; n += kDots) {
      C sum[kDots] = {};
      for (int32_t k = 0; k < terms; k += block) {
        int32_t part[kDots];
        Dots(a.at(m, 0, k), Columns<TB>(b, n, g.shape.n, k), std::min(terms - k, block), part);
        for (int32_t j = 0; j < kDots; ++j) sum[j] += part[j];
      }
      for (int32_t j = 0; j < std::min(g.shape.n - n, kDots); ++j)
        c[n + j] = (g.store == GemmStore::kAdd ? c[n + j] : C(0)) + sum[j];
    }
  }
}

/// 4 columns of b for terms [k, k + count) as count vectors whose lanes are the columns; count is at most 4.
HWY_INLINE void LoadTransposed(const float* const* column, int32_t k, int32_t count, Words4 (&v)[4]) {
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<uint32_t, 4> bits;
  HWY_UNROLL(4)
  for (int32_t j = 0; j < 4; ++j)
    v[j] = hn::BitCast(bits, count == 4 ? hn::LoadU(d, column[j] + k) : LoadFirst(d, column[j] + k, count));
  Transpose(v[0], v[1], v[2], v[3]);
}

/// Float32, both operands contiguous along k: lanes are 16 columns, in 4 vectors because each sum is one chain of
/// additions. c[0, 16) starts as the sum and becomes it.
inline void AddFloatColumns(const float* a, const float* const (&column)[16], int32_t terms, float* c) {
  constexpr int32_t kChains = 4;
  const hn::FixedTag<float, 4> d;
  hn::Vec<decltype(d)> sum[kChains];
  HWY_UNROLL(4)
  for (int32_t i = 0; i < kChains; ++i) sum[i] = hn::LoadU(d, c + 4 * i);
  int32_t k = 0;
  for (; k + 4 <= terms; k += 4) {
    HWY_UNROLL(4)
    for (int32_t i = 0; i < kChains; ++i) {
      Words4 v[4];
      LoadTransposed(column + 4 * i, k, 4, v);
      HWY_UNROLL(4)
      for (int32_t j = 0; j < 4; ++j)
        sum[i] = hn::Add(sum[i], hn::Mul(hn::Set(d, a[k + j]), hn::BitCast(d, v[j])));
    }
  }
  HWY_UNROLL(4)
  for (int32_t i = 0; i < kChains; ++i) {
    Words4 v[4];
    LoadTransposed(column + 4 * i, k, terms - k, v);
    for (int32_t j = 0; j < terms - k; ++j)
      sum[i] = hn::Add(sum[i], hn::Mul(hn::Set(d, a[k + j]), hn::BitCast(d, v[j])));
    hn::StoreU(sum[i], d, c + 4 * i);
  }
}

inline void MultiplyFloatColumns(const Gemm& g) {
  const GemmWalk<float> a = gemm_walk<float>(g.a, g.shape), b = gemm_walk<float>(g.b, g.shape);
  for (int32_t m = 0; m < g.shape.m; ++m)
    for (int32_t n = 0; n < g.shape.n; n += 16) {
      const size_t bytes = size_t(std::min<int32_t>(g.shape.n - n, 16)) * sizeof(float);
      float* c = static_cast<float*>(g.c) + ptrdiff_t(m) * g.c_stride + n;
      float sums[16] = {};
      if (g.store == GemmStore::kAdd) std::memcpy(sums, c, bytes);
      const float* column[16];
      for (int32_t j = 0; j < 16; ++j) column[j] = b.at(std::min(n + j, g.shape.n - 1), 0, 0);
      AddFloatColumns(a.at(m, 0, 0), column, gemm_terms(g.shape), sums);
      std::memcpy(c, sums, bytes);
    }
}

/// Columns [n, n + count) of row m: c += a[m, k] * b[k, .] for each k in turn, b contiguous along n. C is the type of c.
template <int kVectors, class TA, class TB, class C>
HWY_INLINE void AddScaledRows(const Gemm& g, int32_t m, int32_t n, int32_t count) {
  const hn::CappedTag<C, kMaxLanes> d;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const GemmWalk<TA> a = gemm_walk<TA>(g.a, g.shape);
  const GemmWalk<TB> b = gemm_walk<TB>(g.b, g.shape);
  C* c = static_cast<C*>(g.c) + ptrdiff_t(m) * g.c_stride + n;
  const bool adds = g.store == GemmStore::kAdd, full = count == kVectors * lanes;
  hn::Vec<decltype(d)> sum[kVectors];
  for (int v = 0; v < kVectors; ++v)
    sum[v] = !adds ? hn::Zero(d) : full ? hn::LoadU(d, c + v * lanes) : LoadFirst(d, c, count);
  for (int32_t k = 0, ka = 0, kb = 0, oa = 0, ob = 0; k < gemm_terms(g.shape); ++k) {
    const auto factor = hn::Set(d, C(*a.at(m, oa, ka)));
    const TB* row = b.at(n, ob, kb);
    for (int v = 0; v < kVectors; ++v) {
      const auto x = full ? LoadAs(d, row + v * lanes) : LoadFirstAs(d, row, count);
      sum[v] = hn::Add(sum[v], hn::Mul(factor, x));
    }
    if (++ka == a.inner) ka = 0, ++oa;
    if (++kb == b.inner) kb = 0, ++ob;
  }
  for (int v = 0; v < kVectors; ++v)
    if (full)
      hn::StoreU(sum[v], d, c + v * lanes);
    else
      StoreFirst(sum[v], d, c, count);
}

/// Any type but 64-bit sums, b contiguous along n.
template <class TA, class TB, class C>
void MultiplyScaledRows(const Gemm& g) {
  const int32_t lanes = int32_t(hn::Lanes(hn::CappedTag<C, kMaxLanes>()));
  for (int32_t m = 0; m < g.shape.m; ++m) {
    int32_t n = 0;
    for (; n + 4 * lanes <= g.shape.n; n += 4 * lanes) AddScaledRows<4, TA, TB, C>(g, m, n, 4 * lanes);
    for (; n < g.shape.n; n += lanes) AddScaledRows<1, TA, TB, C>(g, m, n, std::min(g.shape.n - n, lanes));
  }
}

template <class TA, class TB>
bool contiguous_along_k(const Gemm& g) {
  const GemmWalk<TA> a = gemm_walk<TA>(g.a, g.shape);
  const GemmWalk<TB> b = gemm_walk<TB>(g.b, g.shape);
  const int32_t terms = gemm_terms(g.shape);
  return a.inner == terms && a.inner_stride == 1 && b.inner == terms && b.inner_stride == 1;
}

template <class TA, class TB>
void MultiplyCodesInPlace(const Gemm& g) {
  constexpr int32_t kLongBlock = 64;  // shorter sums are not worth vectors
  const bool wide = g.c_element == Element::kInt64, lines = contiguous_along_k<TA, TB>(g);
  if (lines && wide && g.block_terms >= kLongBlock)
    MultiplyDots<TA, TB, int64_t>(g);
  else if (lines && !wide)
    MultiplyDots<TA, TB, int32_t>(g);
  else if (g.b.stride == 1 && !wide)
    MultiplyScaledRows<TA, TB, int32_t>(g);
  else
    gemm_ref.run(g);
}

inline void MultiplyInPlace(const Gemm& g) {
  const bool a8 = g.a.element == Element::kInt8, b8 = g.b.element == Element::kInt8;
  if (g.a.element == Element::kFloat32) {
    if (g.b.stride == 1) return MultiplyScaledRows<float, float, float>(g);
    return contiguous_along_k<float, float>(g) ? MultiplyFloatColumns(g) : gemm_ref.run(g);
  }
  if (a8) return b8 ? MultiplyCodesInPlace<int8_t, int8_t>(g) : MultiplyCodesInPlace<int8_t, int16_t>(g);
  return b8 ? MultiplyCodesInPlace<int16_t, int8_t>(g) : MultiplyCodesInPlace<int16_t, int16_t>(g);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
HWY_AFTER_NAMESPACE();
#endif  // per target
