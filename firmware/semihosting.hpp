// Files, text and the exit code of the host that emulates (or debugs) this board, by Arm semihosting.
// The few calls that training needs; each is one BKPT, and no C library with its printf and heap is linked.
// Source: Arm, "Semihosting for AArch32 and AArch64".
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mantissa::firmware {

namespace semihosting {

enum class Call : uint32_t {
  kOpen = 0x01,
  kClose = 0x02,
  kWrite = 0x05,
  kRead = 0x06,
  kSeek = 0x0A,
  kExitExtended = 0x20,
};

inline int32_t call(Call which, const uintptr_t* arguments) {
  register int32_t r0 asm("r0") = int32_t(which);
  register const uintptr_t* r1 asm("r1") = arguments;
  asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

}  // namespace semihosting

/// Ends the emulation with this code.
[[noreturn]] inline void exit_with(int code) {
  constexpr uintptr_t kApplicationExit = 0x20026;
  const uintptr_t arguments[2] = {kApplicationExit, uintptr_t(code)};
  for (;;) semihosting::call(semihosting::Call::kExitExtended, arguments);
}

/// ":tt" with kWriteText is the host's standard output, with kAppendText its standard error.
enum class OpenMode : uint32_t { kReadBinary = 1, kWriteText = 4, kWriteBinary = 5, kAppendText = 8 };

/// A file of the host; paths are relative to the folder in which the emulator runs.
class File {
 public:
  File(const char* path, OpenMode mode) {
    const uintptr_t arguments[3] = {uintptr_t(path), uintptr_t(mode), std::strlen(path)};
    handle_ = semihosting::call(semihosting::Call::kOpen, arguments);
  }
  bool is_open() const { return handle_ >= 0; }

  /// From the start of the file, in bytes.
  bool seek(uint32_t position) {
    const uintptr_t arguments[2] = {uintptr_t(handle_), position};
    return semihosting::call(semihosting::Call::kSeek, arguments) == 0;
  }
  /// False unless all bytes were read.
  bool read(std::span<std::byte> into) {
    return transfer(semihosting::Call::kRead, into.data(), into.size());
  }
  bool write(std::span<const std::byte> from) {
    return transfer(semihosting::Call::kWrite, from.data(), from.size());
  }
  bool close() {
    const uintptr_t arguments[1] = {uintptr_t(handle_)};
    return semihosting::call(semihosting::Call::kClose, arguments) == 0;
  }

 private:
  /// Both calls return the number of bytes that were not transferred, and may stop early.
  bool transfer(semihosting::Call which, const std::byte* bytes, size_t count) {
    while (count > 0) {
      const uintptr_t arguments[3] = {uintptr_t(handle_), uintptr_t(bytes), count};
      const int32_t left = semihosting::call(which, arguments);
      if (left < 0 || size_t(left) >= count) return false;
      bytes += count - size_t(left);
      count = size_t(left);
    }
    return true;
  }

  int32_t handle_ = -1;
};

}  // namespace mantissa::firmware
