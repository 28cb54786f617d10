// Codes that did not fit their format: where, how many, and whether that ends a run.
// The engine counts them per scale; the names are known here.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "host/model/description.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// Codes of one tensor that did not fit in their format and took the nearest value that does.
struct Saturation {
  std::string where;  ///< "conv1 output"
  uint64_t codes = 0;
};

/// Those that have any, most first.
std::vector<Saturation> saturations(const Engine& engine, const Description& description);

/// What a code that does not fit means for a run.
enum class OverflowPolicy { kCount, kError };

/// Looks whether codes have saturated since it looked last.
class OverflowGuard {
 public:
  /// Both must outlive the guard. What the engine has counted before does not matter.
  OverflowGuard(const Engine& engine, const Description& description, OverflowPolicy policy);

  /// Throws Error with the names of the tensors, where the policy is kError. `when`: "in update 17".
  void check(const std::string& when);

 private:
  const Engine& engine_;
  const Description& description_;
  OverflowPolicy policy_;
  uint64_t total_ = 0;
  std::vector<Saturation> before_;
};

}  // namespace mantissa::host
