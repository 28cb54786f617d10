// Options that choose a board, for the commands that know one.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "host/device/board_plan.hpp"

namespace mantissa::cli {

struct BoardArguments {
  std::string board, firmware;
};

/// --board and --firmware.
void add_board_options(CLI::App& command, BoardArguments& arguments);

/// `kernels` is "fast" (or "best") or "ref". Without --firmware the programs are looked for beside the build tree of this
/// program. Throws Error if there is no such board or no such kernels.
host::BoardTarget board_target(const BoardArguments& arguments, const std::string& kernels);

}  // namespace mantissa::cli
