// .safetensors as the format says, and what is wrong with others.
#include "host/import/weights.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

std::string file_of(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

std::vector<WeightTensor> parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "w.safetensors");
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

std::string entry(const std::string& name, const std::string& type, const std::string& shape, size_t begin,
                  size_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

void expect_error(const std::string& file, const std::string& text) {
  test::expect_error([&] { parse(file); }, text);
}

TEST(Safetensors, ReadsFloatsOfAllWidthsInTheOrderOfNames) {
  const std::string header =
      "{\"__metadata__\":{\"format\":\"pt\"}," + entry("10.weight", "F32", "[2]", 0, 8) + "," +
      entry("9.weight", "F64", "[1,2]", 8, 24) + "," + entry("8.bias", "F16", "[4]", 24, 32) + "," +
      entry("7.bias", "BF16", "[1]", 32, 34) + "," + entry("7.n", "I64", "[]", 34, 42) + "}";
  const std::vector<WeightTensor> t =
      parse(file_of(header, bytes_of<float>({1.5f, -2}) + bytes_of<double>({0.1, 3}) +
                                bytes_of<uint16_t>({0x3C00, 0xC0C0, 0x0001, 0x7BFF}) +
                                bytes_of<uint16_t>({0x4049}) + bytes_of<int64_t>({5})));
  ASSERT_EQ(t.size(), 5u);
  EXPECT_EQ(t[0].name, "7.bias");
  EXPECT_EQ(t[0].values, (std::vector<float>{3.140625f}));
  EXPECT_FALSE(t[1].is_float);
  EXPECT_EQ(t[2].values, (std::vector<float>{1, -2.375f, 0x1p-24f, 65504}));
  EXPECT_EQ(t[3].shape, (std::vector<size_t>{1, 2}));
  EXPECT_EQ(t[3].values, (std::vector<float>{0.1f, 3}));
  EXPECT_EQ(t[4].name, "10.weight");
  EXPECT_EQ(t[4].values, (std::vector<float>{1.5f, -2}));
}

TEST(Safetensors, SaysWhatIsWrong) {
  const std::string four = bytes_of<float>({1});
  expect_error("abc", "3 bytes, too few");
  expect_error(file_of("", "").replace(0, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"),
               "neither .npz nor .safetensors");
  expect_error(file_of("[1]", ""), "the header is not a JSON object");
  expect_error(file_of("{\"a\":", ""), "the header is not a JSON object");
  expect_error(file_of("{\"a\":3}", ""), "tensor 'a' lacks dtype");
  expect_error(file_of("{" + entry("a", "F8", "[4]", 0, 4) + "}", four), "of type 'F8', which is not read");
  expect_error(file_of("{" + entry("a", "F32", "[2]", 0, 4) + "}", four),
               "has 4 bytes, and F32 of shape [2] takes 8");
  expect_error(file_of("{" + entry("a", "F32", "[2]", 0, 8) + "}", four), "lies at bytes 0 to 8 of 4");
  expect_error(file_of("{" + entry("a", "F32", "[1]", 4, 0) + "}", four), "lies at bytes 4 to 0");
  expect_error(file_of("{" + entry("a", "F32", "[-1]", 0, 4) + "}", four), "a size that is no whole number");
  expect_error(file_of("{" + entry("a", "F32", "[4294967296,4294967296,8]", 0, 4) + "}", four),
               "more bytes than any memory");
  expect_error(file_of("{" + entry("a", "F32", "[1]", 0, 4) + "}", bytes_of<uint32_t>({0x7F800000})),
               "value 0 is not finite");
  expect_error(file_of("{" + entry("a", "F64", "[1]", 0, 8) + "}", bytes_of<double>({1e39})),
               "value 0 is not finite");
}

}  // namespace
}  // namespace mantissa::host
