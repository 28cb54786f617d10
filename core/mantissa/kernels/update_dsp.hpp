// The integer update in pairs of 16-bit halves: parameters as code + 128, momentum of 16 bits or none, four elements at a time.
// A dense layer's step at batch 1 is mostly this. What the halves do not cover goes to the plain loops, element for element
// the same. Included after update-inl.hpp.
#pragma once
#include <type_traits>

#include "mantissa/kernels/intrinsics_dsp.hpp"
#include "mantissa/kernels/update.hpp"

namespace mantissa::dsp {

/// A product as SMLAW takes it: floor(factor * half / 2^16), with a code as a half or as 256 times one.
enum class CodeScale : uint8_t { k1, k256 };

/// Moves of four elements, in 2^-16: of dy[r] * x[c], with the row's part of the product in the factor.
template <CodeScale kScale>
struct OuterMoves {
  const int8_t* x;
  int32_t factor;
  int32_t even, odd;  // codes 0 and 2, 1 and 3, as halves

  [[gnu::always_inline]] void load() {
    const int32_t word = load_word(x);
    x += 4;
    if (kScale == CodeScale::k1) {
      even = even_bytes(word);
      odd = odd_bytes(word);
    } else {
      even = int32_t((uint32_t(word) << 8) & 0xFF00FF00u);
      odd = int32_t(uint32_t(word) & 0xFF00FF00u);
    }
  }
  [[gnu::always_inline]] int32_t add_0(int32_t sum) const { return add_upper_first(factor, even, sum); }
  [[gnu::always_inline]] int32_t add_1(int32_t sum) const { return add_upper_first(factor, odd, sum); }
  [[gnu::always_inline]] int32_t add_2(int32_t sum) const { return add_upper_second(factor, even, sum); }
  [[gnu::always_inline]] int32_t add_3(int32_t sum) const { return add_upper_second(factor, odd, sum); }
};

/// Moves made before.
struct StagedMoves {
  const int32_t* moves;
  const int32_t* four = nullptr;

  [[gnu::always_inline]] void load() {
    four = moves;
    moves += 4;
  }
  [[gnu::always_inline]] int32_t add_0(int32_t sum) const { return sum + four[0]; }
  [[gnu::always_inline]] int32_t add_1(int32_t sum) const { return sum + four[1]; }
  [[gnu::always_inline]] int32_t add_2(int32_t sum) const { return sum + four[2]; }
  [[gnu::always_inline]] int32_t add_3(int32_t sum) const { return sum + four[3]; }
};

/// Where codes and random bits of the next four elements are.
struct UpdateCursor {
  CodeWord* parameters;  // two codes + 128 to a word
  CodeWord* momentum;
  uint32_t random;  // index of the word times the golden ratio, plus the key's offset

  UpdateCursor(const IntegerUpdate& u, uint32_t at)
      : parameters(static_cast<CodeWord*>(u.parameters.data) + at / 2),
        momentum(u.momentum == nullptr ? nullptr : static_cast<CodeWord*>(u.momentum) + at / 2),
        random((at / 4) * 0x9E3779B9u + u.key.offset) {}

