// Where things lie in RAM: static data, then the arena, then the stack.
// Before main the startup code fills what is free with a pattern, so that the stack's use can be measured.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {
// From sections.ld.
extern std::byte __ram_start[];            ///< of the board
extern std::byte __static_end[];           ///< first free byte, a multiple of 8
extern const std::byte __vectors_start[];  ///< first word: the initial stack pointer
}

namespace mantissa::firmware {

inline constexpr uint32_t kPaint = 0x57AC9A17u;

/// Bytes of .data and .bss.
inline uint32_t static_bytes() { return uint32_t(__static_end - __ram_start); }

/// As the vector table has it: a host may have lowered it, so that a run has the memory that was promised.
inline std::byte* stack_top() { return *reinterpret_cast<std::byte* const*>(__vectors_start); }

/// Bytes of the stack that have been in use, down to `limit` at most.
inline uint32_t stack_used(const std::byte* limit) {
  const std::byte* at = limit;
  while (at < stack_top() && *reinterpret_cast<const uint32_t*>(at) == kPaint) at += sizeof(uint32_t);
  return uint32_t(stack_top() - at);
}

}  // namespace mantissa::firmware
