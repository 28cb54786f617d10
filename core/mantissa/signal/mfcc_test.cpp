// Features of speech: bit for bit as exact integers say, and near what real arithmetic says, within the bound that follows.
#include "mantissa/signal/mfcc.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/mfcc_check.hpp"
#include "tests/mfcc_reference.hpp"

namespace mantissa {
namespace {

using test::RealFeature;

TEST(Mfcc, EqualsExactIntegers) {
  MfccStream stream;
  for (const test::MfccSignal& golden : test::kMfccSignals) {
    const test::MfccDifference d = test::check_mfcc(golden, stream);
    EXPECT_FALSE(d.differs) << golden.name << ": feature " << d.feature << " is " << d.found << ", not "
                            << d.expected;
  }
}

TEST(Mfcc, IsWithinItsBoundOfRealArithmetic) {
  MfccFrame frame;
  for (const test::MfccSignal& golden : test::kMfccSignals)
    for (int32_t at = 0; at + kMfccWindow <= golden.samples; at += 7 * kMfccHop) {
      std::vector<int16_t> x(kMfccWindow);
      for (int32_t i = 0; i < kMfccWindow; ++i) x[size_t(i)] = test::mfcc_sample(golden.name, at + i);
      int16_t features[kMfccCoefficients];
      frame.compute(x.data(), features);
      const std::vector<RealFeature> real = test::real_mfcc(x.data());
      for (size_t k = 0; k < real.size(); ++k)
        ASSERT_NEAR(features[k] / 256.0, real[k].value, real[k].bound)
            << golden.name << " " << at << " " << k;
    }
}

TEST(Mfcc, FramesFollowTheSamples) {
  EXPECT_EQ(mfcc_frames(255), 0);
  EXPECT_EQ(mfcc_frames(256), 1);
  EXPECT_EQ(mfcc_frames(415), 1);
  EXPECT_EQ(mfcc_frames(8000), 49);
  MfccStream stream;
  std::vector<int32_t> complete;
  for (int32_t i = 1; i <= 600; ++i)
    if (stream.push(int16_t(i))) complete.push_back(i);
  EXPECT_EQ(complete, (std::vector<int32_t>{256, 416, 576}));
}

TEST(Mfcc, AClearedStreamHearsAsANewOne) {
  MfccStream used, fresh;
  for (int32_t i = 0; i < 300; ++i) used.push(int16_t(i * 77));
  used.clear();
  for (int32_t i = 0; i < kMfccWindow; ++i) {
    const int16_t sample = test::mfcc_sample("noise", i);
    EXPECT_EQ(used.push(sample), fresh.push(sample));
  }
  EXPECT_TRUE(std::equal(used.features(), used.features() + kMfccCoefficients, fresh.features()));
}

}  // namespace
}  // namespace mantissa