  /// Word of random bits for four elements, its halves for the first two.
  [[gnu::always_inline]] uint32_t next_random() {
    uint32_t x = random;
    random += 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x21F0AAADu;
    return x ^ (x >> 15);
  }
  /// Moves of four parameters.
  [[gnu::always_inline]] void add(int32_t m01, int32_t m23) {
    const int32_t p01 = parameters[0], p23 = parameters[1];
    store_pair(parameters, add_saturating(p01, m01), add_saturating(p23, m23));
  }
};

/// base times the codes of a pair; doubled only where there is room (SPEC 6).
template <int kBase>
[[gnu::always_inline]] inline int32_t times_base(int32_t word) {
  return kBase == 0 ? 0 : kBase == 1 ? word : add_saturating(word, word);
}

/// The factors of momentum and step.
struct MomentumFactors {
  int32_t decay, rate;
};

/// Four elements; both pointers and the random word move on.
template <int kBase, class Moves>
[[gnu::always_inline]] inline void update_four(UpdateCursor& c, Moves& moves, MomentumFactors f,
                                               Clamp15& clamp) {
  const uint32_t random = c.next_random(), turned = (random >> 8) | (random << 24);
  moves.load();
  const int32_t v01 = c.momentum[0], v23 = c.momentum[1];
  const int32_t b01 = times_base<kBase>(v01), b23 = times_base<kBase>(v23);
  const int32_t a0 = moves.add_0(add_upper_first(f.decay, v01, firsts(int32_t(random), b01)));
  const int32_t a1 = moves.add_1(add_upper_second(f.decay, v01, seconds(int32_t(random), b01)));
  const int32_t a2 = moves.add_2(add_upper_first(f.decay, v23, firsts(int32_t(turned), b23)));
  const int32_t a3 = moves.add_3(add_upper_second(f.decay, v23, seconds(int32_t(turned), b23)));
  const int32_t w01 = clamp.apply(seconds(a0, a1)), w23 = clamp.apply(seconds(a2, a3));
  c.momentum[0] = w01;
  c.momentum[1] = w23;
  c.momentum += 2;
  // Each draws the bits that rounded its neighbour's momentum.
  const int32_t m0 = add_upper_first(f.rate, w01, int32_t(random >> 16));
  const int32_t m1 = add_upper_second(f.rate, w01, int32_t(random & 0xFFFF));
  const int32_t m2 = add_upper_first(f.rate, w23, int32_t(turned >> 16));
  const int32_t m3 = add_upper_second(f.rate, w23, int32_t(turned & 0xFFFF));
  c.add(seconds(m0, m1), seconds(m2, m3));
}

#if MANTISSA_DSP
/// The usual case of the above, in the registers that there are: compilers put four of these values on the stack.
[[gnu::always_inline]] inline void update_four_outer(UpdateCursor& c, OuterMoves<CodeScale::k256>& moves,
                                                     MomentumFactors f, const uint32_t& ratio,
                                                     const uint32_t& mixer) {
  int32_t random, even, odd, v01, v23, a, b;
  asm volatile(
      "ldr %[odd], [%[x]], #4\n\t"
      "ldr %[a], %[mixer]\n\t"
      "ldr %[b], %[ratio]\n\t"
      "eor %[random], %[next], %[next], lsr #16\n\t"
      "mul %[random], %[a], %[random]\n\t"
      "add %[next], %[next], %[b]\n\t"
      "eor %[random], %[random], %[random], lsr #15\n\t"
      "lsl %[even], %[odd], #8\n\t"
      "and %[even], %[even], #0xFF00FF00\n\t"
      "and %[odd], %[odd], #0xFF00FF00\n\t"
      "ldrd %[v01], %[v23], [%[v]]\n\t"
      // elements 0 and 1
      "pkhbt %[a], %[random], %[v01], lsl #16\n\t"
      "smlawb %[a], %[decay], %[v01], %[a]\n\t"
      "smlawb %[a], %[factor], %[even], %[a]\n\t"
      "pkhtb %[b], %[v01], %[random], asr #16\n\t"
      "smlawt %[b], %[decay], %[v01], %[b]\n\t"
      "smlawb %[b], %[factor], %[odd], %[b]\n\t"
      "pkhtb %[v01], %[b], %[a], asr #16\n\t"
      "ssat16 %[v01], #15, %[v01]\n\t"
      "lsr %[a], %[random], #16\n\t"
      "smlawb %[a], %[rate], %[v01], %[a]\n\t"
      "uxth %[b], %[random]\n\t"
      "smlawt %[b], %[rate], %[v01], %[b]\n\t"
      "pkhtb %[a], %[b], %[a], asr #16\n\t"
      "ldr %[b], [%[p]]\n\t"
      "qadd16 %[a], %[b], %[a]\n\t"
      "str %[a], [%[p]], #4\n\t"
      // elements 2 and 3, with the word turned
      "ror %[random], %[random], #8\n\t"
      "pkhbt %[a], %[random], %[v23], lsl #16\n\t"
      "smlawb %[a], %[decay], %[v23], %[a]\n\t"
      "smlawt %[a], %[factor], %[even], %[a]\n\t"
      "pkhtb %[b], %[v23], %[random], asr #16\n\t"
      "smlawt %[b], %[decay], %[v23], %[b]\n\t"
      "smlawt %[b], %[factor], %[odd], %[b]\n\t"
      "pkhtb %[v23], %[b], %[a], asr #16\n\t"
      "ssat16 %[v23], #15, %[v23]\n\t"
      "strd %[v01], %[v23], [%[v]], #8\n\t"
      "lsr %[a], %[random], #16\n\t"
      "smlawb %[a], %[rate], %[v23], %[a]\n\t"
      "uxth %[b], %[random]\n\t"
      "smlawt %[b], %[rate], %[v23], %[b]\n\t"
      "pkhtb %[a], %[b], %[a], asr #16\n\t"
      "ldr %[b], [%[p]]\n\t"
      "qadd16 %[a], %[b], %[a]\n\t"
      "str %[a], [%[p]], #4"
      : [x] "+r"(moves.x), [p] "+r"(c.parameters), [v] "+r"(c.momentum), [next] "+r"(c.random),
        [random] "=&r"(random), [even] "=&r"(even), [odd] "=&r"(odd), [v01] "=&r"(v01), [v23] "=&r"(v23),
        [a] "=&r"(a), [b] "=&r"(b)
      : [factor] "r"(moves.factor), [decay] "r"(f.decay), [rate] "r"(f.rate), [ratio] "m"(ratio),
        [mixer] "m"(mixer)
      : "memory");
}
#endif

/// `cursor` by value: its members stay in registers, as no store can reach them.
template <int kBase, class Moves>
UpdateCursor momentum_fours(UpdateCursor cursor, Moves moves, int32_t fours, MomentumFactors f,
                            Clamp15& clamp) {
  UpdateCursor c = cursor;
  for (; fours > 0; --fours) update_four<kBase>(c, moves, f, clamp);
  return c;
}

#if MANTISSA_DSP
inline UpdateCursor outer_fours(UpdateCursor cursor, OuterMoves<CodeScale::k256> moves, int32_t fours,
                                MomentumFactors f) {
  UpdateCursor c = cursor;
  uint32_t ratio = 0x9E3779B9u, mixer = 0x21F0AAADu;
  const int8_t* end = moves.x + 4 * fours;
  asm("" : "+m"(ratio), "+m"(mixer), "+m"(end));  // there is no register for them
  if (fours % 2 != 0) update_four_outer(c, moves, f, ratio, mixer);
  while (moves.x != end) {
    update_four_outer(c, moves, f, ratio, mixer);
    update_four_outer(c, moves, f, ratio, mixer);
  }
  return c;
}
#endif

template <class Moves>
UpdateCursor plain_fours(UpdateCursor cursor, Moves moves, int32_t fours) {
  UpdateCursor c = cursor;
  const CodeWord* end = c.parameters + 2 * fours;
  do {
    const uint32_t random = c.next_random(), turned = (random >> 8) | (random << 24);
    moves.load();
    const int32_t m0 = moves.add_0(int32_t(random >> 16)), m1 = moves.add_1(int32_t(random & 0xFFFF));
    const int32_t m2 = moves.add_2(int32_t(turned >> 16)), m3 = moves.add_3(int32_t(turned & 0xFFFF));
    c.add(seconds(m0, m1), seconds(m2, m3));
  } while (c.parameters != end);
  return c;
}

template <class Moves>
UpdateCursor update_fours(const IntegerUpdate& u, UpdateCursor c, Moves moves, int32_t fours,
                          Clamp15& clamp) {
  if (fours == 0) return c;
  if (c.momentum == nullptr) return plain_fours(c, moves, fours);
  const MomentumFactors f = {u.decay, u.rate};
#if MANTISSA_DSP
  if constexpr (std::is_same_v<Moves, OuterMoves<CodeScale::k256>>) {
    if (u.base == 1) return outer_fours(c, moves, fours, f);
  }
#endif
  if (u.base == 1) return momentum_fours<1>(c, moves, fours, f, clamp);
  if (u.base == 0) return momentum_fours<0>(c, moves, fours, f, clamp);
  return momentum_fours<2>(c, moves, fours, f, clamp);
}

/// The elements that a part of an update has, `skip` after its first.
inline IntegerUpdate part_of(const IntegerUpdate& u, int32_t skip, int32_t count) {
  IntegerUpdate part = u;
  part.first += uint32_t(skip);
  part.count = count;
  if (u.sums != nullptr)
    part.sums = static_cast<const int32_t*>(u.sums) + skip;
  else
    part.outer.dy += skip / u.outer.columns;
  return part;
}

/// Smallest and largest of 16-bit codes.
struct Extremes {
  int32_t low = INT32_MAX, high = INT32_MIN;

