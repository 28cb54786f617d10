// Writes a gnuplot script with the points inside, and runs gnuplot on it without a shell.
// Text from outside enters the script only as quoted strings in which gnuplot expands nothing.
#include "host/plot/plot.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>

#include "host/device/process.hpp"
#include "host/error.hpp"

extern char** environ;

namespace mantissa::host {
namespace {

namespace fs = std::filesystem;

struct Style {
  const char* colour;
  const char* dash;
  double width;
};
/// The first curves are wide and solid, the later ones narrow and broken: what lies below shows through.
constexpr std::array<Style, 7> kStyles = {{{"#0072B2", "solid", 5},
                                           {"#E69F00", "(16,7)", 3},
                                           {"#222222", "(3,5)", 2.5},
                                           {"#009E73", "(16,6,3,6)", 2.5},
                                           {"#CC79A7", "(8,4)", 2},
                                           {"#D55E00", "(3,3)", 2},
                                           {"#56B4E9", "(12,4,3,4,3,4)", 2}}};
constexpr const char* kInk = "#333333";
constexpr const char* kGrid = "#DDDDDD";

/// A gnuplot string in which all but letters and spaces are octal escapes, so that nothing is special: not digits
/// either, because gnuplot's octal numbers do not end after three. Control characters become spaces.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain)
      result += c;
    else
      result += byte <= ' ' ? " " : fmt::format("\\{:03o}", byte);
  }
  return result + "\"";
}

bool drawable(double x, double y, AxisScale scale) {
  return std::isfinite(x) && std::isfinite(y) && (scale == AxisScale::kLinear || y > 0);
}

void check(const Chart& chart) {
  bool anything = false;
  for (const Series& series : chart.series) {
    if (series.x.size() != series.y.size())
      throw Error(fmt::format("chart \"{}\": series \"{}\" has {} x and {} y, it needs as many of each",
                              chart.title, series.name, series.x.size(), series.y.size()));
    for (std::size_t i = 0; i < series.x.size(); ++i)
      anything |= drawable(series.x[i], series.y[i], chart.y_scale);
  }
  if (!anything)
    throw Error(fmt::format("chart \"{}\": no point can be drawn, it needs a finite one{}", chart.title,
                            chart.y_scale == AxisScale::kLog ? " above 0" : ""));
}

std::string terminal(const fs::path& picture, std::size_t charts) {
  const std::size_t width = std::max<std::size_t>(800, 600 * charts);
  if (picture.extension() == ".png")
    return fmt::format("set terminal pngcairo noenhanced font 'sans,13' background '#FFFFFF' size {},600\n",
                       width);
  if (picture.extension() == ".svg")
    return fmt::format("set terminal svg noenhanced font 'sans,14' background '#FFFFFF' size {},600\n",
                       width);
  throw Error(
      fmt::format("{}: unknown type of picture, the name must end in .png or .svg", picture.string()));
}

/// A named block of points for each series.
std::string points(const Chart& chart, std::size_t number) {
  std::string script;
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    const Series& series = chart.series[s];
    script += fmt::format("$points_{}_{} << END\n", number, s);
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (drawable(series.x[i], series.y[i], chart.y_scale))
        script += fmt::format("{} {}\n", series.x[i], series.y[i]);
      else
        script += "\n";  // a gap
    }
    script += "END\n";
  }
  return script;
}

struct Range {
  double low, high;
};

/// What the values span, and some room around, so that no curve lies on the frame. Logarithmic: room as a factor.
std::string range(const char* axis, Range span, double room, AxisScale scale) {
  const bool log = scale == AxisScale::kLog;
  if (log) span = {std::log10(span.low), std::log10(span.high)};
  const double pad = span.high > span.low ? room * (span.high - span.low) : 0.5;
  const Range padded = {span.low - pad, span.high + pad};
  return fmt::format("set {}range [{}:{}]\n", axis, log ? std::pow(10, padded.low) : padded.low,
                     log ? std::pow(10, padded.high) : padded.high);
}

std::string ranges(const Chart& chart) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Range x{kInfinity, -kInfinity}, y = x;
  for (const Series& series : chart.series)
    for (std::size_t i = 0; i < series.x.size(); ++i)
      if (drawable(series.x[i], series.y[i], chart.y_scale)) {
        x = {std::min(x.low, series.x[i]), std::max(x.high, series.x[i])};
        y = {std::min(y.low, series.y[i]), std::max(y.high, series.y[i])};
      }
  return range("x", x, 0.03, AxisScale::kLinear) + range("y", y, 0.06, chart.y_scale);
}

