// Marks of regions whose instructions tools/qemu/count.cpp counts. On a board they do nothing.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

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

/// The same for an id that is known at run time only: it must be in the code, so each has a function, whose return
/// belongs to the region.
inline void begin_region(uint8_t id) {
  static constexpr auto kBegin = []<size_t... kIds>(std::index_sequence<kIds...>) {
    return std::array<void (*)(), sizeof...(kIds)>{begin_region<uint8_t(kIds)>...};
  }
  (std::make_index_sequence<256>());
  kBegin[id]();
}

}  // namespace mantissa::firmware
