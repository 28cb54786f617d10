// mantissa features: recordings of spoken words become a data folder.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/audio/speech_features.hpp"
#include "host/report/text.hpp"

namespace mantissa::cli {
namespace {

constexpr host::IntegerRange kTakes{1, 1'000'000};

struct FeaturesArguments {
  std::string audio, folder;
  int test_takes = 5;
};

int write_features(const FeaturesArguments& a) {
  const std::vector<host::Recording> recordings = host::read_recordings(a.audio);
  const host::FeatureCounts n = host::write_speech_folder(recordings, a.test_takes, a.folder);
  fmt::print("{}: {} training and {} test recordings of {} frames x {} features\n", a.folder,
             host::grouped(static_cast<int64_t>(n.train)), host::grouped(static_cast<int64_t>(n.test)),
             host::kClipFrames, kMfccCoefficients);
  return 0;
}

}  // namespace

void add_features(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<FeaturesArguments>();
  CLI::App* command =
      program.add_subcommand("features", "Turn recordings of spoken words into a data folder");
  command->footer(
      "Recordings are mono, 8 kHz, 16 bits: a folder of files LABEL_..._TAKE.wav, or a .npz with arrays "
      "samples\n"
      "(int16, one after the other), lengths, digit (or label) and take. Of each, the second in the middle "
      "gives\n"
      "49 frames of 10 Mel-frequency cepstral coefficients, the same bits as on a board.\n\n"
      "Example: mantissa features free-spoken-digit-dataset/recordings -o digits\n"
      "         mantissa train examples/spoken_digits/spoken_digits.toml --data digits");
  command->add_option("AUDIO", a->audio, "The recordings: a folder or a .npz")->required()->option_text(" ");
  command->add_option("-o,--output", a->folder, "Folder to write to")->required()->option_text("DIR");
  command->add_option("--test-takes", a->test_takes, "Takes below it are for testing (default: 5)")
      ->check(in_range(kTakes))
      ->option_text("N");
  command->callback([a, &chosen] { chosen = [a] { return write_features(*a); }; });
}

}  // namespace mantissa::cli
