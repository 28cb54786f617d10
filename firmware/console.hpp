// Text on the host's standard output, or on its standard error.
// Numbers are written by hand: printf costs more flash than the whole training loop.
#pragma once
#include "firmware/semihosting.hpp"

namespace mantissa::firmware {

class Console {
 public:
  explicit Console(OpenMode mode = OpenMode::kWriteText) : out_(":tt", mode) {}

  Console& operator<<(const char* text) {
    out_.write(std::as_bytes(std::span(text, std::strlen(text))));
    return *this;
  }
  Console& operator<<(uint32_t value) {
    char digits[11];
    char* first = digits + sizeof digits - 1;
    *first = '\0';
    do *--first = char('0' + value % 10);
    while ((value /= 10) != 0);
    return *this << first;
  }
  Console& operator<<(int32_t value) {
    if (value < 0) *this << "-";
    return *this << (value < 0 ? 0u - uint32_t(value) : uint32_t(value));
  }

  /// 0x and eight digits.
  Console& hex(uint32_t value) {
    char digits[11] = "0x00000000";
    for (int i = 0; i < 8; ++i) digits[9 - i] = "0123456789abcdef"[value >> (4 * i) & 15];
    return *this << digits;
  }
  /// A value >= 0 in Q24 with four decimals, rounded down.
  Console& q24(int64_t value) {
    *this << uint32_t(value >> 24) << ".";
    uint32_t fraction = uint32_t(value) & 0xFFFFFF;
    for (int i = 0; i < 4; ++i) {
      fraction *= 10;
      *this << (fraction >> 24);
      fraction &= 0xFFFFFF;
    }
    return *this;
  }

 private:
  File out_;
};

}  // namespace mantissa::firmware
