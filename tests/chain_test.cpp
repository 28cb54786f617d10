// The chain Linear - Quantize - LayerNorm - Quantize - Linear and its kin, in all formats of wires and weights, trained on the host,
// equal the gold model.
#include "tests/norm_check.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "mantissa/kernels/kernels_small.hpp"

namespace mantissa::test {
namespace {

void expect_golden(int32_t micro_batch, const Kernels& kernels) {
  const auto memory = std::make_unique<ChainRun>();
  run_chains(*memory, micro_batch, kernels, [](const Chain& chain, const ChainDifference& d) {
    EXPECT_EQ(d.what, nullptr) << chain.name << ", step " << d.step << ": " << d.what << " " << d.at << " is "
                               << d.found << ", not " << d.expected;
  });
}

void expect_golden_norms(int32_t micro_batch, const Kernels& kernels) {
  const auto memory = std::make_unique<ChainRun>();
  run_norm_chains(*memory, micro_batch, kernels, [](const NormChain& chain, const ChainDifference& d) {
    EXPECT_EQ(d.what, nullptr) << chain.name << " in " << chain.recipe << ", step " << d.step << ": "
                               << d.what << " is " << d.found << ", not " << d.expected;
  });
}

TEST(Chain, NormsEqualExactIntegers) { expect_golden_norms(kChainBatch, kernels_ref); }
TEST(Chain, NormsEqualExactIntegersSampleBySample) { expect_golden_norms(1, kernels_ref); }
TEST(Chain, NormsEqualExactIntegersWithVectors) { expect_golden_norms(kChainBatch, kernels_hwy); }
TEST(Chain, NormsEqualExactIntegersWithDspKernels) { expect_golden_norms(kChainBatch, kernels_dsp); }
TEST(Chain, EqualsExactIntegers) { expect_golden(kChainBatch, kernels_ref); }
TEST(Chain, EqualsExactIntegersSampleBySample) { expect_golden(1, kernels_ref); }
TEST(Chain, EqualsExactIntegersWithVectors) { expect_golden(kChainBatch, kernels_hwy); }
TEST(Chain, EqualsExactIntegersWithDspKernels) { expect_golden(kChainBatch, kernels_dsp); }

}  // namespace
}  // namespace mantissa::test
