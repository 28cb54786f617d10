#include "host/ecg/ecg.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "host/data/npy.hpp"
#include "host/error.hpp"

namespace mantissa::host {
namespace {

EcgOptions small_set() {
  EcgOptions options;
  options.beats_train = 200;
  options.beats_test = 100;
  return options;
}

/// FNV-1a over the values' bits.
uint64_t hash(std::span<const float> values) {
  uint64_t h = 0xcbf29ce484222325u;
  for (float value : values) h = (h ^ std::bit_cast<uint32_t>(value)) * 0x100000001b3u;
  return h;
}

std::span<const float> window(const EcgSet& set, std::size_t beat) {
  const auto steps = static_cast<std::size_t>(set.steps);
  return std::span(set.train_x).subspan(beat * steps, steps);
}

/// Samples within 0.1 s of the middle that are above half of the largest there, averaged over a class.
double mean_qrs_width(const EcgSet& set, int label) {
  int samples = 0, beats = 0;
  for (std::size_t i = 0; i < set.train_y.size(); ++i) {
    if (set.train_y[i] != label) continue;
    const auto qrs = window(set, i).subspan(static_cast<std::size_t>(set.steps) / 2 - 13, 26);
    const float half = *std::max_element(qrs.begin(), qrs.end()) / 2;
    samples += static_cast<int>(std::count_if(qrs.begin(), qrs.end(), [&](float mv) { return mv > half; }));
    ++beats;
  }
  return static_cast<double>(samples) / beats;
}

TEST(Ecg, HasTheSizesThatWereAskedFor) {
  const EcgSet set = generate_ecg(small_set());
  EXPECT_EQ(set.steps, 128);
  EXPECT_EQ(set.classes, 5);
  EXPECT_EQ(set.class_names.size(), 5u);
  EXPECT_EQ(set.train_x.size(), 200u * 128);
  EXPECT_EQ(set.test_x.size(), 100u * 128);
  for (int label = 0; label < set.classes; ++label) {
    EXPECT_EQ(std::count(set.train_y.begin(), set.train_y.end(), label), 40);
    EXPECT_EQ(std::count(set.test_y.begin(), set.test_y.end(), label), 20);
  }
}

TEST(Ecg, IsTheSameFromEveryCompilerAndMachine) {
  EXPECT_EQ(hash(generate_ecg(small_set()).train_x), 0x370a5aa522dbce29u);
}

TEST(Ecg, TheSeedDecidesEverything) {
  EcgOptions options = small_set();
  const EcgSet set = generate_ecg(options);
  EXPECT_EQ(set.train_x, generate_ecg(options).train_x);
  options.seed = 2;
  EXPECT_NE(set.train_x, generate_ecg(options).train_x);
  EXPECT_FALSE(std::equal(set.test_x.begin(), set.test_x.end(), set.train_x.begin()));
}

TEST(Ecg, ALargerSetBeginsWithTheSmallerOne) {
  EcgOptions options = small_set();
  const EcgSet large = generate_ecg(options);
  options.beats_train = 33;
  options.beats_test = 7;
  const EcgSet small = generate_ecg(options);
  EXPECT_TRUE(std::equal(small.train_x.begin(), small.train_x.end(), large.train_x.begin()));
  EXPECT_TRUE(std::equal(small.test_x.begin(), small.test_x.end(), large.test_x.begin()));
}

TEST(Ecg, SamplesAreMultiplesOfTheConvertersUnit) {
  for (float mv : generate_ecg(small_set()).train_x)
    ASSERT_EQ(mv, static_cast<float>(std::round(static_cast<double>(mv) * 200) / 200));
}

TEST(Ecg, NoiseHasTheDeviationAskedFor) {
  EcgOptions options = small_set();
  options.noise = 0;
  const EcgSet clean = generate_ecg(options);
  options.noise = 0.5;
  const EcgSet noisy = generate_ecg(options);
  double sum = 0;
  for (std::size_t i = 0; i < clean.train_x.size(); ++i)
    sum += std::pow(static_cast<double>(noisy.train_x[i] - clean.train_x[i]), 2);
  EXPECT_NEAR(std::sqrt(sum / static_cast<double>(clean.train_x.size())), 0.5, 0.01);
}

TEST(Ecg, BaselineWanderMovesTheWholeWindow) {
  EcgOptions options = small_set();
  options.noise = 0;
  options.baseline_wander = 0;
  const EcgSet still = generate_ecg(options);
  options.baseline_wander = 0.6;
  const EcgSet moving = generate_ecg(options);
  float largest = 0;
  for (std::size_t i = 0; i < still.train_x.size(); ++i)
    largest = std::max(largest, std::abs(moving.train_x[i] - still.train_x[i]));
  EXPECT_GT(largest, 0.2f);
  EXPECT_LT(largest, 0.7f);
}

TEST(Ecg, ClassesLookAsDescribed) {
  EcgOptions options = small_set();
  options.noise = 0;
  options.baseline_wander = 0;
  const EcgSet set = generate_ecg(options);
  const double normal = mean_qrs_width(set, 0);
  EXPECT_GT(mean_qrs_width(set, 1), 2 * normal);     // ventricular
  EXPECT_NEAR(mean_qrs_width(set, 2), normal, 0.5);  // atrial
  EXPECT_GT(mean_qrs_width(set, 3), 1.5 * normal);   // bundle branch block
  EXPECT_NEAR(mean_qrs_width(set, 4), normal, 1.0);  // ischaemia
}

std::filesystem::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const auto folder = std::filesystem::path(testing::TempDir()) / (std::string("ecg_") + test->name());
  std::filesystem::remove_all(folder);
  return folder;
}

TEST(Ecg, WritesAFolderOfArrays) {
  const auto folder = fresh_folder();
  const EcgSet set = generate_ecg(small_set());
  write_ecg_folder(set, folder);
  const NpyFile train_x(folder / "train_x.npy"), train_y(folder / "train_y.npy");
  const NpyFile test_x(folder / "test_x.npy"), test_y(folder / "test_y.npy");
  EXPECT_EQ(train_x.view().shape, (std::vector<std::size_t>{200, 1, 128}));
  EXPECT_EQ(test_x.view().shape, (std::vector<std::size_t>{100, 1, 128}));
  EXPECT_EQ(train_y.view().shape, (std::vector<std::size_t>{200}));
  EXPECT_TRUE(std::ranges::equal(train_x.view().values<float>(), set.train_x));
  EXPECT_TRUE(std::ranges::equal(train_y.view().values<uint8_t>(), set.train_y));
  EXPECT_TRUE(std::ranges::equal(test_x.view().values<float>(), set.test_x));
  EXPECT_TRUE(std::ranges::equal(test_y.view().values<uint8_t>(), set.test_y));
  std::filesystem::remove_all(folder);
}

TEST(Ecg, NamesAFolderThatCannotBeMade) {
  const std::filesystem::path folder = "/dev/null/beats";
  try {
    write_ecg_folder(generate_ecg(small_set()), folder);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "/dev/null/beats: cannot create the folder: Not a directory");
  }
}

