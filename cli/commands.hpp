// The commands of the program. Each adds itself with its options to the command line and is a function once
// chosen.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

namespace mantissa::cli {

/// Does the work and returns the exit code. Throws host::Error.
using Command = std::function<int()>;

/// Each sets `chosen` when its name is on the command line.
void add_train(CLI::App& program, Command& chosen);
void add_eval(CLI::App& program, Command& chosen);
void add_plan(CLI::App& program, Command& chosen);
void add_check(CLI::App& program, Command& chosen);
void add_device(CLI::App& program, Command& chosen);
void add_export(CLI::App& program, Command& chosen);
void add_import(CLI::App& program, Command& chosen);
void add_demo(CLI::App& program, Command& chosen);
void add_generate(CLI::App& program, Command& chosen);
void add_features(CLI::App& program, Command& chosen);
void add_kernels(CLI::App& program, Command& chosen);

inline constexpr int kExitInterrupted = 130;  // as shells have it for Ctrl-C

}  // namespace mantissa::cli
