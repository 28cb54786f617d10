// Four rows of a are unpacked side by side, a word for each code (a panel): then a term of four sums is five loads, four
// products and four additions, and pointers move once. b is read in place, whatever its strides.
#include "mantissa/kernels/gemm_small.hpp"

namespace mantissa {
namespace small {
namespace {

struct Four {
  int32_t a, b, c, d;
};

template <class B>
Four add_terms(const int32_t* panel, const int8_t* b, ptrdiff_t step, int32_t terms, Four s) {
  const auto add = [&](const int32_t* words) {
    const int32_t code = *reinterpret_cast<const B*>(b);
    s.a += words[0] * code;
    s.b += words[1] * code;
    s.c += words[2] * code;
    s.d += words[3] * code;
    b += step;
  };
  const int32_t* const end = panel + ptrdiff_t(4) * terms;
  if (terms & 1) {
    add(panel);
    panel += 4;
  }
  for (; panel != end; panel += 8) {
    add(panel);
    add(panel + 4);
  }
  return s;
}

/// Rows m to m + 3 of a, as far as there are any; others are 0, and their sums not used.
void unpack(const Side& a, int32_t m, const Block& block, int32_t* panel) {
  for (int32_t segment = 0; segment < block.segments; ++segment) {
    const Vectors rows = vectors_of(a, m, a.count - m < 4 ? a.count - m : 4, block, segment);
    for (int32_t r = 0; r < rows.count; ++r) {
      const int8_t* p = rows.data + r * rows.stride;
      int32_t* word = panel + r;
      for (int32_t k = 0; k < rows.terms; ++k, p += rows.term_stride, word += 4)
        *word = load_code(p, a.element);
    }
    for (int32_t r = rows.count; r < 4; ++r)
      for (int32_t k = 0; k < rows.terms; ++k) panel[4 * k + r] = 0;
    panel += ptrdiff_t(4) * block.terms;
  }
}

template <class B>
void multiply_panels(const Gemm& g, const Side& a, const Side& b, const Block& block) {
  int32_t* const panel = static_cast<int32_t*>(g.scratch);
  for (int32_t m = 0; m < a.count; m += 4) {
    unpack(a, m, block, panel);
    const Sums to = sums_at(g, m, 0, 1, g.c_stride, a.count - m, block.adds);
    const bool plain = to.is_plain();
    char* c = to.c;
    const int8_t* column = vectors_of(b, 0, 0, block, 0).data;
    for (int32_t n = 0; n < b.count; ++n, column += b.stride, c += to.stride) {
      Four s = {};
      const int8_t* p = column;
      const int32_t* words = panel;
      for (int32_t left = block.segments; left > 0;
           --left, p += b.segment_stride, words += ptrdiff_t(4) * block.terms)
        s = add_terms<B>(words, p, b.term_stride, block.terms, s);
      if (plain)
        Sums::put(c, to.vector_stride, s.a, s.b, s.c, s.d);
      else
        to.store(c, s.a, s.b, s.c, s.d);
    }
  }
}

template <class A, class B>
int32_t dot(const int8_t* a, ptrdiff_t a_step, const int8_t* b, ptrdiff_t b_step, int32_t terms,
            int32_t sum) {
  for (; terms > 0; --terms, a += a_step, b += b_step)
    sum += *reinterpret_cast<const A*>(a) * *reinterpret_cast<const B*>(b);
  return sum;
}

template <class A, class B>
void multiply_rows(const Gemm& g, const Side& a, const Side& b, const Block& block) {
  for (int32_t m = 0; m < a.count; ++m) {
    const Sums to = sums_at(g, m, 0, 1, 0, 1, block.adds);
    const int8_t* const row = vectors_of(a, m, 1, block, 0).data;
    const int8_t* column = vectors_of(b, 0, 1, block, 0).data;
    char* c = to.c;
    for (int32_t n = 0; n < b.count; ++n, column += b.stride, c += to.stride) {
      int32_t sum = 0;
      for (int32_t segment = 0; segment < block.segments; ++segment)
        sum = dot<A, B>(row + segment * a.segment_stride, a.term_stride, column + segment * b.segment_stride,
                        b.term_stride, block.terms, sum);
      to.store(c, sum);
    }
  }
}

template <Operands kOperands, class B>
void multiply_with(const Gemm& g) {
  const Segments k(g);
  const Side a(g.a, g.shape.m), b(g.b, g.shape.n);
  if (a.count >= kFewRows) {
    const int32_t slots = int32_t(gemm_scratch_bytes(g.shape, g.a.element, g.b.element) / 16);
    in_blocks(g, k, slots, [&](const Block& block) { multiply_panels<B>(g, a, b, block); });
  } else {
    in_blocks(g, k, INT32_MAX / 4 * 4, [&](const Block& block) {
      is<kOperands>(a.element, Element::kInt8) ? multiply_rows<int8_t, B>(g, a, b, block)
                                               : multiply_rows<int16_t, B>(g, a, b, block);
    });
  }
}

}  // namespace

template <Operands kOperands>
void multiply(const Gemm& g) {
  if (is<kOperands>(g.a.element, Element::kFloat32)) return ref::multiply<Operands::kFloat32>(g);
  if (g.shape.outer * g.shape.inner == 0) return store_no_terms(g);
  is<kOperands>(g.b.element, Element::kInt8) ? multiply_with<kOperands, int8_t>(g)
                                             : multiply_with<kOperands, int16_t>(g);
}

template void multiply<Operands::kAny>(const Gemm&);
template void multiply<Operands::kFloat32>(const Gemm&);
template void multiply<Operands::kIntegers>(const Gemm&);
template void multiply<Operands::kInt8>(const Gemm&);

}  // namespace small
}  // namespace mantissa
