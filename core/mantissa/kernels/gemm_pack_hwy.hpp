// Arranges operands of the matrix product so that one vector load feeds one multiply instruction.
// A word is 32 bits along k: 4 int8, 2 int16 or 1 float32; a panel is word[k / group][column].
#if defined(MANTISSA_GEMM_PACK_HWY) == defined(HWY_TARGET_TOGGLE)
#ifdef MANTISSA_GEMM_PACK_HWY
#undef MANTISSA_GEMM_PACK_HWY
#else
#define MANTISSA_GEMM_PACK_HWY
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "mantissa/kernels/gemm_walk.hpp"

// Highway 1.0.3 detects AVX-512 VNNI for this target, but does not tell the compiler.
#undef MANTISSA_BEFORE_NAMESPACE
#if HWY_TARGET == HWY_AVX3_DL
#define MANTISSA_BEFORE_NAMESPACE() HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni") static_assert(true)
#else
#define MANTISSA_BEFORE_NAMESPACE() HWY_BEFORE_NAMESPACE()
#endif

MANTISSA_BEFORE_NAMESPACE();
namespace mantissa {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// Only AVX-512 masks loads and stores of every width without touching what is masked off.
#define MANTISSA_NATIVE_MASKS (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)

/// The first `count` lanes from p, zeros behind; reads nothing behind.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const T* p, int32_t count) {
#if MANTISSA_NATIVE_MASKS
  return hn::MaskedLoad(hn::FirstN(d, size_t(count)), d, p);
#else
  alignas(64) T lanes[hn::MaxLanes(d)] = {};
  for (int32_t i = 0; i < count; ++i) lanes[i] = p[i];
  return hn::Load(d, lanes);
#endif
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreFirst(hn::Vec<D> v, D d, T* p, int32_t count) {
#if MANTISSA_NATIVE_MASKS
  hn::BlendedStore(v, hn::FirstN(d, size_t(count)), d, p);
#else
  alignas(64) T lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  for (int32_t i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

/// Codes of type T as the kernel multiplies them: uint8_t is int8_t plus 128.
template <class D, class T>
HWY_INLINE hn::Vec<D> Convert(D d, hn::Vec<hn::Rebind<T, D>> v) {
  using P = hn::TFromD<D>;
  if constexpr (std::is_same_v<P, T>)
    return v;
  else if constexpr (sizeof(P) == sizeof(T))
    return hn::Xor(hn::BitCast(d, v), hn::Set(d, P(0x80)));
  else
    return hn::PromoteTo(d, v);
}

template <class D, class T>
HWY_INLINE hn::Vec<D> LoadAs(D d, const T* p) {
  return Convert<D, T>(d, hn::LoadU(hn::Rebind<T, D>(), p));
}

template <class D, class T>
HWY_INLINE hn::Vec<D> LoadFirstAs(D d, const T* p, int32_t count) {
  return Convert<D, T>(d, LoadFirst(hn::Rebind<T, D>(), p, count));
}

/// dst[r * dst_pitch + j] = src[r * src_pitch + j] for j < count; up to one vector behind is overwritten.
template <class P, class T>
HWY_INLINE void CopyRows(const T* HWY_RESTRICT src, ptrdiff_t src_pitch, int32_t rows, int32_t count,
                         P* HWY_RESTRICT dst, ptrdiff_t dst_pitch) {
  const hn::CappedTag<P, 64 / sizeof(P)> d;
  const int32_t lanes = int32_t(hn::Lanes(d)), whole = count / lanes * lanes;
  for (int32_t r = 0; r < rows; ++r, src += src_pitch, dst += dst_pitch) {
    for (int32_t j = 0; j < whole; j += lanes) hn::StoreU(LoadAs(d, src + j), d, dst + j);
    if (whole < count) hn::StoreU(LoadFirstAs(d, src + whole, count - whole), d, dst + whole);
  }
}

template <class P, class T>
P convert_code(T x) {
  if constexpr (std::is_same_v<P, uint8_t>)
    return P(x + 128);
  else
    return P(x);
}

/// Bytes that FillRows may write behind the terms of a row.
constexpr size_t kRowSlack = 64;

/// dst[r * pitch + k - k0] = element (i0 + r, k) for k in [k0, k1), then zeros (uint8_t: 128 or 0) up to a whole word.
template <class P, class T>
HWY_NOINLINE void FillRows(const GemmWalk<T>& walk, int32_t i0, int32_t rows, int32_t k0, int32_t k1,
                           P* HWY_RESTRICT dst, ptrdiff_t pitch) {
  const hn::FixedTag<P, 4 / sizeof(P)> word;
  int32_t outer = k0 / walk.inner, first = k0 % walk.inner;
  while (k0 < k1) {
    const int32_t count = std::min(walk.inner - first, k1 - k0);
    const T* src = walk.at(i0, outer, first);
    if (walk.inner_stride == 1)
      CopyRows(src, walk.stride, rows, count, dst, pitch);
    else
      for (int32_t r = 0; r < rows; ++r) {
        for (int32_t j = 0; j < count; ++j)
          dst[r * pitch + j] = convert_code<P>(src[r * walk.stride + j * walk.inner_stride]);
        hn::StoreU(hn::Zero(word), word, dst + r * pitch + count);
      }
    dst += count;
    k0 += count;
    first = 0;
    ++outer;
  }
}

/// Writes 16 bytes of each of G rows as 4 G words: word j = element j of every row.
template <class P, class D, class V>
HWY_INLINE void StoreInterleaved(D d, const V (&rows)[4 / sizeof(P)], uint32_t* dst) {
  if constexpr (sizeof(P) == 4) {
    hn::StoreU(rows[0], d, reinterpret_cast<P*>(dst));
  } else if constexpr (sizeof(P) == 2) {
    hn::StoreU(hn::InterleaveLower(d, rows[0], rows[1]), d, reinterpret_cast<P*>(dst));
    hn::StoreU(hn::InterleaveUpper(d, rows[0], rows[1]), d, reinterpret_cast<P*>(dst + 4));
  } else {
    const hn::FixedTag<uint16_t, 8> pairs;
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, rows[0], rows[1]));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, rows[2], rows[3]));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, rows[0], rows[1]));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, rows[2], rows[3]));
    uint16_t* out = reinterpret_cast<uint16_t*>(dst);
    hn::StoreU(hn::InterleaveLower(pairs, low01, low23), pairs, out);
    hn::StoreU(hn::InterleaveUpper(pairs, low01, low23), pairs, out + 8);
    hn::StoreU(hn::InterleaveLower(pairs, high01, high23), pairs, out + 16);
    hn::StoreU(hn::InterleaveUpper(pairs, high01, high23), pairs, out + 24);
  }
}

