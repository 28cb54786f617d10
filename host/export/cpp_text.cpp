// Escapes what source files give a meaning to.
#include "host/export/cpp_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mantissa::host {
namespace {

constexpr auto kTaken = std::to_array<std::string_view>(
    {"alignas",       "alignof",      "and",       "and_eq",       "asm",      "auto",
     "bitand",        "bitor",        "bool",      "break",        "case",     "catch",
     "char",          "char16_t",     "char32_t",  "char8_t",      "class",    "co_await",
     "co_return",     "co_yield",     "compl",     "concept",      "const",    "const_cast",
     "consteval",     "constexpr",    "constinit", "continue",     "decltype", "default",
     "delete",        "do",           "double",    "dynamic_cast", "else",     "enum",
     "explicit",      "export",       "extern",    "false",        "float",    "for",
     "friend",        "goto",         "if",        "inline",       "int",      "long",
     "main",          "mantissa",     "mutable",   "namespace",    "new",      "noexcept",
     "not",           "not_eq",       "nullptr",   "operator",     "or",       "or_eq",
     "posix",         "private",      "protected", "public",       "register", "reinterpret_cast",
     "requires",      "return",       "short",     "signed",       "sizeof",   "static",
     "static_assert", "static_cast",  "std",       "struct",       "switch",   "template",
     "this",          "thread_local", "throw",     "true",         "try",      "typedef",
     "typeid",        "typename",     "union",     "unsigned",     "using",    "virtual",
     "void",          "volatile",     "wchar_t",   "while",        "xor",      "xor_eq"});

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

bool is_cpp_name(std::string_view text) {
  const auto is_part = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && is_letter(text[0]) && std::ranges::all_of(text, is_part) &&
         text.find("__") == std::string_view::npos && std::ranges::find(kTaken, text) == kTaken.end();
}

std::string cpp_name(std::string_view text) {
  std::string name;
  for (char c : text)
    if (is_letter(c) || is_digit(c))
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  while (name.ends_with('_')) name.pop_back();
  if (name.empty()) return "model";
  return is_cpp_name(name) ? name : fmt::format("model_{}", name);
}

std::string cpp_string(std::string_view text) {
  std::string literal = "\"";
  for (char c : text)
    if (is_control(c))
      literal += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else if (c == '"' || c == '\\')
      literal += {'\\', c};
    else
      literal += c;
  return literal + '"';
}

std::string cpp_float(float value) {
  const std::string digits = fmt::format("{}", value);
  const bool has_point = digits.find_first_of(".e") != std::string::npos;
  return digits + (has_point ? "f" : ".0f");
}

std::string cpp_comment(std::string_view text) {
  std::string comment(text);
  for (char& c : comment)
    if (is_control(c)) c = '?';
  if (comment.ends_with('\\')) comment.back() = '?';
  return comment;
}

std::string cpp_bytes(std::span<const std::byte> bytes) {
  constexpr size_t kPerLine = 16;
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    text += fmt::format("{}{:#04x},", i % kPerLine == 0 ? "    " : " ", static_cast<unsigned>(bytes[i]));
    if (i % kPerLine == kPerLine - 1 || i + 1 == bytes.size()) text += '\n';
  }
  return text;
}

}  // namespace mantissa::host
