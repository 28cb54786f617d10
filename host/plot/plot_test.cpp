#include "host/plot/plot.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

namespace fs = std::filesystem;

class Plot : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("plot_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    fs::current_path(started_in_);
    fs::remove_all(folder_);
  }

  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
  fs::path started_in_ = fs::current_path();
};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Chart loss_chart() {
  return {"Loss", "epoch", "cross-entropy", AxisScale::kLog, {{"int8", {1, 2, 3}, {1.0, 0.5, 0.1}}}};
}

std::string refused(const std::vector<Chart>& charts, const fs::path& picture) {
  try {
    draw_charts(charts, picture);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

uint32_t big_endian(const std::string& bytes, std::size_t at) {
  uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

TEST_F(Plot, DrawsPngOfTheSizePromised) {
  draw_charts({loss_chart(), loss_chart()}, folder_ / "a.png");
  const std::string png = contents(folder_ / "a.png");
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(big_endian(png, 16), 1200u);
  EXPECT_EQ(big_endian(png, 20), 600u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Plot, TextsAreShownAsTheyAre) {
  Chart chart = loss_chart();
  chart.title = "it's `id` $(id) a_b.8\n{/Bold x} @m \\";
  chart.series[0].name = "' ; system 'touch pwned' #";
  chart.y_label = "\"; system \"touch pwned\"; µV";
  draw_charts({chart}, folder_ / "a.svg");
  const std::string svg = contents(folder_ / "a.svg");
  EXPECT_NE(svg.find("it's `id` $(id) a_b.8 {/Bold x} @m \\<"), std::string::npos);
  EXPECT_NE(svg.find("' ; system 'touch pwned' #<"), std::string::npos);
  EXPECT_NE(svg.find("\"; system \"touch pwned\"; µV<"), std::string::npos);
}

TEST_F(Plot, AFileNameIsNotACommand) {
  fs::current_path(folder_);
  draw_charts({loss_chart()}, "|touch it's.svg");
  EXPECT_TRUE(fs::exists(folder_ / "|touch it's.svg"));
  EXPECT_EQ(files(), 1u);
}

TEST_F(Plot, LeavesOutPointsThatCannotBeDrawn) {
  Chart chart = loss_chart();
  chart.series[0].y = {0, std::numeric_limits<double>::quiet_NaN(), 0.5};
  chart.series.push_back({"not run", {}, {}});
  draw_charts({chart}, folder_ / "a.png");
  EXPECT_EQ(files(), 1u);
  chart.series[0].y = {0, -1, std::numeric_limits<double>::infinity()};
  EXPECT_EQ(refused({chart}, folder_ / "b.png"),
            "chart \"Loss\": no point can be drawn, it needs a finite one above 0");
}

TEST_F(Plot, RefusesWhatItCannotDraw) {
  EXPECT_EQ(refused({}, "a.png"), "a.png: there is no chart to draw");
  EXPECT_EQ(refused({loss_chart()}, "a.gif"),
            "a.gif: unknown type of picture, the name must end in .png or .svg");
  Chart chart = loss_chart();
  chart.series[0].y.pop_back();
  EXPECT_EQ(refused({chart}, "a.png"),
            "chart \"Loss\": series \"int8\" has 3 x and 2 y, it needs as many of each");
}

TEST_F(Plot, NamesAPictureThatCannotBeWritten) {
  const std::string message = refused({loss_chart()}, folder_ / "missing" / "a.png");
  EXPECT_EQ(message,
            (folder_ / "missing/a.png").string() + ": there is no folder " + (folder_ / "missing").string());
  fs::create_directories(folder_ / "taken.png" / "full");
  EXPECT_EQ(refused({loss_chart()}, folder_ / "taken.png"),
            (folder_ / "taken.png").string() + ": cannot write the picture: Is a directory");
  EXPECT_EQ(files(), 1u);
}

TEST_F(Plot, SaysWhichPackageIsMissingAndKeepsTheOldPicture) {
  std::ofstream(folder_ / "a.png") << "old";
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.c_str(), 1);
  const std::string message = refused({loss_chart()}, folder_ / "a.png");
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(message, (folder_ / "a.png").string() +
                         ": gnuplot is not installed; pictures need it: apt-get install gnuplot-nox");
  EXPECT_EQ(contents(folder_ / "a.png"), "old");
}

TEST_F(Plot, ReportsWhatGnuplotSays) {
  std::ofstream(folder_ / "gnuplot") << "#!/bin/sh\necho 'no font' >&2\nexit 1\n";
  fs::permissions(folder_ / "gnuplot", fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.c_str(), 1);
  const std::string message = refused({loss_chart()}, folder_ / "a.png");
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(message, (folder_ / "a.png").string() + ": gnuplot failed: no font\n");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace mantissa::host
