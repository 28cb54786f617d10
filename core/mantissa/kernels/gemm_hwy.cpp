// The matrix product on hosts: b packed into panels, a packed 16 rows at a time, tiles of sums in registers.
// The structure is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008; one product
// is small here, so what counts is that packing costs little beside it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mantissa/kernels/gemm_hwy.cpp"
#include <hwy/foreach_target.h>
// Above must come first: it compiles this file once per target.
#include "mantissa/kernels/gemm_hwy.hpp"
#include "mantissa/kernels/gemm_rows_hwy.hpp"
#include "mantissa/kernels/gemm_tile_hwy.hpp"

#ifndef MANTISSA_GEMM_HWY_ONCE
#define MANTISSA_GEMM_HWY_ONCE
namespace mantissa {
namespace {

/// What prepare decided, at the start of scratch: run may see fewer rows, and must still agree.
enum class Form : int32_t { kInPlace, kInt8, kInt16, kFloat };

struct alignas(64) Packed {
  Form form;
  int32_t pitch;  ///< words between groups of a panel: n rounded up
};

constexpr int32_t round_up(int32_t x, int32_t to) { return (x + to - 1) / to * to; }

/// Packing b costs as much as a few rows of the product.
constexpr int32_t kFewRows = 4;
constexpr int32_t kPitchWords = 16;

int32_t* start_words(const Gemm& g) {
  return reinterpret_cast<int32_t*>(static_cast<Packed*>(g.scratch) + 1);
}
uint32_t* panel_words(const Gemm& g) {
  return reinterpret_cast<uint32_t*>(start_words(g)) + round_up(g.shape.n, kPitchWords);
}

/// The same on every target, so that a plan does not depend on the machine: 16 bits per code of b.
size_t scratch_bytes(const GemmShape& shape, Element, Element b) {
  if (shape.m < kFewRows) return sizeof(Packed);
  const int32_t group = b == Element::kFloat32 ? 1 : 2;
  const size_t groups = size_t(round_up(gemm_terms(shape), 4)) / size_t(group);
  return sizeof(Packed) + 4 * size_t(round_up(shape.n, kPitchWords)) * (groups + 1);
}

}  // namespace
}  // namespace mantissa
#endif

