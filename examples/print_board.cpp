// print.hpp on a board that is emulated or debugged: text goes to the host's standard output.
#include "examples/print.hpp"
#include "firmware/semihosting.hpp"

void print_text(std::string_view text) {
  using namespace mantissa::firmware;
  File out(":tt", OpenMode::kWriteText);
  out.write(std::as_bytes(std::span(text)));
  out.close();
}
