// Fuzzes the reader of saved models behind its checksum: any payload gives a model that trains on, or Error.
// A checksum is no lock: whoever changes a file can compute it anew, and so does this harness.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "host/error.hpp"
#include "host/file/envelope.hpp"
#include "host/file/model_file.hpp"
#include "host/train/host_engine.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using namespace mantissa;
using namespace mantissa::host;

constexpr int kBatch = 2;

/// The payload of a saved model with the first or another of the built-in recipes.
std::vector<std::byte> example_payload(size_t which) {
  SavedModel model;
  model.description = parse_description(
      "name='m'\n[input]\nsteps=6\nchannels=2\n[[layer]]\ntype='conv1d'\nchannels=2\nkernel=3\n[[layer]]\n"
      "type='relu'\n[[layer]]\ntype='global_avg_pool1d'\n[[layer]]\ntype='linear'\nfeatures=2\n",
      "example");
  const std::vector<std::string_view> recipes = builtin_recipe_names();
  model.recipe = find_recipe(recipes[which % recipes.size()], model.description);
  model.normalization = {{0, 0}, {1, 1}};
  HostEngine host(model.description, model.recipe, {.batch = kBatch, .micro_batch = 1}, kernels_hwy);
  host.engine().initialize(1);
  capture(host.engine(), model);
  const std::vector<std::byte> file = serialize_model(model);
  const std::span<const std::byte> payload = unseal(file, "example");
  return {payload.begin(), payload.end()};
}

bool is_small(const PlanView& plan) {
  int64_t work = plan.summary.arena_bytes;
  for (const LayerPlan& l : plan.layers)
    work += int64_t{l.out.steps} * (l.weights + l.out.channels * l.node.kernel);
  return work < 1 << 20;
}

/// What has been accepted must neither crash the engine nor be refused when it is saved again.
void use(const SavedModel& model) {
  if (serialize_model(model) != serialize_model(parse_model(serialize_model(model), "again"))) std::abort();
  const int micro_batch = smallest_batch(model.description);
  const PlanOptions plan = {.batch = kBatch, .micro_batch = micro_batch, .momentum = model.momentum};
  if (!is_small(HostPlan(model.description, model.recipe, plan).view())) return;
  const BatchOptions options = {.batch = kBatch, .micro_batch = micro_batch, .momentum = model.momentum};
  HostEngine host(model.description, model.recipe, options, kernels_hwy);
  Engine& engine = host.engine();
  restore(model, engine);
  std::vector<float> x(kBatch * static_cast<size_t>(host.plan().summary.input.size()), 0.75f);
  constexpr int32_t kLabels[kBatch] = {};
  engine.evaluate(x.data(), kLabels, 1, nullptr);
  engine.begin_batch(kBatch, {}, x.data(), kLabels);
  for (int sample = 0; sample < kBatch; sample += micro_batch)
    engine.accumulate(x.data(), kLabels, micro_batch);
  engine.end_batch();
}

void check(const host::Error& error) {
  if (std::strlen(error.what()) > 4000) std::abort();
}

void try_file(std::span<const std::byte> file) {
  SavedModel model;
  try {
    model = parse_model(file, "fuzz");
  } catch (const host::Error& error) {
    return check(error);
  }
  use(model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> copy(data, data + size);  // with a guarded end
  try_file(std::as_bytes(std::span(copy)));
  try_file(seal(std::as_bytes(std::span(copy))));
  return 0;
}

/// Starts from real payloads: chance does not find one.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (size < 64) {
    const std::vector<std::byte> payload = example_payload(seed);
    size = payload.size() < max_size ? payload.size() : max_size;
    std::memcpy(data, payload.data(), size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