MANTISSA_BEFORE_NAMESPACE();
namespace mantissa {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void Prepare(const Gemm& g) { gemm_ref.prepare(g); }
void Run(const Gemm& g) { gemm_ref.run(g); }

#else

Form ChooseForm(const Gemm& g) {
  if (g.shape.m < kFewRows) return Form::kInPlace;
  if (g.a.element == Element::kFloat32) return Form::kFloat;
  const bool bytes = g.a.element == Element::kInt8 && g.b.element == Element::kInt8;
  return MANTISSA_VNNI && bytes && g.c_element == Element::kInt32 ? Form::kInt8 : Form::kInt16;
}

template <class P, class T>
void PackB(const Gemm& g, int32_t pitch) {
  const GemmWalk<T> walk = gemm_walk<T>(g.b, g.shape);
  const int32_t terms = gemm_terms(g.shape);
  if (walk.stride == 1 && walk.inner_stride != 1)
    PackAdjacent<P>(walk, 0, g.shape.n, 0, terms, panel_words(g), pitch);
  else
    PackTransposed<P>(walk, g.shape.n, terms, panel_words(g), pitch);
}

#if MANTISSA_VNNI
/// start[n] = -128 * sum over k of b[k, n].
void StoreColumnSums(const Gemm& g, int32_t pitch) {
  const Int32Tag d;
  const int32_t groups = round_up(gemm_terms(g.shape), 4) / 4;
  const Int32Vec offset = hn::Set(d, int32_t(0x80808080u));
  for (int32_t n = 0; n < pitch; n += int32_t(hn::Lanes(d))) {
    const int32_t* b = reinterpret_cast<const int32_t*>(panel_words(g)) + n;
    Int32Vec even = hn::Zero(d), odd = hn::Zero(d);
    int32_t group = 0;
    for (; group + 2 <= groups; group += 2, b += 2 * ptrdiff_t(pitch)) {
      DotInt8::Add(even, offset, hn::LoadU(d, b));
      DotInt8::Add(odd, offset, hn::LoadU(d, b + pitch));
    }
    if (group < groups) DotInt8::Add(even, offset, hn::LoadU(d, b));
    hn::StoreU(hn::Neg(hn::Add(even, odd)), d, start_words(g) + n);
  }
}
#endif

void Prepare(const Gemm& g) {
  Packed* packed = static_cast<Packed*>(g.scratch);
  packed->form = ChooseForm(g);
  const int32_t pitch = packed->pitch = round_up(g.shape.n, kPitchWords);
  switch (packed->form) {
    case Form::kInPlace: return;
    case Form::kFloat: return PackB<float, float>(g, pitch);
    case Form::kInt16:
      return g.b.element == Element::kInt8 ? PackB<int16_t, int8_t>(g, pitch)
                                           : PackB<int16_t, int16_t>(g, pitch);
    case Form::kInt8:
#if MANTISSA_VNNI
      PackB<int8_t, int8_t>(g, pitch);
      StoreColumnSums(g, pitch);
#endif
      return;
  }
}

/// c[rows, columns] of 64 bits += or = the tile's sums.
void StoreWide(const int32_t* sums, int32_t pitch, int32_t rows, int32_t columns, bool adds, int64_t* c,
               ptrdiff_t c_stride) {
  for (int32_t r = 0; r < rows; ++r)
    for (int32_t n = 0; n < columns; ++n) {
      int64_t& wide = c[r * c_stride + n];
      wide = (adds ? wide : 0) + sums[r * pitch + n];
    }
}

/// Rows [m0, m0 + rows) of c, for one block of k whose part of a is packed.
template <class Op, class Layout>
void MultiplyBlock(const Gemm& g, const uint8_t* a, int32_t m0, int32_t rows, int32_t first_group,
                   int32_t groups) {
  using Word = hn::TFromD<typename Op::D>;
  constexpr int kTallRows = HWY_TARGET <= HWY_AVX3 ? 16 : 8;  // as many sums as registers hold
  const int32_t lanes = int32_t(hn::Lanes(typename Op::D()));
  const int32_t pitch = static_cast<const Packed*>(g.scratch)->pitch;
  const bool wide = g.c_element == Element::kInt64;
  const bool adds = first_group > 0 || g.store == GemmStore::kAdd;
  const Word* start = reinterpret_cast<const Word*>(start_words(g));
  const Word* b = reinterpret_cast<const Word*>(panel_words(g)) + ptrdiff_t(first_group) * pitch;
  alignas(64) Word narrow[kBlockRows * 2 * kMaxLanes];
  for (int32_t n = 0; n < g.shape.n;) {
    const int32_t columns = std::min(g.shape.n - n, 2 * lanes);
    const bool starts = sizeof(typename Op::A) == 1 && first_group == 0;
    Tile<Word> t{a,      b + n,         pitch, groups, starts ? start + n : nullptr,
                 narrow, 2 * kMaxLanes, false, columns};
    if (!wide) {
      t.c = static_cast<Word*>(g.c) + ptrdiff_t(m0) * g.c_stride + n;
      t.c_stride = g.c_stride;
      t.adds = adds;
    }
    if (columns > lanes)
      MultiplyRows<Op, Layout, kTallRows / 2, 2>(t, rows);
    else
      MultiplyRows<Op, Layout, kTallRows, 1>(t, rows);
    if constexpr (std::is_same_v<Word, int32_t>)
      if (wide)
        StoreWide(narrow, 2 * kMaxLanes, rows, columns, adds,
                  static_cast<int64_t*>(g.c) + ptrdiff_t(m0) * g.c_stride + n, g.c_stride);
    n += columns;
  }
}

template <class Op, class T>
void Multiply(const Gemm& g) {
  using A = typename Op::A;
  constexpr int32_t kGroup = 4 / sizeof(A);
  const GemmWalk<T> walk = gemm_walk<T>(g.a, g.shape);
  const bool adjacent = walk.stride == 1 && walk.inner_stride != 1;
  const int32_t terms = gemm_terms(g.shape);
  // Two 16-bit products always fit in 32 bits, as no code is -32768.
  int32_t block = kBlockGroups * kGroup;
  if (g.c_element == Element::kInt64) block = std::clamp(g.block_terms / kGroup * kGroup, kGroup, block);
  alignas(64) uint8_t packed[kBlockRows * RowLayout::kRowBytes + kRowSlack];
  for (int32_t k0 = 0; k0 < terms; k0 += block) {
    const int32_t k1 = std::min(terms, k0 + block), groups = (k1 - k0 + kGroup - 1) / kGroup;
    for (int32_t m0 = 0; m0 < g.shape.m; m0 += kBlockRows) {
      const int32_t rows = std::min(g.shape.m - m0, kBlockRows);
      if (adjacent) {
        PackAdjacent<A>(walk, m0, rows, k0, k1, reinterpret_cast<uint32_t*>(packed), kBlockRows);
        MultiplyBlock<Op, PanelLayout>(g, packed, m0, rows, k0 / kGroup, groups);
      } else {
        FillRows(walk, m0, rows, k0, k1, reinterpret_cast<A*>(packed),
                 RowLayout::kRowBytes / ptrdiff_t(sizeof(A)));
        MultiplyBlock<Op, RowLayout>(g, packed, m0, rows, k0 / kGroup, groups);
      }
    }
  }
}

void Run(const Gemm& g) {
  switch (static_cast<const Packed*>(g.scratch)->form) {
    case Form::kInPlace: return MultiplyInPlace(g);
    case Form::kFloat: return Multiply<DotFloat, float>(g);
    case Form::kInt16:
      return g.a.element == Element::kInt8 ? Multiply<DotInt16, int8_t>(g) : Multiply<DotInt16, int16_t>(g);
    case Form::kInt8:
#if MANTISSA_VNNI
      Multiply<DotInt8, int8_t>(g);
#endif
      return;
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mantissa {

HWY_EXPORT(Prepare);
HWY_EXPORT(Run);

namespace {
void prepare(const Gemm& g) { HWY_DYNAMIC_DISPATCH(Prepare)(g); }
void run(const Gemm& g) {
  // A sum of no terms is still stored: a stride beyond the kernel leaves steps that no tap reaches.
  return gemm_terms(g.shape) == 0 ? gemm_ref.run(g) : HWY_DYNAMIC_DISPATCH(Run)(g);
}
}  // namespace

constinit const GemmKernel gemm_hwy = {{ScratchUse::kOperand, 64, scratch_bytes}, run, prepare};

}  // namespace mantissa
#endif
