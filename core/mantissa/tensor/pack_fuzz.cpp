// Fuzzes packing against a stream of single bits: codes of any width, written and read in any order.
#include "mantissa/tensor/pack.hpp"

#include <vector>

#include "mantissa/tensor/format.hpp"
#include "tests/exact_rescale.hpp"
#include "tests/fuzz_input.hpp"

using namespace mantissa;
using namespace mantissa::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput in{{data, size}};
  const int bits = 1 + in.byte() % 16;
  const size_t codes = 1 + in.byte() % 67;
  std::vector<uint8_t> packed(packed_bytes(codes, bits)), stream;
  for (uint8_t& byte : packed) byte = in.byte();
  stream = packed;
  while (!in.left.empty()) {
    const size_t i = in.byte() % codes;
    const auto code = int32_t(exact_unpacked(std::vector<uint8_t>{in.byte(), in.byte()}, bits, 0));
    pack_code(packed.data(), bits, i, code);
    for (int k = 0; k < bits; ++k) {
      const size_t at = i * size_t(bits) + size_t(k);
      const auto bit = uint8_t(1 << at % 8);
      stream[at / 8] = uint8_t((uint32_t(code) >> k & 1) != 0 ? stream[at / 8] | bit : stream[at / 8] & ~bit);
    }
    require(packed == stream);
  }
  for (size_t i = 0; bits > 1 && i < codes; ++i)
    require(unpack_code(packed.data(), bits, i) == exact_unpacked(stream, bits, i));
  return 0;
}
