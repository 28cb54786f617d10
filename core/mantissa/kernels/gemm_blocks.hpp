// A matrix product on a small core in parts: k in segments that lie on one line each, and in blocks that fit into scratch.
#pragma once
#include <initializer_list>

#include "mantissa/kernels/gemm.hpp"

namespace mantissa {

/// How consecutive codes lie in memory.
enum class Codes : uint8_t {
  kBytes,   ///< int8, one after the other
  kUppers,  ///< int8, the upper bytes of aligned int16
  kHalves,  ///< int16, one after the other
  kApart,   ///< any other way
};

/// Whether operands may lie so.
template <Operands kOperands>
inline constexpr bool has_halves = kOperands == Operands::kAny || kOperands == Operands::kIntegers;

/// Codes whose neighbours are `stride` elements apart; `others` has the operand's other strides, by OR.
inline Codes codes_along(const GemmOperand& o, int32_t stride, int32_t others) {
  if (o.element == Element::kInt16) return stride == 1 ? Codes::kHalves : Codes::kApart;
  if (stride == 1) return Codes::kBytes;
  const bool odd = reinterpret_cast<uintptr_t>(o.data) % 2 == 1;
  return stride == 2 && odd && others % 2 == 0 ? Codes::kUppers : Codes::kApart;
}

inline int32_t load_code(const int8_t* p, Element element) {
  return element == Element::kInt8 ? *p : *reinterpret_cast<const int16_t*>(p);
}

/// An operand with strides in bytes: the rows of a or the columns of b, `count` vectors of codes.
struct Side {
  const int8_t* data;
  ptrdiff_t stride, segment_stride, term_stride;
  Element element;
  Codes along, across;  ///< in the direction of k, from vector to vector
  int32_t count;

  Side(const GemmOperand& o, int32_t vectors)
      : data(static_cast<const int8_t*>(o.data)),
        stride(o.stride * ptrdiff_t(element_bytes(o.element))),
        segment_stride(o.outer_stride * ptrdiff_t(element_bytes(o.element))),
        term_stride(o.inner_stride * ptrdiff_t(element_bytes(o.element))),
        element(o.element),
        along(codes_along(o, o.inner_stride, o.stride | o.outer_stride)),
        across(codes_along(o, o.stride, o.inner_stride | o.outer_stride)),
        count(vectors) {}
};

/// Terms first .. first + terms - 1 of each of some segments.
struct Block {
  int32_t segment, segments, first, terms;
  bool adds;  ///< to what c has
};

/// `count` vectors of `terms` codes: (v, k) is data[v * stride + k * term_stride], bytes.
struct Vectors {
  const int8_t* data;
  ptrdiff_t stride, term_stride;
  Element element;
  Codes along, across;
  int32_t count, terms;
};

/// Vectors i .. i + count - 1 of a segment of a block.
[[gnu::noinline]] inline Vectors vectors_of(const Side& side, int32_t i, int32_t count, const Block& block,
                                            int32_t segment) {
  const ptrdiff_t at =
      i * side.stride + (block.segment + segment) * side.segment_stride + block.first * side.term_stride;
  return {side.data + at, side.stride, side.term_stride, side.element, side.along,
          side.across,    count,       block.terms};
}

/// The axis k of a product: segments, each on one line in both operands.
struct Segments {
  int32_t count, terms;

