// Says at the end of a program how much stack it has used, for programs that have no result file to say so.
// On standard error, since standard output is compared with that of the PC.
#include "firmware/console.hpp"
#include "firmware/memory.hpp"

extern "C" void at_end();

void at_end() {
  using namespace mantissa::firmware;
  const uint32_t used = stack_used(__static_end);
  Console(OpenMode::kAppendText) << "stack " << used << " bytes used\n";
}
