// Files that exist as a whole or not at all: what is there after a success, and after each kind of failure.
#include "host/file/atomic_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  static void write(const fs::path& path, const std::string& a, const std::string& b = "") {
    write_file_atomically(path, {std::as_bytes(std::span(a)), std::as_bytes(std::span(b))});
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string error_of(const fs::path& path, const std::string& text) {
    return test::error_of([&] { write(path, text); });
  }
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) /
      ("atomic_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(AtomicFile, HoldsThePartsInOrder) {
  write(folder_ / "a", "one ", std::string("t\0o", 3));
  EXPECT_EQ(read(folder_ / "a"), std::string("one t\0o", 7));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFile, ReplacesWhatIsThere) {
  write(folder_ / "a", "a long first text");
  write(folder_ / "a", "short");
  EXPECT_EQ(read(folder_ / "a"), "short");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFile, HasThePermissionsThatTheUserAsksFor) {
  const mode_t mask = ::umask(027);
  write(folder_ / "a", "text");
  ::umask(mask);
  EXPECT_EQ(fs::status(folder_ / "a").permissions(), fs::perms{0640});
}

TEST_F(AtomicFile, CanBeTriedBeforehand) {
  write(folder_ / "a", "old");
  check_writable(folder_ / "a");
  check_writable(folder_ / "b");
  EXPECT_EQ(read(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1u);
  EXPECT_THROW(check_writable(folder_), Error);
  EXPECT_THROW(check_writable(folder_ / "no" / "a"), Error);
}

TEST_F(AtomicFile, LeavesTheTemporaryFilesOfOthersAlone) {
  const fs::path other = folder_ / ("a.tmp" + std::to_string(::getpid()) + ".0");
  std::ofstream(other) << "other";
  write(folder_ / "a", "text");
  EXPECT_EQ(read(folder_ / "a"), "text");
  EXPECT_EQ(read(other), "other");
}

TEST_F(AtomicFile, NamesAFolderThatIsNotThere) {
  const std::string message = error_of(folder_ / "no" / "a", "text");
  EXPECT_NE(message.find("no/a: cannot be written: No such file or directory"), std::string::npos) << message;
}

TEST_F(AtomicFile, LeavesFoldersAndDevicesAlone) {
  EXPECT_NE(error_of(folder_, "text").find("not a regular file"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of(folder_ / "pipe", "text").find("not a regular file"), std::string::npos);
  EXPECT_TRUE(fs::is_fifo(folder_ / "pipe"));
  EXPECT_EQ(entries(), 1u);
}

// A limit on the size of files fails as a full disk does: after some bytes have been written.
TEST_F(AtomicFile, KeepsTheOldFileIfTheNewOneDoesNotFit) {
  write(folder_ / "a", "old");
  const auto on_signal = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{1000, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of(folder_ / "a", std::string(5000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, on_signal);
  EXPECT_NE(message.find("a: cannot be written: File too large"), std::string::npos) << message;
  EXPECT_EQ(read(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1u);
}

}  // namespace
}  // namespace mantissa::host
