// Widths are measured over all rows, then every cell is padded.
#include "host/report/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace mantissa::host {
namespace {

constexpr size_t kGap = 2;

}  // namespace

std::string grouped(int64_t n) {
  const std::string digits = fmt::format("{}", n);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    const bool between = i > 0 && digits[i - 1] != '-' && (digits.size() - i) % 3 == 0;
    if (between) out += ',';
    out += digits[i];
  }
  return out;
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

size_t text_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::vector<size_t> Table::widths() const {
  std::vector<size_t> widths(alignment_.size(), 0);
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  return widths;
}

size_t Table::width() const {
  const std::vector<size_t> all = widths();
  return std::accumulate(all.begin(), all.end(), size_t{0}) + kGap * (all.size() - 1);
}

std::string Table::text(int indent) const {
  const std::vector<size_t> all = widths();
  const std::string margin(static_cast<size_t>(indent), ' ');
  std::string out;
  for (const auto& row : rows_) {
    std::string line = margin;
    if (row.empty()) line.append(width(), '-');
    for (size_t i = 0; i < row.size(); ++i) {
      const size_t space = all[i] - text_width(row[i]);
      if (i > 0) line.append(kGap, ' ');
      if (alignment_[i] == 'r') line.append(space, ' ');
      line += row[i];
      if (alignment_[i] == 'l') line.append(space, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace mantissa::host
