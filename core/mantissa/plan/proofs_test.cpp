// What plan() proves of each sum: its terms, bounds and width; and what a refusal says about codes.
#include "mantissa/plan/proofs.hpp"

#include <gtest/gtest.h>

#include "tests/plan_check.hpp"

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

/// A Linear of `terms` inputs; its forward proof, or the refusal.
HeapPlan linear_plan(int32_t terms, int bits, Bias bias, Accumulation accumulation) {
  Recipe r = sym12_recipe();
  r.formats.activation = r.formats.error = r.formats.weight = sym_format(bits);
  r.accumulation = accumulation;
  const NamedModel m = {"", {1, terms}, {linear({.features = 2, .bias = bias})}};
  return HeapPlan(m.model(), r, {.mode = PlanMode::kInfer});
}

TEST(Proofs, ProvesTheWidthOfSums) {
  struct Expected {
    int bits;
    Bias bias;
    int64_t largest;  // number of terms that 32 bits hold
  };
  constexpr int64_t kRoom = INT32_MAX - (1 << 24);
  for (const Expected& e : {Expected{12, Bias::kNone, 512},
                            {12, Bias::kPerOutput, kRoom / (2047 * 2047)},
                            {8, Bias::kNone, 133144},
                            {8, Bias::kPerOutput, kRoom / (127 * 127)}}) {
    const HeapPlan fits = linear_plan(int32_t(e.largest), e.bits, e.bias, Accumulation::kInt32);
    ASSERT_FALSE(fits.error);
    EXPECT_EQ(fits.proofs[0].bits, 32);
    EXPECT_LE(fits.proofs[0].worst, INT32_MAX);
    const HeapPlan folds = linear_plan(int32_t(e.largest) + 1, e.bits, e.bias, Accumulation::kAuto);
    ASSERT_FALSE(folds.error);
    EXPECT_EQ(folds.proofs[0].bits, 64);
    EXPECT_GT(folds.proofs[0].worst, INT32_MAX);
    const int64_t term = int64_t(folds.proofs[0].a_max) * folds.proofs[0].b_max;
    EXPECT_LE(folds.proofs[0].block_terms * term, INT32_MAX);
    EXPECT_GT((folds.proofs[0].block_terms + 1) * term, INT32_MAX);
    const HeapPlan refused = linear_plan(int32_t(e.largest) + 1, e.bits, e.bias, Accumulation::kInt32);
    expect_error(refused.error, ErrorCode::kUnprovable, 0, e.largest + 1, e.largest);
  }
}

/// Two products of the largest 16-bit codes leave 131,069 for what else is added.
/// Windows that are added meet in some steps more often than in others: as many as are found by counting.
TEST(Proofs, ProvesTransposedConvolutionsByTheTapsThatMeet) {
  for (int32_t kernel = 1; kernel <= 7; ++kernel)
    for (int32_t stride = 1; stride <= 5; ++stride) {
      const HeapPlan plan(
          one_layer({10, 6}, conv_transpose1d({.channels = 2, .kernel = kernel, .stride = stride})).model(),
          int8_recipe(), {.batch = 4});
      ASSERT_FALSE(plan.error);
      std::vector<int32_t> taps(size_t(9 * stride + kernel));
      for (int32_t t = 0; t < 10; ++t)
        for (int32_t k = 0; k < kernel; ++k) ++taps[size_t(t * stride + k)];
      const auto terms = [&](Reduction reduction) {
        for (const Proof& p : plan.view().proofs)
          if (p.layer == 0 && p.reduction == reduction) return p.terms;
        return -1;
      };
      EXPECT_EQ(terms(Reduction::kForward), 6 * *std::max_element(taps.begin(), taps.end()));
      EXPECT_EQ(terms(Reduction::kGradient), 4 * 10);
      EXPECT_EQ(terms(Reduction::kBiasGradient), 4 * int32_t(taps.size()));
    }
}

/// Proofs of what windows and probabilities come to, counted by hand.
TEST(Proofs, ProvesSharesAndSoftmax) {
  const NamedModel m = {"",
                        {5, 3},
                        {conv1d({.channels = 7}), adaptive_avg_pool1d({.steps = 3}), softmax(), flatten(),
                         linear({.features = 2})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 2});
  ASSERT_FALSE(plan.error);
  std::vector<int32_t> shares, softmaxes;
  for (const Proof& p : plan.view().proofs) {
    if (p.reduction == Reduction::kWindowShare) shares.push_back(p.terms);
    if (p.reduction == Reduction::kSoftmax) softmaxes.push_back(p.terms);
  }
  EXPECT_EQ(shares,
            (std::vector<int32_t>{3 << 8, 2 * (3 << 7)}));  // windows of 2 and 3 steps, two of which meet
  EXPECT_EQ(softmaxes, std::vector<int32_t>{2 * 127 + 4});
}