  explicit Segments(const Gemm& g) {
    const GemmShape& s = g.shape;
    const bool joins = s.outer == 1 || (g.a.outer_stride == s.inner * g.a.inner_stride &&
                                        g.b.outer_stride == s.inner * g.b.inner_stride);
    count = joins ? 1 : s.outer;
    terms = joins ? s.outer * s.inner : s.inner;
  }
};

/// The same product with the segments of a in the order of memory; the order of terms does not change a sum.
inline Gemm in_order_of_a(Gemm g) {
  if (g.a.outer_stride >= 0) return g;
  for (GemmOperand* o : {&g.a, &g.b}) {
    const ptrdiff_t last = (g.shape.outer - 1) * ptrdiff_t(o->outer_stride);
    o->data = static_cast<const int8_t*>(o->data) + last * ptrdiff_t(element_bytes(o->element));
    o->outer_stride = -o->outer_stride;
  }
  return g;
}

/// The segments of a block follow one another in this operand without a gap.
inline bool is_one_line(const Side& side, const Block& block) {
  return block.segments > 1 && side.segment_stride == block.terms * side.term_stride;
}

/// Columns of b that do not share a signal: the channels of x, if column n is channel n % channels, n / channels steps
/// later, as in overlapping windows; else all.
inline int32_t signal_channels(const Gemm& g, const Segments& k) {
  const int32_t channels = g.b.inner_stride;
  const bool overlaps = g.b.stride == 1 && k.count == 1 && channels > 0 && g.shape.n > channels;
  return overlaps && g.shape.n % channels == 0 ? channels : g.shape.n;
}

/// A sum of no terms is still stored: a stride beyond the kernel leaves steps that no tap reaches.
[[gnu::noinline]] inline void store_no_terms(const Gemm& g) {
  if (g.store == GemmStore::kAdd) return;
  const size_t row = size_t(g.shape.n) * element_bytes(g.c_element);
  for (int32_t m = 0; m < g.shape.m; ++m) {
    char* const c =
        static_cast<char*>(g.c) + ptrdiff_t(m) * g.c_stride * ptrdiff_t(element_bytes(g.c_element));
    for (size_t i = 0; i < row; ++i) c[i] = 0;
  }
}

constexpr int32_t whole_groups(int32_t terms) { return (terms + 3) / 4 * 4; }

/// Cuts k so that `slots` codes, whole groups of four, are enough for a vector, and 32 bits for a sum.
template <class Body>
void in_blocks(const Gemm& g, const Segments& k, int32_t slots, Body body) {
  int32_t most = slots;
  if (g.c_element == Element::kInt64 && g.block_terms < most) most = g.block_terms < 2 ? 2 : g.block_terms;
  bool adds = g.store == GemmStore::kAdd;
  if (k.terms > most) {
    const int32_t size = most < 4 ? most : most / 4 * 4;
    for (int32_t segment = 0; segment < k.count; ++segment)
      for (int32_t first = 0; first < k.terms; first += size, adds = true)
        body(Block{segment, 1, first, k.terms - first < size ? k.terms - first : size, adds});
    return;
  }
  const int32_t fit = slots / whole_groups(k.terms), fold = most / k.terms;
  const int32_t size = fit < fold ? fit : fold;
  for (int32_t segment = 0; segment < k.count; segment += size, adds = true)
    body(Block{segment, k.count - segment < size ? k.count - segment : size, 0, k.terms, adds});
}

/// Where sums of 32 bits go: (tap, i, v) is at c + tap * tap_stride + i * stride + v * vector_stride, bytes.
struct Sums {
  char* c;
  ptrdiff_t stride, vector_stride, tap_stride;
  int32_t vectors;  ///< 1 to 4
  bool wide, adds;

  /// Four sums of 32 bits that overwrite, as most do.
  bool is_plain() const { return !wide && !adds && vectors == 4; }
  static void put(char* at, ptrdiff_t vector_stride, int32_t first, int32_t second, int32_t third,
                  int32_t fourth) {
    *reinterpret_cast<int32_t*>(at) = first;
    *reinterpret_cast<int32_t*>(at + vector_stride) = second;
    *reinterpret_cast<int32_t*>(at + 2 * vector_stride) = third;
    *reinterpret_cast<int32_t*>(at + 3 * vector_stride) = fourth;
  }

  void store(char* at, int32_t sum) const {
    if (wide) {
      int64_t* element = reinterpret_cast<int64_t*>(at);
      *element = (adds ? *element : 0) + sum;
    } else {
      int32_t* element = reinterpret_cast<int32_t*>(at);
      *element = (adds ? *element : 0) + sum;
    }
  }
  [[gnu::noinline]] void store(char* at, int32_t first, int32_t second, int32_t third, int32_t fourth) const {
    const int32_t sum[4] = {first, second, third, fourth};
    for (int32_t v = 0; v < vectors; ++v) store(at + v * vector_stride, sum[v]);
  }
};

/// Of c from (row, column) on, with strides in elements and `left` vectors to come.
[[gnu::noinline]] inline Sums sums_at(const Gemm& g, int32_t row, int32_t column, ptrdiff_t stride,
                                      ptrdiff_t vector_stride, int32_t left, bool adds) {
  const bool wide = g.c_element == Element::kInt64;
  const ptrdiff_t size = wide ? 8 : 4, at = ptrdiff_t(row) * g.c_stride + column;
  return {static_cast<char*>(g.c) + at * size,
          stride * size,
          vector_stride * size,
          0,
          left < 4 ? left : 4,
          wide,
          adds};
}

}  // namespace mantissa
