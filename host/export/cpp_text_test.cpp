#include "host/export/cpp_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace mantissa::host {
namespace {

TEST(CppText, NamesOfNamespaces) {
  for (const char* name : {"ecg", "ECG_3", "a1_b2", "x"}) EXPECT_TRUE(is_cpp_name(name)) << name;
  for (const char* name : {"", "3d", "_ecg", "a__b", "a-b", "a b", "herz\xC3\xB6", "class", "std", "mantissa",
                           "main", "xor", "a\nb", "a;b"})
    EXPECT_FALSE(is_cpp_name(name)) << name;
}

TEST(CppText, AnyTextHasANearestName) {
  EXPECT_EQ(cpp_name("ecg"), "ecg");
  EXPECT_EQ(cpp_name("3-lead ECG"), "model_3_lead_ECG");
  EXPECT_EQ(cpp_name("__a--b__"), "a_b");
  EXPECT_EQ(cpp_name("class"), "model_class");
  EXPECT_EQ(cpp_name("\xC3\xB6"), "model");
  for (int c = 0; c < 256; ++c) {
    const std::string odd = {static_cast<char>(c), 'x', static_cast<char>(c)};
    EXPECT_TRUE(is_cpp_name(cpp_name(odd))) << c;
  }
}

TEST(CppText, StringsEscapeWhatEndsThem) {
  EXPECT_EQ(cpp_string("a"), "\"a\"");
  EXPECT_EQ(cpp_string("say \"hi\" \\ now"), R"("say \"hi\" \\ now")");
  EXPECT_EQ(cpp_string("a\nb\x7F"
                       "1"),
            R"("a\012b\1771")");
}

TEST(CppText, FloatsAreExactLiterals) {
  EXPECT_EQ(cpp_float(2.0f), "2.0f");
  EXPECT_EQ(cpp_float(-0.1f), "-0.1f");
  EXPECT_EQ(cpp_float(1e-30f), "1e-30f");
  for (float value : {0.1f, 1.0f / 3, std::numeric_limits<float>::max(),
                      std::numeric_limits<float>::denorm_min(), 16777216.0f, 1e20f}) {
    const std::string literal = cpp_float(value);
    EXPECT_EQ(literal.back(), 'f');
    EXPECT_NE(literal.find_first_of(".e"), std::string::npos) << literal;
    EXPECT_EQ(std::strtof(literal.c_str(), nullptr), value) << literal;
  }
}

TEST(CppText, CommentsStayOnTheirLine) {
  EXPECT_EQ(cpp_comment("layer\n#error"), "layer?#error");
  EXPECT_EQ(cpp_comment("ends with \\"), "ends with ?");
}

TEST(CppText, BytesAreSixteenToALine) {
  std::array<std::byte, 18> bytes{};
  bytes[17] = std::byte(0xAB);
  EXPECT_EQ(
      cpp_bytes(bytes),
      "    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n"
      "    0x00, 0xab,\n");
  EXPECT_EQ(cpp_bytes({}), "");
}

}  // namespace
}  // namespace mantissa::host
