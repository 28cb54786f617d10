// Numbers and tables as people read them in a terminal.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mantissa::host {

/// 1234567 as "1,234,567".
std::string grouped(int64_t n);

/// A number of bytes in the same way.
inline std::string grouped_size(uint64_t bytes) { return grouped(static_cast<int64_t>(bytes)); }

/// A share as "93.25 %".
std::string percent(double share);

/// Columns that a terminal needs for UTF-8 text, one per code point.
size_t text_width(std::string_view text);

/// Rows of cells in aligned columns, two spaces apart.
class Table {
 public:
  /// One letter per column: 'l' is aligned left, 'r' right.
  explicit Table(std::string alignment) : alignment_(std::move(alignment)) {}

  /// Requires one cell per column.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A rule across the table.
  void add_rule() { rows_.emplace_back(); }

  size_t width() const;
  /// Each line is indented and ends with a line end, without trailing spaces.
  std::string text(int indent = 2) const;

 private:
  std::vector<size_t> widths() const;

  std::string alignment_;
  std::vector<std::vector<std::string>> rows_;  ///< an empty one is a rule
};

}  // namespace mantissa::host
