// Packed storage: code i of b bits occupies bits i*b .. i*b + b - 1 of a little-endian bit stream, two's complement.
// One layout for all widths, so that a file, a PC and a microcontroller agree without a table.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mantissa {

/// Code i, sign-extended. bits in 1..16; reads only bytes that hold bits of the code.
constexpr int32_t unpack_code(const uint8_t* packed, int bits, size_t i) {
  const size_t first_bit = i * size_t(bits);
  const uint8_t* byte = packed + first_bit / 8;
  const int offset = int(first_bit % 8);
  uint32_t word = byte[0];
  if (offset + bits > 8) word |= uint32_t(byte[1]) << 8;
  if (offset + bits > 16) word |= uint32_t(byte[2]) << 16;
  const int unused = 32 - bits;
  return int32_t((word >> offset) << unused) >> unused;
}

/// Writes code i; bits of its neighbours are kept. The code must fit.
constexpr void pack_code(uint8_t* packed, int bits, size_t i, int32_t code) {
  const size_t first_bit = i * size_t(bits);
  uint8_t* byte = packed + first_bit / 8;
  const int offset = int(first_bit % 8);
  const uint32_t mask = ((uint32_t(1) << bits) - 1) << offset;
  const uint32_t word = (uint32_t(code) << offset) & mask;
  for (int k = 0; 8 * k < offset + bits; ++k)
    byte[k] = uint8_t((byte[k] & ~(mask >> (8 * k))) | (word >> (8 * k)));
}

}  // namespace mantissa
