// Uses the core as a stranger does: its headers and its library, and nothing else of the sources.
#include <cstdint>

#include "mantissa/kernels/gemm.hpp"

int main() {
  const int8_t a[] = {1, 2, 3}, b[] = {4, 5, 6};
  int32_t c = 0;
  const mantissa::GemmOperand row{a, mantissa::Element::kInt8, 3, 3, 1},
      column{b, mantissa::Element::kInt8, 3, 3, 1};
  mantissa::gemm_ref.run({.shape = {1, 1, 1, 3}, .a = row, .b = column, .c = &c, .c_stride = 1});
  return c == 32 ? 0 : 1;
}
