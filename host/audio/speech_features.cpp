// The stream of the core is fed sample by sample, as a board's would be.
#include "host/audio/speech_features.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/data/npy.hpp"
#include "host/error.hpp"

namespace mantissa::host {
namespace {

struct FeatureSet {
  std::vector<float> x;
  std::vector<uint8_t> y;

  void add(const Recording& r) {
    for (const int16_t code : speech_features(r.samples)) x.push_back(static_cast<float>(code) * 0x1p-8f);
    y.push_back(static_cast<uint8_t>(r.label));
  }
  void write(const std::filesystem::path& folder, const std::string& which) const {
    const size_t shape[] = {y.size(), kClipFrames, kMfccCoefficients};
    write_npy(folder / (which + "_x.npy"), x, shape);
    write_npy(folder / (which + "_y.npy"), y, std::span(shape, 1));
  }
};

}  // namespace

std::vector<int16_t> clip_of(std::span<const int16_t> recording) {
  std::vector<int16_t> clip(kClipSamples);
  const size_t length = std::min(recording.size(), clip.size());
  const size_t from = (recording.size() - length) / 2, to = (clip.size() - length) / 2;
  std::copy_n(recording.begin() + static_cast<std::ptrdiff_t>(from), length,
              clip.begin() + static_cast<std::ptrdiff_t>(to));
  return clip;
}

std::vector<int16_t> speech_features(std::span<const int16_t> recording) {
  std::vector<int16_t> codes;
  MfccStream stream;
  for (const int16_t sample : clip_of(recording))
    if (stream.push(sample))
      codes.insert(codes.end(), stream.features(), stream.features() + kMfccCoefficients);
  return codes;
}

FeatureCounts write_speech_folder(std::span<const Recording> recordings, int test_takes,
                                  const std::filesystem::path& folder) {
  FeatureSet train, test;
  for (const Recording& r : recordings) (r.take < test_takes ? test : train).add(r);
  if (train.y.empty() || test.y.empty())
    throw Error(fmt::format(
        "{} recordings to train on and {} to test with (takes below {}); both sets need some: --test-takes N",
        train.y.size(), test.y.size(), test_takes));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(fmt::format("{}: the folder cannot be made: {}", folder.string(), error.message()));
  train.write(folder, "train");
  test.write(folder, "test");
  return {train.y.size(), test.y.size()};
}

}  // namespace mantissa::host
