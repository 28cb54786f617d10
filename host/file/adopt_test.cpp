#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "host/error.hpp"
#include "host/file/model_file.hpp"
#include "host/train/host_engine.hpp"
#include "host/train/kernels_by_name.hpp"

namespace mantissa::host {
namespace {

constexpr const char* kText = R"(name = "m"
input = { steps = 8, channels = 2 }
layer = [
  { type = "conv1d", channels = 3, kernel = 3 }, { type = "relu" },
  { type = "global_avg_pool1d" }, { type = "linear", features = 2 },
]
)";

std::vector<std::byte> copy_of(const Engine& engine, int16_t tensor) {
  const auto bytes = engine.bytes(tensor);
  return {bytes.begin(), bytes.end()};
}

void train(Engine& engine, int batches) {
  std::vector<float> x(4 * 16);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) / 3.5f - 1.0f;
  const std::vector<int32_t> labels = {0, 1, 0, 1};
  for (int b = 0; b < batches; ++b) {
    engine.begin_batch(4, {.lr = 0.1f, .momentum = 0.9f}, x.data(), Targets(labels.data()));
    engine.accumulate(x.data(), Targets(labels.data()), 4);
    engine.end_batch();
  }
}

class Adopt : public testing::TestWithParam<const char*> {};

TEST_P(Adopt, TakesParametersAndLeavesTheRest) {
  SavedModel model;
  model.description = parse_description(kText, "m.toml");
  model.recipe = find_recipe(GetParam(), model.description);
  model.input_range = 1.0f;
  const BatchOptions options{.batch = 4, .micro_batch = 4};
  HostEngine base(model.description, model.recipe, options, select_kernels("ref"));
  base.engine().initialize(3);
  base.engine().set_input_range(1.0f);
  train(base.engine(), 5);
  capture(base.engine(), model);

  model.description.nodes[0].training = Training::kFrozen;
  HostEngine tuned(model.description, model.recipe, options, select_kernels("ref"));
  Engine& engine = tuned.engine();
  adopt(model, engine, 8);
  EXPECT_EQ(engine.progress().step, 0u);
  EXPECT_EQ(engine.progress().seed, 8u);
  EXPECT_FALSE(engine.progress().calibrated);
  for (const size_t layer : {0, 3}) {
    const LayerPlan &from = base.plan().layers[layer], &to = tuned.plan().layers[layer];
    EXPECT_EQ(copy_of(engine, to.weight), copy_of(base.engine(), from.weight));
    EXPECT_EQ(copy_of(engine, to.bias), copy_of(base.engine(), from.bias));
    EXPECT_EQ(engine.parameter_value(to, to.weight, 1), base.engine().parameter_value(from, from.weight, 1));
  }
  const int16_t momentum = tuned.plan().layers[3].weight_momentum;
  EXPECT_TRUE(std::ranges::all_of(copy_of(engine, momentum), [](std::byte b) { return b == std::byte(0); }));

  train(engine, 3);
  const LayerPlan &frozen = tuned.plan().layers[0], &last = tuned.plan().layers[3];
  EXPECT_EQ(copy_of(engine, frozen.weight), copy_of(base.engine(), base.plan().layers[0].weight));
  EXPECT_NE(copy_of(engine, last.weight), copy_of(base.engine(), base.plan().layers[3].weight));
  EXPECT_LT(frozen.weight_momentum, 0);
  EXPECT_LT(tuned.plan().summary.arena_bytes, base.plan().summary.arena_bytes);
}

INSTANTIATE_TEST_SUITE_P(Recipes, Adopt, testing::Values("float32", "sym12", "sym8", "int8"));

TEST(AdoptTest, RefusesAnotherModel) {
  SavedModel model;
  model.description = parse_description(kText, "m.toml");
  model.recipe = find_recipe("int8", model.description);
  HostEngine base(model.description, model.recipe, {.batch = 4}, select_kernels("ref"));
  base.engine().initialize(3);
  capture(base.engine(), model);
  Description other = model.description;
  other.nodes[0].outputs = 4;
  HostEngine engine(other, model.recipe, {.batch = 4}, select_kernels("ref"));
  EXPECT_THROW(adopt(model, engine.engine(), 1), Error);
}

}  // namespace
}  // namespace mantissa::host