/// Panel of columns [i0, i0 + count) and terms [k0, k1) of an operand whose columns are adjacent (stride 1).
/// `pitch` words from one group of terms to the next, a multiple of 16: columns up to there become zero.
template <class P, class T>
HWY_INLINE void PackAdjacent(const GemmWalk<T>& walk, int32_t i0, int32_t count, int32_t k0, int32_t k1,
                             uint32_t* HWY_RESTRICT dst, int32_t pitch) {
  constexpr int32_t kGroup = 4 / sizeof(P);
  // Interleaving keeps the order of columns within 16 bytes only; single floats need none.
  const hn::CappedTag<P, kGroup == 1 ? 16 : 16 / sizeof(P)> d;
  const int32_t lanes = int32_t(hn::Lanes(d));
  int32_t outer = k0 / walk.inner, inner = k0 % walk.inner;
  for (int32_t k = k0; k < k1; k += kGroup, dst += pitch) {
    const T* rows[kGroup];
    for (int32_t g = 0; g < kGroup; ++g) {
      rows[g] = k + g < k1 ? walk.at(i0, outer, inner) : nullptr;
      if (++inner == walk.inner) inner = 0, ++outer;
    }
    int32_t i = 0;
    if (rows[kGroup - 1])
      for (; i + lanes <= count; i += lanes) {
        hn::Vec<decltype(d)> v[kGroup];
        for (int32_t g = 0; g < kGroup; ++g) v[g] = LoadAs(d, rows[g] + i);
        StoreInterleaved<P>(d, v, dst + i);
      }
    for (; i < pitch; i += lanes) {
      const int32_t left = std::clamp(count - i, int32_t(0), lanes);
      hn::Vec<decltype(d)> v[kGroup];
      for (int32_t g = 0; g < kGroup; ++g) v[g] = rows[g] ? LoadFirstAs(d, rows[g] + i, left) : hn::Zero(d);
      StoreInterleaved<P>(d, v, dst + i);
    }
  }
}