TEST(Ecg, RefusesOptionsOutOfRange) {
  const auto refused = [](auto change) {
    EcgOptions options = small_set();
    change(options);
    try {
      generate_ecg(options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refused([](EcgOptions& o) { o.beats_train = 0; }),
            "ECG generator: beats_train is 0, it must be from 1 to 10000000");
  EXPECT_EQ(refused([](EcgOptions& o) { o.beats_test = -1; }),
            "ECG generator: beats_test is -1, it must be from 1 to 10000000");
  EXPECT_EQ(refused([](EcgOptions& o) { o.steps = 5000; }),
            "ECG generator: steps is 5000, it must be from 16 to 4096");
  EXPECT_EQ(refused([](EcgOptions& o) { o.sampling_hz = 0; }),
            "ECG generator: sampling_hz is 0, it must be from 50 to 1000");
  EXPECT_EQ(refused([](EcgOptions& o) { o.noise = -0.1; }),
            "ECG generator: noise is -0.1, it must be from 0 to 1");
  EXPECT_EQ(refused([](EcgOptions& o) { o.baseline_wander = std::numeric_limits<double>::quiet_NaN(); }),
            "ECG generator: baseline_wander is nan, it must be from 0 to 1");
}

}  // namespace
}  // namespace mantissa::host
