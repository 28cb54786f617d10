// How an emulation may end, with a shell script in the emulator's place.
#include "host/device/emulator.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "host/device/temporary_folder.hpp"
#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

namespace fs = std::filesystem;

class Emulator : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("PATH");
    path_ = path == nullptr ? "" : path;
  }
  void TearDown() override { setenv("PATH", path_.c_str(), 1); }

  /// Runs the script as the emulator, in a folder with a file "input".
  EmulatorEnd run(const std::string& script) {
    const fs::path program = folder_.path() / kEmulator;
    std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(program, fs::perms::owner_all);
    std::ofstream(input_) << "0123456789";
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
    return run_emulator({.board = find_board("microbit"),
                         .program = "program.elf",
                         .folder = folder_.path(),
                         .progress = input_,
                         .patience_seconds = patience_,
                         .stop = &stop_,
                         .on_line = [this](std::string_view line) { lines_.emplace_back(line); }});
  }
  void expect_error(const std::string& script, const std::string& part) {
    test::expect_error([&] { run(script); }, part);
  }

  TemporaryFolder folder_;
  fs::path input_ = folder_.path() / "input";
  std::string path_;
  double patience_ = 20;
  std::atomic<bool> stop_ = false;
  std::vector<std::string> lines_;
};

TEST_F(Emulator, HandsLinesOnAndStartsTheBoardsMachine) {
  EXPECT_EQ(run("echo one; echo two >&2; printf '%s ' \"$@\"; echo; pwd; cat"), EmulatorEnd::kDone);
  ASSERT_EQ(lines_.size(), 4u);
  EXPECT_EQ(lines_[0], "one");
  EXPECT_EQ(lines_[1], "two");
  EXPECT_EQ(lines_[2].find("-M microbit -kernel program.elf "), 0u) << lines_[2];
  EXPECT_EQ(lines_[3], folder_.path().string());
}

TEST_F(Emulator, SaysWhyTheProgramEnded) {
  expect_error("echo epoch 1; echo 'error: cannot open labels.bin'; exit 3",
               "microbit ended with exit code 3: error: cannot open labels.bin");
  expect_error("printf 'fault at 0x123'; exit 99", "exit code 99: fault at 0x123");
  expect_error("exit 1", "ended with exit code 1");
}

TEST_F(Emulator, SaysThatItWasKilled) { expect_error("echo epoch 1; kill -9 $$", "killed by signal 9"); }

TEST_F(Emulator, IsMissing) {
  setenv("PATH", "/no/such/folder", 1);
  try {
    run_emulator(
        {.board = find_board("microbit"), .program = "p", .folder = folder_.path(), .progress = input_});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("qemu-system-arm is not installed"), std::string::npos)
        << error.what();
  }
}

TEST_F(Emulator, IsEndedWhenItStandsStill) {
  patience_ = 0.3;
  expect_error("echo waiting; exec sleep 60", "has read no sample for 0.3 seconds and was ended");
}

TEST_F(Emulator, IsNotEndedWhileItReads) {
  patience_ = 0.6;
  EXPECT_EQ(
      run("exec 5<input; for i in 1 2 3 4 5 6; do dd bs=1 count=1 <&5 2>/dev/null >&2; sleep 0.2; done"),
      EmulatorEnd::kDone);
}

TEST_F(Emulator, IsEndedWithItsParentsRun) {
  const fs::path pid_file = folder_.path() / "pid";
  std::thread interrupt([&] {
    while (!fs::exists(pid_file)) std::this_thread::yield();
    stop_ = true;
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(run("echo $$ > new; mv new pid; exec sleep 60"), EmulatorEnd::kStopped);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  interrupt.join();
  std::string pid;
  std::ifstream(pid_file) >> pid;
  EXPECT_FALSE(fs::exists("/proc/" + pid));
}

}  // namespace
}  // namespace mantissa::host
