// What the counter of instructions saw of a training on an emulated board, by the steps of its plan.
// Instructions, not cycles: how long one takes is the core's and the memory's affair, and an emulator knows neither.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/model/description.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

struct StepCount {
  StepKind kind = StepKind::kForward;
  int layer = -1;             ///< -1: the input
  uint64_t instructions = 0;  ///< its matrix product included
  uint64_t product = 0;       ///< of the matrix product alone
};

/// Sums over the counted batches, but for `total`.
struct InstructionCounts {
  uint64_t total =
      0;  ///< of the whole run, with start, transfer of samples and what is not counted otherwise
  uint64_t batches = 0;  ///< that were counted
  uint64_t between = 0;  ///< of a batch outside of steps
  std::vector<StepCount> steps;

  uint64_t of(StepKind kind) const;
  /// A training step, without the transfer of its samples.
  uint64_t per_batch() const;
};

/// From the file that tools/qemu/count.cpp writes. `name` stands for it in messages. Throws Error if it is not one.
InstructionCounts parse_counts(std::string_view json, const std::string& name);

/// Lines for a terminal.
std::string counts_text(const InstructionCounts& counts, const PlanView& plan);

}  // namespace mantissa::host
