// A SymInt32 is an exact sum on its way to a rounding. As storage it is dominated, and as an operand it is too wide.
#include "mantissa/tensor/format.hpp"

using namespace mantissa;

[[maybe_unused]] constexpr size_t bytes = Stored<Sym<8>>::bytes(3);
[[maybe_unused]] constexpr Product<Sym<8>, Sym<16>> product;

#ifdef STORED_SYM_INT32  // error: SymInt32 is an accumulator: store Float32 or Sym<b>
Stored<SymInt32> parameter;
#endif

#ifdef PRODUCT_OF_TWO_SYM_INT32  // error: an operand has at most 16 bits
Product<SymInt32, SymInt32> accumulators;
#endif

#ifdef PRODUCT_WITH_A_SYM_INT32  // error: an operand has at most 16 bits
Product<Sym<8>, SymInt32> half;
#endif

#ifdef PRODUCT_OF_FLOAT_AND_CODES  // error: a product of Float32 and codes has no meaning
Product<Float32, Sym<8>> mixed;
#endif

#ifdef PRODUCT_OF_A_MASK  // error: labels and masks are not multiplied
Product<Bool, Sym<8>> masked;
#endif

#ifdef ASYM_OF_17_BITS  // error: Asym has 2 to 16 bits
constexpr Format wide_asym = Asym<17>::kFormat;
#endif

#ifdef GROUP_OF_NO_ELEMENTS  // error: a group has 1 to 65534 elements
constexpr Format no_group = Bfp<8, 0>::kFormat;
#endif

#ifdef SYM_OF_17_BITS  // error: Sym has 2 to 16 bits
constexpr Format wide = Sym<17>::kFormat;
#endif
