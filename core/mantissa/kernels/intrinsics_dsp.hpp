// The instructions of Armv7E-M and Armv8-M that work on two 16-bit halves of a word, and what they mean elsewhere.
// With the portable definitions the same kernels run on hosts, under the same tests.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__ARM_FEATURE_SIMD32) && defined(__thumb__)
#define MANTISSA_DSP 1
#include <arm_acle.h>
#else
#define MANTISSA_DSP 0
#endif

namespace mantissa::dsp {

/// A word of 16-bit codes, which the compiler must not take for something else than they are.
using CodeWord [[gnu::may_alias]] = int32_t;

/// A word holds a pair: two signed halves, the first one below.
struct Four {
  int32_t a, b, c, d;
};

/// A word from any address.
inline int32_t load_word(const void* p) {
  int32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

constexpr int32_t pair(int32_t first, int32_t second) {
  return int32_t((uint32_t(first) & 0xFFFFu) | (uint32_t(second) << 16));
}
constexpr int32_t first(int32_t word) { return int16_t(uint16_t(uint32_t(word))); }
constexpr int32_t second(int32_t word) { return word >> 16; }

#if MANTISSA_DSP

/// Bytes 0 and 2 of a word as a pair (SXTB16).
inline int32_t even_bytes(int32_t word) { return __sxtb16(word); }
/// Bytes 1 and 3.
inline int32_t odd_bytes(int32_t word) {
  int32_t result;
  asm("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
  return result;
}
/// The first halves of two words as a pair (PKHBT).
inline int32_t firsts(int32_t x, int32_t y) {
  int32_t result;
  asm("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(x), "r"(y));
  return result;
}
/// The second halves (PKHTB).
inline int32_t seconds(int32_t x, int32_t y) {
  int32_t result;
  asm("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(y), "r"(x));
  return result;
}
/// sum + both products of two pairs (SMLAD).
inline int32_t add_products(int32_t x, int32_t y, int32_t sum) { return __smlad(x, y, sum); }

/// sum + the product of the first halves (SMLABB); of the second half of x and the first one of y (SMLATB).
inline int32_t add_firsts(int32_t x, int32_t y, int32_t sum) { return __smlabb(x, y, sum); }
inline int32_t add_second_first(int32_t x, int32_t y, int32_t sum) { return __smlatb(x, y, sum); }

/// p[0] to p[3] = y's first half times the first half of x and of z, then their second halves; p moves on (STMIA).
[[gnu::always_inline]] inline void store_products(int32_t*& p, int32_t x, int32_t z, int32_t y) {
  asm("smulbb r0, %[x], %[y]\n\t"
      "smulbb r1, %[z], %[y]\n\t"
      "smultb r2, %[x], %[y]\n\t"
      "smultb r3, %[z], %[y]\n\t"
      "stmia %[p]!, {r0, r1, r2, r3}"
      : [p] "+r"(p), "=m"(*reinterpret_cast<int32_t(*)[4]>(p))
      : [x] "r"(x), [z] "r"(z), [y] "r"(y)
      : "r0", "r1", "r2", "r3");
}

/// sums.a += both products of p[0] and word, likewise p[1], p[2], p[3]; p moves on (LDMIA, four SMLAD).
[[gnu::always_inline]] inline void add_four_products(const int32_t*& p, int32_t word, Four& sums) {
  asm("ldmia %[p]!, {r0, r1, r2, r3}\n\t"
      "smlad %[a], r0, %[w], %[a]\n\t"
      "smlad %[b], r1, %[w], %[b]\n\t"
      "smlad %[c], r2, %[w], %[c]\n\t"
      "smlad %[d], r3, %[w], %[d]"
      : [p] "+r"(p), [a] "+r"(sums.a), [b] "+r"(sums.b), [c] "+r"(sums.c), [d] "+r"(sums.d)
      : [w] "r"(word), "m"(*reinterpret_cast<const int32_t(*)[4]>(p))
      : "r0", "r1", "r2", "r3");
}

/// Eight terms of two sums: pairs p[0] to p[3] times the odd bytes of x[0] to x[3] and of y[0] to y[3]; all move on.
/// Aligned.
[[gnu::always_inline]] inline void add_odd_bytes(const int32_t*& p, const int32_t*& x, const int32_t*& y,
                                                 int32_t& sum_x, int32_t& sum_y) {
  asm("ldmia %[p]!, {r0, r1, r2, r3}\n\t"
      "ldmia %[x]!, {r4, r5, r6, r8}\n\t"
      "sxtb16 r4, r4, ror #8\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "sxtb16 r8, r8, ror #8\n\t"
      "smlad %[sum_x], r0, r4, %[sum_x]\n\t"
      "smlad %[sum_x], r1, r5, %[sum_x]\n\t"
      "smlad %[sum_x], r2, r6, %[sum_x]\n\t"
      "smlad %[sum_x], r3, r8, %[sum_x]\n\t"
      "ldmia %[y]!, {r4, r5, r6, r8}\n\t"
      "sxtb16 r4, r4, ror #8\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "sxtb16 r8, r8, ror #8\n\t"
      "smlad %[sum_y], r0, r4, %[sum_y]\n\t"
      "smlad %[sum_y], r1, r5, %[sum_y]\n\t"
      "smlad %[sum_y], r2, r6, %[sum_y]\n\t"
      "smlad %[sum_y], r3, r8, %[sum_y]"
      : [p] "+r"(p), [x] "+r"(x), [y] "+r"(y), [sum_x] "+r"(sum_x), [sum_y] "+r"(sum_y)
      : "m"(*reinterpret_cast<const int32_t(*)[4]>(p)), "m"(*reinterpret_cast<const int32_t(*)[4]>(x)),
        "m"(*reinterpret_cast<const int32_t(*)[4]>(y))
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8");
}

/// p[0] = x, p[1] = y; p moves on (STRD).
[[gnu::always_inline]] inline void store_pair(CodeWord*& p, int32_t x, int32_t y) {
  asm("strd %[x], %[y], [%[p]], #8"
      : [p] "+r"(p), "=m"(*reinterpret_cast<int32_t(*)[2]>(p))
      : [x] "r"(x), [y] "r"(y));
}

/// sum + floor(x * y / 2^16) for the first and for the second half y of a word (SMLAWB, SMLAWT).
inline int32_t add_upper_first(int32_t x, int32_t word, int32_t sum) { return __smlawb(x, word, sum); }
inline int32_t add_upper_second(int32_t x, int32_t word, int32_t sum) { return __smlawt(x, word, sum); }
/// Sums of halves, clamped to 16 bits (QADD16).
inline int32_t add_saturating(int32_t x, int32_t y) { return __qadd16(x, y); }

/// The larger halves of two words (SSUB16 and SEL); the smaller ones.
inline int32_t larger(int32_t x, int32_t y) {
  int32_t result;
  asm("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(x), "r"(y) : "cc");
  return result;
}
inline int32_t smaller(int32_t x, int32_t y) {
  int32_t result;
  asm("ssub16 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(x), "r"(y) : "cc");
  return result;
}

/// Clamps pairs to 15 bits and remembers whether one did not fit (SSAT16 and the Q flag, which nothing else here sets).
class Clamp15 {
 public:
  Clamp15() { asm volatile("msr apsr_nzcvq, %0" ::"r"(0) : "cc"); }
  int32_t apply(int32_t word) {
    int32_t result;
    asm volatile("ssat16 %0, #15, %1" : "=r"(result) : "r"(word));
    return result;
  }
  uint32_t saturated() const {
    uint32_t flags;
    asm volatile("mrs %0, apsr" : "=r"(flags));
    return (flags >> 27) & 1;
  }
};

#else

constexpr int32_t even_bytes(int32_t word) {
  return pair(int8_t(uint8_t(uint32_t(word))), int8_t(uint8_t(uint32_t(word) >> 16)));
}
constexpr int32_t odd_bytes(int32_t word) { return even_bytes(int32_t(uint32_t(word) >> 8)); }
constexpr int32_t firsts(int32_t x, int32_t y) { return pair(x, y); }
constexpr int32_t seconds(int32_t x, int32_t y) { return pair(x >> 16, y >> 16); }
/// Wraps as SMLAD does; and GCC 12 vectorizes sums that may not overflow wrongly for 64-bit Arm.
constexpr int32_t add_products(int32_t x, int32_t y, int32_t sum) {
  return int32_t(uint32_t(sum) + uint32_t(first(x) * first(y)) + uint32_t(second(x) * second(y)));
}
inline void add_four_products(const int32_t*& p, int32_t word, Four& sums) {
  sums = {add_products(p[0], word, sums.a), add_products(p[1], word, sums.b),
          add_products(p[2], word, sums.c), add_products(p[3], word, sums.d)};
  p += 4;
}

constexpr int32_t add_firsts(int32_t x, int32_t y, int32_t sum) { return sum + first(x) * first(y); }
constexpr int32_t add_second_first(int32_t x, int32_t y, int32_t sum) { return sum + second(x) * first(y); }
inline void store_products(int32_t*& p, int32_t x, int32_t z, int32_t y) {
  const int32_t code = first(y);
  p[0] = first(x) * code, p[1] = first(z) * code, p[2] = second(x) * code, p[3] = second(z) * code;
  p += 4;
}
inline void add_odd_bytes(const int32_t*& p, const int32_t*& x, const int32_t*& y, int32_t& sum_x,
                          int32_t& sum_y) {
  for (int32_t i = 0; i < 4; ++i) {
    sum_x = add_products(p[i], odd_bytes(x[i]), sum_x);
    sum_y = add_products(p[i], odd_bytes(y[i]), sum_y);
  }
  p += 4, x += 4, y += 4;
}

inline void store_pair(CodeWord*& p, int32_t x, int32_t y) {
  p[0] = x, p[1] = y;
  p += 2;
}

/// floor(x * y / 2^16) from products of halves, in 32 bits.
constexpr int32_t upper_product(int32_t x, int32_t y) { return (x >> 16) * y + (((x & 0xFFFF) * y) >> 16); }
constexpr int32_t add_upper_first(int32_t x, int32_t word, int32_t sum) {
  return sum + upper_product(x, first(word));
}
constexpr int32_t add_upper_second(int32_t x, int32_t word, int32_t sum) {
  return sum + upper_product(x, second(word));
}
constexpr int32_t larger(int32_t x, int32_t y) {
  return pair(first(x) > first(y) ? first(x) : first(y), second(x) > second(y) ? second(x) : second(y));
}
constexpr int32_t smaller(int32_t x, int32_t y) {
  return pair(first(x) < first(y) ? first(x) : first(y), second(x) < second(y) ? second(x) : second(y));
}
constexpr int32_t clamp_to(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}
constexpr int32_t add_saturating(int32_t x, int32_t y) {
  return pair(clamp_to(first(x) + first(y), -32768, 32767), clamp_to(second(x) + second(y), -32768, 32767));
}

class Clamp15 {
 public:
  int32_t apply(int32_t word) {
    const int32_t result = pair(clamp_to(first(word), -16384, 16383), clamp_to(second(word), -16384, 16383));
    changed_ |= uint32_t(result ^ word);
    return result;
  }
  uint32_t saturated() const { return changed_ != 0; }

 private:
  uint32_t changed_ = 0;
};

#endif

}  // namespace mantissa::dsp
