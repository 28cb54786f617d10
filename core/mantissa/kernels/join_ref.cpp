#include "mantissa/kernels/join.hpp"

#include "mantissa/num/rescale.hpp"

namespace mantissa {
namespace {

template <class Code, class Sum, class Term>
void join_rows(const JoinCodes& j, Term term) {
  for (int32_t r = 0; r < j.rows; ++r) {
    const Code* codes = static_cast<const Code*>(j.codes) + ptrdiff_t(r) * j.code_stride;
    Sum* sums = static_cast<Sum*>(j.sums) + ptrdiff_t(r) * j.sum_stride;
    for (int32_t c = 0; c < j.columns; ++c) sums[c] = (j.adds ? sums[c] : Sum(0)) + term(codes[c]);
  }
}

}  // namespace

void join_codes(const JoinCodes& j) {
  const auto in_unit = [by = j.by](int32_t code) { return int32_t(scaled(code, by, Rounding::kHalfAway)); };
  if (j.element == Element::kInt8) return join_rows<int8_t, int32_t>(j, in_unit);
  if (j.element == Element::kInt16) return join_rows<int16_t, int32_t>(j, in_unit);
  join_rows<float, float>(j, [](float x) { return x; });
}

}  // namespace mantissa
