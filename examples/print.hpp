// Text and numbers on whatever the machine has, so that one source is a program of the PC and of a microcontroller.
#pragma once
#include <concepts>
#include <cstdint>
#include <string_view>

/// The machine's own: print_host.cpp, or firmware/print.cpp.
void print_text(std::string_view text);

/// A number in base 16 with all its digits.
struct Hex {
  uint64_t value = 0;
};

/// value / 2^24 with three decimals, rounded down. Requires value >= 0.
struct Q24 {
  int64_t value = 0;
};

inline void print_digits(uint64_t value, uint32_t base, int32_t least) {
  char digits[20];
  char* const end = digits + sizeof digits;
  char* first = end;
  do *--first = "0123456789abcdef"[value % base];
  while ((value /= base) != 0 || end - first < least);
  print_text({first, size_t(end - first)});
}

inline void print_one(std::string_view text) { print_text(text); }
inline void print_one(Hex number) { print_digits(number.value, 16, 16); }
inline void print_one(Q24 number) {
  print_digits(uint64_t(number.value >> 24), 10, 1);
  print_text(".");
  print_digits((uint64_t(number.value) & 0xFFFFFF) * 1000 >> 24, 10, 3);
}
template <std::signed_integral Integer>
void print_one(Integer number) {
  if (number < 0) print_text("-");
  print_digits(number < 0 ? 0 - uint64_t(number) : uint64_t(number), 10, 1);
}
template <std::unsigned_integral Integer>
void print_one(Integer number) {
  print_digits(number, 10, 1);
}

/// print("batch ", 50, ": loss ", Q24{loss}, "\n");
template <class... Parts>
void print(const Parts&... parts) {
  (print_one(parts), ...);
}
