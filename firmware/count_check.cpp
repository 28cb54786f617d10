// Regions of known length, to check that the instruction counter counts what is there; see tools/qemu/count_test.py.
#include "firmware/region.hpp"

namespace {

using namespace mantissa::firmware;

template <uint8_t kId>
[[gnu::noinline]] void five_nops() {
  begin_region<kId>();
  asm volatile("nop\n nop\n nop\n nop\n nop");
  end_region();
}

/// 3 instructions before the loop and in each of its turns 3.
[[gnu::noinline]] void loop_of_hundred() {
  begin_region<3>();
  asm volatile(
      ".syntax unified\n"
      "movs r0, #100\n"
      "nop\n"
      "nop\n"
      "1: nop\n"
      "subs r0, r0, #1\n"
      "bne 1b" ::
          : "r0", "cc");
  end_region();
}

/// Emulators translate code by pages of 1 KiB. Here the marker's first half is the last instruction of one, and the
/// region has 16-bit instructions at the ends of two more: 511 + 1 + 512 + 2.
[[gnu::noinline, gnu::naked]] void across_pages() {
  asm volatile(
      ".syntax unified\n"
      "b 1f\n"
      ".balign 1024\n"
      "1: .rept 511\n nop\n .endr\n"
      ".inst.n 0xBF60\n"
      "cmp r0, #4\n"
      ".rept 1026\n nop\n .endr\n"
      "mov r10, r10\n"
      "bx lr\n");
}

}  // namespace

int main() {
  begin_region<1>();
  end_region();
  five_nops<2>();
  five_nops<2>();
  loop_of_hundred();
  across_pages();

  begin_region<5>();  // 2 of its own, and within it one of 5
  asm volatile("nop");
  begin_region<6>();
  asm volatile("nop\n nop\n nop\n nop\n nop");
  end_region();
  asm volatile("nop");
  end_region();

  for (int id = 7; id < 256; id += 31) {
    begin_region(uint8_t(id));
    end_region();
  }
  // 2 of the region itself, 3 in two parts of it; and a part of none, which is not counted.
  begin_region<9>();
  asm volatile("nop");
  begin_part();
  asm volatile("nop\n nop");
  end_region();
  asm volatile("nop");
  begin_part();
  asm volatile("nop");
  end_region();
  end_region();
  begin_part();
  asm volatile("nop");
  end_region();

  // An id without its hint marks nothing, whatever region is open.
  begin_region<8>();
  asm volatile("cmp r0, #9\n cmp r1, #0" ::: "cc");
  end_region();
  return 0;
}
