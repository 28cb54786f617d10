// Recordings: what is read, what is refused and why, and the second that features are made of.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "host/audio/recordings.hpp"
#include "host/audio/speech_features.hpp"
#include "host/audio/wav.hpp"
#include "host/data/npy.hpp"
#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

struct Format {
  uint32_t kind = 1, channels = 1, rate = 8000, bits = 16;
};

std::string little(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string wav(const std::vector<int16_t>& samples, Format f = {}) {
  std::string data;
  for (const int16_t s : samples) data += little(static_cast<uint16_t>(s), 2);
  const uint32_t frame = f.channels * f.bits / 8;
  std::string body = "WAVELIST" + little(3, 4) + "abc" + little(0, 1) + "fmt " + little(16, 4);
  body += little(f.kind, 2) + little(f.channels, 2) + little(f.rate, 4) + little(f.rate * frame, 4) +
          little(frame, 2) + little(f.bits, 2);
  body += "data" + little(static_cast<uint32_t>(data.size()), 4) + data;
  return "RIFF" + little(static_cast<uint32_t>(body.size()), 4) + body;
}

std::vector<int16_t> parse(const std::string& file) {
  return parse_wav(std::as_bytes(std::span(file)), "a.wav");
}

using test::expect_error;

TEST(Wav, SkipsOtherChunks) { EXPECT_EQ(parse(wav({1, -2, 32767})), (std::vector<int16_t>{1, -2, 32767})); }

TEST(Wav, SaysWhatIsWrong) {
  const std::string good = wav({1, 2, 3});
  expect_error(
      [&] {
        parse(wav({1, 2}, {.rate = 44100}));
      },
      "a.wav: 1 channel, 44100 Hz, 16 bits; recordings are mono, 8000 Hz");
  expect_error([&] { parse(wav({1, 2}, {.channels = 2})); }, "2 channels, 8000 Hz");
  expect_error([&] { parse(wav({1, 2}, {.bits = 8})); }, "8000 Hz, 8 bits");
  expect_error([&] { parse(wav({1, 2}, {.kind = 3})); }, "16 bits, not PCM");
  expect_error([&] { parse(wav({})); }, "an empty recording");
  expect_error([&] { parse(""); }, "not a .wav file (0 bytes");
  for (size_t n = 0; n < good.size(); ++n) EXPECT_THROW(parse(good.substr(0, n)), Error) << n;
}

TEST(SpeechFeatures, ShortRecordingsStandInTheMiddleAndOfLongOnesTheMiddleIsHeard) {
  std::vector<int16_t> recording(301);
  for (size_t i = 0; i < recording.size(); ++i) recording[i] = static_cast<int16_t>(i * 977);
  std::vector<int16_t> padded(8000), longer(9001, 555);
  std::copy(recording.begin(), recording.end(), padded.begin() + 3849);
  std::copy(padded.begin(), padded.end(), longer.begin() + 500);
  const std::vector<int16_t> features = speech_features(recording);
  EXPECT_EQ(features.size(), 490u);
  EXPECT_EQ(features, speech_features(padded));
  EXPECT_EQ(features, speech_features(longer));
  EXPECT_EQ(features[0], -22369);
}

class SpeechFolder : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("mantissa_speech_" + std::to_string(::getpid()));
};

TEST_F(SpeechFolder, LabelsAndTakesAreInTheNames) {
  write("7_jackson_32.wav", wav({1, 2}));
  write("3_theo_0.wav", wav({3}));
  write("notes.txt", "");
  const std::vector<Recording> found = read_recordings(folder_);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].label, 3);
  EXPECT_EQ(found[1].label, 7);
  EXPECT_EQ(found[1].take, 32);
  const FeatureCounts n = write_speech_folder(found, 5, folder_ / "out");
  EXPECT_EQ(n.train, 1u);
  EXPECT_EQ(n.test, 1u);
  const NpyFile x(folder_ / "out/train_x.npy"), y(folder_ / "out/train_y.npy");
  EXPECT_EQ(x.view().shape, (std::vector<size_t>{1, 49, 10}));
  EXPECT_EQ(x.view().values<float>()[0], -22369 / 256.0f);
  EXPECT_EQ(y.view().values<uint8_t>()[0], 7);
  expect_error([&] { write_speech_folder(found, 40, folder_ / "out"); },
               "0 recordings to train on and 2 to test with");
}

TEST_F(SpeechFolder, SaysWhatIsWrong) {
  expect_error([&] { read_recordings(folder_); }, "no recordings");
  write("seven_1.wav", wav({1}));
  expect_error([&] { read_recordings(folder_); }, "a name that is not LABEL_..._TAKE.wav");
  expect_error([&] { read_recordings(folder_ / "seven_1.wav"); }, "not a .npz file");
  expect_error([&] { read_recordings(folder_ / "none"); }, "cannot be read");
}

}  // namespace
}  // namespace mantissa::host
