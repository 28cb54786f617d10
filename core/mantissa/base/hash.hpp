// FNV-1a, 64 bits: tells whether two states are the same, on any machine.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mantissa {

class Hash {
 public:
  constexpr void add_byte(uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001B3u; }
  constexpr void add_bytes(const uint8_t* bytes, size_t n) {
    for (size_t i = 0; i < n; ++i) add_byte(bytes[i]);
  }
  constexpr void add_u32(uint32_t x) {
    for (int shift = 0; shift < 32; shift += 8) add_byte(uint8_t(x >> shift));
  }
  constexpr uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325u;
};

}  // namespace mantissa
