// What a training takes on a board, before it runs there: the plan, and RAM to the last byte.
// The linked program says how large its static data is, so a promise is about that very program.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "host/device/board.hpp"
#include "host/device/firmware_image.hpp"
#include "host/train/host_plan.hpp"

namespace mantissa::host {

/// How RAM is divided, in the order of addresses; bytes, multiples of 8.
struct BoardMemory {
  uint32_t static_bytes = 0;  ///< .data and .bss
  uint32_t arena_bytes = 0;
  uint32_t sample_bytes = 0;  ///< of a sample that is its own target, outside the arena; else 0
  uint32_t stack_bytes = 0;

  uint64_t total() const { return uint64_t{static_bytes} + arena_bytes + sample_bytes + stack_bytes; }
  bool operator==(const BoardMemory&) const = default;
};

/// Which program runs: runner_BOARD.elf or runner_BOARD_ref.elf in folder/PRESET.
struct BoardTarget {
  Board board;
  BoardKernels kernels = BoardKernels::kFast;
  std::filesystem::path folder;

  std::filesystem::path program_path() const;
};

struct BoardOptions {
  int batch = 1;
  bool momentum = true;
};

/// A board has one core and little memory: one thread, one sample at a time, staged in the arena (unless the loss compares with it,
/// after other things have taken its place), small tiles.
PlanOptions board_plan_options(const BoardTarget& target, const BoardOptions& options, Target compared_with);

class BoardPlan {
 public:
  /// Throws Error if the program is missing or another board's, and as HostPlan. Whether it fits, fits() says.
  BoardPlan(const Description& description, const NamedRecipe& recipe, const BoardTarget& target,
            const BoardOptions& options);

  PlanView view() const { return plan_.view(); }
  const BoardMemory& memory() const { return memory_; }
  const Board& board() const { return target_.board; }
  const FirmwareImage& image() const { return image_; }
  bool fits() const { return memory_.total() <= target_.board.ram_bytes; }

 private:
  BoardTarget target_;
  FirmwareImage image_;
  HostPlan plan_;
  BoardMemory memory_;
};

}  // namespace mantissa::host
