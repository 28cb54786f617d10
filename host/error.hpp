// The host's one exception type: every message names the thing, says what was found and what would do.
#pragma once
#include <stdexcept>
#include <string>

namespace mantissa::host {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace mantissa::host
