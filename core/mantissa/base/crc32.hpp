// CRC-32 as in Ethernet and zlib: finds every burst of up to 32 wrong bits, which is what an interrupted write leaves.
// Four bits at a time: a table of 64 bytes is enough for what is written once in a while.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace mantissa {

/// Source: ISO-HDLC, polynomial 0x04C11DB7 reflected, initial value and final exclusive-or all ones.
class Crc32 {
 public:
  constexpr void add(std::span<const std::byte> bytes) {
    for (std::byte byte : bytes) {
      value_ ^= uint32_t(byte);
      value_ = (value_ >> 4) ^ kTable[value_ & 15];
      value_ = (value_ >> 4) ^ kTable[value_ & 15];
    }
  }
  constexpr uint32_t value() const { return ~value_; }

 private:
  static constexpr uint32_t kTable[16] = {
      0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
      0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
  uint32_t value_ = 0xFFFFFFFFu;
};

}  // namespace mantissa
