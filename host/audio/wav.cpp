// A file is a list of chunks; two of them count, and any others are skipped.
#include "host/audio/wav.hpp"

#include <fmt/format.h>

#include <cstring>

#include "host/error.hpp"
#include "mantissa/signal/mfcc.hpp"

namespace mantissa::host {
namespace {

constexpr uint32_t kPcm = 1, kExtensible = 0xFFFE;
constexpr size_t kFormatBytes = 16, kExtensibleBytes = 26;

class WavReader {
 public:
  WavReader(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  std::vector<int16_t> read() {
    if (file_.size() < 12 || !is_tag(0, "RIFF") || !is_tag(8, "WAVE"))
      throw Error(fmt::format("{}: not a .wav file ({} bytes, no RIFF WAVE signature)", name_, file_.size()));
    bool has_format = false;
    for (size_t at = 12; file_.size() - at >= 8;) {
      const size_t size = number(at + 4, 4), begin = at + 8, left = file_.size() - begin;
      const bool is_data = is_tag(at, "data");
      if (size > left)
        throw Error(fmt::format("{}: truncated: a chunk of {} bytes, where {} are left", name_, size, left));
      if (is_tag(at, "fmt ")) {
        check_format(begin, size);
        has_format = true;
      }
      if (is_data && !has_format) throw Error(fmt::format("{}: samples before their format", name_));
      if (is_data) return samples(begin, size);
      at = begin + size + (size % 2 != 0 && size < left ? 1 : 0);
    }
    throw Error(fmt::format("{}: no samples in it (no data chunk)", name_));
  }

 private:
  bool is_tag(size_t at, const char* tag) const { return std::memcmp(file_.data() + at, tag, 4) == 0; }

  uint32_t number(size_t at, size_t bytes) const {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= std::to_integer<uint32_t>(file_[at + i]) << (8 * i);
    return value;
  }

  void check_format(size_t at, size_t size) const {
    if (size < kFormatBytes)
      throw Error(
          fmt::format("{}: a format of {} bytes, where at least {} belong", name_, size, kFormatBytes));
    uint32_t kind = number(at, 2);
    if (kind == kExtensible && size >= kExtensibleBytes) kind = number(at + 24, 2);
    const uint32_t channels = number(at + 2, 2), rate = number(at + 4, 4), bits = number(at + 14, 2);
    if (kind == kPcm && channels == 1 && rate == kMfccRate && bits == 16) return;
    throw Error(fmt::format(
        "{}: {} channel{}, {} Hz, {} bits{}; recordings are mono, {} Hz, 16-bit PCM: sox IN.wav -r 8000 -c 1 "
        "-b 16 OUT.wav",
        name_, channels, channels == 1 ? "" : "s", rate, bits, kind == kPcm ? "" : ", not PCM", kMfccRate));
  }

  std::vector<int16_t> samples(size_t begin, size_t size) const {
    if (size < 2) throw Error(fmt::format("{}: an empty recording, no samples", name_));
    std::vector<int16_t> values(size / 2);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int16_t>(number(begin + 2 * i, 2));
    return values;
  }

  std::span<const std::byte> file_;
  const std::string& name_;
};

}  // namespace

std::vector<int16_t> parse_wav(std::span<const std::byte> file, const std::string& name) {
  return WavReader(file, name).read();
}

}  // namespace mantissa::host
