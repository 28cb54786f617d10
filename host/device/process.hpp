// A program that runs beside this one: what it prints, whether it still goes on, how it ends.
// It does not outlive this object, nor this program.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mantissa::host {

/// Where the shell would find it, if anywhere.
std::optional<std::filesystem::path> find_program(const std::string& name);

class Process {
 public:
  /// Starts `program` in `folder`, without a shell, with nothing to read and its output and messages in one pipe.
  /// Throws Error if the system refuses.
  Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
          const std::filesystem::path& folder);
  /// Kills what still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Waits up to `milliseconds` for output and adds what there is to `text`. False once the program has closed it.
  bool read(std::string& text, int milliseconds);

  /// Waits for the end. The exit code, or minus the number of the signal that killed it.
  int wait();

  /// How far the program has read or written in a file that it has open, in bytes; 0 if it has not.
  uint64_t position_in(const std::filesystem::path& file) const;

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace mantissa::host
