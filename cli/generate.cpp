// mantissa generate: data to train on, for who has none at hand.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/ecg/ecg.hpp"
#include "host/report/text.hpp"

namespace mantissa::cli {
namespace {

constexpr host::IntegerRange kBeats{1, 10'000'000};

struct EcgArguments {
  std::string folder;
  host::EcgOptions options;
};

int generate_ecg_folder(const EcgArguments& a) {
  const host::EcgSet set = host::generate_ecg(a.options);
  host::write_ecg_folder(set, a.folder);
  fmt::print("{}: {} training beats and {} test beats of {} samples, classes: {}\n", a.folder,
             host::grouped(a.options.beats_train), host::grouped(a.options.beats_test), set.steps,
             fmt::join(set.class_names, ", "));
  return 0;
}

}  // namespace

void add_generate(CLI::App& program, Command& chosen) {
  CLI::App* command = program.add_subcommand("generate", "Write a folder of generated data");
  command->footer("Example: mantissa generate ecg -o ecg");
  command->require_subcommand(1);
  auto a = std::make_shared<EcgArguments>();
  CLI::App* ecg =
      command->add_subcommand("ecg", "Electrocardiogram beats of five classes, from simulated hearts");
  ecg->footer(
      "Beats are windows of 128 samples at 128 Hz; test beats are of other subjects than training beats.\n\n"
      "Example: mantissa generate ecg -o ecg --beats-train 2000 --seed 7");
  ecg->add_option("-o,--output", a->folder, "Folder to write to")->required()->option_text("DIR");
  ecg->add_option("--beats-train", a->options.beats_train, "Beats to train on (default: 4000)")
      ->check(in_range(kBeats))
      ->option_text("N");
  ecg->add_option("--beats-test", a->options.beats_test, "Beats to test on (default: 1000)")
      ->check(in_range(kBeats))
      ->option_text("N");
  ecg->add_option("--seed", a->options.seed, "The same seed gives the same beats (default: 1)")
      ->option_text("N");
  ecg->callback([a, &chosen] { chosen = [a] { return generate_ecg_folder(*a); }; });
}

}  // namespace mantissa::cli
