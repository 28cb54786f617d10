// One table of a TOML file, read key by key.
// So that every mistake gives the same kind of sentence: file, line, key, what was found and what would do.
#pragma once
#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/model/nearest.hpp"
#include "host/model/ranges.hpp"

namespace mantissa::host {

/// Parses a whole file; `source` stands for it in messages. Safe on arbitrary bytes.
/// Throws Error with the line unless the text is TOML of reasonable size.
toml::table parse_toml(std::string_view text, const std::string& source);

/// A text file, as much of it as parse_toml() accepts and a byte more. Throws Error if it cannot be read.
std::string read_text_file(const std::string& path);

/// A basic string of TOML, quotes included.
std::string toml_string(std::string_view text);

/// A value and what files call it.
template <class T>
struct Named {
  std::string_view name;
  T value;
};

/// What files call `value`. Requires a name for it.
template <class T>
constexpr std::string_view name_of(T value, std::type_identity_t<std::span<const Named<T>>> names) {
  for (const Named<T>& n : names)
    if (n.value == value) return n.name;
  return {};
}

/// Every function throws Error if the value has another type than it reads or is out of range, or if the key
/// is missing and no fallback is given. The table and `source` must outlive the reader.
class TomlReader {
 public:
  /// `where` names the table in messages: "[input]". `line` is where it begins, 0 for the whole file.
  TomlReader(const toml::table& table, const std::string& source, std::string where, uint32_t line = 0)
      : table_(table), source_(source), where_(std::move(where)), line_(line) {}

  /// Throws Error at the first key that is not among these, with the nearest one.
  void allow(std::initializer_list<std::string_view> keys) const;
  /// A key that every allow() lets pass.
  void always_allow(std::string_view key) { allowed_ = key; }

  bool has(std::string_view key) const { return table_.get(key) != nullptr; }
  const std::string& where() const { return where_; }

  /// Any 64-bit integer.
  int64_t integer64(std::string_view key, std::optional<int64_t> fallback = {}) const;
  int32_t integer(std::string_view key, IntegerRange range, std::optional<int32_t> fallback = {}) const;
  /// A finite number; an integer will do.
  double number(std::string_view key, NumberRange range, std::optional<double> fallback = {}) const;
  bool boolean(std::string_view key, std::optional<bool> fallback = {}) const;
  std::string text(std::string_view key) const;
  /// A name: 1 to 64 bytes, no control characters.
  std::string name(std::string_view key) const;
  std::vector<std::string> name_list(std::string_view key) const;
  std::vector<double> number_list(std::string_view key, NumberRange range) const;
  std::vector<int32_t> integer_list(std::string_view key, IntegerRange range) const;
  bool is_list(std::string_view key) const { return has(key) && table_.get(key)->is_array(); }
  bool is_string(std::string_view key) const { return has(key) && table_.get(key)->is_string(); }

  /// One of the names.
  template <class T>
  T choice(std::string_view key, std::span<const Named<T>> names, std::optional<T> fallback = {}) const {
    if (fallback && !has(key)) return *fallback;
    std::vector<std::string_view> known;
    const std::string word = text(key);
    for (const Named<T>& n : names) {
      if (n.name == word) return n.value;
      known.push_back(n.name);
    }
    fail_unknown_word(key, word, known);
  }

  TomlReader table(std::string_view key) const;
  /// The tables of [[key]] in order, each named "[[key]] 1".
  std::vector<TomlReader> table_list(std::string_view key) const;
  std::vector<std::string_view> keys() const;
  void rename(std::string where) { where_ = std::move(where); }

  /// Throws Error: file, line of the key (or where there is none, of the table), and the sentence.
  [[noreturn]] void fail(std::string_view key, std::string_view sentence) const;
  [[noreturn]] void fail_unknown_word(std::string_view key, std::string_view word,
                                      std::span<const std::string_view> known) const;

 private:
  const toml::node& require(std::string_view key) const;
  const toml::array& list(std::string_view key, std::string_view wanted) const;
  [[noreturn]] void fail_type(std::string_view key, const toml::node& found, std::string_view wanted) const;
  int32_t in_range(std::string_view key, int64_t value, IntegerRange range) const;
  std::string checked_name(std::string_view key, std::string text) const;

  const toml::table& table_;
  const std::string& source_;
  std::string where_;
  uint32_t line_;
  std::string_view allowed_;
};

}  // namespace mantissa::host
