// Random bits as a pure function of (seed, step, stream, index): no state, no order.
// A vector lane, a thread and a scalar loop on a microcontroller therefore draw the same bits for the same element.
#pragma once
#include <cstdint>

namespace mantissa {

/// Names one random sequence: of one tensor in one step.
struct RandomKey {
  uint32_t offset = 0;
  uint32_t tweak = 0;
};

/// A 32-bit mix in which every input bit changes every output bit with probability near one half.
/// Source: C. Wellons, hash-prospector (two-round multiply-xorshift with the lowest bias found).
constexpr uint32_t mix32(uint32_t x, uint32_t tweak = 0) {
  x ^= x >> 16;
  x *= 0x21F0AAADu;
  x ^= (x >> 15) ^ tweak;
  x *= 0xD35A2D97u;
  return x ^ (x >> 15);
}

constexpr RandomKey random_key(uint64_t seed, uint32_t step, uint32_t stream) {
  const uint32_t a = mix32(uint32_t(seed) ^ 0x6A09E667u);
  const uint32_t b = mix32(a ^ uint32_t(seed >> 32), 0xBB67AE85u);
  const uint32_t c = mix32(b + step, 0x3C6EF372u);
  const uint32_t d = mix32(c ^ (stream * 0x9E3779B9u), 0xA54FF53Au);
  return {d, mix32(d ^ b, 0x510E527Fu)};
}

/// Word j of the sequence.
constexpr uint32_t random_word(RandomKey key, uint32_t j) {
  return mix32(j * 0x9E3779B9u + key.offset, key.tweak);
}

/// 16 random bits of element i: two elements share a word, the even one takes its low half.
constexpr uint32_t random16(RandomKey key, uint32_t i) {
  return (random_word(key, i >> 1) >> (16 * (i & 1))) & 0xFFFFu;
}

/// 16 random bits for a rounding of element i, where millions are drawn: four elements share a word of half the mixing,
/// two taking its halves and two those of the word rotated by a byte. Uniform; the key has been mixed well before.
constexpr uint32_t rounding_word(RandomKey key, uint32_t j) {
  uint32_t x = j * 0x9E3779B9u + key.offset;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  return x ^ (x >> 15);
}
constexpr uint32_t rounding16(RandomKey key, uint32_t i) {
  const uint32_t word = rounding_word(key, i >> 2);
  const uint32_t turned = (i & 2) != 0 ? (word >> 8) | (word << 24) : word;
  return (i & 1) != 0 ? turned >> 16 : turned & 0xFFFFu;
}

/// Uniform in [0, bound) by multiplication; the bias is below bound / 2^32.
constexpr uint32_t random_below(RandomKey key, uint32_t j, uint32_t bound) {
  return uint32_t((uint64_t(random_word(key, j)) * bound) >> 32);
}

}  // namespace mantissa
