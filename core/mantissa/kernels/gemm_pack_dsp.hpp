// Packing for the DSP product: vectors of codes along k as pairs of 16-bit halves, in groups of four codes. The last group
// of a vector may begin with zeros in place of codes that the group before has: then it meets the last four codes of a
// vector that is read in place.
// A vector lies along memory (windows, rows of weights) or across it (signals over time, columns of weights); both are
// read a word at a time where their strides allow.
#pragma once
#include "mantissa/kernels/gemm_blocks.hpp"
#include "mantissa/kernels/intrinsics_dsp.hpp"

namespace mantissa::dsp {

/// The order of four terms in the two pairs of a group: 0 1, 2 3 or, as SXTB16 gives them, 0 2, 1 3.
enum class Order : uint8_t { kNatural, kEvenOdd };

/// The two pairs of four codes: in natural order for kUppers and kHalves, even and odd for kBytes.
struct Group {
  int32_t low, high;
};
template <Codes kCodes>
inline Group load_group(const int8_t* p) {
  if constexpr (kCodes == Codes::kBytes) {
    const int32_t word = load_word(p);
    return {even_bytes(word), odd_bytes(word)};
  } else if constexpr (kCodes == Codes::kUppers) {
    return {odd_bytes(load_word(p - 1)), odd_bytes(load_word(p + 3))};
  } else {
    return {load_word(p), load_word(p + 4)};
  }
}
/// Where a group of fewer than four codes has its zeros.
enum class Zeros : uint8_t { kBefore, kBehind };
template <Codes kCodes>
[[gnu::noinline]] Group load_group(const int8_t* p, int32_t count, Zeros zeros) {
  int32_t code[4] = {};
  const int32_t first = zeros == Zeros::kBefore ? 4 - count : 0;
  for (int32_t i = 0; i < count; ++i)
    if constexpr (kCodes == Codes::kHalves)
      code[first + i] = reinterpret_cast<const int16_t*>(p)[i];
    else
      code[first + i] = p[kCodes == Codes::kUppers ? 2 * i : i];
  if constexpr (kCodes == Codes::kBytes) return {pair(code[0], code[2]), pair(code[1], code[3])};
  return {pair(code[0], code[1]), pair(code[2], code[3])};
}
template <Codes kCodes>
inline constexpr int32_t kGroupBytes = kCodes == Codes::kBytes ? 4 : 8;
template <Codes kCodes>
inline constexpr Order kOrder = kCodes == Codes::kBytes ? Order::kEvenOdd : Order::kNatural;

/// Where pair p of vector v goes: words[p * pair_pitch + v * vector_pitch].
struct Packing {
  int32_t* words;
  int32_t pair_pitch, vector_pitch;
  Order order;
  Zeros zeros = Zeros::kBefore;
};

template <Codes kCodes>
void pack_along(const Vectors& from, Packing to) {
  const bool reorder = to.order != kOrder<kCodes>;
  for (int32_t v = 0; v < from.count; ++v) {
    const int8_t* p = from.data + v * from.stride;
    int32_t* words = to.words + v * to.vector_pitch;
    const auto put = [&](Group g, bool swaps) __attribute__((always_inline)) {
      words[0] = swaps ? firsts(g.low, g.high) : g.low;
      words[to.pair_pitch] = swaps ? seconds(g.low, g.high) : g.high;
      words += 2 * to.pair_pitch;
    };
    const auto put_all = [&](bool swaps) __attribute__((always_inline)) {
      for (uint32_t left = uint32_t(from.terms) / 4; left > 0; --left, p += kGroupBytes<kCodes>)
        put(load_group<kCodes>(p), swaps);
    };
    reorder ? put_all(true) : put_all(false);
    if (from.terms & 3) put(load_group<kCodes>(p, from.terms & 3, to.zeros), reorder);
  }
}

/// Two terms of four vectors, which lie side by side, become a pair of each.
template <Codes kCodes>
[[gnu::always_inline]] inline void put_pairs(Group x, Group y, int32_t* words, int32_t pitch) {
  const int32_t b = firsts(x.high, y.high), c = seconds(x.low, y.low);
  words[0] = firsts(x.low, y.low);
  words[pitch] = kCodes == Codes::kBytes ? b : c;
  words[2 * pitch] = kCodes == Codes::kBytes ? c : b;
  words[3 * pitch] = seconds(x.high, y.high);
}

template <Codes kCodes>
void pack_across(const Vectors& from, Packing to) {
  const bool natural = to.order == Order::kNatural, before = to.zeros == Zeros::kBefore;
  const ptrdiff_t one = from.term_stride;
  const int8_t* p = from.data;
  int32_t* words = to.words;
  const auto put = [&](Group x, Group y) __attribute__((always_inline)) {
    put_pairs<kCodes>(x, y, words, to.vector_pitch);
    words += to.pair_pitch;
  };
  int32_t rest = from.terms & 3;
  if (natural) {
    if (!before) rest &= 1;
    for (int32_t left = from.terms - rest; left > 0; left -= 2, p += 2 * one)
      put(load_group<kCodes>(p), load_group<kCodes>(p + one));
  } else {
    for (int32_t left = from.terms - rest; left > 0; left -= 4, p += 4 * one) {
      put(load_group<kCodes>(p), load_group<kCodes>(p + 2 * one));
      put(load_group<kCodes>(p + one), load_group<kCodes>(p + 3 * one));
    }
  }
  if (rest == 0) return;
  if (!before) return put(load_group<kCodes>(p), Group{});
  const auto row = [&](int32_t k) {
    return k >= 4 - rest ? load_group<kCodes>(p + (k - 4 + rest) * one) : Group{};
  };
  put(row(0), row(natural ? 1 : 2));
  put(row(natural ? 2 : 1), row(3));
}

[[gnu::noinline]] inline void pack_apart(const Vectors& from, const Packing& to) {
  for (int32_t v = 0; v < from.count; ++v) {
    int32_t* words = to.words + v * to.vector_pitch;
    for (int32_t k = 0; k < from.terms; k += 4, words += 2 * to.pair_pitch) {
      int32_t code[4] = {};
      const int32_t count = from.terms - k < 4 ? from.terms - k : 4;
      const int32_t first = to.zeros == Zeros::kBefore ? 4 - count : 0;
      for (int32_t i = 0; i < count; ++i)
        code[first + i] = load_code(from.data + v * from.stride + (k + i) * from.term_stride, from.element);
      const bool natural = to.order == Order::kNatural;
      words[0] = pair(code[0], code[natural ? 1 : 2]);
      words[to.pair_pitch] = pair(code[natural ? 2 : 1], code[3]);
    }
  }
}

/// Two words per group of four terms and vector; what is not a term is 0.
template <Operands kOperands>
[[gnu::noinline]] void pack(const Vectors& from, const Packing& to) {
  switch (from.along) {
    case Codes::kBytes: return pack_along<Codes::kBytes>(from, to);
    case Codes::kUppers: return pack_along<Codes::kUppers>(from, to);
    case Codes::kHalves:
      if constexpr (has_halves<kOperands>) pack_along<Codes::kHalves>(from, to);
      return;
    case Codes::kApart: break;
  }
  if (from.count < 4) return pack_apart(from, to);
  switch (from.across) {
    case Codes::kBytes: return pack_across<Codes::kBytes>(from, to);
    case Codes::kUppers: return pack_across<Codes::kUppers>(from, to);
    case Codes::kHalves:
      if constexpr (has_halves<kOperands>) pack_across<Codes::kHalves>(from, to);
      return;
    case Codes::kApart: return pack_apart(from, to);
  }
}

}  // namespace mantissa::dsp
