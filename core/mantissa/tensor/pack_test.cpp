// Packed codes: every code of every width, its neighbours, its bytes, and the layout as a bit stream.
#include "mantissa/tensor/pack.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "mantissa/tensor/format.hpp"

namespace mantissa {
namespace {

TEST(Pack, EveryCodeOfEveryWidthKeepsItsNeighbours) {
  for (int bits = 2; bits <= 16; ++bits) {
    const int32_t lowest = -(1 << (bits - 1)), highest = -lowest - 1;
    constexpr size_t kCodes = 9;  // a code at each of the eight offsets in a byte
    std::vector<uint8_t> packed(packed_bytes(kCodes, bits), 0x5A);
    std::vector<int32_t> expected(kCodes);
    for (size_t i = 0; i < kCodes; ++i) expected[i] = unpack_code(packed.data(), bits, i);
    for (int32_t code = lowest; code <= highest; ++code) {
      const size_t at = size_t(code - lowest) % kCodes;
      pack_code(packed.data(), bits, at, code);
      expected[at] = code;
      for (size_t i = at > 0 ? at - 1 : 0; i <= at + 1 && i < kCodes; ++i)
        ASSERT_EQ(unpack_code(packed.data(), bits, i), expected[i])
            << bits << " bits, code " << code << " at " << i;
    }
    for (size_t i = 0; i < kCodes; ++i) ASSERT_EQ(unpack_code(packed.data(), bits, i), expected[i]);
  }
}

TEST(Pack, IsALittleEndianBitStream) {
  std::mt19937 random(1);
  for (int bits = 2; bits <= 16; ++bits) {
    constexpr size_t kCodes = 50;
    std::vector<uint8_t> packed(packed_bytes(kCodes, bits)), stream(packed.size());
    for (size_t i = 0; i < kCodes; ++i) {
      const int32_t code = int32_t(random() % (1u << bits)) - (1 << (bits - 1));
      pack_code(packed.data(), bits, i, code);
      for (int k = 0; k < bits; ++k) {
        const size_t at = i * size_t(bits) + size_t(k);
        stream[at / 8] = uint8_t(stream[at / 8] | ((uint32_t(code) >> k & 1) << (at % 8)));
      }
    }
    ASSERT_EQ(packed, stream) << bits << " bits";
  }
}

/// The vectors are as long as the codes need, so a sanitizer sees a byte too many; here the byte behind stays as it was.
TEST(Pack, TouchesExactlyItsBytes) {
  for (int bits = 2; bits <= 16; ++bits)
    for (size_t count = 1; count <= 17; ++count) {
      const size_t bytes = packed_bytes(count, bits);
      ASSERT_GE(bytes * 8, count * size_t(bits));
      ASSERT_LT(bytes * 8, count * size_t(bits) + 8);
      std::vector<uint8_t> packed(bytes + 1, 0xC3);
      for (size_t i = 0; i < count; ++i) pack_code(packed.data(), bits, i, 0);
      ASSERT_EQ(packed[bytes], 0xC3);
      const size_t used = count * size_t(bits) % 8;
      if (used != 0) {  // the rest of the last byte stays as well
        ASSERT_EQ(packed[bytes - 1], 0xC3 >> used << used);
      }
      std::vector<uint8_t> exact(packed.begin(), packed.end() - 1);
      exact.shrink_to_fit();
      for (size_t i = 0; i < count; ++i) {
        pack_code(exact.data(), bits, i, -1);
        ASSERT_EQ(unpack_code(exact.data(), bits, i), -1);
      }
    }
}

}  // namespace
}  // namespace mantissa
