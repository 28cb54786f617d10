// The bar is the last line of the terminal and is rewritten in place.
#include "cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "host/report/text.hpp"

namespace mantissa::cli {
namespace {

constexpr int kBarColumns = 32;  // at most

/// Whether the locale's encoding is UTF-8, by the first variable that decides it.
bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

std::string bar(double done, int columns) {
  const bool utf8 = speaks_utf8();
  const int filled = static_cast<int>(done * columns + 0.5);
  std::string out;
  for (int i = 0; i < columns; ++i) {
    if (utf8)
      out += i < filled ? "━" : "·";
    else
      out += i < filled ? '#' : '.';
  }
  return out;
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

double rate(const host::EpochResult& epoch) {
  return epoch.seconds > 0 ? static_cast<double>(epoch.samples) / epoch.seconds : 0;
}

/// The first `columns` code points: a bar that wraps cannot be rewritten.
std::string cut(const std::string& line, size_t columns) {
  std::string out;
  size_t width = 0;
  for (const char c : line) {
    if ((c & 0xC0) != 0x80 && ++width > columns) break;
    out += c;
  }
  return out;
}

}  // namespace

int terminal_columns() {
  const char* kind = std::getenv("TERM");
  if (!isatty(STDOUT_FILENO) || kind == nullptr || std::string_view(kind) == "dumb") return 0;
  winsize size = {};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

size_t report_columns() {
  const int columns = terminal_columns();
  return columns > 0 ? static_cast<size_t>(columns) : 120;
}

Progress::Progress(int epochs, std::string name, host::Target target)
    : epochs_(epochs), name_(std::move(name)), target_(target), columns_(terminal_columns()) {}

std::string Progress::numbers(const host::EpochResult& e) const {
  const std::string total = fmt::format("{}", epochs_);
  const std::string accuracy =
      target_ == host::Target::kInput ? "" : fmt::format("  accuracy {:>7}", host::percent(e.accuracy));
  return fmt::format("{}epoch {:>{}}/{}  loss {:.4f}{}  {:>9}/s", name_, e.epoch, total.size(), total, e.loss,
                     accuracy, host::grouped(static_cast<int64_t>(rate(e))));
}

void Progress::show(const host::TrainingMoment& moment) {
  if (columns_ == 0) return;
  const host::EpochResult& e = moment.epoch;
  const double left = static_cast<double>(moment.samples_left) / std::max(rate(e), 1e-9);
  const std::string line = fmt::format("{}  {} left  ", numbers(e), duration(left));
  const int room = columns_ - 1 - static_cast<int>(host::text_width(line));
  fmt::print("\r{}{}\x1b[K", cut(line, static_cast<size_t>(columns_ - 1)),
             bar(moment.share_of_epoch, std::clamp(room, 0, kBarColumns)));
  std::fflush(stdout);
  has_bar_ = true;
}

void Progress::finish_epoch(const host::EpochResult& epoch, const std::string& note) {
  clear();
  fmt::print("{}{}\n", numbers(epoch), note);
  std::fflush(stdout);
}

void Progress::clear() {
  if (!has_bar_) return;
  fmt::print("\r\x1b[K");
  has_bar_ = false;
}

}  // namespace mantissa::cli
