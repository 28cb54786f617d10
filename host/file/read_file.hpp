// A whole file in memory.
// Small files only: data sets are mapped, see host/data/npy.hpp.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace mantissa::host {

/// `what` is needed there, for messages: "a saved model". Throws Error if the path is not a regular file or cannot be read.
std::vector<std::byte> read_file(const std::filesystem::path& path, const std::string& what);

}  // namespace mantissa::host
