#include "mantissa/base/crc32.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace mantissa {
namespace {

uint32_t crc_of(std::string_view text) {
  Crc32 crc;
  crc.add(std::as_bytes(std::span(text)));
  return crc.value();
}

/// Expected values from Python's zlib.crc32.
TEST(Crc32, IsThatOfZlib) {
  EXPECT_EQ(crc_of(""), 0u);
  EXPECT_EQ(crc_of("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc_of("The quick brown fox jumps over the lazy dog"), 0x414FA339u);
  EXPECT_EQ(crc_of(std::string(1000, '\xFF')), 0xE0533230u);
}

TEST(Crc32, DoesNotDependOnThePieces) {
  Crc32 crc;
  crc.add(std::as_bytes(std::span(std::string_view("1234"))));
  crc.add(std::as_bytes(std::span(std::string_view("56789"))));
  EXPECT_EQ(crc.value(), 0xCBF43926u);
}

}  // namespace
}  // namespace mantissa
