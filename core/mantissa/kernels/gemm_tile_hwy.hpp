// One tile of the matrix product: rows x vectors of sums that stay in registers over all of k.
// | instruction set       | int8 x int8          | with int16          | float32  |
// |-----------------------|----------------------|---------------------|----------|
// | AVX-512 VNNI          | vpdpbusd, a + 128    | vpdpwssd            | mul, add |
// | others                | widened to int16     | pairs (pmaddwd ...) | mul, add |
#if defined(MANTISSA_GEMM_TILE_HWY) == defined(HWY_TARGET_TOGGLE)
#ifdef MANTISSA_GEMM_TILE_HWY
#undef MANTISSA_GEMM_TILE_HWY
#else
#define MANTISSA_GEMM_TILE_HWY
#endif

#include "mantissa/kernels/gemm_pack_hwy.hpp"

MANTISSA_BEFORE_NAMESPACE();
namespace mantissa {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

#define MANTISSA_VNNI (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL)

constexpr int32_t kMaxLanes = 16;
using Int32Tag = hn::CappedTag<int32_t, kMaxLanes>;
using Int32Vec = hn::Vec<Int32Tag>;

#if MANTISSA_VNNI
/// sum[lane] += a[4] . b[4], a unsigned: the 128 that was added to a is paid back by column sums of b.
struct DotInt8 {
  using A = uint8_t;
  using B = int8_t;
  using D = Int32Tag;
  using Sum = Int32Vec;
  static constexpr bool kStartsFromC = false;
  static HWY_INLINE Int32Vec Broadcast(const uint8_t* a) {
    int32_t word;
    std::memcpy(&word, a, 4);
    return hn::Set(D(), word);
  }
  static HWY_INLINE Sum Zero() { return hn::Zero(D()); }
  static HWY_INLINE void Add(Sum& sum, Int32Vec a, Int32Vec b) {
    sum = Int32Vec{_mm512_dpbusd_epi32(sum.raw, a.raw, b.raw)};
  }
  static HWY_INLINE Int32Vec Finish(Sum sum) { return sum; }
};
#endif

/// sum[lane] += a[2] . b[2].
struct DotInt16 {
  using A = int16_t;
  using B = int16_t;
  using D = Int32Tag;
  static constexpr bool kStartsFromC = false;
  static HWY_INLINE Int32Vec Broadcast(const uint8_t* a) {
    int32_t word;
    std::memcpy(&word, a, 4);
    return hn::Set(D(), word);
  }
#if MANTISSA_VNNI
  using Sum = Int32Vec;
  static HWY_INLINE Sum Zero() { return hn::Zero(D()); }
  static HWY_INLINE void Add(Sum& sum, Int32Vec a, Int32Vec b) {
    sum = Int32Vec{_mm512_dpwssd_epi32(sum.raw, a.raw, b.raw)};
  }
  static HWY_INLINE Int32Vec Finish(Sum sum) { return sum; }
#else
  struct Sum {
    Int32Vec first, second;
    HWY_INLINE Sum() {}  // GCC would write these without the target's instructions
    HWY_INLINE Sum(Int32Vec sum0, Int32Vec sum1) : first(sum0), second(sum1) {}
  };
  static HWY_INLINE Sum Zero() { return {hn::Zero(D()), hn::Zero(D())}; }
  static HWY_INLINE void Add(Sum& sum, Int32Vec a, Int32Vec b) {
    const hn::Repartition<int16_t, D> d16;
    sum.first =
        hn::ReorderWidenMulAccumulate(D(), hn::BitCast(d16, a), hn::BitCast(d16, b), sum.first, sum.second);
  }
  static HWY_INLINE Int32Vec Finish(Sum sum) { return hn::RearrangeToOddPlusEven(sum.first, sum.second); }
#endif
};

/// sum[lane] += a * b, the product rounded first.
struct DotFloat {
  using A = float;
  using B = float;
  using D = hn::CappedTag<float, kMaxLanes>;
  using Sum = hn::Vec<D>;
  static constexpr bool kStartsFromC = true;
  static HWY_INLINE Sum Zero() { return hn::Zero(D()); }
  static HWY_INLINE Sum Broadcast(const uint8_t* a) {
    float word;
    std::memcpy(&word, a, 4);
    return hn::Set(D(), word);
  }
  static HWY_INLINE void Add(Sum& sum, Sum a, Sum b) { sum = hn::Add(sum, hn::Mul(a, b)); }
  static HWY_INLINE Sum Finish(Sum sum) { return sum; }
};

/// Where word (row, group) of the packed rows of a lies; constants, so that addresses are immediate operands.
struct RowLayout {  // each row contiguous along k; the odd pitch spreads rows over the sets of the cache
  static constexpr int32_t kRowBytes = 1024 + 64, kGroupBytes = 4;
};
struct PanelLayout {  // words of 16 rows adjacent
  static constexpr int32_t kRowBytes = 4, kGroupBytes = 64;
};
constexpr int32_t kBlockRows = 16, kBlockGroups = 256;

/// A tile's operands: c[row, column] = start[column] + (adds ? c : 0) + sum over groups.
template <class Word>
struct Tile {
  const uint8_t* a;
  const Word* b;
  ptrdiff_t b_pitch;  ///< words between groups
  int32_t groups;
  const Word* start;  ///< null for zeros
  Word* c;
  ptrdiff_t c_stride;
  bool adds;
  int32_t columns;  ///< valid ones in this tile
};

template <class Op, class Word>
HWY_INLINE hn::Vec<typename Op::D> StartOf(const Tile<Word>& t, const Word* c, int32_t column, bool full) {
  const typename Op::D d;
  auto v = t.start ? hn::LoadU(d, t.start + column) : hn::Zero(d);
  if (t.adds) {
    const auto old = full ? hn::LoadU(d, c + column) : LoadFirst(d, c + column, t.columns - column);
    v = t.start ? hn::Add(v, old) : old;
  }
  return v;
}

template <class Op, class Layout, int kRows, int kVectors, class Word>
HWY_NOINLINE void MultiplyTile(const Tile<Word>& t) {
  const typename Op::D d;
  using V = hn::Vec<decltype(d)>;
  const int32_t lanes = int32_t(hn::Lanes(d));
  const bool last_is_full = t.columns == kVectors * lanes;
  typename Op::Sum sum[kRows][kVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v)
      if constexpr (Op::kStartsFromC)
        sum[r][v] = StartOf<Op>(t, t.c + r * t.c_stride, v * lanes, v + 1 < kVectors || last_is_full);
      else
        sum[r][v] = Op::Zero();
  }
  const uint8_t* HWY_RESTRICT a = t.a;
  const Word* HWY_RESTRICT b = t.b;
  for (int32_t group = 0; group < t.groups; ++group) {
    V words[kVectors];
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) words[v] = hn::LoadU(d, b + v * lanes);
    HWY_UNROLL(16)
    for (int r = 0; r < kRows; ++r) {
      const V row = Op::Broadcast(a + r * Layout::kRowBytes);
      HWY_UNROLL(4)
      for (int v = 0; v < kVectors; ++v) Op::Add(sum[r][v], row, words[v]);
    }
    a += Layout::kGroupBytes;
    b += t.b_pitch;
  }
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r) {
    Word* c = t.c + r * t.c_stride;
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      const bool full = v + 1 < kVectors || last_is_full;
      V result = Op::Finish(sum[r][v]);
      if constexpr (!Op::kStartsFromC) result = hn::Add(result, StartOf<Op>(t, c, v * lanes, full));
      if (full)
        hn::StoreU(result, d, c + v * lanes);
      else
        StoreFirst(result, d, c + v * lanes, t.columns - v * lanes);
    }
  }
}

/// Tiles of kRows rows, then of half as many, ... down to one.
template <class Op, class Layout, int kRows, int kVectors, class Word>
HWY_INLINE void MultiplyRows(Tile<Word> t, int32_t rows) {
  while (rows >= kRows) {
    MultiplyTile<Op, Layout, kRows, kVectors>(t);
    t.a += kRows * Layout::kRowBytes;
    t.c += kRows * t.c_stride;
    rows -= kRows;
  }
  if constexpr (kRows > 1)
    if (rows > 0) MultiplyRows<Op, Layout, kRows / 2, kVectors>(t, rows);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
HWY_AFTER_NAMESPACE();
#endif  // per target
