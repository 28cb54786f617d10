// Header and checksum of a saved model.
// The checks go from "what is this" to "is it whole", so that the message names the first thing wrong.
#include "host/file/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "host/error.hpp"
#include "mantissa/base/hash.hpp"

namespace mantissa::host {
namespace {

constexpr std::array<uint8_t, 8> kMagic = {0x89, 'M', 'N', 'T', 0x0D, 0x0A, 0x1A, 0x0A};
constexpr size_t kVersionAt = 8, kLengthAt = 12, kChecksumAt = 16, kHeaderBytes = 24;
constexpr size_t kMaxPayload = (size_t{1} << 31) - 1;

void store(std::span<std::byte> at, uint64_t value) {
  for (std::byte& byte : at) {
    byte = static_cast<std::byte>(value);
    value >>= 8;
  }
}

uint64_t load(std::span<const std::byte> at) {
  uint64_t value = 0;
  for (size_t i = at.size(); i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(at[i]);
  return value;
}

uint64_t checksum(std::span<const std::byte> file) {
  Hash hash;
  const auto add = [&hash](std::span<const std::byte> bytes) {
    hash.add_bytes(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  add(file.first(kChecksumAt));
  add(file.subspan(kHeaderBytes));
  return hash.value();
}

}  // namespace

std::vector<std::byte> seal(std::span<const std::byte> payload, uint32_t version) {
  if (payload.size() > kMaxPayload)
    throw Error(
        fmt::format("a saved model holds at most {} bytes; this one has {}", kMaxPayload, payload.size()));
  std::vector<std::byte> file(kHeaderBytes + payload.size());
  const std::span<std::byte> bytes(file);
  std::ranges::copy(std::as_bytes(std::span(kMagic)), file.begin());
  store(bytes.subspan(kVersionAt, 4), version);
  store(bytes.subspan(kLengthAt, 4), payload.size());
  std::ranges::copy(payload, file.begin() + kHeaderBytes);
  store(bytes.subspan(kChecksumAt, 8), checksum(file));
  return file;
}

std::span<const std::byte> unseal(std::span<const std::byte> file, const std::string& name) {
  const size_t magic_bytes = std::min(file.size(), kMagic.size());
  if (file.empty() ||
      !std::ranges::equal(file.first(magic_bytes), std::as_bytes(std::span(kMagic)).first(magic_bytes)))
    throw Error(
        fmt::format("{}: not a saved model ({} bytes, without the signature of one)", name, file.size()));
  if (file.size() < kHeaderBytes)
    throw Error(
        fmt::format("{}: cut: {} bytes, and the header alone has {}", name, file.size(), kHeaderBytes));
  const uint64_t version = load(file.subspan(kVersionAt, 4));
  if (version != kModelFileVersion)
    throw Error(fmt::format("{}: format version {}, and this program reads version {}; {}", name, version,
                            kModelFileVersion,
                            version > kModelFileVersion ? "use a newer mantissa, or the file is damaged"
                                                        : "the file is damaged"));
  const uint64_t wanted = load(file.subspan(kLengthAt, 4));
  const uint64_t found = file.size() - kHeaderBytes;
  if (found != wanted)
    throw Error(fmt::format("{}: {}: {} bytes follow the header, which says {}", name,
                            found < wanted ? "cut" : "bytes after the end", found, wanted));
  if (load(file.subspan(kChecksumAt, 8)) != checksum(file))
    throw Error(fmt::format("{}: damaged: the checksum does not match; copy the file again", name));
  return file.subspan(kHeaderBytes);
}

}  // namespace mantissa::host
