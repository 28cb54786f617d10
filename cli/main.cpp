// mantissa: trains neural networks in integer arithmetic.
// Here: the command line, and what becomes of errors. Exit codes: 0 done, 1 error, 2 wrong use, 130
// interrupted.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.hpp"
#include "host/error.hpp"
#include "host/model/nearest.hpp"

namespace {

using mantissa::host::in_quotes;
using mantissa::host::suggestion;

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

/// One line on stderr.
int fail(std::string message, int exit_code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fflush(stdout);
  fmt::print(stderr, "mantissa: error: {}\n", message);
  return exit_code;
}

/// The innermost command on the command line, with the words that lead to it: "mantissa generate ecg".
struct Place {
  const CLI::App* app;
  std::string words;
};
Place place_of(const CLI::App& program) {
  Place place{&program, program.get_name()};
  for (auto inner = program.get_subcommands(); !inner.empty(); inner = place.app->get_subcommands())
    place = {inner.front(), fmt::format("{} {}", place.words, inner.front()->get_name())};
  return place;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(fmt::format("--{}", name));
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::string unknown(const char* what, const std::string& word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  return fmt::format("unknown {} {}{}", what, in_quotes(word),
                     known.empty() ? "" : suggestion(word, candidates));
}

/// What the library says, or more where it says little: the nearest names, the commands that there are.
std::string usage_message(const CLI::App& program, const CLI::ParseError& e) {
  const CLI::App& app = *place_of(program).app;
  const std::vector<std::string> extras = app.remaining();
  const std::string word = extras.empty() ? "" : extras.front();
  const std::vector<std::string> commands = command_names(app);
  if (word.starts_with("-")) return unknown("option", word, option_names(app));
  if (!commands.empty() && !word.empty()) return unknown("command", word, commands);
  if (!commands.empty()) return fmt::format("a command is required: {}", fmt::join(commands, ", "));
  if (!word.empty()) return unknown("argument", word, {});
  return e.what();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("Trains neural networks in integer arithmetic, with the same bits on every machine.",
                   "mantissa");
  program.set_version_flag("--version", "mantissa " MANTISSA_VERSION);
  program.footer("Example: mantissa demo\n         mantissa train --help");
  program.require_subcommand(1);
  mantissa::cli::Command chosen;
  mantissa::cli::add_train(program, chosen);
  mantissa::cli::add_eval(program, chosen);
  mantissa::cli::add_plan(program, chosen);
  mantissa::cli::add_check(program, chosen);
  mantissa::cli::add_device(program, chosen);
  mantissa::cli::add_export(program, chosen);
  mantissa::cli::add_import(program, chosen);
  mantissa::cli::add_demo(program, chosen);
  mantissa::cli::add_generate(program, chosen);
  mantissa::cli::add_features(program, chosen);
  mantissa::cli::add_kernels(program, chosen);
  try {
    program.parse(argc, argv);
    return chosen();
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return program.exit(e);  // --help, --version
    return fail(fmt::format("{} (see {} --help)", usage_message(program, e), place_of(program).words),
                kExitUsage);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; a smaller batch or micro-batch takes less", kExitError);
  } catch (const std::exception& e) {
    return fail(e.what(), kExitError);
  }
}
