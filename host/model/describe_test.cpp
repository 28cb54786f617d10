#include "host/model/describe.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mantissa::host {
namespace {

using CoreError = mantissa::Error;

Description har() { return read_description(MANTISSA_SOURCE_DIR "/examples/har/har.toml"); }

constexpr ErrorCode kAllCodes[] = {
    ErrorCode::kNone,          ErrorCode::kNoLayers,        ErrorCode::kTooManyLayers,
    ErrorCode::kBadShape,      ErrorCode::kBadAttribute,    ErrorCode::kWindowTooLarge,
    ErrorCode::kBadGroups,     ErrorCode::kBadBits,         ErrorCode::kBadRecipe,
    ErrorCode::kUnprovable,    ErrorCode::kBadBatch,        ErrorCode::kCapacity,
    ErrorCode::kArenaTooSmall, ErrorCode::kArenaMisaligned, ErrorCode::kNotAClassifier,
    ErrorCode::kUnsupported,   ErrorCode::kBadOption,       ErrorCode::kKernelMismatch,
    ErrorCode::kKernelMissing, ErrorCode::kBadFlash,        ErrorCode::kFlashTooSmall,
    ErrorCode::kFlashFailed,   ErrorCode::kNoCheckpoint,    ErrorCode::kBatchOpen,
    ErrorCode::kOtherPlan,     ErrorCode::kBadGroupSize,    ErrorCode::kBadConversion,
    ErrorCode::kBadStorage};

constexpr Detail kAllDetails[] = {Detail::kNone,
                                  Detail::kStoredSymInt32,
                                  Detail::kExactNeedsConstant,
                                  Detail::kIntegerNeedsSym,
                                  Detail::kFloatWireMix,
                                  Detail::kWeightWiderThanParameter,
                                  Detail::kLossNeedsLogits,
                                  Detail::kThreads,
                                  Detail::kTileBytes,
                                  Detail::kAlignment,
                                  Detail::kGradientFormat,
                                  Detail::kExactTogether,
                                  Detail::kLossSettings,
                                  Detail::kClassWeights,
                                  Detail::kSlope,
                                  Detail::kDropProbability,
                                  Detail::kNotEarlier,
                                  Detail::kUnread,
                                  Detail::kInputUnread,
                                  Detail::kJoinSteps,
                                  Detail::kJoinWidth,
                                  Detail::kAddChannels,
                                  Detail::kFormat};

TEST(Describe, LinearNeedsAVector) {
  EXPECT_EQ(
      describe({.code = ErrorCode::kBadShape, .layer = 9, .found = 32, .limit = 1}, har()),
      "layer 10 'linear1' (linear): 32 steps arrive, and it needs a vector, which is 1 step; put flatten or "
      "global_avg_pool1d before it");
}

TEST(Describe, WindowTooLarge) {
  EXPECT_EQ(describe({.code = ErrorCode::kWindowTooLarge, .layer = 3, .found = 500, .limit = 68}, har()),
            "layer 4 'conv2' (conv1d): its window is 500 steps long, and only 68 arrive, padding included; "
            "use a shorter "
            "kernel, less dilation, padding = \"same\", or less pooling and stride before it");
  EXPECT_EQ(describe({.code = ErrorCode::kWindowTooLarge, .layer = 2, .found = 500, .limit = 128}, har()),
            "layer 3 'max_pool1' (max_pool1d): its window is 500 steps long, and only 128 arrive; use a "
            "shorter kernel, "
            "or less pooling and stride before it");
}

TEST(Describe, GroupsSuggestADivisor) {
  EXPECT_EQ(describe({.code = ErrorCode::kBadGroups, .layer = 0, .found = 4, .limit = 9}, har()),
            "layer 1 'conv1' (conv1d): groups is 4, which does not divide 9 channels; 3 does");
  EXPECT_EQ(describe({.code = ErrorCode::kBadGroups, .layer = 0, .found = 0, .limit = 9}, har()),
            "layer 1 'conv1' (conv1d): groups is 0; it must be at least 1");
}

TEST(Describe, AdaptivePoolsSayHowManyStepsMayComeOut) {
  Description d = har();
  d.nodes[0] = adaptive_avg_pool1d({.steps = 1 << 25});
  EXPECT_EQ(describe({.code = ErrorCode::kBadAttribute, .layer = 0, .found = 1 << 25}, d),
            "layer 1 'conv1' (adaptive_avg_pool1d): 33554432 steps or pixels are to come out in a direction, "
            "which must be at least 1, "
            "and times those that arrive in it below 2^31");
}

TEST(Describe, GroupSizesNameTheNearestThatDo) {
  EXPECT_EQ(describe({.code = ErrorCode::kBadGroupSize, .layer = 0, .found = 32, .limit = 72}, har()),
            "layer 1 'conv1' (conv1d): groups of 32 elements do not divide its 72; 24 and 36 do");
}

TEST(Describe, UnprovableNamesRecipeTermsAndLimit) {
  EXPECT_EQ(describe({.code = ErrorCode::kUnprovable,
                      .layer = 6,
                      .found = 700,
                      .limit = 512,
                      .a_bits = 12,
                      .b_bits = 12},
                     har(), "sym12"),
            "layer 7 'conv3' (conv1d): under recipe 'sym12' a sum of 700 products of 12-bit and 12-bit codes "
            "may overflow "
            "32 bits, and at most 512 are proved to fit; use fewer bits for this layer, accumulation = "
            "\"auto\", or fewer "
            "inputs, a shorter kernel or a smaller batch");
}

TEST(Describe, DetailsSayWhatWouldDo) {
  const CoreError stored{.code = ErrorCode::kBadRecipe, .detail = Detail::kStoredSymInt32, .layer = 9};
  EXPECT_EQ(
      describe(stored, har(), "mine"),
      "layer 10 'linear1' (linear): recipe 'mine' does not fit: parameters, gradients and momentum are not "
      "stored "
      "as SymInt32, which is how sums are held while they are computed; store float32 or sym2 to sym16");
  std::set<std::string> sentences;
  for (const Detail detail : kAllDetails)
    sentences.insert(describe({.code = ErrorCode::kBadRecipe, .detail = detail}, har()));
  EXPECT_EQ(sentences.size(), std::size(kAllDetails));
}

TEST(Describe, NormsSayWhatFits) {
  const auto sentence = [](Detail detail, Op op, int64_t found = 0, int64_t limit = 0) {
    Description d = har();
    d.nodes[1].op = op;
    d.layer_names[1] = "n";
    return describe(
        {.code = ErrorCode::kUnsupported, .detail = detail, .layer = 1, .found = found, .limit = limit}, d,
        "int8");
  };
  EXPECT_EQ(sentence(Detail::kGroupTooWide, Op::kGroupNorm, 40000, 32768),
            "layer 2 'n' (group_norm): it makes statistics of 40000 elements; sums over that many do not "
            "fit: under recipe "
            "'int8' at most 32768 do; use more groups, fewer bits or pooling before it");
  EXPECT_NE(sentence(Detail::kGroupTooWide, Op::kBatchNorm, 40000, 32768).find("use a smaller batch,"),
            std::string::npos);
  EXPECT_EQ(sentence(Detail::kBatchInParts, Op::kBatchNorm, 4, 32),
            "layer 2 'n' (batch_norm): the micro-batch is 4 and the batch 32; statistics of a batch need all "
            "of its samples "
            "in memory at once, and no bit may depend on the micro-batch; make the micro-batch as large as "
            "the batch, take "
            "group_norm, which needs one sample, or freeze the layer (trainable = false)");
  EXPECT_NE(sentence(Detail::kBatchOfOne, Op::kBatchNorm).find("use a batch of 2 samples or more"),
            std::string::npos);
  EXPECT_NE(sentence(Detail::kNormMomentum, Op::kBatchNorm).find("from 0 to 1"), std::string::npos);
}

TEST(Describe, EveryCodeHasItsOwnSentence) {
  std::set<std::string> sentences;
  for (const ErrorCode code : kAllCodes) {
    const std::string s =
        describe({.code = code, .layer = 3, .found = 1234567, .limit = 7654321}, har(), "int8");
    EXPECT_GE(s.size(), 8u);
    sentences.insert(s);
  }
  EXPECT_EQ(sentences.size(), std::size(kAllCodes));
}

TEST(Describe, AnyLayerIndexIsSafe) {
  for (const ErrorCode code : kAllCodes)
    for (const int16_t layer : std::initializer_list<int16_t>{-32768, -1, 0, 9, 10, 32767}) {
      const std::string s =
          describe({.code = code, .layer = layer, .found = INT64_MIN, .limit = INT64_MAX}, har());
      EXPECT_EQ(s.find("layer 11"), std::string::npos) << s;
    }
  EXPECT_EQ(describe({.code = ErrorCode::kNoLayers}, Description{.name = "empty"}),
            "model 'empty' has no layers; give it at least one [[layer]]");
  EXPECT_EQ(describe({.code = ErrorCode::kBadBatch, .found = 0}, har()),
            "the batch is 0; it must be from 1 to 16777216");
  EXPECT_EQ(describe({.code = ErrorCode::kBadBatch, .found = 9, .limit = 8}, har()),
            "the micro-batch is 9; it must be from 1 to the batch, which is 8");
}

}  // namespace
}  // namespace mantissa::host
