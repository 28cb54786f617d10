// Data sets: values, layouts and statistics against NumPy, and every way in which the files can be wrong.
// Files are made byte by byte, so that the writer has no part in it.
#include "host/data/dataset.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

using namespace std::string_literals;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr InputShape kFirst{4, 2, SampleLayout::kChannelsFirst};
constexpr InputShape kLast{4, 2, SampleLayout::kChannelsLast};

template <class T>
void write_array(const std::filesystem::path& path, const std::string& descr, const std::string& shape,
                 const std::vector<T>& values) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + "}";
  header.resize(118, ' ');
  const std::string payload(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  std::ofstream(path, std::ios::binary) << "\x93NUMPY\x01\x00v\x00"s << header << payload;
}

template <class T>
std::vector<T> counting(size_t n) {
  std::vector<T> values(n);
  std::iota(values.begin(), values.end(), T{0});
  return values;
}

class DatasetFiles : public testing::Test {
 protected:
  // Three training samples and two test samples of 4 steps and 2 channels, with labels of two widths.
  void SetUp() override {
    folder_ =
        testing::TempDir() + "/mantissa_set_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    write_array<float>(folder_ / "train_x.npy", "<f4", "(3, 2, 4)", counting<float>(24));
    write_array<uint8_t>(folder_ / "train_y.npy", "|u1", "(3,)", {0, 2, 1});
    write_array<float>(folder_ / "test_x.npy", "<f4", "(2, 2, 4)", counting<float>(16));
    write_array<int64_t>(folder_ / "test_y.npy", "<i8", "(2, 1)", {2, 0});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void expect_error(const std::string& part, const InputShape& shape = kFirst, int classes = 0,
                    const Normalization* given = nullptr) const {
    test::expect_error([&] { load_dataset(folder_, shape, classes, given); }, part);
  }

  std::filesystem::path folder_;
};

std::vector<float> sample(const Split& split, size_t index, const InputShape& shape) {
  std::vector<float> values(shape.size());
  split.read(index, values.data());
  return values;
}

std::vector<float> raw(const Dataset& set, const std::vector<float>& normalized) {
  std::vector<float> values = normalized;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i % set.shape.channels;
    values[i] = std::round(values[i] / set.normalization.inverse_std[c] + set.normalization.mean[c]);
  }
  return values;
}

TEST_F(DatasetFiles, AreNormalizedPerChannelAndReadChannelsLast) {
  const Dataset set = load_dataset(folder_, kFirst);
  EXPECT_EQ(set.train.size(), 3u);
  EXPECT_EQ(set.test.size(), 2u);
  EXPECT_EQ(set.classes, 3);
  EXPECT_EQ(set.train.label(1), 2);
  EXPECT_EQ(set.test.label(0), 2);
  // NumPy: x = np.arange(24.).reshape(3, 2, 4); x.mean(axis=(0, 2)); np.float32(1 / x.std(axis=(0, 2)))
  EXPECT_EQ(set.normalization.mean, (std::vector<float>{9.5f, 13.5f}));
  EXPECT_EQ(set.normalization.inverse_std, (std::vector<float>{0.15089863538742065f, 0.15089863538742065f}));
  EXPECT_FLOAT_EQ(set.input_absmax, 1.433537f);
  EXPECT_EQ(raw(set, sample(set.train, 1, kFirst)), (std::vector<float>{8, 12, 9, 13, 10, 14, 11, 15}));
  EXPECT_EQ(sample(set.test, 0, kFirst)[3], (5.0f - 13.5f) * 0.15089863538742065f);
}

TEST_F(DatasetFiles, MayBeCutToTheFirstSamples) {
  Dataset set = load_dataset(folder_, kFirst);
  const std::vector<float> second = sample(set.train, 1, kFirst);
  set.train.keep_first(2);
  EXPECT_EQ(set.train.size(), 2u);
  EXPECT_EQ(sample(set.train, 1, kFirst), second) << "as normalised before";
  set.train.keep_first(9);
  EXPECT_EQ(set.train.size(), 2u);
}

