// The same training as on the host, on an emulated board: data to it, and what it learned back.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "firmware/job.hpp"
#include "host/data/split.hpp"
#include "host/device/board_plan.hpp"
#include "host/device/instructions.hpp"
#include "host/device/job_image.hpp"
#include "host/train/arena.hpp"
#include "host/train/trainer.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// What a board sends back.
struct BoardResult {
  firmware::JobResult run;
  std::vector<firmware::EpochSum> epochs;
  std::vector<std::byte> arena;
  std::optional<InstructionCounts> instructions;  ///< where they were counted
};

/// The bytes of a result file. `name` stands for it in messages. Throws Error unless the run was finished and the sizes are
/// those of `epochs` and `arena_bytes`.
BoardResult parse_result(std::span<const std::byte> file, size_t epochs, size_t arena_bytes,
                         const std::string& name);

struct BoardHooks {
  std::function<void(std::string_view line)> on_line = {};
  const std::atomic<bool>* stop = nullptr;
  std::filesystem::path counter = {};  ///< the plugin that counts instructions, if they are wanted
};

/// Trains on the board. Empty if it was stopped. Requires a plan that fits. Throws Error as run_emulator(), and if files
/// cannot be written.
std::optional<BoardResult> train_on_board(const BoardPlan& plan, const Split& train,
                                          const JobSettings& settings, const BoardHooks& hooks);

/// An engine over memory that a board sent back: to look at, to compare, to save. Not copied or moved: the engine holds
/// addresses of its parts.
class ReturnedEngine {
 public:
  /// The plan must outlive this object. Throws Error if the memory is not what its hash says.
  ReturnedEngine(const PlanView& plan, const BoardResult& result, uint64_t seed);
  ReturnedEngine(const ReturnedEngine&) = delete;
  ReturnedEngine& operator=(const ReturnedEngine&) = delete;

  Engine& engine() { return engine_; }

 private:
  Arena arena_;
  Engine engine_;
};

/// Where a board's training and the host's differ first: an epoch's sums, an element, a scale, the count of saturated
/// codes. Empty if they are identical.
std::optional<std::string> first_difference(const BoardResult& board, const Engine& board_engine,
                                            const std::vector<EpochResult>& host_epochs,
                                            const Engine& host_engine, const Description& description);

}  // namespace mantissa::host
