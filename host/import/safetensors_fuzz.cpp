// Fuzzes the reader of .safetensors: arbitrary bytes give tensors within those bytes, or Error, never anything else.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "host/error.hpp"
#include "host/import/weights.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mantissa::host;
  const std::vector<uint8_t> copy(data, data + size);  // with a guarded end
  try {
    for (const WeightTensor& t : parse_safetensors(std::as_bytes(std::span(copy)), "fuzz")) {
      size_t elements = 1;
      for (const size_t dimension : t.shape) elements *= dimension;
      if (t.is_float && elements != t.values.size()) std::abort();
    }
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 4000) std::abort();
  }
  return 0;
}

/// Starts from a real file, and keeps the length of its header right: chance finds neither.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  constexpr char kFile[] =
      "\0\0\0\0\0\0\0\0{\"a.weight\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]}}abcd";
  if (size < 16 && max_size >= sizeof kFile - 1) {
    size = sizeof kFile - 1;
    std::memcpy(data, kFile, size);
  }
  size = LLVMFuzzerMutate(data, size, max_size);
  const auto* end = size > 8 ? static_cast<const uint8_t*>(memrchr(data, '}', size)) : nullptr;
  if (seed % 8 != 0 && end != nullptr && end > data + 8) {
    const uint64_t length = static_cast<uint64_t>(end - data) - 7;
    std::memcpy(data, &length, sizeof length);
  }
  return size;
}
