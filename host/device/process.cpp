// fork() and exec(): the child asks the kernel to die with its parent, which posix_spawn() has no word for.
#include "host/device/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr int kExecFailed = 127;  // as shells have it

/// In the child, where only plain system calls are allowed.
[[noreturn]] void become(const char* program, char* const* arguments, const char* folder, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (chdir(folder) == 0) execv(program, arguments);
  _exit(kExecFailed);
}

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const char* all = std::getenv("PATH");
  std::istringstream folders(all == nullptr ? "" : all);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    if (access(path.c_str(), X_OK) == 0) return std::filesystem::absolute(path);
  }
  return std::nullopt;
}

Process::Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                 const std::filesystem::path& folder) {
  std::vector<std::string> words = {program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Error(fmt::format("{} cannot be started: {}", program.string(), std::strerror(errno)));
  output_ = ends[0];
  pid_ = fork();
  if (pid_ == 0) become(words[0].c_str(), pointers.data(), folder.c_str(), ends[1]);
  const int error = errno;
  close(ends[1]);
  if (pid_ > 0) return;
  close(output_);
  throw Error(fmt::format("{} cannot be started: {}", program.string(), std::strerror(error)));
}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    wait();
  }
  close(output_);
}

bool Process::read(std::string& text, int milliseconds) {
  pollfd wanted{output_, POLLIN, 0};
  if (poll(&wanted, 1, milliseconds) <= 0) return true;  // nothing yet, or a signal
  char bytes[4096];
  const ssize_t count = ::read(output_, bytes, sizeof bytes);
  if (count > 0) text.append(bytes, static_cast<size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

int Process::wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

uint64_t Process::position_in(const std::filesystem::path& file) const {
  const std::filesystem::path process = fmt::format("/proc/{}", pid_);
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(process / "fd", gone)) {
    if (std::filesystem::read_symlink(entry.path(), gone) != file) continue;
    std::ifstream info(process / "fdinfo" / entry.path().filename());
    std::string word;
    uint64_t position = 0;
    info >> word >> position;
    return position;
  }
  return 0;
}

}  // namespace mantissa::host
