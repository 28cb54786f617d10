// NumPy .npy arrays.
// The file is checked once, against its size, before anyone may look at an element.
#include "host/data/npy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/data/npy_header.hpp"
#include "host/error.hpp"
#include "host/file/atomic_file.hpp"

namespace mantissa::host {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are used where they lie in the file");

constexpr std::string_view kMagic = "\x93NUMPY";

struct TypeInfo {
  NpyType type;
  const char* name;
  std::string_view code;  // descr without its byte order
  size_t bytes;
};
constexpr std::array<TypeInfo, 11> kTypes = {{
    {NpyType::kFloat32, "float32", "f4", 4},
    {NpyType::kUint8, "uint8", "u1", 1},
    {NpyType::kInt8, "int8", "i1", 1},
    {NpyType::kUint16, "uint16", "u2", 2},
    {NpyType::kInt16, "int16", "i2", 2},
    {NpyType::kUint32, "uint32", "u4", 4},
    {NpyType::kInt32, "int32", "i4", 4},
    {NpyType::kUint64, "uint64", "u8", 8},
    {NpyType::kInt64, "int64", "i8", 8},
    {NpyType::kFloat64, "float64", "f8", 8},
    {NpyType::kFloat16, "float16", "f2", 2},
}};

const TypeInfo& info(NpyType type) { return kTypes[static_cast<size_t>(type)]; }

struct HeaderPlace {
  size_t begin = 0;
  size_t size = 0;
};

// Magic, version, then the header's length: 2 bytes in format 1, 4 bytes in formats 2 and 3.
HeaderPlace find_header(std::span<const std::byte> file, const std::string& name) {
  const auto byte = [&](size_t i) { return std::to_integer<size_t>(file[i]); };
  if (file.size() < 10 || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    throw Error(fmt::format("{}: not a .npy file ({} bytes, no NumPy signature)", name, file.size()));
  }
  const size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) {
    throw Error(
        fmt::format("{}: .npy format {}.{} is unknown; 1.0, 2.0 and 3.0 are read", name, version, byte(7)));
  }
  HeaderPlace place{10, byte(8) | byte(9) << 8};
  if (version >= 2) {
    if (file.size() < 12)
      throw Error(fmt::format("{}: truncated: {} bytes end in the header", name, file.size()));
    place = {12, place.size | byte(10) << 16 | byte(11) << 24};
  }
  if (place.size > file.size() - place.begin) {
    throw Error(fmt::format("{}: truncated: the header ends at byte {}, the file has {}", name,
                            place.begin + place.size, file.size()));
  }
  return place;
}

NpyType parse_type(const std::string& descr, const std::string& name) {
  if (!descr.empty() && descr[0] == '>') {
    throw Error(
        fmt::format("{}: big-endian elements ('{}'); save x.astype(x.dtype.newbyteorder('<'))", name, descr));
  }
  for (const TypeInfo& type : kTypes) {
    const bool has_order = !descr.empty() && (descr[0] == '<' || (descr[0] == '|' && type.bytes == 1));
    if (has_order && descr.substr(1) == type.code) return type.type;
  }
  throw Error(
      fmt::format("{}: elements of type '{}'; floats and integers of 8 to 64 bits are read: "
                  "save x.astype(np.float32)",
                  name, descr));
}

size_t payload_bytes(const NpyHeader& header, NpyType type, const std::string& name) {
  size_t bytes = element_bytes(type);
  for (const size_t dimension : header.shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      throw Error(fmt::format("{}: shape {} has more bytes than any memory", name, shape_text(header.shape)));
    }
  }
  return bytes;
}

[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const char* action) {
  throw Error(fmt::format("{}: can not {}: {}", path.string(), action, std::strerror(errno)));
}

