// Fuzzes the reader of .wav files: arbitrary bytes give samples, or Error, never anything else.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "host/audio/wav.hpp"
#include "host/error.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mantissa::host;
  const std::vector<uint8_t> copy(data, data + size);  // with a guarded end
  try {
    const std::vector<int16_t> samples = parse_wav(std::as_bytes(std::span(copy)), "fuzz");
    if (samples.empty() || 2 * samples.size() > size) std::abort();
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 2000) std::abort();
  }
  return 0;
}

/// Starts from a real file: chance does not find one.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int) {
  constexpr char kFile[] =
      "RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1F\0\0\x80\x3E\0\0\2\0\x10\0data\4\0\0\0abcd";
  if (size < 44 && max_size >= sizeof kFile - 1) {
    size = sizeof kFile - 1;
    std::memcpy(data, kFile, size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
