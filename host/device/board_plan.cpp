// Adds up what the linker, the plan and the startup code put into RAM.
#include "host/device/board_plan.hpp"

#include <fmt/format.h>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

/// Fast products work on four rows together; those of larger cores are for larger models.
int tile_bytes(const BoardTarget& target) {
  if (target.kernels == BoardKernels::kReference) return 512;
  return target.board.has_dsp ? 2048 : 1024;
}

uint32_t multiple_of_8(size_t bytes) { return static_cast<uint32_t>((bytes + 7) / 8 * 8); }

FirmwareImage program_of(const BoardTarget& target) {
  FirmwareImage image = FirmwareImage::read(target.program_path());
  const uint32_t ram = image.symbol("__ram_bytes");
  if (ram != target.board.ram_bytes)
    throw Error(
        fmt::format("{}: linked for {} bytes of RAM, but {} has {}; './dev firmware' makes the programs anew",
                    image.name(), ram, target.board.name, target.board.ram_bytes));
  return image;
}

}  // namespace

std::filesystem::path BoardTarget::program_path() const {
  const char* variant = kernels == BoardKernels::kReference ? "_ref" : "";
  return folder / board.preset / fmt::format("runner_{}{}.elf", board.name, variant);
}

PlanOptions board_plan_options(const BoardTarget& target, const BoardOptions& options, Target compared_with) {
  return {.batch = options.batch,
          .micro_batch = 1,
          .threads = 1,
          .momentum = options.momentum,
          .input = compared_with == Target::kInput ? InputMemory::kBorrowed : InputMemory::kStaged,
          .tile_bytes = tile_bytes(target),
          .alignment = 8,
          .scratch = gemm_scratch(target.board, target.kernels)};
}

BoardPlan::BoardPlan(const Description& description, const NamedRecipe& recipe, const BoardTarget& target,
                     const BoardOptions& options)
    : target_(target),
      image_(program_of(target)),
      plan_(description, recipe, board_plan_options(target, options, description.target)) {
  const PlanSummary& s = plan_.view().summary;
  const bool is_own_target = description.target == Target::kInput;
  memory_ = {
      .static_bytes = image_.symbol("__static_end") - image_.symbol("__ram_start"),
      .arena_bytes = multiple_of_8(s.arena_bytes),
      .sample_bytes = is_own_target ? multiple_of_8(static_cast<size_t>(s.input.size()) * sizeof(float)) : 0,
      .stack_bytes = stack_bytes(target.board, target.kernels)};
}

}  // namespace mantissa::host
