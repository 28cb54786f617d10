// Checks of single values, and the sentences for those that fail.
// The TOML library parses; what it cannot know (keys, ranges, limits) is checked here.
#include "host/model/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kMaxBytes = 256 * 1024;
constexpr size_t kMaxDots =
    4096;  // each may nest a table, and the library destroys nested tables recursively
constexpr size_t kMaxNameBytes = 64;

std::string_view type_words(toml::node_type type) {
  switch (type) {
    case toml::node_type::none: return "nothing";
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a float";
    case toml::node_type::boolean: return "a boolean";
    case toml::node_type::date: return "a date";
    case toml::node_type::time: return "a time";
    case toml::node_type::date_time: return "a date and time";
  }
  return "nothing";
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

toml::table parse_toml(std::string_view text, const std::string& source) {
  if (text.size() > kMaxBytes)
    throw Error(fmt::format("{}: more than {} bytes; this is not a description", source, kMaxBytes));
  if (std::count(text.begin(), text.end(), '.') > static_cast<std::ptrdiff_t>(kMaxDots))
    throw Error(fmt::format("{}: more than {} dots; this is not a description", source, kMaxDots));
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& e) {
    throw Error(fmt::format("{}, line {}: not TOML: {}", source, e.source().begin.line,
                            clipped(e.description(), 300)));
  }
}

std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');  // one more, so that parse_toml() sees what is too long
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    throw Error(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (is_control(c)) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void TomlReader::allow(std::initializer_list<std::string_view> keys) const {
  std::vector<std::string_view> known(keys);
  if (!allowed_.empty()) known.push_back(allowed_);
  for (const auto& [key, value] : table_) {
    const std::string_view word = key.str();
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    fail(word, fmt::format("unknown key {} in {}{}", in_quotes(word), where_, suggestion(word, known)));
  }
}

int64_t TomlReader::integer64(std::string_view key, std::optional<int64_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const toml::node& node = require(key);
  if (const auto value = node.value_exact<int64_t>()) return *value;
  fail_type(key, node, "an integer");
}

int32_t TomlReader::in_range(std::string_view key, int64_t value, IntegerRange range) const {
  if (value < range.low || value > range.high)
    fail(key, fmt::format("{} in {} is {}; it must be from {} to {}", in_quotes(key), where_, value,
                          range.low, range.high));
  return static_cast<int32_t>(value);
}

int32_t TomlReader::integer(std::string_view key, IntegerRange range, std::optional<int32_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return in_range(key, integer64(key), range);
}

double TomlReader::number(std::string_view key, NumberRange range, std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const toml::node& node = require(key);
  if (!node.is_number()) fail_type(key, node, "a number");
  const double value = *node.value<double>();
  if (!(value >= range.low && value <= range.high))  // NaN too
    fail(key, fmt::format("{} in {} is {}; it must be from {} to {}", in_quotes(key), where_, value,
                          range.low, range.high));
  return value;
}

bool TomlReader::boolean(std::string_view key, std::optional<bool> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const toml::node& node = require(key);
  if (const auto value = node.value_exact<bool>()) return *value;
  fail_type(key, node, "true or false");
}

std::string TomlReader::text(std::string_view key) const {
  const toml::node& node = require(key);
  if (auto value = node.value_exact<std::string>()) return *std::move(value);
  fail_type(key, node, "a string");
}

std::string TomlReader::checked_name(std::string_view key, std::string text) const {
  if (text.empty() || text.size() > kMaxNameBytes || std::any_of(text.begin(), text.end(), is_control))
    fail(key, fmt::format("{} in {} is {}; a name has 1 to {} bytes and no control characters",
                          in_quotes(key), where_, in_quotes(text), kMaxNameBytes));
  return text;
}

std::string TomlReader::name(std::string_view key) const { return checked_name(key, text(key)); }

const toml::array& TomlReader::list(std::string_view key, std::string_view wanted) const {
  const toml::node& node = require(key);
  if (!node.is_array()) fail_type(key, node, wanted);
  return *node.as_array();
}

std::vector<std::string> TomlReader::name_list(std::string_view key) const {
  std::vector<std::string> names;
  for (const toml::node& element : list(key, "a list of strings")) {
    auto value = element.value_exact<std::string>();
    if (!value) fail_type(key, element, "a list of strings");
    names.push_back(checked_name(key, *std::move(value)));
  }
  return names;
}

std::vector<double> TomlReader::number_list(std::string_view key, NumberRange range) const {
  std::vector<double> values;
  for (const toml::node& element : list(key, "a list of numbers")) {
    const auto value = element.value<double>();
    if (!value || !element.is_number()) fail_type(key, element, "a list of numbers");
    if (!(*value >= range.low && *value <= range.high))
      fail(key, fmt::format("{} in {} contains {}; it must be from {} to {}", in_quotes(key), where_, *value,
                            range.low, range.high));
    values.push_back(*value);
  }
  return values;
}

std::vector<int32_t> TomlReader::integer_list(std::string_view key, IntegerRange range) const {
  std::vector<int32_t> values;
  for (const toml::node& element : list(key, "a list of integers")) {
    const auto value = element.value_exact<int64_t>();
    if (!value) fail_type(key, element, "a list of integers");
    values.push_back(in_range(key, *value, range));
  }
  return values;
}

TomlReader TomlReader::table(std::string_view key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) fail(key, fmt::format("{} has no table [{}]", where_, key));
  if (!node->is_table()) fail_type(key, *node, fmt::format("a table: [{}]", key));
  return {*node->as_table(), source_, fmt::format("[{}]", key), node->source().begin.line};
}

std::vector<TomlReader> TomlReader::table_list(std::string_view key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) fail(key, fmt::format("{} has no [[{}]]", where_, key));
  const std::string wanted = fmt::format("a list of tables: [[{}]]", key);
  std::vector<TomlReader> tables;
  for (const toml::node& element : list(key, wanted)) {
    if (!element.is_table()) fail_type(key, element, wanted);
    tables.emplace_back(*element.as_table(), source_, fmt::format("[[{}]] {}", key, tables.size() + 1),
                        element.source().begin.line);
  }
  return tables;
}

std::vector<std::string_view> TomlReader::keys() const {
  std::vector<std::string_view> all;
  for (const auto& [key, value] : table_) all.push_back(key.str());
  return all;
}

const toml::node& TomlReader::require(std::string_view key) const {
  if (const toml::node* node = table_.get(key)) return *node;
  fail(key, fmt::format("{} has no key {}", where_, in_quotes(key)));
}

void TomlReader::fail(std::string_view key, std::string_view sentence) const {
  const auto entry = table_.find(key);
  const auto line = entry == table_.end() ? line_ : entry->first.source().begin.line;
  if (line == 0) throw Error(fmt::format("{}: {}", source_, sentence));
  throw Error(fmt::format("{}, line {}: {}", source_, line, sentence));
}

void TomlReader::fail_unknown_word(std::string_view key, std::string_view word,
                                   std::span<const std::string_view> known) const {
  fail(key, fmt::format("unknown {} {} in {}{}", key, in_quotes(word), where_, suggestion(word, known)));
}

void TomlReader::fail_type(std::string_view key, const toml::node& found, std::string_view wanted) const {
  const std::string_view what = type_words(found.type());
  if (has(key) && &found != table_.get(key))
    fail(key, fmt::format("{} in {} contains {}; it must be {}", in_quotes(key), where_, what, wanted));
  fail(key, fmt::format("{} in {} is {}; it must be {}", in_quotes(key), where_, what, wanted));
}

}  // namespace mantissa::host
