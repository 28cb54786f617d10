// Feeds lines to the caller, looks for progress, and turns every way to fail into a sentence.
#include "host/device/emulator.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "host/device/process.hpp"
#include "host/error.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMilliseconds = 100;
constexpr size_t kLongestMessage = 300;

std::vector<std::string> arguments_of(const EmulatorJob& job) {
  std::vector<std::string> words = {"-M",
                                    std::string(job.board.name),
                                    "-kernel",
                                    job.program.string(),
                                    "-display",
                                    "none",
                                    "-serial",
                                    "null",
                                    "-monitor",
                                    "none",
                                    "-semihosting-config",
                                    "enable=on,target=native"};
  if (!job.plugin.empty()) words.insert(words.end(), {"-plugin", job.plugin});
  return words;
}

/// Hands whole lines on and keeps the rest; remembers the last line for messages.
class Lines {
 public:
  explicit Lines(const EmulatorJob& job) : job_(job) {}

  void take(std::string& text) {
    for (size_t end; (end = text.find('\n')) != text.npos; text.erase(0, end + 1)) {
      last_ = text.substr(0, end);
      if (job_.on_line) job_.on_line(last_);
    }
  }
  /// What there is to say about an end that should not be.
  std::string last(const std::string& rest) const {
    const std::string& line = rest.empty() ? last_ : rest;
    return line.empty() ? std::string() : fmt::format(": {}", clipped(line, kLongestMessage));
  }

 private:
  const EmulatorJob& job_;
  std::string last_;
};

class Patience {
 public:
  explicit Patience(double seconds) : seconds_(seconds) {}

  /// False when `position` has been the same for too long.
  bool lasts(uint64_t position) {
    if (position != position_) {
      position_ = position;
      since_ = Clock::now();
    }
    return std::chrono::duration<double>(Clock::now() - since_).count() < seconds_;
  }

 private:
  double seconds_;
  uint64_t position_ = 0;
  Clock::time_point since_ = Clock::now();
};

}  // namespace

EmulatorEnd run_emulator(const EmulatorJob& job) {
  const auto emulator = find_program(kEmulator);
  if (!emulator)
    throw Error(fmt::format("{} is not installed, or not in PATH; './dev setup' installs it", kEmulator));
  Process process(*emulator, arguments_of(job), job.folder);
  Lines lines(job);
  Patience patience(job.patience_seconds);
  std::string text;
  while (process.read(text, kPollMilliseconds)) {
    lines.take(text);
    if (job.stop != nullptr && job.stop->load(std::memory_order_relaxed)) return EmulatorEnd::kStopped;
    if (!patience.lasts(process.position_in(job.progress)))
      throw Error(
          fmt::format("{} has read no sample for {} seconds and was ended; its program hangs, or the machine "
                      "is too busy{}",
                      job.board.name, job.patience_seconds, lines.last(text)));
  }
  const int code = process.wait();
  if (job.stop != nullptr && job.stop->load(std::memory_order_relaxed)) return EmulatorEnd::kStopped;
  if (code < 0)
    throw Error(fmt::format("{} was killed by signal {} ({}){}", kEmulator, -code, strsignal(-code),
                            lines.last(text)));
  if (code != 0)
    throw Error(fmt::format("{} ended with exit code {}{}", job.board.name, code, lines.last(text)));
  return EmulatorEnd::kDone;
}

}  // namespace mantissa::host
