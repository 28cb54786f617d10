// The archive's directory is at its end; each file has a header of its own, whose length alone matters.
// Source: PKWARE, APPNOTE.TXT 6.3 (.ZIP File Format).
#include "host/data/npz.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "host/error.hpp"
#include "host/model/nearest.hpp"
#include "mantissa/base/crc32.hpp"

namespace mantissa::host {
namespace {

constexpr uint32_t kLocalHeader = 0x04034B50, kDirectoryEntry = 0x02014B50, kDirectoryEnd = 0x06054B50;
constexpr size_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kLongestComment = 65535;
constexpr uint32_t kStored = 0, kDeflated = 8, kIn64Bits = 0xFFFFFFFF;
constexpr size_t kMostDeflated = 1032;  // bytes from one: what deflate can reach

uint32_t crc_of(std::span<const std::byte> bytes) {
  Crc32 crc;
  crc.add(bytes);
  return crc.value();
}

/// False if the bytes are not a whole deflated stream of just that length.
bool inflate_into(std::span<const std::byte> packed, std::span<std::byte> out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  return whole;
}

}  // namespace

void Npz::fail(const std::string& what) const {
  throw Error(fmt::format("{}: {}; save the arrays again with np.savez", name_, what));
}

/// Little-endian. Requires that it lies within the file.
uint32_t Npz::number(size_t at, size_t bytes) const {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= std::to_integer<uint32_t>(file_[at + i]) << (8 * i);
  return value;
}

size_t Npz::find_directory(size_t& entries) const {
  if (file_.size() < kEndBytes || number(0, 4) != kLocalHeader)
    fail(fmt::format("not a .npz file ({} bytes, no signature of a zip archive)", file_.size()));
  const size_t last = file_.size() - kEndBytes, first = last - std::min(last, kLongestComment);
  for (size_t at = last + 1; at-- > first;) {
    if (number(at, 4) != kDirectoryEnd) continue;
    entries = number(at + 10, 2);
    return number(at + 16, 4);
  }
  fail("truncated: the archive has no directory at its end");
}

Npz::Entry Npz::read_entry(size_t& at) {
  if (at > file_.size() || file_.size() - at < kEntryBytes || number(at, 4) != kDirectoryEntry)
    fail("damaged: the archive's directory is not where it should be");
  const uint32_t flags = number(at + 8, 2), local = number(at + 42, 4);
  const size_t name_bytes = number(at + 28, 2), rest = number(at + 30, 2) + number(at + 32, 2);
  Entry entry{number(at + 10, 2), number(at + 16, 4), 0, number(at + 20, 4), number(at + 24, 4)};
  if (file_.size() - at - kEntryBytes < name_bytes + rest) fail("damaged: its directory is cut off");
  const std::string name(reinterpret_cast<const char*>(file_.data()) + at + kEntryBytes, name_bytes);
  at += kEntryBytes + name_bytes + rest;
  if ((flags & 1) != 0) fail(fmt::format("{} is encrypted", in_quotes(name)));
  if (entry.method != kStored && entry.method != kDeflated)
    fail(fmt::format("{} is packed by method {}; stored and deflated files are read", in_quotes(name),
                     entry.method));
  if (entry.packed == kIn64Bits || entry.unpacked == kIn64Bits || local == kIn64Bits)
    fail(fmt::format("{} has more than 4 GB", in_quotes(name)));
  if (local > file_.size() || file_.size() - local < kLocalBytes || number(local, 4) != kLocalHeader)
    fail(fmt::format("damaged: {} is not where the directory says", in_quotes(name)));
  entry.offset = local + kLocalBytes + number(local + 26, 2) + number(local + 28, 2);
  if (entry.offset > file_.size() || file_.size() - entry.offset < entry.packed)
    fail(fmt::format("damaged: {} is cut off", in_quotes(name)));
  if (entry.method == kStored ? entry.packed != entry.unpacked
                              : entry.unpacked / kMostDeflated > entry.packed)
    fail(fmt::format("damaged: {} cannot have {} bytes", in_quotes(name), entry.unpacked));
  if (!name.ends_with(".npy")) fail(fmt::format("{} is not an array", in_quotes(name)));
  names_.push_back(name.substr(0, name.size() - 4));
  return entry;
}

Npz::Npz(std::span<const std::byte> file, std::string name) : file_(file), name_(std::move(name)) {
  size_t entries = 0, at = find_directory(entries);
  for (size_t i = 0; i < entries; ++i) entries_.push_back(read_entry(at));
}

bool Npz::has(const std::string& array) const {
  return std::find(names_.begin(), names_.end(), array) != names_.end();
}

NpzArray Npz::read(const std::string& array) const {
  const auto found = std::find(names_.begin(), names_.end(), array);
  if (found == names_.end()) {
    const std::vector<std::string_view> known(names_.begin(), names_.end());
    throw Error(fmt::format("{}: no array {}{}", name_, in_quotes(array), suggestion(array, known)));
  }
  const Entry& entry = entries_[static_cast<size_t>(found - names_.begin())];
  const std::span<const std::byte> packed = file_.subspan(entry.offset, entry.packed);
  NpzArray result{std::vector<std::byte>(entry.unpacked), {}};
  if (entry.method == kStored)
    std::copy(packed.begin(), packed.end(), result.file.begin());
  else if (!inflate_into(packed, result.file))
    fail(fmt::format("damaged: {} cannot be unpacked", in_quotes(array)));
  if (crc_of(result.file) != entry.crc)
    fail(fmt::format("damaged: the checksum of {} is wrong", in_quotes(array)));
  result.view = parse_npy(result.file, fmt::format("{}: {}", name_, clipped(array, 60)));
  return result;
}

}  // namespace mantissa::host
