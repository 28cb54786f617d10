// One look at what the path is, so that a folder is not taken for a file without bytes.
#include "host/file/read_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "host/error.hpp"

namespace mantissa::host {

std::vector<std::byte> read_file(const std::filesystem::path& path, const std::string& what) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    throw Error(fmt::format("{}: not a regular file, where {} is needed", path.string(), what));
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.tellg();
  std::vector<std::byte> bytes(size > 0 ? static_cast<size_t>(size) : 0);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) throw Error(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  return bytes;
}

}  // namespace mantissa::host
