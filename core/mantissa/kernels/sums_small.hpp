// To codes, and sums of codes, on cores with 32-bit registers: the common cases in one pass, without 64-bit shifts and with
// as little float as there can be; what is left goes to the reference.
#pragma once
#include <bit>
#include <type_traits>

#include "mantissa/kernels/sums.hpp"
#include "mantissa/kernels/update.hpp"

#define MANTISSA_KERNEL_NAMESPACE ref
#include "mantissa/kernels/sums-inl.hpp"

namespace mantissa::small {

/// The upper word of a product, from products of halves.
constexpr uint32_t upper_product_by_halves(uint32_t x, uint32_t y) {
  const uint32_t x0 = x & 0xFFFF, x1 = x >> 16, y0 = y & 0xFFFF, y1 = y >> 16;
  const uint32_t middle = x1 * y0 + ((x0 * y0) >> 16);  // below 2^32
  return x1 * y1 + (middle >> 16) + (((middle & 0xFFFF) + x0 * y1) >> 16);
}

inline uint32_t upper_product(uint32_t x, uint32_t y) {
#if defined(__ARM_ARCH_6M__)
  return upper_product_by_halves(x, y);  // without UMULL the other way is a call
#else
  return uint32_t(uint64_t(x) * y >> 32);
#endif
}

/// x or -x, modulo 2^32: negate is 0 or -1.
constexpr int32_t negate_if(int32_t x, int32_t negate) {
  return int32_t(uint32_t(x ^ negate) - uint32_t(negate));
}

template <bool kBias, bool kRelu, bool kMask>
uint32_t finish_row(int32_t* sums, int32_t columns, const int32_t* bias, const int8_t* mask) {
  uint32_t largest = 0;
  for (int32_t c = 0; c < columns; ++c) {
    int32_t sum = sums[c];
    if (kBias) sum += bias[c];
    if (kRelu) sum &= ~(sum >> 31);
    if (kMask) sum = mask[c] > 0 ? sum : 0;
    if (kBias || kRelu || kMask) sums[c] = sum;
    const uint32_t magnitude = uint32_t(kRelu ? sum : negate_if(sum, sum >> 31));
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

/// choose(has_bias, has_relu, has_mask) gives the function for a row.
template <Operands kOperands, class Choose>
uint64_t finish_sums_by(const FinishSums& f, Choose choose) {
  const bool relu = f.activation == Activation::kRelu, bias = f.bias != nullptr, mask = f.mask != nullptr;
  if (!is<kOperands>(f.element, Element::kInt32) ||
      (mask && (relu || bias || !is<kOperands>(f.mask_element, Element::kInt8))))
    return ref::finish_sums<kOperands>(f);
  constexpr std::true_type kWith;
  constexpr std::false_type kWithout;
  const auto row = mask   ? choose(kWithout, kWithout, kWith)
                   : bias ? relu ? choose(kWith, kWith, kWithout) : choose(kWith, kWithout, kWithout)
                   : relu ? choose(kWithout, kWith, kWithout)
                          : choose(kWithout, kWithout, kWithout);
  uint32_t largest = 0;
  for (int32_t r = 0; r < f.rows; ++r) {
    const uint32_t magnitude =
        row(static_cast<int32_t*>(f.sums) + ptrdiff_t(r) * f.stride, f.columns,
            static_cast<const int32_t*>(f.bias),
            static_cast<const int8_t*>(f.mask) + (mask ? ptrdiff_t(r) * f.mask_stride : 0));
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

template <Operands kOperands>
uint64_t finish_sums(const FinishSums& f) {
  return finish_sums_by<kOperands>(f, [](auto has_bias, auto has_relu, auto has_mask) {
    return finish_row<has_bias, has_relu, has_mask>;
  });
}

/// Nearest, ties away from zero, by magnitude; range symmetric. With a shift above 32 the lower word of the product is
/// below the half that rounds, and cannot change the code.
template <class Code>
uint32_t rescale_row(const int32_t* sums, Code* codes, int32_t columns, Multiplier by, int32_t high) {
  const uint32_t half = 1u << (by.shift - 33);
  const int32_t shift = by.shift - 32;
  uint32_t saturated = 0;
  for (int32_t c = 0; c < columns; ++c) {
    const int32_t sum = sums[c], sign = sum >> 31;
    int32_t code =
        int32_t((upper_product(uint32_t(negate_if(sum, sign)), uint32_t(by.mantissa)) + half) >> shift);
    if (code > high) {
      code = high;
      ++saturated;
    }
    codes[c] = Code(negate_if(code, sign));
  }
  return saturated;
}

template <Operands kOperands, class Row>
uint64_t rescale_sums_by(const RescaleSums& r, Row row) {
  const bool fits = is<kOperands>(r.element, Element::kInt32) && r.rounding == Rounding::kHalfAway &&
                    r.by.shift > 32 && r.range.low == -r.range.high;
  if (!fits) return ref::rescale_sums<kOperands>(r);
  const int32_t* sums = static_cast<const int32_t*>(r.sums);
  uint64_t saturated = 0;
  for (int32_t i = 0; i < r.rows; ++i, sums += r.columns) {
    const ptrdiff_t at = ptrdiff_t(i) * r.code_stride;
    saturated += is<kOperands>(r.code_element, Element::kInt8)
                     ? row(sums, static_cast<int8_t*>(r.codes) + at, r.columns, r.by, r.range.high)
                     : row(sums, static_cast<int16_t*>(r.codes) + at, r.columns, r.by, r.range.high);
  }
  return saturated;
}

template <Operands kOperands>
uint64_t rescale_sums(const RescaleSums& r) {
  return rescale_sums_by<kOperands>(
      r, [](const int32_t* sums, auto* codes, int32_t columns, Multiplier by, int32_t high) {
        return rescale_row(sums, codes, columns, by, high);
      });
}

template <class Code>
void add_columns(ColumnSums s) {
  const Code* column = static_cast<const Code*>(s.codes);
  int32_t* sums = static_cast<int32_t*>(s.sums);
  if (s.rows == 1) {
    for (int32_t c = 0; c < s.columns; ++c) sums[c] += column[c];
    return;
  }
  for (int32_t c = 0; c < s.columns; ++c, ++column) {
    int32_t sum = 0;
    const Code* code = column;
    for (int32_t r = s.rows; r > 0; --r, code += s.stride) sum += *code;
    sums[c] += sum;
  }
}

template <Operands kOperands>
void column_sums(const ColumnSums& s) {
  if (is<kOperands>(s.element, Element::kFloat32) || !is<kOperands>(s.sum_element, Element::kInt32))
    return ref::column_sums<kOperands>(s);
  is<kOperands>(s.element, Element::kInt8) ? add_columns<int8_t>(s) : add_columns<int16_t>(s);
}

#if defined(__arm__) && defined(__ARM_FP)
/// The nearest integer, ties away from zero; some larger one if |x| is 2^30 or more.
inline int32_t nearest_integer(float x) {
  asm("vcvt.s32.f32 %0, %0, #1" : "+t"(x));  // halves, towards zero, saturated
  const int32_t halves = std::bit_cast<int32_t>(x);
  return (halves >> 1) + (halves & ~(halves >> 31) & 1);
}
#else
/// The nearest integer, ties away from zero; 2^24 with the sign of x if |x| is 2^23 or more.
constexpr int32_t nearest_integer(float x) {
  constexpr int32_t kHalfExponent = 126,
                    kWholeExponent = 150;  // of 1/2, and of 2^23, where a float has no fraction
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const int32_t exponent = int32_t(bits >> 23 & 0xFF), sign = int32_t(bits) >> 31;
  if (exponent < kHalfExponent) return 0;
  if (exponent >= kWholeExponent) return negate_if(1 << 24, sign);
  const int32_t shift = kWholeExponent - exponent;
  const uint32_t mantissa = (bits & 0x7FFFFF) | 0x800000;
  return negate_if(int32_t((mantissa + (1u << (shift - 1))) >> shift), sign);
}
#endif

template <class Code>
uint32_t quantize(QuantizeFloats q) {  // by value, as a store to a code could change what a reference sees
  uint32_t saturated = 0;
  for (int32_t i = 0; i < q.count; ++i) {
    const int32_t code = nearest_integer(q.values[i] * q.inverse_scale);
    const int32_t clamped = code < q.range.low ? q.range.low : code > q.range.high ? q.range.high : code;
    saturated += code != clamped;
    static_cast<Code*>(q.codes)[i] = Code(clamped);
  }
  return saturated;
}

template <Operands kOperands>
uint64_t quantize_floats(const QuantizeFloats& q) {
  return is<kOperands>(q.element, Element::kInt8) ? quantize<int8_t>(q) : quantize<int16_t>(q);
}

}  // namespace mantissa::small
