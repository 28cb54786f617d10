#include "host/train/reconstruction.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "host/model/recipe_file.hpp"
#include "host/train/host_engine.hpp"

namespace mantissa::host {
namespace {

/// By hand: usual errors 1 and 5, others 3, 4.5 and 5. Each other one is above 1, and the tie of 5 with 5 counts half.
TEST(Reconstruction, CountsPairsAndErrorsAboveTheThreshold) {
  const std::vector<double> training = {1, 3};  // mean 2, deviation 1
  const std::vector<double> errors = {1, 5, 3, 4.5, 5};
  const std::vector<int32_t> labels = {0, 0, 1, 2, 1};
  const auto d = detect(training, errors, labels, 0);
  ASSERT_TRUE(d);
  EXPECT_DOUBLE_EQ(d->auc, 3.5 / 6);
  EXPECT_DOUBLE_EQ(d->threshold, 4);
  EXPECT_DOUBLE_EQ(d->f1, 2 * 2.0 / (2 + 1 + 3));
}

TEST(Reconstruction, NeedsBothKinds) {
  EXPECT_FALSE(detect(std::vector<double>{1}, std::vector<double>{1}, std::vector<int32_t>{0}, 0));
  EXPECT_FALSE(detect(std::vector<double>{1}, std::vector<double>{1}, std::vector<int32_t>{1}, 0));
}

/// Their squared differences from the sample are the error that the engine says, which rounds targets to units of its sums.
TEST(Reconstruction, OutputsAreWhatTheErrorIsMadeOf) {
  const Description d = parse_description(
      "name = 'copy'\nloss = 'mse'\ntarget = 'input'\n[input]\nsteps = 8\n"
      "channels = 2\n[[layer]]\ntype = 'conv1d'\nchannels = 4\nkernel = 2\nstride = 2\n[[layer]]\ntype = "
      "'relu'\n"
      "[[layer]]\ntype = 'conv_transpose1d'\nchannels = 2\nkernel = 2\nstride = 2\n",
      "test");
  std::vector<float> x;
  for (int i = 0; i < 16; ++i) x.push_back(static_cast<float>(i * 37 % 17) / 8 - 1);
  for (const auto recipe : builtin_recipe_names()) {
    HostEngine host(d, find_recipe(recipe, d), {.batch = 1}, kernels_ref);
    Engine& engine = host.engine();
    engine.initialize(1);
    engine.set_input_range(1);
    engine.begin_batch(1, {.lr = 0.01f}, x.data(), Targets(x.data()));
    engine.accumulate(x.data(), Targets(x.data()), 1);
    engine.end_batch();
    const double error =
        static_cast<double>(engine.evaluate(x.data(), Targets(x.data()), 1, nullptr).loss_q24) / (1 << 24);
    const std::vector<float> outputs = outputs_of(engine, x);
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += std::pow(outputs.at(i) - x[i], 2) / 16;
    EXPECT_GT(error, 0.1);
    EXPECT_NEAR(sum, error, 1e-3 * error) << recipe;
  }
}

}  // namespace
}  // namespace mantissa::host
