// The inner loops of the DSP product: four packed vectors, or one, times vectors read where they lie.
#pragma once
#include <utility>

#include "mantissa/kernels/gemm_pack_dsp.hpp"

namespace mantissa::dsp {

/// Vectors read in place: (tap, i, segment, k) is data[tap * tap_stride + i * stride + segment * segment_stride +
/// k * (size of a code)], bytes.
struct Stream {
  const int8_t* data;
  ptrdiff_t stride, segment_stride, tap_stride;
  int32_t count, taps, segments, terms;
};

[[gnu::always_inline]] inline void add_group(const int32_t*& panel, Group g, Four& sums) {
  add_four_products(panel, g.low, sums);
  add_four_products(panel, g.high, sums);
}

template <Codes kCodes>
[[gnu::always_inline]] inline void add_segment(const int32_t*& panel, const int8_t* q, int32_t terms,
                                               Four& sums) {
  constexpr int32_t kBytes = kGroupBytes<kCodes>;
  for (uint32_t left = uint32_t(terms) / 8; left > 0; --left, q += 2 * kBytes) {
    add_group(panel, load_group<kCodes>(q), sums);
    add_group(panel, load_group<kCodes>(q + kBytes), sums);
  }
  if (terms & 4) {
    add_group(panel, load_group<kCodes>(q), sums);
    q += kBytes;
  }
  if (const int32_t rest = terms & 3)
    add_group(panel,
              terms >= 4 ? load_group<kCodes>(q - (4 - rest) * kBytes / 4)
                         : load_group<kCodes>(q, rest, Zeros::kBefore),
              sums);
}

/// Sums over the terms of one vector. kEights: in one segment whose terms are a multiple of eight.
template <Codes kCodes, bool kEights>
[[gnu::always_inline]] inline void add_vector(const int32_t* panel, const int8_t* q, const Stream& s,
                                              Four& sums) {
  if constexpr (kEights) {
    uint32_t left = uint32_t(s.terms) / 8;
    do {
      add_group(panel, load_group<kCodes>(q), sums);
      add_group(panel, load_group<kCodes>(q + kGroupBytes<kCodes>), sums);
      q += 2 * kGroupBytes<kCodes>;
    } while (--left > 0);
  } else {
    for (int32_t left = s.segments; left > 0; --left, q += s.segment_stride)
      add_segment<kCodes>(panel, q, s.terms, sums);
  }
}

/// The four vectors of a panel with each vector of a stream: per pair one load, one LDM and four SMLAD.
template <Codes kCodes, bool kEights>
void multiply_panel(const int32_t* panel, const Stream& stream, const Sums& to) {
  const bool plain = to.is_plain();
  const ptrdiff_t stride = stream.stride, c_stride = to.stride, vector_stride = to.vector_stride;
  for (int32_t tap = 0; tap < stream.taps; ++tap) {
    const int8_t* vector = stream.data + tap * stream.tap_stride;
    char* c = to.c + tap * to.tap_stride;
    for (int32_t i = stream.count; i > 0; --i, vector += stride, c += c_stride) {
      Four sums = {};
      add_vector<kCodes, kEights>(panel, vector, stream, sums);
      if (kEights || plain)
        Sums::put(c, vector_stride, sums.a, sums.b, sums.c, sums.d);
      else
        to.store(c, sums.a, sums.b, sums.c, sums.d);
    }
  }
}

/// One packed vector with one that is read in place.
template <Codes kCodes>
[[gnu::always_inline]] inline int32_t dot(const int32_t* packed, const int8_t* q, int32_t terms,
                                          int32_t sum) {
  constexpr int32_t kBytes = kGroupBytes<kCodes>;
  const auto add_group = [&](Group g) __attribute__((always_inline)) {
    sum = add_products(packed[0], g.low, sum);
    sum = add_products(packed[1], g.high, sum);
    packed += 2;
  };
  for (uint32_t left = uint32_t(terms) / 4; left > 0; --left, q += kBytes) add_group(load_group<kCodes>(q));
  if (const int32_t rest = terms & 3)
    add_group(terms >= 4 ? load_group<kCodes>(q - (4 - rest) * kBytes / 4)
                         : load_group<kCodes>(q, rest, Zeros::kBefore));
  return sum;
}

/// One packed vector with each of a stream.
template <Codes kCodes>
void multiply_vector(const int32_t* packed, const Stream& s, const Sums& to) {
  for (int32_t i = 0; i < s.count; ++i) {
    int32_t sum = 0;
    for (int32_t segment = 0; segment < s.segments; ++segment)
      sum = dot<kCodes>(packed + segment * whole_groups(s.terms) / 2,
                        s.data + i * s.stride + segment * s.segment_stride, s.terms, sum);
    to.store(to.c + i * to.stride, sum);
  }
}

/// The same for upper bytes in one aligned segment, two vectors at a time: per pair a quarter of an LDM, SXTB16, SMLAD.
inline void multiply_vector_pairs(const int32_t* packed, Stream s, Sums to) {
  const bool overwrites = !to.wide && !to.adds;
  for (uint32_t pairs = uint32_t(s.count) / 2; pairs > 0;
       --pairs, s.data += 2 * s.stride, to.c += 2 * to.stride) {
    const int32_t* p = packed;
    const int32_t* x = reinterpret_cast<const int32_t*>(s.data - 1);
    const int32_t* y = reinterpret_cast<const int32_t*>(s.data - 1 + s.stride);
    int32_t sum_x = 0, sum_y = 0;
    for (uint32_t left = uint32_t(s.terms) / 16; left > 0; --left) {
      add_odd_bytes(p, x, y, sum_x, sum_y);
      add_odd_bytes(p, x, y, sum_x, sum_y);
    }
    if (const int32_t rest = s.terms & 15) {
      sum_x = dot<Codes::kUppers>(p, reinterpret_cast<const int8_t*>(x) + 1, rest, sum_x);
      sum_y = dot<Codes::kUppers>(p, reinterpret_cast<const int8_t*>(y) + 1, rest, sum_y);
    }
    if (overwrites) {
      *reinterpret_cast<int32_t*>(to.c) = sum_x;
      *reinterpret_cast<int32_t*>(to.c + to.stride) = sum_y;
    } else {
      to.store(to.c, sum_x);
      to.store(to.c + to.stride, sum_y);
    }
  }
  s.count &= 1;
  multiply_vector<Codes::kUppers>(packed, s, to);
}

/// c[0] to c[count - 1] = factor * codes that lie side by side.
inline void store_multiples(int32_t factor, const int8_t* codes, int32_t count, int32_t* c) {
  for (uint32_t left = uint32_t(count) / 4; left > 0; --left, codes += 4) {
    const int32_t word = load_word(codes);
    store_products(c, even_bytes(word), odd_bytes(word), factor);
  }
  for (int32_t left = count & 3; left > 0; --left) *c++ = factor * *codes++;
}

/// sums += one vector, wherever its codes are, times each of up to four that lie side by side.
template <Codes kCodes>
void multiply_across(const Vectors& one, const Vectors& four, Four& sums) {
  Four s = sums;
  const int8_t* p = four.data;
  const int8_t* q = one.data;
  const auto add = [&](Group g) __attribute__((always_inline)) {
    const int32_t code = load_code(q, one.element);
    s.a = add_firsts(g.low, code, s.a);
    s.b = kCodes == Codes::kBytes ? add_firsts(g.high, code, s.b) : add_second_first(g.low, code, s.b);
    s.c = kCodes == Codes::kBytes ? add_second_first(g.low, code, s.c) : add_firsts(g.high, code, s.c);
    s.d = add_second_first(g.high, code, s.d);
    p += four.term_stride;
    q += one.term_stride;
  };
  if (four.count == 4)
    for (int32_t left = four.terms; left > 0; --left) add(load_group<kCodes>(p));
  else
    for (int32_t left = four.terms; left > 0; --left) add(load_group<kCodes>(p, four.count, Zeros::kBehind));
  sums = s;
}

}  // namespace mantissa::dsp
