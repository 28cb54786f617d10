// NumPy .npz archives: named arrays in a zip file, stored or deflated, as np.savez and np.savez_compressed write them.
// Recordings and weights arrive in this format.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "host/data/npy.hpp"

namespace mantissa::host {

/// An array with its memory; the view stays valid when the object is moved.
struct NpzArray {
  std::vector<std::byte> file;  ///< of the .npy within
  NpyView view;
};

/// The directory of an archive. Arrays are unpacked when asked for. `file` must outlive the object.
class Npz {
 public:
  /// Safe on arbitrary bytes; `name` stands for the file in messages.
  /// Throws Error unless the directory is whole and each file in it lies within the archive.
  Npz(std::span<const std::byte> file, std::string name);

  /// Names of the arrays, without ".npy", in the order of the archive.
  const std::vector<std::string>& names() const { return names_; }
  bool has(const std::string& array) const;
  /// Throws Error if there is no such array, the bytes are damaged (by the archive's checksum), and as parse_npy().
  NpzArray read(const std::string& array) const;

 private:
  struct Entry {
    uint32_t method = 0, crc = 0;
    size_t offset = 0, packed = 0, unpacked = 0;
  };
  Entry read_entry(size_t& at);
  size_t find_directory(size_t& entries) const;
  uint32_t number(size_t at, size_t bytes) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::span<const std::byte> file_;
  std::string name_;
  std::vector<std::string> names_;
  std::vector<Entry> entries_;  // one per name
};

}  // namespace mantissa::host