TEST(Proofs, TheLargestSumIsTheLastThatFits32Bits) {
  constexpr int64_t kLeft = INT32_MAX - int64_t(2) * 32767 * 32767;
  for (const int64_t extra : {kLeft - 1, kLeft, kLeft + 1}) {
    Proof proof{.terms = 2, .a_max = 32767, .b_max = 32767, .extra = extra};
    ProductPlan product;
    ASSERT_FALSE(prove_sum(proof, Accumulation::kAuto, product));
    EXPECT_EQ(proof.worst, INT32_MAX + (extra - kLeft));
    EXPECT_EQ(product.accumulator, extra <= kLeft ? Element::kInt32 : Element::kInt64) << extra;
    EXPECT_EQ(bool(prove_sum(proof, Accumulation::kInt32, product)), extra > kLeft) << extra;
  }
}

TEST(Proofs, ProvesGradientsOfTheWholeBatch) {
  const NamedModel m = {
      "", {100, 3}, {conv1d({.channels = 4, .kernel = 3}), global_avg_pool1d(), linear({.features = 2})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 64});
  for (const Proof& p : plan.view().proofs) {
    EXPECT_EQ(p.worst, int64_t(p.a_max) * p.b_max * p.terms + p.extra);
    if (p.layer == 0 && p.reduction == Reduction::kGradient) {
      EXPECT_EQ(p.terms, 98 * 64);
    }
  }
}

/// Terms and operands of each reduction, counted by hand.
TEST(Proofs, ProvesEachReductionWithItsOwnTerms) {
  const NamedModel m = {
      "",
      {20, 4},
      {conv1d({.channels = 4, .kernel = 3, .groups = 2}), layer_norm(),
       avg_pool1d({.kernel = 5, .stride = 2}), conv1d({.channels = 6, .kernel = 3, .groups = 2}), flatten(),
       linear({.features = 3})}};
  const HeapPlan plan(m.model(), int8_recipe(), {.batch = 2});
  ASSERT_FALSE(plan.error);
  struct Expected {
    Reduction reduction;
    int layer;
    int32_t terms, a_max;
  };
  for (const Expected& e : {Expected{Reduction::kForward, 3, 3 * 2, 127},  // taps, channels of a group
                            {Reduction::kBackward, 3, 3 * 3, 127},         // taps, outputs of a group
                            {Reduction::kGradient, 3, 2 * 5, 127},         // samples, steps
                            {Reduction::kPool, 2, 5, 127},                 // a window
                            {Reduction::kNorm, 1, 4, 2 * 127}}) {          // channels; a code less the mean
    bool found = false;
    for (const Proof& p : plan.view().proofs) {
      if (p.reduction != e.reduction || p.layer != e.layer || found) continue;
      found = true;
      EXPECT_EQ(p.terms, e.terms) << int(e.reduction);
      EXPECT_EQ(p.a_max, e.a_max) << int(e.reduction);
    }
    EXPECT_TRUE(found) << int(e.reduction);
  }
  // A bias has what the largest sum leaves of 32 bits; the upper byte of a weight may be -128.
  EXPECT_EQ(plan.view().layers[3].bias_limit, INT32_MAX - 6 * 127 * 128);
}

/// Forward and backward, for the largest codes.
TEST(Proofs, SharesOfWindowsAreProvedForTheLargestCode) {
  const std::vector<Node> nodes = {conv1d({.channels = 4}), adaptive_avg_pool1d({.steps = 7}), flatten(),
                                   linear({.features = 2})};
  const HeapPlan plan({{17, 3}, nodes}, int8_recipe(), {});
  int32_t found = 0;
  for (const Proof& p : plan.view().proofs) {
    if (p.reduction != Reduction::kWindowShare) continue;
    ++found;
    EXPECT_EQ(p.a_max, 127);
  }
  EXPECT_EQ(found, 2);
}

}  // namespace
}  // namespace mantissa
