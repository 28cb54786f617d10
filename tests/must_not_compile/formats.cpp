// What has no meaning does not compile. A SymInt32 is an exact sum on its way to a rounding: dominated as storage, too wide as
// an operand. Masks and labels are no quantities.
#include "mantissa/tensor/convert.hpp"

using namespace mantissa;

[[maybe_unused]] constexpr size_t bytes = Stored<Sym<8>>::bytes(3);
[[maybe_unused]] constexpr Product<Sym<8>, Sym<16>> product;
[[maybe_unused]] const auto rounded = convert<SymInt32, Asym<8>>({}, {});

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

#ifdef MASK_TO_ASYM  // error: constraints not satisfied
const auto quantized_mask = convert<Bool, Asym<8>>({}, {});
#endif

#ifdef LABELS_TO_FLOAT32  // error: constraints not satisfied
const auto float_labels = convert<Int32, Float32>({}, {});
#endif

#ifdef SYM_TO_ACCUMULATOR  // error: constraints not satisfied
const auto accumulated = convert<Sym<8>, SymInt32>({}, {});
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
