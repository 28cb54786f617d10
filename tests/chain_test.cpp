// The chain Linear - Quantize - LayerNorm - Quantize - Linear and its kin, trained on the host, equal the gold model.
#include "tests/chain_check.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "mantissa/kernels/kernels_small.hpp"

namespace mantissa::test {
namespace {

void expect_golden(int32_t micro_batch, const Kernels& kernels) {
  const auto memory = std::make_unique<ChainRun>();
  for (size_t i = 0; i < std::size(kChains); ++i) {
    const ChainDifference d = run_chain(*memory, i, micro_batch, kernels);
    EXPECT_EQ(d.what, nullptr) << kChains[i].name << ", step " << d.step << ": " << d.what << " " << d.at
                               << " is " << d.found << ", not " << d.expected;
  }
}

TEST(Chain, EqualsExactIntegers) { expect_golden(kChainBatch, kernels_ref); }
TEST(Chain, EqualsExactIntegersSampleBySample) { expect_golden(1, kernels_ref); }
TEST(Chain, EqualsExactIntegersWithVectors) { expect_golden(kChainBatch, kernels_hwy); }
TEST(Chain, EqualsExactIntegersWithDspKernels) { expect_golden(kChainBatch, kernels_dsp); }

}  // namespace
}  // namespace mantissa::test
