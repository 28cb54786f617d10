// Fuzzes the .npy parser: arbitrary bytes give an array inside those bytes, or Error, never anything else.
// Data sets come from outside, and their elements are used without further checks.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "host/data/npy.hpp"
#include "host/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mantissa::host;
  // A copy of its own: aligned as parse_npy() requires, and with a guarded end.
  const std::vector<uint8_t> copy(data, data + size);
  const std::span<const std::byte> file = std::as_bytes(std::span(copy));
  try {
    const NpyView view = parse_npy(file, "fuzz");
    size_t bytes = element_bytes(view.type);
    for (const size_t dimension : view.shape) bytes *= dimension;
    if (bytes != view.bytes.size()) std::abort();
    volatile unsigned sum = 0;  // reads every element, so that a sanitizer sees the ends of the view
    for (const std::byte b : view.bytes) sum = sum + std::to_integer<unsigned>(b);
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 2000) std::abort();
  }
  return 0;
}
