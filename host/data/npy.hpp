// NumPy .npy arrays: a reader that maps the file and a writer that replaces it as a whole.
// Data sets arrive in this format: a short text header, then elements that are used where they lie.
#pragma once
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace mantissa::host {

enum class NpyType : uint8_t {
  kFloat32,
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kUint64,
  kInt64,
  kFloat64,
  kFloat16
};

/// NumPy's name of the type, for messages: "float32".
const char* to_string(NpyType type);
size_t element_bytes(NpyType type);

/// "[7352, 9, 128]".
std::string shape_text(std::span<const size_t> shape);

template <class T>
constexpr NpyType npy_type() {
  static_assert(std::is_floating_point_v<T> || std::is_integral_v<T>);
  if constexpr (std::is_same_v<T, double>) return NpyType::kFloat64;
  if constexpr (std::is_same_v<T, float>) return NpyType::kFloat32;
  if constexpr (sizeof(T) == 1) return std::is_signed_v<T> ? NpyType::kInt8 : NpyType::kUint8;
  if constexpr (sizeof(T) == 2) return std::is_signed_v<T> ? NpyType::kInt16 : NpyType::kUint16;
  if constexpr (sizeof(T) == 4) return std::is_signed_v<T> ? NpyType::kInt32 : NpyType::kUint32;
  return std::is_signed_v<T> ? NpyType::kInt64 : NpyType::kUint64;
}

/// An array in memory that someone else owns: little-endian, C order, aligned to its elements.
struct NpyView {
  NpyType type = NpyType::kFloat32;
  std::vector<size_t> shape;
  std::span<const std::byte> bytes;

  /// All elements. Requires `type == npy_type<T>()`.
  template <class T>
  std::span<const T> values() const {
    assert(type == npy_type<T>());
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

/// Finds the array in the bytes of a whole .npy file, format 1, 2 or 3. Safe on arbitrary bytes.
/// `name` stands for the file in messages. Throws Error unless the header is well-formed, the type is an
/// NpyType in little-endian and C order, and exactly the elements that the shape promises follow. Requires
/// file.data() aligned to 8 bytes.  Source: numpy.lib.format.
NpyView parse_npy(std::span<const std::byte> file, const std::string& name);

/// A .npy file mapped read-only. The view stays valid, at the same address, while the object or what it was
/// moved to lives; nobody may shorten the file meanwhile. Throws Error if the file can not be read, and as
/// parse_npy().
class NpyFile {
 public:
  explicit NpyFile(const std::filesystem::path& path);
  NpyFile(NpyFile&& other) noexcept;
  NpyFile& operator=(NpyFile&& other) noexcept;
  ~NpyFile();

  const NpyView& view() const { return view_; }

 private:
  std::span<const std::byte> mapping_;
  NpyView view_;
};

/// Writes format 1 to a temporary file beside `path`, then renames it: `path` never holds half an array.
/// Throws Error if the shape's product is not the number of values, or the file can not be written.
void write_npy(const std::filesystem::path& path, std::span<const float> values,
               std::span<const size_t> shape);
void write_npy(const std::filesystem::path& path, std::span<const uint8_t> values,
               std::span<const size_t> shape);

}  // namespace mantissa::host