  Extremes(const int16_t* codes, int32_t count) {
    int32_t i = 0;
    if (count >= 2) {
      const CodeWord* words = reinterpret_cast<const CodeWord*>(codes);
      int32_t lows = *words, highs = *words;
      const auto see = [&](int32_t word) {
        lows = smaller(lows, word);
        highs = larger(highs, word);
      };
      for (; i + 8 <= count; i += 8, words += 4) {
        const int32_t a = words[0], b = words[1], c = words[2], d = words[3];
        see(a), see(b), see(c), see(d);
      }
      for (; i + 2 <= count; i += 2) see(*words++);
      low = first(lows) < second(lows) ? first(lows) : second(lows);
      high = first(highs) > second(highs) ? first(highs) : second(highs);
    }
    if (i == count) return;
    low = codes[i] < low ? codes[i] : low;
    high = codes[i] > high ? codes[i] : high;
  }
  /// Largest magnitude of the codes less an offset.
  uint32_t magnitude(int32_t offset) const {
    return uint32_t(high - offset > offset - low ? high - offset : offset - low);
  }
};

/// Largest codes, and parameters at an end of their range.
inline void look(const IntegerUpdate& u, UpdateSeen& seen) {
  const int16_t* parameters = static_cast<const int16_t*>(u.parameters.data) + u.first;
  const Extremes p(parameters, u.count);
  seen.parameter = p.magnitude(kCodeOffset);
  if (p.low == INT16_MIN || p.high == INT16_MAX)
    for (int32_t i = 0; i < u.count; ++i)
      seen.parameter_saturated += uint32_t(parameters[i] == INT16_MIN || parameters[i] == INT16_MAX);
  if (u.momentum == nullptr) return;
  seen.momentum = Extremes(static_cast<const int16_t*>(u.momentum) + u.first, u.count).magnitude(0);
}

/// Row by row, since a row's error is part of its factor; rows whose moves may be clamped go to the plain loops.
inline void update_outer(const IntegerUpdate& u, int32_t largest_x, Clamp15& clamp, UpdateSeen& seen) {
  const int32_t columns = u.outer.columns;
  const int32_t largest_factor = largest_x > 0 ? Gain::kLargestMove / largest_x : INT32_MAX;
  for (int32_t done = 0; done < u.count; done += columns) {
    const int32_t product = u.gain.q * u.outer.dy[done / columns];
    const int32_t magnitude = ref::magnitude_of(product);
    UpdateCursor cursor(u, u.first + uint32_t(done));
    if (u.gain.shift == 16)
      update_fours(u, cursor, OuterMoves<CodeScale::k1>{u.outer.x, product, 0, 0}, columns / 4, clamp);
    else if (u.gain.shift == 8 && (magnitude >> 8) < largest_factor)
      update_fours(u, cursor, OuterMoves<CodeScale::k256>{u.outer.x, product, 0, 0}, columns / 4, clamp);
    else if (u.gain.shift == 0 && magnitude < largest_factor && magnitude < 1 << 23)
      update_fours(u, cursor, OuterMoves<CodeScale::k256>{u.outer.x, product * 256, 0, 0}, columns / 4,
                   clamp);
    else
      seen.merge(ref::update_integer(part_of(u, done, columns)));
  }
}

/// gain.times(g). Where a product of 64 bits is a call, small sums take two of 32: q in halves of 12 bits.
[[gnu::always_inline]] inline int32_t move_of(const Gain& gain, int32_t g) {
  const int32_t small = gain.shift == 8 ? 1 << 14 : 1 << 18;
  if (MANTISSA_DSP || gain.shift == 0 || g >= small || g <= -small) return gain.times(g);
  const int32_t high = (gain.q >> 12) * g, low = (gain.q & 0xFFF) * g;
  const int32_t move = gain.shift == 8 ? high * 16 + (low >> 8) : (high + (low >> 12)) >> (gain.shift - 12);
  return move > Gain::kLargestMove    ? Gain::kLargestMove
         : move < -Gain::kLargestMove ? -Gain::kLargestMove
                                      : move;
}

/// In chunks: sums to moves, then as from anywhere.
inline void update_sums(const IntegerUpdate& u, int32_t count, Clamp15& clamp, UpdateSeen& seen) {
  constexpr int32_t kChunk = 16;
  int32_t moves[kChunk];
  const int32_t* sums = static_cast<const int32_t*>(u.sums);
  UpdateCursor cursor(u, u.first);
  uint32_t largest = 0;
  for (int32_t done = 0; done < count; done += kChunk) {
    const int32_t now = count - done < kChunk ? count - done : kChunk;
    for (int32_t i = 0; i < now; ++i) {
      const int32_t g = *sums++;
      const uint32_t magnitude = uint32_t(ref::magnitude_of(g));
      largest = magnitude > largest ? magnitude : largest;
      moves[i] = move_of(u.gain, g);
    }
    cursor = update_fours(u, cursor, StagedMoves{moves}, now / 4, clamp);
  }
  if (u.momentum != nullptr && largest > seen.gradient) seen.gradient = largest;
}

/// What the halves cover.
inline bool fits_halves(const IntegerUpdate& u) {
  const bool layout = u.parameters.layout == CodeLayout::kOffset16 && u.element == Element::kInt32 &&
                      u.pull == 0 && u.rounding == Rounding::kStochastic && u.first % 4 == 0;
  const bool momentum = u.momentum == nullptr || u.momentum_element == Element::kInt16;
  return layout && momentum && (u.sums != nullptr || u.outer.columns % 4 == 0);
}

inline UpdateSeen update_integer(const IntegerUpdate& u) {
  if (!fits_halves(u)) return ref::update_integer(u);
  UpdateSeen seen;
  Clamp15 clamp;
  IntegerUpdate whole = u;
  whole.looks = false;  // one look at the end, at all elements
  if (u.sums == nullptr) {
    const int32_t largest_x = ref::largest_code(u.outer.x, u.outer.columns);
    if (u.momentum != nullptr)
      seen.gradient = uint32_t(largest_x * ref::largest_code(u.outer.dy, u.count / u.outer.columns));
    update_outer(whole, largest_x, clamp, seen);
  } else {
    const int32_t count = u.count & ~3;
    update_sums(whole, count, clamp, seen);
    if (count < u.count) seen.merge(ref::update_integer(part_of(whole, count, u.count - count)));
  }
  seen.momentum_saturated |= clamp.saturated();
  if (u.looks && u.count > 0) look(u, seen);
  return seen;
}

}  // namespace mantissa::dsp
