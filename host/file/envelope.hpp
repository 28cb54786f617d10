// The outer 24 bytes of a saved model: what it is, which version, how long, and whether it arrived whole.
// Ours and fixed, so that any program can tell a damaged file from a newer one before it trusts the rest.
//
//   offset  bytes
//        0      8  89 'M' 'N' 'T' 0D 0A 1A 0A: not text, and spoilt by whatever translates line ends
//        8      4  version of the format, little-endian as all that follows
//       12      4  bytes of the payload
//       16      8  FNV-1a, 64 bits, of bytes 0 to 15 and the payload
//       24         payload: a FlatBuffer, see model.fbs
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mantissa::host {

inline constexpr uint32_t kModelFileVersion = 2;

/// A whole file around the payload. Throws Error if that has 2^31 bytes or more: FlatBuffers end there.
std::vector<std::byte> seal(std::span<const std::byte> payload, uint32_t version = kModelFileVersion);

/// The payload in a whole file; `name` stands for the file in messages. Safe on arbitrary bytes. Throws Error
/// if the file is something else, of another version, cut, longer than it says, or damaged. Damage within one
/// byte is always seen, since each step of FNV-1a is invertible; other damage but once in 2^64.
std::span<const std::byte> unseal(std::span<const std::byte> file, const std::string& name);

}  // namespace mantissa::host
