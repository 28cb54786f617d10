// Files that exist as a whole or not at all.
// A run may be interrupted, and a disk may be full, at any byte; what was there before must survive that.
#pragma once
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>

namespace mantissa::host {

/// For before a long piece of work: throws Error as write_file_atomically() would; leaves nothing behind.
void check_writable(const std::filesystem::path& path);

/// Writes the parts one after another to a temporary file beside `path`, brings it to the disk, then renames
/// it. A text is std::as_bytes(std::span(text)). Throws Error with path and reason if that is not possible,
/// or if `path` is something that a rename must not replace: a folder, a device, a pipe. Nothing is left
/// behind then.
void write_file_atomically(const std::filesystem::path& path,
                           std::initializer_list<std::span<const std::byte>> parts);

}  // namespace mantissa::host
