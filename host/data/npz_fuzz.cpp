// Fuzzes the reader of .npz archives: arbitrary bytes give arrays, or Error, never anything else.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "host/data/npz.hpp"
#include "host/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mantissa::host;
  const std::vector<uint8_t> copy(data, data + size);  // with a guarded end
  const auto check = [](const Error& error) {
    if (std::strlen(error.what()) > 4000) std::abort();
  };
  try {
    const Npz archive(std::as_bytes(std::span(copy)), "fuzz");
    for (const std::string& name : archive.names()) try {
        const NpzArray array = archive.read(name);
        volatile unsigned sum = 0;
        for (const std::byte b : array.view.bytes) sum = sum + std::to_integer<unsigned>(b);
      } catch (const Error& error) {
        check(error);
      }
  } catch (const Error& error) {
    check(error);
  }
  return 0;
}
