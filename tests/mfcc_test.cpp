// The front end on real recordings: near the published features' definition, within the bound, and near those features.
// Needs the folder of the Free Spoken Digit Dataset with audio_int16.npz, train_x.npy and test_x.npy in MANTISSA_SPEECH.
#include <gtest/gtest.h>

#include <cstdlib>

#include "host/audio/speech_features.hpp"
#include "host/data/npy.hpp"
#include "tests/mfcc_reference.hpp"

namespace mantissa::test {
namespace {

constexpr int32_t kFirstTrainingTake = 5;
constexpr double kReferenceError = 2e-5;  // of float32 features up to 88, made by float64 sums

TEST(Mfcc, RealRecordingsAreWithinTheBound) {
  const char* folder = std::getenv("MANTISSA_SPEECH");
  if (folder == nullptr) GTEST_SKIP() << "MANTISSA_SPEECH is not set: no recordings to test with";
  const std::filesystem::path data(folder);
  const host::NpyFile files[] = {host::NpyFile(data / "train_x.npy"), host::NpyFile(data / "test_x.npy")};
  size_t next[2] = {0, 0};
  double largest = 0, largest_bound = 0;
  for (const host::Recording& r : host::read_recordings(data / "audio_int16.npz")) {
    const size_t which = r.take < kFirstTrainingTake ? 1 : 0;
    const std::span<const float> reference =
        files[which].view().values<float>().subspan(490 * next[which]++, 490);
    const std::vector<int16_t> features = host::speech_features(r.samples);
    const std::vector<int16_t> clip = host::clip_of(r.samples);
    for (int32_t frame = 0; frame < host::kClipFrames; ++frame) {
      const std::vector<RealFeature> real = real_mfcc(clip.data() + frame * kMfccHop);
      for (size_t k = 0; k < kMfccCoefficients; ++k) {
        const size_t at = size_t(frame) * kMfccCoefficients + k;
        const double error = std::fabs(features[at] / 256.0 - real[k].value);
        ASSERT_LE(error, real[k].bound) << r.name << ", frame " << frame << ", feature " << k;
        ASSERT_NEAR(real[k].value, double(reference[at]), kReferenceError) << r.name << ", frame " << frame;
        largest = std::max(largest, error);
        largest_bound = std::max(largest_bound, real[k].bound);
      }
    }
  }
  EXPECT_EQ(next[0], files[0].view().shape[0]);
  EXPECT_EQ(next[1], files[1].view().shape[0]);
  RecordProperty("largest_error", std::to_string(largest));
  RecordProperty("largest_bound", std::to_string(largest_bound));
  std::printf("largest error %g, largest bound %g\n", largest, largest_bound);
}

}  // namespace
}  // namespace mantissa::test
