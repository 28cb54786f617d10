#include "mantissa/train/metrics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace mantissa {
namespace {

struct Sample {
  int32_t label, prediction;
};
constexpr Sample kSamples[] = {{0, 0}, {0, 1}, {0, 0}, {1, 1}, {1, 1},
                               {2, 2}, {2, 0}, {2, 2}, {2, 2}, {0, 0}};

constexpr std::array<ClassCount, 4> counted() {
  std::array<ClassCount, 4> counts{};
  for (const Sample& s : kSamples) count_prediction(counts, s.label, s.prediction);
  return counts;
}

TEST(Metrics, CountsLabelsAndPredictionsOfEachClass) {
  constexpr std::array<ClassCount, 4> c = counted();
  static_assert(c[0].labelled == 4 && c[0].predicted == 4 && c[0].correct == 3);
  static_assert(c[1].labelled == 2 && c[1].predicted == 3 && c[1].correct == 2);
  static_assert(c[2].labelled == 4 && c[2].predicted == 3 && c[2].correct == 3);
  static_assert(!c[3].occurs());
}

TEST(Metrics, RatiosAreThoseOfTheTextbook) {
  const std::array<ClassCount, 4> c = counted();
  EXPECT_FLOAT_EQ(c[1].recall(), 1.0f);
  EXPECT_FLOAT_EQ(c[1].precision(), 2.0f / 3.0f);
  EXPECT_FLOAT_EQ(c[1].f1(), 0.8f);
  EXPECT_FLOAT_EQ(c[2].recall(), 0.75f);
  EXPECT_EQ(c[3].recall(), 0.0f);
  EXPECT_EQ(c[3].precision(), 0.0f);
  EXPECT_EQ(c[3].f1(), 0.0f);
}

/// sklearn.metrics.f1_score(labels, predictions, average="macro") is 0.8023809523809523: class 3 does not
/// occur.
TEST(Metrics, MacroF1LeavesOutClassesThatDoNotOccur) {
  EXPECT_FLOAT_EQ(macro_f1(counted()), 0.80238095f);
  EXPECT_EQ(macro_f1({}), 0.0f);
}

/// A class that was never right counts as 0; sklearn says 1/3.
TEST(Metrics, MacroF1CountsAClassThatIsOnlyPredicted) {
  std::vector<ClassCount> counts(2);
  count_prediction(counts, 0, 0);
  count_prediction(counts, 0, 1);
  EXPECT_FLOAT_EQ(macro_f1(counts), 1.0f / 3.0f);
}

TEST(Metrics, AConfusionMatrixHasLabelsAsRows) {
  std::vector<int32_t> counts(9);
  const ConfusionMatrix matrix{counts, 3};
  for (const Sample& s : kSamples) ++matrix.at(s.label, s.prediction);
  EXPECT_EQ(counts, (std::vector<int32_t>{3, 1, 0, 0, 2, 0, 1, 0, 3}));
}

}  // namespace
}  // namespace mantissa
