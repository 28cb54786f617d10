// mantissa kernels: the instruction sets that this machine can train with.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "host/train/kernels_by_name.hpp"
#include "mantissa/kernels/host_targets.hpp"

namespace mantissa::cli {

void add_kernels(CLI::App& program, Command& chosen) {
  CLI::App* command = program.add_subcommand("kernels", "List the instruction sets that --kernels takes");
  command->footer("Example: mantissa kernels");
  command->callback([&chosen] {
    chosen = [] {
      for (const std::string_view name : host::kernel_names()) {
        const bool best = name == "best";
        fmt::print("{}{}\n", name,
                   best            ? fmt::format("  ({} here)", host_target_in_use())
                   : name == "ref" ? "  (the reference that all others equal)"
                                   : "");
      }
      return 0;
    };
  });
}

}  // namespace mantissa::cli