using Words4 = hn::Vec<hn::FixedTag<uint32_t, 4>>;

/// Transposes 4 x 4 words.
HWY_INLINE void Transpose(Words4& v0, Words4& v1, Words4& v2, Words4& v3) {
  const hn::FixedTag<uint32_t, 4> d;
  const hn::FixedTag<uint64_t, 2> d64;
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, v0, v1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, v2, v3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, v0, v1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, v2, v3));
  v0 = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
  v1 = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
  v2 = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
  v3 = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
}

/// 16 rows of words, `row_pitch` apart, become `groups` lines of 16 words, `pitch` apart.
HWY_INLINE void TransposeRows(const uint32_t* HWY_RESTRICT rows, ptrdiff_t row_pitch, int32_t groups,
                              uint32_t* HWY_RESTRICT dst, ptrdiff_t pitch) {
  const hn::FixedTag<uint32_t, 4> d;
  for (int32_t q = 0; q < groups; q += 4, dst += 4 * pitch)
    for (int32_t i = 0; i < 16; i += 4) {
      const uint32_t* row = rows + i * row_pitch + q;
      auto v0 = hn::LoadU(d, row), v1 = hn::LoadU(d, row + row_pitch);
      auto v2 = hn::LoadU(d, row + 2 * row_pitch), v3 = hn::LoadU(d, row + 3 * row_pitch);
      Transpose(v0, v1, v2, v3);
      hn::StoreU(v0, d, dst + i);
      if (q + 1 < groups) hn::StoreU(v1, d, dst + pitch + i);
      if (q + 2 < groups) hn::StoreU(v2, d, dst + 2 * pitch + i);
      if (q + 3 < groups) hn::StoreU(v3, d, dst + 3 * pitch + i);
    }
}

/// Panel of columns [0, count) and all `terms` of an operand with any strides: rows along k are made contiguous, 16 at
/// a time, then transposed. `pitch` as above.
template <class P, class T>
HWY_INLINE void PackTransposed(const GemmWalk<T>& walk, int32_t count, int32_t terms,
                               uint32_t* HWY_RESTRICT dst, int32_t pitch) {
  constexpr int32_t kGroup = 4 / sizeof(P), kBlock = 128 * kGroup;
  constexpr size_t kRowWords = 128 + kRowSlack / 4;
  alignas(64) uint32_t rows[16][kRowWords] = {};
  for (int32_t k0 = 0; k0 < terms; k0 += kBlock) {
    const int32_t k1 = std::min(terms, k0 + kBlock), groups = (k1 - k0 + kGroup - 1) / kGroup;
    uint32_t* panel = dst + ptrdiff_t(k0 / kGroup) * pitch;
    for (int32_t i = 0; i < pitch; i += 16) {
      const int32_t present = std::min<int32_t>(count - i, 16);
      FillRows(walk, i, present, k0, k1, reinterpret_cast<P*>(rows[0]), kRowWords * kGroup);
      for (int32_t r = present; r < 16; ++r) std::memset(rows[r], 0, size_t(groups) * 4);
      TransposeRows(rows[0], kRowWords, groups, panel + i, pitch);
    }
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
HWY_AFTER_NAMESPACE();
#endif  // per target
