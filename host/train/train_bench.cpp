// Training speed, one thread: forward, loss, backward and update of whole batches, in samples per second.
// Quantising the inputs is part of a step and measured; reading and normalising samples is not.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "host/model/description.hpp"
#include "host/model/recipe_file.hpp"
#include "host/train/host_engine.hpp"
#include "mantissa/kernels/kernels.hpp"

namespace mantissa::host {
namespace {

constexpr int kSamples = 512;  // all different, so that errors stay as large as in real training
constexpr SgdSettings kSettings{.lr = 0.001f, .momentum = 0.9f, .weight_decay = 0.0f};

struct Network {
  const char* name;
  const char* file;
  std::vector<int> batches;
};

struct Samples {
  std::vector<float> x;
  std::vector<int32_t> labels;
  float largest = 0;
};

/// Normally distributed, as normalised data are.
Samples random_samples(int32_t size, int32_t classes) {
  std::mt19937 bits(1);
  std::normal_distribution<float> values;
  std::uniform_int_distribution<int32_t> labels(0, classes - 1);
  Samples s{std::vector<float>(static_cast<size_t>(size) * kSamples), std::vector<int32_t>(kSamples)};
  for (float& x : s.x) s.largest = std::max(s.largest, std::abs(x = values(bits)));
  for (int32_t& label : s.labels) label = labels(bits);
  return s;
}

void train_batch(Engine& engine, const float* x, const int32_t* labels) {
  const PlanSummary& plan = engine.plan().summary;
  engine.begin_batch(plan.batch, kSettings, x, labels[0]);
  for (int32_t i = 0; i < plan.batch; i += plan.micro_batch)
    engine.accumulate(x + ptrdiff_t{i} * plan.input.size(), labels + i,
                      std::min(plan.micro_batch, plan.batch - i));
  engine.end_batch();
}

void train(benchmark::State& state, const std::string& file, const std::string& recipe_name, int batch) {
  const Description description = read_description(file);
  HostEngine host(description, find_recipe(recipe_name, description), {.batch = batch}, kernels_hwy);
  const int32_t size = description.input.size();
  const Samples samples = random_samples(size, description.classes);
  host.engine().initialize(1);
  host.engine().set_input_range(samples.largest);
  int at = 0;
  for (auto _ : state) {
    train_batch(host.engine(), samples.x.data() + ptrdiff_t{at} * size, samples.labels.data() + at);
    at = at + 2 * batch <= kSamples ? at + batch : 0;
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

[[maybe_unused]] const bool registered = [] {
  const Network networks[] = {{"har", MANTISSA_SOURCE_DIR "/examples/har/har.toml", {64, 1}},
                              {"mlp", MANTISSA_SOURCE_DIR "/examples/digits/mlp.toml", {32, 1}}};
  for (const Network& network : networks)
    for (const int batch : network.batches)
      for (const char* recipe : {"float32", "sym8", "int8"})
        benchmark::RegisterBenchmark(fmt::format("train/{}/{}/batch:{}", network.name, recipe, batch).c_str(),
                                     [file = std::string(network.file), recipe = std::string(recipe),
                                      batch](benchmark::State& state) { train(state, file, recipe, batch); });
  return true;
}();

}  // namespace
}  // namespace mantissa::host