/// A point alone has no line, so points are marked where there are few.
const char* mark(const Series& series) { return series.x.size() <= 40 ? "linespoints pt 7 ps 0.5" : "lines"; }

std::string panel(const Chart& chart, std::size_t number) {
  std::string script = fmt::format("set title {} font ',16'\nset xlabel {}\nset ylabel {}\n",
                                   quoted(chart.title), quoted(chart.x_label), quoted(chart.y_label));
  script += chart.y_scale == AxisScale::kLog ? "set logscale y\n" : "unset logscale y\n";
  script += ranges(chart);
  const char* separator = "plot ";
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    const Style& style = kStyles[s % kStyles.size()];
    script += fmt::format("{}$points_{}_{} with {} lw {} dt {} lc rgb '{}' title {}", separator, number, s,
                          mark(chart.series[s]), style.width, style.dash, style.colour,
                          quoted(chart.series[s].name));
    separator = ", ";
  }
  return script + "\n";
}

std::string script_for(const std::vector<Chart>& charts, const fs::path& output,
                       const std::string& terminal_line) {
  std::string script = terminal_line + fmt::format("set output {}\n", quoted(output.string()));
  script += fmt::format("set border 3 lc rgb '{0}'\nset tics nomirror out textcolor rgb '{0}'\n", kInk);
  script += fmt::format(
      "set grid lt 1 lw 1 lc rgb '{}'\nset key below horizontal Left reverse samplen 4 height 1\n", kGrid);
  script += fmt::format("set xlabel textcolor rgb '{0}'\nset ylabel textcolor rgb '{0}'\n", kInk);
  for (std::size_t i = 0; i < charts.size(); ++i) script += points(charts[i], i);
  script += fmt::format("set multiplot layout 1,{}\n", charts.size());
  for (std::size_t i = 0; i < charts.size(); ++i) script += panel(charts[i], i);
  return script + "unset multiplot\nset output\n";
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File scratch_file() {
  File file(std::tmpfile(), &std::fclose);
  if (!file) throw Error(fmt::format("cannot create a temporary file: {}", std::strerror(errno)));
  return file;
}

/// At most its first 1000 characters.
std::string contents(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF && text.size() < 1000; c = std::fgetc(file))
    text += static_cast<char>(c);
  return text;
}

void run_gnuplot(const std::string& script) {
  const std::optional<fs::path> program = find_program("gnuplot");
  if (!program) throw Error("gnuplot is not installed; pictures need it: apt-get install gnuplot-nox");
  const File input = scratch_file();
  const File messages = scratch_file();
  if (std::fwrite(script.data(), 1, script.size(), input.get()) != script.size() ||
      std::fflush(input.get()) != 0)
    throw Error(fmt::format("cannot write a temporary file: {}", std::strerror(errno)));
  std::rewind(input.get());

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, fileno(input.get()), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, fileno(messages.get()), STDERR_FILENO);
  char name[] = "gnuplot", defaults[] = "-d";  // -d: without the user's own settings
  char* arguments[] = {name, defaults, nullptr};
  pid_t child = 0;
  const int failure = posix_spawn(&child, program->c_str(), &files, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) throw Error(fmt::format("cannot run gnuplot: {}", std::strerror(failure)));

  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error(fmt::format("gnuplot failed: {}", contents(messages.get())));
}

}  // namespace

void draw_charts(const std::vector<Chart>& charts, const fs::path& picture) {
  if (charts.empty()) throw Error(fmt::format("{}: there is no chart to draw", picture.string()));
  for (const Chart& chart : charts) check(chart);
  const std::string terminal_line = terminal(picture, charts.size());

  // An absolute path: gnuplot would take "|name" for a command. Written beside, so that a rename replaces it.
  const fs::path temporary = fs::absolute(picture).concat(fmt::format(".{}.part", getpid()));
  std::error_code error;
  if (!fs::is_directory(temporary.parent_path(), error))
    throw Error(fmt::format("{}: there is no folder {}", picture.string(), temporary.parent_path().string()));
  try {
    run_gnuplot(script_for(charts, temporary, terminal_line));
  } catch (const Error& failure) {
    fs::remove(temporary, error);
    throw Error(fmt::format("{}: {}", picture.string(), failure.what()));
  }
  fs::rename(temporary, picture, error);
  if (error) {
    const std::string cause = error.message();
    fs::remove(temporary, error);
    throw Error(fmt::format("{}: cannot write the picture: {}", picture.string(), cause));
  }
}

}  // namespace mantissa::host
