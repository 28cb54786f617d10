// Training steps of whole networks on a board against golden ones, bit for bit: LayerNorm, Quantize, both losses.
#include "tests/chain_check.hpp"
#include "firmware/console.hpp"
#include "mantissa/kernels/kernels_small.hpp"

int main() {
  using namespace mantissa;
  using namespace mantissa::test;
  static ChainRun memory;
  firmware::Console out;
  uint32_t wrong = 0;
  const auto report = [&](const Chain& chain, const ChainDifference& d) {
    if (d.what == nullptr) return;
    ++wrong;
    out << chain.name << ", step " << d.step << ": " << d.what << " " << d.at << " is " << int32_t(d.found)
        << ", not " << int32_t(d.expected) << "\n";
  };
  for (const Kernels* kernels : {&kernels_ref, &MANTISSA_KERNELS})
    for (int32_t micro_batch : {kChainBatch, int32_t(1)}) run_chains(memory, micro_batch, *kernels, report);
  out << uint32_t(kAllChains) << " networks, " << kChainBatches << " batches each, " << wrong << " wrong\n";
  return wrong == 0 ? 0 : 1;
}
