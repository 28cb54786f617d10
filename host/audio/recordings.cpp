// Everything is checked before a feature is computed, so that a long run does not end in its middle.
#include "host/audio/recordings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "host/audio/wav.hpp"
#include "host/data/npz.hpp"
#include "host/error.hpp"
#include "host/file/read_file.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::host {
namespace {

namespace fs = std::filesystem;

constexpr int kLargestLabel = 255, kLargestTake = 1'000'000;

template <class T>
std::vector<int64_t> widen(const NpyView& view) {
  std::vector<int64_t> wide;
  for (const T value : view.values<T>()) wide.push_back(std::in_range<int64_t>(value) ? int64_t(value) : -1);
  return wide;
}

/// An array of integers >= 0 and at most `largest`.
std::vector<int64_t> counts(const Npz& archive, const std::string& array, int64_t largest,
                            const std::string& name) {
  const NpzArray read = archive.read(array);
  const auto values = [&]() -> std::vector<int64_t> {
    switch (read.view.type) {
      case NpyType::kUint8: return widen<uint8_t>(read.view);
      case NpyType::kInt8: return widen<int8_t>(read.view);
      case NpyType::kUint16: return widen<uint16_t>(read.view);
      case NpyType::kInt16: return widen<int16_t>(read.view);
      case NpyType::kUint32: return widen<uint32_t>(read.view);
      case NpyType::kInt32: return widen<int32_t>(read.view);
      case NpyType::kUint64: return widen<uint64_t>(read.view);
      case NpyType::kInt64: return widen<int64_t>(read.view);
      case NpyType::kFloat16:
      case NpyType::kFloat32:
      case NpyType::kFloat64: break;
    }
    throw Error(
        fmt::format("{}: '{}' is of type {}; integers are needed", name, array, to_string(read.view.type)));
  }();
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0 || values[i] > largest)
      throw Error(fmt::format("{}: '{}' has {} for recording {}; 0 to {} are possible", name, array,
                              values[i], i, largest));
  return values;
}

std::vector<Recording> read_archive(const fs::path& path) {
  const std::string name = path.string();
  const std::vector<std::byte> file = read_file(path, "an archive of recordings");
  const Npz archive(file, name);
  const NpzArray samples = archive.read("samples");
  if (samples.view.type != NpyType::kInt16)
    throw Error(
        fmt::format("{}: 'samples' are of type {}; int16 is needed", name, to_string(samples.view.type)));
  const std::span<const int16_t> all = samples.view.values<int16_t>();
  const std::vector<int64_t> lengths = counts(archive, "lengths", INT32_MAX, name);
  const std::vector<int64_t> labels =
      counts(archive, archive.has("digit") ? "digit" : "label", kLargestLabel, name);
  const std::vector<int64_t> takes = counts(archive, "take", kLargestTake, name);
  if (labels.size() != lengths.size() || takes.size() != lengths.size())
    throw Error(
        fmt::format("{}: {} lengths, {} labels and {} takes; there must be one of each for a recording", name,
                    lengths.size(), labels.size(), takes.size()));
  std::vector<Recording> recordings;
  size_t at = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    const size_t length = static_cast<size_t>(lengths[i]);
    if (length == 0) throw Error(fmt::format("{}: recording {} is empty", name, i));
    if (length > all.size() - at)
      throw Error(fmt::format("{}: recording {} has {} samples, where {} are left", name, i, length,
                              all.size() - at));
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at);
    recordings.push_back({fmt::format("{}: recording {}", name, i),
                          {begin, begin + static_cast<std::ptrdiff_t>(length)},
                          static_cast<int>(labels[i]),
                          static_cast<int>(takes[i])});
    at += length;
  }
  if (at != all.size())
    throw Error(fmt::format("{}: {} samples, of which the lengths name {}", name, all.size(), at));
  return recordings;
}

std::optional<int> whole_number(std::string_view text, int largest) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good =
      error == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= largest;
  return good ? std::optional(value) : std::nullopt;
}

Recording read_wav(const fs::path& path) {
  const std::string stem = path.stem().string();
  const size_t first = stem.find('_'), last = stem.rfind('_');
  const std::optional<int> label = whole_number(std::string_view(stem).substr(0, first), kLargestLabel);
  const std::optional<int> take = last == std::string::npos
                                      ? std::nullopt
                                      : whole_number(std::string_view(stem).substr(last + 1), kLargestTake);
  if (!label || !take)
    throw Error(
        fmt::format("{}: a name that is not LABEL_..._TAKE.wav, as 7_jackson_32.wav; labels are 0 to {}",
                    path.string(), kLargestLabel));
  return {path.string(), parse_wav(read_file(path, "a recording"), path.string()), *label, *take};
}

std::vector<Recording> read_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".wav") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Recording> recordings;
  for (const fs::path& file : files) recordings.push_back(read_wav(file));
  return recordings;
}

}  // namespace

std::vector<Recording> read_recordings(const fs::path& path) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  std::vector<Recording> recordings = is_folder ? read_folder(path) : read_archive(path);
  if (recordings.empty())
    throw Error(fmt::format("{}: no recordings; a folder of .wav files or a .npz is needed", path.string()));
  return recordings;
}

}  // namespace mantissa::host
