// mkdtemp() chooses a name that nobody else has.
#include "host/device/temporary_folder.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "host/error.hpp"

namespace mantissa::host {

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  std::string name = (parent / "mantissa_XXXXXX").string();
  if (error || mkdtemp(name.data()) == nullptr)
    throw Error(fmt::format("{}: no temporary folder can be made there: {}; TMPDIR names another place",
                            parent.string(), error ? error.message() : std::strerror(errno)));
  path_ = std::filesystem::canonical(name);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace mantissa::host