TEST_F(DatasetFiles, MayBeChannelsLastOrFlat) {
  write_array<float>(folder_ / "train_x.npy", "<f4", "(3, 4, 2)", counting<float>(24));
  write_array<float>(folder_ / "test_x.npy", "<f4", "(2, 8)", counting<float>(16));
  const Dataset last = load_dataset(folder_, kLast);
  EXPECT_EQ(raw(last, sample(last.train, 1, kLast)), (std::vector<float>{8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(raw(last, sample(last.test, 1, kLast)), (std::vector<float>{8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(last.normalization.mean, (std::vector<float>{11, 12}));
  write_array<float>(folder_ / "train_x.npy", "<f4", "(3, 8)", counting<float>(24));
  const Dataset first = load_dataset(folder_, kFirst);
  EXPECT_EQ(raw(first, sample(first.train, 1, kFirst)), (std::vector<float>{8, 12, 9, 13, 10, 14, 11, 15}));
}

TEST_F(DatasetFiles, WithOneChannelOrOneStepMayHaveAnyShape) {
  write_array<uint8_t>(folder_ / "train_x.npy", "|u1", "(3, 2, 2, 2)", counting<uint8_t>(24));
  write_array<uint8_t>(folder_ / "test_x.npy", "|u1", "(2, 4, 2)", counting<uint8_t>(16));
  for (const SampleLayout layout : {SampleLayout::kChannelsFirst, SampleLayout::kChannelsLast}) {
    for (const InputShape& shape : {InputShape{8, 1, layout}, InputShape{1, 8, layout}}) {
      const Dataset set = load_dataset(folder_, shape);
      EXPECT_EQ(raw(set, sample(set.train, 1, shape)), (std::vector<float>{8, 9, 10, 11, 12, 13, 14, 15}));
      EXPECT_EQ(set.normalization.mean.front(), shape.channels == 1 ? 11.5f : 8.0f);
    }
  }
}

TEST_F(DatasetFiles, MayHoldIntegers) {
  write_array<int16_t>(folder_ / "train_x.npy", "<i2", "(3, 2, 4)", std::vector<int16_t>(24, -32768));
  const Normalization identity{{0, 0}, {1, 1}};
  write_array<int8_t>(folder_ / "test_x.npy", "|i1", "(2, 2, 4)", std::vector<int8_t>(16, -128));
  EXPECT_EQ(sample(load_dataset(folder_, kFirst, 3, &identity).test, 1, kFirst), std::vector<float>(8, -128));
  write_array<int16_t>(folder_ / "test_x.npy", "<i2", "(2, 2, 4)", std::vector<int16_t>(16, -32767));
  EXPECT_EQ(sample(load_dataset(folder_, kFirst).test, 1, kFirst),
            std::vector<float>(8, 1));  // constant: only centred
  write_array<uint8_t>(folder_ / "test_x.npy", "|u1", "(2, 2, 4)", std::vector<uint8_t>(16, 255));
  EXPECT_EQ(sample(load_dataset(folder_, kFirst, 3, &identity).test, 1, kFirst), std::vector<float>(8, 255));
}

TEST_F(DatasetFiles, GivenANormalizationNeedNoTrainingFiles) {
  std::filesystem::remove(folder_ / "train_x.npy");
  std::filesystem::remove(folder_ / "train_y.npy");
  const Normalization given{{1, 2}, {0.5f, 2}};
  const Dataset set = load_dataset(folder_, kFirst, 3, &given);
  EXPECT_EQ(set.train.size(), 0u);
  EXPECT_EQ(set.input_absmax, 0);
  EXPECT_EQ(set.normalization.mean, given.mean);
  EXPECT_EQ(sample(set.test, 0, kFirst), (std::vector<float>{-0.5f, 4, 0, 6, 0.5f, 8, 1, 10}));
  const Normalization narrow{{1}, {1}};
  expect_error("a normalisation of 1 means and 1 inverse deviations for 2 channels", kFirst, 3, &narrow);
  expect_error("the number of classes must be given", kFirst, 0, &given);
}

TEST_F(DatasetFiles, MustBeThere) {
  std::filesystem::remove(folder_ / "test_y.npy");
  expect_error("test_y.npy: no such file; a data set is the files train_x.npy, train_y.npy");
  std::filesystem::remove_all(folder_);
  expect_error("no such folder; a folder with train_x.npy, train_y.npy, test_x.npy and test_y.npy is needed");
  std::ofstream(folder_) << "a file";
  expect_error("not a folder");
}

TEST_F(DatasetFiles, MustBeWhole) {
  std::filesystem::resize_file(folder_ / "test_x.npy", 128 + 63);
  expect_error("test_x.npy: truncated: shape [2, 2, 4] of float32 takes 64 bytes after the header, found 63");
}

TEST_F(DatasetFiles, MustHaveTheRightType) {
  write_array<uint8_t>(folder_ / "train_y.npy", "<f4", "(3,)", std::vector<uint8_t>(12));
  expect_error("train_y.npy: labels of type float32; integers are needed");
  write_array<int32_t>(folder_ / "train_x.npy", "<i4", "(3, 2, 4)", counting<int32_t>(24));
  expect_error("train_y.npy: labels of type float32");
  write_array<uint8_t>(folder_ / "train_y.npy", "|u1", "(3,)", {0, 2, 1});
  expect_error("train_x.npy: samples of type int32; float32, uint8, int8 or int16 is needed");
  write_array<double>(folder_ / "train_x.npy", "<f8", "(3, 2, 4)", counting<double>(24));
  expect_error("train_x.npy: samples of type float64");
}

TEST_F(DatasetFiles, MustHaveTheShapeOfTheModel) {
  expect_error("train_x.npy: shape [3, 2, 4]; the model needs [N, 2, 5] (channels_first) or [N, 10]",
               {5, 2, SampleLayout::kChannelsFirst});
  expect_error("the model needs [N, 4, 2] (channels_last) or [N, 8], or the layout channels_first", kLast);
  expect_error("shape [3, 2, 4]; the model needs", {9, 1, SampleLayout::kChannelsLast});
  expect_error("input of 0 steps and 2 channels", {0, 2, SampleLayout::kChannelsFirst});
  write_array<float>(folder_ / "test_x.npy", "<f4", "(2, 2, 4, 1)", counting<float>(16));
  expect_error("test_x.npy: shape [2, 2, 4, 1]");
  write_array<float>(folder_ / "test_x.npy", "<f4", "()", {1});
  expect_error("test_x.npy: shape []");
}

TEST_F(DatasetFiles, MustHaveOneLabelPerSample) {
  write_array<uint8_t>(folder_ / "test_y.npy", "|u1", "(3,)", {0, 1, 2});
  expect_error("test_y.npy has 3 labels; they must be equal in number");
  write_array<uint8_t>(folder_ / "test_y.npy", "|u1", "(2, 2)", {0, 1, 2, 0});
  expect_error("test_y.npy: shape [2, 2]; one label per sample is needed");
}

TEST_F(DatasetFiles, MustNotBeEmpty) {
  write_array<float>(folder_ / "test_x.npy", "<f4", "(0, 2, 4)", {});
  write_array<uint8_t>(folder_ / "test_y.npy", "|u1", "(0,)", {});
  expect_error("test_x.npy: an empty set, shape [0, 2, 4]");
}

TEST_F(DatasetFiles, MustHaveLabelsInRange) {
  expect_error("train_y.npy: sample 1 has label 2; with 2 classes a label is 0 to 1", kFirst, 2);
  expect_error("-1 classes; 1 to 65536 are possible", kFirst, -1);
  write_array<int32_t>(folder_ / "test_y.npy", "<i4", "(2,)", {0, 3});
  expect_error("test_y.npy: sample 1 has label 3; with 3 classes");
  write_array<int8_t>(folder_ / "train_y.npy", "|i1", "(3,)", {0, 1, -1});
  expect_error("train_y.npy: sample 2 has label -1");
  write_array<uint64_t>(folder_ / "train_y.npy", "<u8", "(3,)", {~uint64_t{0}, 1, 0});
  expect_error("train_y.npy: sample 0 has label 9223372036854775807; with at most 65536 classes");
}

TEST_F(DatasetFiles, MayHaveLabelsOfAnyWidth) {
  write_array<uint16_t>(folder_ / "train_y.npy", "<u2", "(3,)", {0, 300, 1});
  EXPECT_EQ(load_dataset(folder_, kFirst).classes, 301);
  write_array<int16_t>(folder_ / "train_y.npy", "<i2", "(3,)", {0, 301, 1});
  EXPECT_EQ(load_dataset(folder_, kFirst).classes, 302);
  write_array<uint32_t>(folder_ / "train_y.npy", "<u4", "(3,)", {0, 302, 1});
  EXPECT_EQ(load_dataset(folder_, kFirst).classes, 303);
  write_array<int32_t>(folder_ / "train_y.npy", "<i4", "(3,)", {0, 303, 1});
  EXPECT_EQ(load_dataset(folder_, kFirst).classes, 304);
  write_array<uint64_t>(folder_ / "train_y.npy", "<u8", "(3,)", {0, 304, 1});
  EXPECT_EQ(load_dataset(folder_, kFirst).classes, 305);
}

TEST_F(DatasetFiles, MustBeFinite) {
  std::vector<float> test = counting<float>(16);
  test[8 + 4 + 3] = -kInfinity;  // sample 1, channel 1, step 3
  write_array<float>(folder_ / "test_x.npy", "<f4", "(2, 2, 4)", test);
  expect_error("test_x.npy: sample 1 gives -inf at step 3, channel 1");
  const Normalization given{{0, 0}, {1, 1}};
  expect_error("test_x.npy: sample 1 gives -inf at step 3, channel 1", kFirst, 3, &given);
  std::vector<float> train = counting<float>(24);
  train[16 + 1] = kNan;
  write_array<float>(folder_ / "train_x.npy", "<f4", "(3, 2, 4)", train);
  expect_error("train_x.npy: sample 2 gives nan at step 1, channel 0");
}

TEST_F(DatasetFiles, MustBeFiniteOnceNormalized) {
  std::vector<float> test = counting<float>(16);
  test[0] = 3e38f;
  write_array<float>(folder_ / "test_x.npy", "<f4", "(2, 2, 4)", test);
  EXPECT_NO_THROW(load_dataset(folder_, kFirst));
  const Normalization steep{{0, 0}, {100, 1}};
  expect_error("test_x.npy: sample 0 gives inf at step 0, channel 0", kFirst, 3, &steep);
}

/// x[N,C,T] with a constant channel 1 and steps and channels that fill no block or vector.
ArraySet long_set(SampleLayout layout) {
  ArraySet arrays;
  arrays.shape = {77, 5, layout};
  for (int n = 0; n < 3; ++n) arrays.train_y.push_back(n % 2);
  for (size_t i = 0; i < 3 * arrays.shape.size(); ++i) {
    const size_t element = i % arrays.shape.size();
    const size_t channel = layout == SampleLayout::kChannelsFirst ? element / 77 : element % 5;
    arrays.train_x.push_back(channel == 1 ? 0.1f : static_cast<float>(i * i % 1009) + 1e6f);
  }
  arrays.test_x = arrays.train_x;
  arrays.test_y = arrays.train_y;
  return arrays;
}

TEST(MakeDataset, AgreesWithTheFormulaInBothLayouts) {
  for (const SampleLayout layout : {SampleLayout::kChannelsFirst, SampleLayout::kChannelsLast}) {
    const ArraySet arrays = long_set(layout);
    const Dataset set = make_dataset(arrays);
    const auto x = [&](size_t n, size_t t, size_t c) {
      return arrays.train_x[n * 385 + (layout == SampleLayout::kChannelsFirst ? c * 77 + t : t * 5 + c)];
    };
    float absmax = 0;
    for (size_t c = 0; c < 5; ++c) {
      long double sum = 0, squares = 0;
      for (size_t i = 0; i < 3 * 77; ++i) sum += x(i / 77, i % 77, c);
      const long double mean = sum / (3 * 77);
      for (size_t i = 0; i < 3 * 77; ++i)
        squares += (x(i / 77, i % 77, c) - mean) * (x(i / 77, i % 77, c) - mean);
      const float float_mean = static_cast<float>(mean);
      const float inverse_std = c == 1 ? 1.0f : static_cast<float>(1 / std::sqrt(squares / (3 * 77)));
      EXPECT_EQ(set.normalization.mean[c], float_mean);
      EXPECT_FLOAT_EQ(set.normalization.inverse_std[c], inverse_std);
      for (size_t i = 0; i < 3 * 77; ++i) {
        const float wanted = (x(i / 77, i % 77, c) - float_mean) * set.normalization.inverse_std[c];
        EXPECT_EQ(sample(set.train, i / 77, arrays.shape)[i % 77 * 5 + c], wanted);
        absmax = std::max(absmax, std::fabs(wanted));
      }
    }
    EXPECT_EQ(set.normalization.inverse_std[1], 1.0f);
    EXPECT_EQ(set.input_absmax, absmax);
  }
}

TEST(MakeDataset, TakesAnAlmostConstantChannelAsConstant) {
  ArraySet arrays{.train_x = {0, 1e-38f}, .test_x = {0}, .train_y = {0, 1}, .test_y = {0}, .shape = {1, 1}};
  EXPECT_EQ(make_dataset(arrays).normalization.inverse_std, std::vector<float>{1});
  arrays.train_x = {0, 2};
  EXPECT_EQ(make_dataset(arrays).normalization.inverse_std, std::vector<float>{1});
  arrays.train_x = {0, 2e-25f};
  EXPECT_EQ(make_dataset(arrays).normalization.inverse_std, std::vector<float>{1e25f});
}

TEST(MakeDataset, OutlivesAMove) {
  Dataset set = make_dataset(long_set(SampleLayout::kChannelsLast));
  const std::vector<float> before = sample(set.test, 2, set.shape);
  const Dataset moved = std::move(set);
  EXPECT_EQ(sample(moved.test, 2, moved.shape), before);
}

std::string make_error(const ArraySet& arrays) {
  return test::error_of([&] { make_dataset(arrays); });
}

TEST(MakeDataset, ChecksItsArrays) {
  const ArraySet good = long_set(SampleLayout::kChannelsLast);
  EXPECT_EQ(make_error(good), "");
  ArraySet bad = good;
  bad.test_x.clear();
  EXPECT_EQ(make_error(bad), "test_x: an empty set");
  bad = good;
  bad.test_x.pop_back();
  EXPECT_EQ(make_error(bad), "test_x: 1154 values; samples of 385 values do not fill them");
  bad = good;
  bad.train_y.pop_back();
  EXPECT_EQ(make_error(bad), "train_x has 3 samples, train_y has 2 labels; they must be equal in number");
  bad = good;
  bad.train_x[385 + 7] = kNan;
  EXPECT_NE(make_error(bad).find("train_x: sample 1 gives nan at step 1, channel 2"), std::string::npos);
  bad = good;
  bad.classes = 1;
  EXPECT_EQ(make_error(bad), "train_y: sample 1 has label 1; with 1 classes a label is 0 to 0");
}

}  // namespace
}  // namespace mantissa::host