std::span<const std::byte> map_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) fail_with_errno(path, "open");
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0;
  const size_t size = known ? static_cast<size_t>(status.st_size) : 0;
  void* address = MAP_FAILED;
  if (known && S_ISREG(status.st_mode) && size > 0) {
    address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  }
  const int map_errno = errno;
  ::close(file);  // the mapping stays
  if (known && !S_ISREG(status.st_mode)) throw Error(fmt::format("{}: not a regular file", path.string()));
  if (known && size == 0)
    throw Error(fmt::format("{}: an empty file (0 bytes), where a .npy is needed", path.string()));
  errno = map_errno;
  if (address == MAP_FAILED) fail_with_errno(path, "map into memory");
  return {static_cast<const std::byte*>(address), size};
}

void unmap(std::span<const std::byte> mapping) {
  if (!mapping.empty()) ::munmap(const_cast<std::byte*>(mapping.data()), mapping.size());
}

// Magic, version 1.0, length and dictionary; padded so that the elements start at a multiple of 64 bytes.
std::string header_bytes(NpyType type, std::span<const size_t> shape) {
  const std::string tuple = fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}",
                                 element_bytes(type) == 1 ? '|' : '<', info(type).code, tuple);
  const size_t prefix = kMagic.size() + 4;
  text.append(63 - (prefix + text.size()) % 64, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return header + text;
}

template <class T>
void write_array(const std::filesystem::path& path, std::span<const T> values,
                 std::span<const size_t> shape) {
  size_t count = 1;
  for (const size_t dimension : shape) count *= dimension;
  if (count != values.size()) {
    throw Error(
        fmt::format("{}: {} values do not fill shape {}", path.string(), values.size(), shape_text(shape)));
  }
  const std::string header = header_bytes(npy_type<T>(), shape);
  write_file_atomically(path, {std::as_bytes(std::span(header)), std::as_bytes(values)});
}

}  // namespace

const char* to_string(NpyType type) { return info(type).name; }

size_t element_bytes(NpyType type) { return info(type).bytes; }

std::string shape_text(std::span<const size_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

NpyView parse_npy(std::span<const std::byte> file, const std::string& name) {
  const HeaderPlace place = find_header(file, name);
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + place.begin, place.size);
  const NpyHeader header = parse_npy_header(text, name);
  const NpyType type = parse_type(header.descr, name);
  if (header.fortran_order) {
    throw Error(fmt::format("{}: Fortran order (columns first); save np.ascontiguousarray(x)", name));
  }
  const size_t begin = place.begin + place.size;
  const size_t wanted = payload_bytes(header, type, name);
  const size_t found = file.size() - begin;
  if (found != wanted) {
    throw Error(fmt::format("{}: {}: shape {} of {} takes {} bytes after the header, found {}", name,
                            found < wanted ? "truncated" : "bytes after the end", shape_text(header.shape),
                            to_string(type), wanted, found));
  }
  if (begin % element_bytes(type) != 0) {
    throw Error(fmt::format("{}: elements start at byte {}, not at a multiple of {}; save again with np.save",
                            name, begin, element_bytes(type)));
  }
  return {type, header.shape, file.subspan(begin)};
}

NpyFile::NpyFile(const std::filesystem::path& path) : mapping_(map_file(path)) {
  try {
    view_ = parse_npy(mapping_, path.string());
  } catch (...) {
    unmap(mapping_);
    throw;
  }
}

NpyFile::NpyFile(NpyFile&& other) noexcept
    : mapping_(std::exchange(other.mapping_, {})), view_(std::exchange(other.view_, {})) {}

NpyFile& NpyFile::operator=(NpyFile&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(view_, other.view_);
  return *this;
}

NpyFile::~NpyFile() { unmap(mapping_); }

void write_npy(const std::filesystem::path& path, std::span<const float> values,
               std::span<const size_t> shape) {
  write_array(path, values, shape);
}

void write_npy(const std::filesystem::path& path, std::span<const uint8_t> values,
               std::span<const size_t> shape) {
  write_array(path, values, shape);
}

}  // namespace mantissa::host
