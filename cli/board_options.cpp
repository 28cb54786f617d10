// A build of this program is build/PRESET/mantissa, and those of the boards are build/cm0 and so on.
#include "cli/board_options.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "host/error.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::cli {
namespace {

std::filesystem::path default_firmware_folder() {
  std::error_code ignored;
  return std::filesystem::canonical("/proc/self/exe", ignored).parent_path().parent_path();
}

host::BoardKernels board_kernels(const std::string& name) {
  if (name == "ref") return host::BoardKernels::kReference;
  if (name == "fast" || name == "best") return host::BoardKernels::kFast;
  throw host::Error(
      fmt::format("a board has no kernels {}; fast and ref are what there is", host::in_quotes(name)));
}

}  // namespace

void add_board_options(CLI::App& command, BoardArguments& a) {
  command.add_option("--board", a.board, "The board; 'mantissa device list' shows all")->option_text("NAME");
  command
      .add_option("--firmware", a.firmware,
                  "Folder with the programs that './dev firmware' makes (default: beside this build)")
      ->option_text("DIR");
}

host::BoardTarget board_target(const BoardArguments& a, const std::string& kernels) {
  return {.board = host::find_board(a.board),
          .kernels = board_kernels(kernels),
          .folder = a.firmware.empty() ? default_firmware_folder() : std::filesystem::path(a.firmware)};
}

}  // namespace mantissa::cli
