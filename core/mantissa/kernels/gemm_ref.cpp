// The product as it is defined: three loops. Normative for every variant.
#include "mantissa/kernels/gemm.hpp"

namespace mantissa {
namespace {

template <class A, class B, class C, class Term>
void add_products(const Gemm& g) {
  const A* a = static_cast<const A*>(g.a.data);
  const B* b = static_cast<const B*>(g.b.data);
  for (int32_t m = 0; m < g.shape.m; ++m) {
    for (int32_t n = 0; n < g.shape.n; ++n) {
      C& c = static_cast<C*>(g.c)[ptrdiff_t(m) * g.c_stride + n];
      C sum = g.store == GemmStore::kAdd ? c : C(0);
      for (int32_t outer = 0; outer < g.shape.outer; ++outer) {
        const A* pa = a + ptrdiff_t(m) * g.a.stride + ptrdiff_t(outer) * g.a.outer_stride;
        const B* pb = b + ptrdiff_t(n) * g.b.stride + ptrdiff_t(outer) * g.b.outer_stride;
        for (int32_t inner = 0; inner < g.shape.inner; ++inner)
          sum +=
              Term(pa[ptrdiff_t(inner) * g.a.inner_stride]) * Term(pb[ptrdiff_t(inner) * g.b.inner_stride]);
      }
      c = sum;
    }
  }
}

template <Operands kOperands, class A, class B>
void multiply_codes(const Gemm& g) {
  if (is<kOperands>(g.c_element, Element::kInt64))
    add_products<A, B, int64_t, int32_t>(g);
  else
    add_products<A, B, int32_t, int32_t>(g);
}

}  // namespace

template <Operands kOperands>
void ref::multiply(const Gemm& g) {
  const bool a8 = is<kOperands>(g.a.element, Element::kInt8), b8 = is<kOperands>(g.b.element, Element::kInt8);
  if (is<kOperands>(g.a.element, Element::kFloat32))
    add_products<float, float, float, float>(g);
  else if (a8 && b8)
    multiply_codes<kOperands, int8_t, int8_t>(g);
  else if (a8)
    multiply_codes<kOperands, int8_t, int16_t>(g);
  else if (b8)
    multiply_codes<kOperands, int16_t, int8_t>(g);
  else
    multiply_codes<kOperands, int16_t, int16_t>(g);
}

template void ref::multiply<Operands::kAny>(const Gemm&);
template void ref::multiply<Operands::kFloat32>(const Gemm&);
template void ref::multiply<Operands::kIntegers>(const Gemm&);
template void ref::multiply<Operands::kInt8>(const Gemm&);

}  // namespace mantissa
