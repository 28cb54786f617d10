// Reads golden values: rows of words, written by tools/gold, that tests compare with what the core computes.
#pragma once
#include <gtest/gtest.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "mantissa/num/scale.hpp"

namespace mantissa {

/// The words of one row, read one after the other; a missing or wrong word is a failure of the test.
class GoldenRow {
 public:
  explicit GoldenRow(const std::string& line) : line_(line), words_(line) {}

  std::string word() {
    std::string next;
    if (!(words_ >> next)) ADD_FAILURE() << "the row ends too early: " << line_.substr(0, 200);
    return next;
  }
  int64_t number() { return to_number(word()); }
  Scale scale() {
    const auto mantissa = uint32_t(number());
    return {mantissa, int32_t(number())};
  }
  /// Numbers between commas; none for "-".
  template <class T>
  std::vector<T> numbers() {
    std::vector<T> out;
    const std::string list = word();
    for (size_t at = 0; list != "-" && at <= list.size();) {
      const size_t end = std::min(list.find(',', at), list.size());
      out.push_back(T(to_number(std::string_view(list).substr(at, end - at))));
      at = end + 1;
    }
    return out;
  }
  std::vector<Scale> scales() {
    const std::vector<int64_t> parts = numbers<int64_t>();
    std::vector<Scale> out;
    for (size_t i = 0; i + 1 < parts.size(); i += 2)
      out.push_back({uint32_t(parts[i]), int32_t(parts[i + 1])});
    return out;
  }
  std::vector<uint8_t> bytes() {
    const std::string hex = word();
    std::vector<uint8_t> out(hex.size() / 2);
    for (size_t i = 0; i < out.size(); ++i)
      std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, out[i], 16);
    return out;
  }

 private:
  static int64_t to_number(std::string_view text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) ADD_FAILURE() << "not a number: " << text;
    return value;
  }
  std::string line_;
  std::istringstream words_;
};

/// Calls check(row, text of the row) for each row of tests/golden/<name>; the file must have rows.
template <class Check>
void for_each_golden_row(const std::string& name, Check check) {
  std::ifstream file(MANTISSA_SOURCE_DIR "/tests/golden/" + name);
  size_t rows = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    ++rows;
    GoldenRow row(line);
    check(row, line.substr(0, 300));
    if (::testing::Test::HasFailure()) return;
  }
  ASSERT_GT(rows, 0u) << "no rows in tests/golden/" << name;
}

}  // namespace mantissa
