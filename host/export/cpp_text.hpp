// Names, numbers and texts as C++ source has them.
// They come from model files, so nothing in them may end a comment, a literal or a line.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mantissa::host {

/// Whether it can name a namespace of a program: ASCII letters, digits and single underscores, begins with a letter, and
/// is no keyword nor a namespace that is in use.
bool is_cpp_name(std::string_view text);

/// The nearest such name: "3-lead ECG" becomes "model_3_lead_ECG".
std::string cpp_name(std::string_view text);

/// "text" with quotes, which the compiler reads as the same bytes.
std::string cpp_string(std::string_view text);

/// The shortest literal that the compiler reads as the same float: "0.1f". Requires a finite value.
std::string cpp_float(float value);

/// Text for the rest of a // comment: on one line, with nothing that would go on in the next.
std::string cpp_comment(std::string_view text);

/// Bytes of an array's initialiser, indented, sixteen to a line, with a comma after each.
std::string cpp_bytes(std::span<const std::byte> bytes);

}  // namespace mantissa::host
