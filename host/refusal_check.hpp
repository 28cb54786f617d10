// What tests ask of refusals: the text of the error, and whether it says what it must.
#pragma once
#include <gtest/gtest.h>

#include <concepts>
#include <string>
#include <string_view>

#include "host/error.hpp"

namespace mantissa::host::test {

/// What `action` is refused with; empty if it is not.
template <std::invocable Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Fails unless `action` is refused with a text that contains `part`.
template <std::invocable Action>
void expect_error(Action action, std::string_view part) {
  const std::string found = error_of(action);
  EXPECT_NE(found.find(part), std::string::npos)
      << "wanted: " << part << "\nfound:  " << (found.empty() ? "no error" : found);
}

}  // namespace mantissa::host::test
