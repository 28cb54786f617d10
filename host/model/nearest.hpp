// The known word that a mistyped one probably meant.
// So that a message about an unknown key, layer or recipe can end with what would do.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mantissa::host {

/// The candidate with the smallest edit distance to `word` (insert, delete, replace; ASCII case is
/// ignored), the first of equals; empty if none is within a third of the word's length, or 1.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "; did you mean 'kernel'?", or "; known are 'kernel', 'stride'" (the first 12 of them) if none is near.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

/// Text from outside as a message may show it: at most `longest` bytes, without control characters.
std::string clipped(std::string_view text, size_t longest);

/// The same in quotes, at most 60 bytes.
std::string in_quotes(std::string_view text);

}  // namespace mantissa::host
