// Training steps of whole networks on a board against golden ones, bit for bit: norms, Quantize, both losses.
#include "firmware/console.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "tests/norm_check.hpp"

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
  const auto report_norm = [&](const NormChain& chain, const ChainDifference& d) {
    if (d.what == nullptr) return;
    ++wrong;
    out << chain.name << " in " << chain.recipe << ", step " << d.step << ": " << d.what << "\n";
  };
  for (const Kernels* kernels : {&kernels_ref, &MANTISSA_KERNELS})
    for (int32_t micro_batch : {kChainBatch, int32_t(1)}) {
      run_chains(memory, micro_batch, *kernels, report);
      run_norm_chains(memory, micro_batch, *kernels, report_norm);
    }
  out << uint32_t(kAllChains + std::size(kNormChains)) << " networks, " << kChainBatches << " batches each, "
      << wrong << " wrong\n";
  return wrong == 0 ? 0 : 1;
}
