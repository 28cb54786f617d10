// A folder that is gone when its owner is.
#pragma once
#include <filesystem>

namespace mantissa::host {

class TemporaryFolder {
 public:
  /// Below the system's folder for temporary files, readable for its owner only. Throws Error if it cannot be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace mantissa::host
