// Edit distance by Wagner and Fischer's recurrence, one row at a time.
// Candidates of another length are not near and cost nothing: garbage of any size is answered at once.
#include "host/model/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace mantissa::host {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  const size_t tolerance = std::max<size_t>(1, word.size() / 3);
  std::string_view best;
  size_t best_distance = tolerance + 1;
  for (const std::string_view candidate : candidates) {
    const size_t longer = std::max(word.size(), candidate.size());
    const size_t shorter = std::min(word.size(), candidate.size());
    if (longer - shorter >= best_distance) continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (const std::string_view near = nearest(word, candidates); !near.empty())
    return fmt::format("; did you mean {}?", in_quotes(near));
  if (candidates.empty()) return "";
  std::string text = "; known are ";
  const size_t shown = std::min<size_t>(candidates.size(), 12);
  for (size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + in_quotes(candidates[i]);
  return shown < candidates.size() ? text + ", ..." : text;
}

std::string clipped(std::string_view text, size_t longest) {
  size_t end = std::min(text.size(), longest);
  while (end > 0 && end < text.size() && is_continuation(text[end])) --end;  // not inside a UTF-8 character
  std::string shown(text.substr(0, end));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return end < text.size() ? shown + "..." : shown;
}

std::string in_quotes(std::string_view text) { return fmt::format("'{}'", clipped(text, 60)); }

}  // namespace mantissa::host
