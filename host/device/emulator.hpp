// Runs a program file on a board that QEMU emulates.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "host/device/board.hpp"

namespace mantissa::host {

inline constexpr char kEmulator[] = "qemu-system-arm";

struct EmulatorJob {
  Board board;
  std::filesystem::path program;   ///< the ELF file
  std::filesystem::path folder;    ///< where it reads and writes files
  std::filesystem::path progress;  ///< an input whose reading shows that the program goes on
  std::string plugin = {};         ///< as QEMU wants it, if any
  double patience_seconds = 60;    ///< without progress
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::string_view line)> on_line = {};  ///< what the program prints, without line ends
};

enum class EmulatorEnd { kDone, kStopped };

/// Runs to the program's end. Throws Error if QEMU is missing, does not start or is killed, or the program stands still,
/// faults, or ends with an error; with what it said last.
EmulatorEnd run_emulator(const EmulatorJob& job);

}  // namespace mantissa::host
