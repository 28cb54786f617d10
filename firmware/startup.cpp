// From reset to main: vector table, memory, floating point; and what a fault says.
// One file for all cores from Cortex-M0 to M55.
#include "firmware/console.hpp"
#include "firmware/memory.hpp"

int main();

/// After main: nothing, unless the program links report_stack.cpp.
extern "C" void at_end();
[[gnu::weak]] void at_end() {}

extern "C" {

// From sections.ld, all multiples of 4.
extern uint32_t __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[];
extern std::byte __stack_top[];

[[noreturn]] void reset_handler();
[[noreturn]] void fault_handler();
}

namespace mantissa::firmware {
namespace {

using Handler = void (*)();
struct Vectors {
  std::byte* initial_stack;
  Handler reset;
  Handler exceptions[14];  ///< the processor's own: without an operating system each is an error
};

constexpr int kFaultExit = 99;

struct ExceptionFrame {
  uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

/// Floating point and Helium are off after reset; the vector unit may be used by any loop.
void enable_coprocessors() {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  volatile uint32_t& access_control = *reinterpret_cast<volatile uint32_t*>(0xE000ED88);  // CPACR
  access_control = access_control | 0xFu << 20;                                           // CP10, CP11
  asm volatile("dsb\n isb" ::: "memory");
#endif
}

}  // namespace
}  // namespace mantissa::firmware

extern "C" {

[[gnu::section(".vectors"), gnu::used]] const mantissa::firmware::Vectors vectors = {
    __stack_top,
    reset_handler,
    {fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
     fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
     fault_handler}};

[[noreturn]] void reset_handler() {
  using namespace mantissa::firmware;
  enable_coprocessors();
  for (uint32_t *from = __data_load, *to = __data_start; to != __data_end;) *to++ = *from++;
  for (uint32_t* to = __bss_start; to != __bss_end;) *to++ = 0;
  uint32_t* stack;
  asm volatile("mov %0, sp" : "=r"(stack));
  for (volatile uint32_t* to = reinterpret_cast<uint32_t*>(__static_end); to < stack;) *to++ = kPaint;
  const int code = main();
  at_end();
  exit_with(code);
}

[[noreturn, gnu::used]] void report_fault(const mantissa::firmware::ExceptionFrame* frame) {
  using namespace mantissa::firmware;
  Console console;
  console << "fault";
  const auto* bytes = reinterpret_cast<const std::byte*>(frame);
  if (bytes >= __static_end && bytes < stack_top()) {
    (console << " at ").hex(frame->pc) << ", called from ";
    console.hex(frame->lr);
  } else {
    console << ": the stack has left its memory";
  }
  (console << "; CFSR ").hex(*reinterpret_cast<volatile uint32_t*>(0xE000ED28)) << "\n";
  exit_with(kFaultExit);
}

/// The report gets a fresh stack, as the old one may be what failed.
[[gnu::naked, noreturn]] void fault_handler() {
  asm volatile(
      "mov r0, sp\n"
      "ldr r1, =__vectors_start\n"
      "ldr r1, [r1]\n"
      "msr msp, r1\n"
      "bl report_fault\n");
}
}
