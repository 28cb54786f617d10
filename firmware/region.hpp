// Marks of regions whose instructions tools/qemu/count.cpp counts. On a board they do nothing.
#pragma once
#include <cstdint>

namespace mantissa::firmware {

/// Begins region `kId`. Within another, it suspends that one until its own end.
template <uint8_t kId>
[[gnu::always_inline]] inline void begin_region() {
  asm volatile(".inst.n 0xBF60\n cmp r0, %0" ::"i"(int(kId)) : "cc", "memory");
}

/// Begins a part of the region that is open, counted apart from the rest of it. Where none is open, it is not counted.
[[gnu::always_inline]] inline void begin_part() {
  asm volatile(".inst.n 0xBF60\n cmp r1, #0" ::: "cc", "memory");
}

/// Ends the region or part that began last.
[[gnu::always_inline]] inline void end_region() { asm volatile("mov r10, r10" ::: "memory"); }

/// A begin_region() for each id, three instructions of 16 bits long.
[[gnu::naked, gnu::noinline]] inline void region_stubs() {
  asm volatile(
      ".set region_id, 0\n"
      ".rept 256\n"
      ".inst.n 0xBF60\n"
      ".inst.n 0x2800 + region_id\n"  // cmp r0, #id
      "bx lr\n"
      ".set region_id, region_id + 1\n"
      ".endr\n");
}

/// The same for an id that is known at run time only: it must be in the code, so each has a stub, whose return belongs to the
/// region.
inline void begin_region(uint8_t id) {
  constexpr uintptr_t kStubBytes = 6;
  reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(&region_stubs) + id * kStubBytes)();
}

}  // namespace mantissa::firmware
