// Files that exist as a whole or not at all: temporary file, fsync, rename.
// System calls, because streams neither say why they failed nor can be told to reach the disk.
#include "host/file/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

/// A new file beside `target`, which is removed again unless it has become the target.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target.string()) {
    // Several threads and earlier runs that were killed may have left the same names.
    for (int attempt = 0; attempt < 1000 && file_ < 0; ++attempt) {
      path_ = fmt::format("{}.tmp{}.{}", target_, ::getpid(), attempt);
      file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file_ < 0 && errno != EEXIST) break;
    }
    if (file_ < 0) fail();
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (file_ >= 0) ::close(file_);
    if (!replaced_) ::unlink(path_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) fail();
      if (written > 0) bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  void replace_target() {
    if (::fsync(file_) != 0) fail();
    if (::close(std::exchange(file_, -1)) != 0) fail();
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail();
    replaced_ = true;
  }

 private:
  [[noreturn]] void fail() const {
    const int reason = errno;
    throw Error(
        fmt::format("{}: cannot be written: {}; is the folder there and writable, and the disk not full?",
                    target_, std::strerror(reason)));
  }

  std::string target_;
  std::string path_;
  int file_ = -1;
  bool replaced_ = false;
};

void check_target(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::filesystem::file_status there = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
    throw Error(fmt::format("{}: cannot be written: it is there and not a regular file; give another path",
                            path.string()));
}

}  // namespace

void check_writable(const std::filesystem::path& path) {
  check_target(path);
  const TemporaryFile file(path);
}

void write_file_atomically(const std::filesystem::path& path,
                           std::initializer_list<std::span<const std::byte>> parts) {
  check_target(path);
  TemporaryFile file(path);
  for (const std::span<const std::byte> part : parts) file.write(part);
  file.replace_target();
}

}  // namespace mantissa::host
