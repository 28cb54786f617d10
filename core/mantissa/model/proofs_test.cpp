// What plan() proves of LayerNorm, and what a refusal says about the codes of a sum.
#include "mantissa/model/proofs.hpp"

#include <gtest/gtest.h>

#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

TEST(Proofs, CodesOfAWidthHaveIt) {
  for (int32_t bits = 2; bits <= 16; ++bits) EXPECT_EQ(code_bits((1 << (bits - 1)) - 1), bits);
  EXPECT_EQ(code_bits(128), 8) << "the upper byte of an int16 code";
}

/// 12 bits allow 512 products, and sums of 16-bit codes 65,538 of them.
TEST(Proofs, ARefusalSaysTheWidthsOfItsCodes) {
  Recipe r = sym12_recipe();
  r.accumulation = Accumulation::kInt32;
  const NamedModel m = {"", {1, 513}, {linear({.features = 2, .bias = Bias::kNone})}};
  const Error products = HeapPlan(m.model(), r, {}).error;
  EXPECT_EQ(products.code, ErrorCode::kUnprovable);
  EXPECT_EQ(products.a_bits, 12);
  EXPECT_EQ(products.b_bits, 12);
  r.formats.activation = sym_format(16);
  const NamedModel pooled = {"", {1 << 17, 1}, {global_avg_pool1d()}};
  const Error values = HeapPlan(pooled.model(), r, {}).error;
  EXPECT_EQ(values.code, ErrorCode::kUnprovable);
  EXPECT_EQ(values.a_bits, 16);
  EXPECT_EQ(values.b_bits, 0) << "a pool adds codes";
}

/// Numbers by hand: 16 channels of 8 bits, so |h| <= 4, under int8 (gamma reaches 128).
TEST(NormProofs, AreBoundsByHand) {
  const NamedModel m = {"", {1, 3}, {linear({.features = 16}), layer_norm(), linear({.features = 2})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 4});
  ASSERT_FALSE(plan.error);
  int found = 0;
  for (const Proof& p : plan.view().proofs) {
    EXPECT_EQ(p.worst, int64_t(p.a_max) * p.b_max * p.terms + p.extra);
    const int64_t expected = p.reduction == Reduction::kNorm           ? 2 * 16 * 127
                             : p.reduction == Reduction::kNormSquares  ? 16 * 16 * 127 * 127
                             : p.reduction == Reduction::kNormBackward ? 2 * (1 + 4) * 16 * 127 * 128
                                                                       : -1;
    if (expected < 0) continue;
    EXPECT_EQ(p.worst, expected) << int(p.reduction);
    ++found;
  }
  EXPECT_EQ(found, 3);
}

/// 2 (1 + r) n |g|max < 2^62 with |g| < 2^30 allows 2^20 channels, where r = 2^10; beyond, r = 2^11.
TEST(NormProofs, RefusesALayerNormWhoseErrorsWouldOverflow) {
  Recipe r = sym12_recipe();
  r.formats = {sym_format(4),    sym_format(16),   sym_format(16),
               float32_format(), float32_format(), float32_format()};
  const auto plan_with = [&](int32_t channels) {
    const NamedModel m = {
        "", {1, 1}, {linear({.features = channels}), layer_norm(), linear({.features = 1})}};
    return HeapPlan(m.model(), r, {}).error;
  };
  EXPECT_FALSE(plan_with(1 << 20));
  const Error e = plan_with((1 << 20) + 1);
  EXPECT_EQ(e.detail, Detail::kNormTooWide);
  EXPECT_EQ(e.layer, 1);
  EXPECT_EQ(e.found, (1 << 20) + 1);
  EXPECT_EQ(e.limit, 1 << 20);
}

}  // namespace
}  // namespace mantissa
