// The numbers were measured on networks for sensors and digits, 3 K to 100 K parameters; bits do not depend
// on them.
#include "host/train/batch_options.hpp"

#include <algorithm>

namespace mantissa::host {
namespace {

constexpr int kSmallestDefaultMicroBatch = 16;
constexpr int kTileBytes = 65536;
constexpr uint64_t kWireBytes = 512 * 1024;  // half of a second-level cache

uint64_t wire_bytes(const PlanView& plan) {
  uint64_t bytes = 0;
  for (const Tensor& t : plan.tensors)
    if (t.role == Role::kActivation || t.role == Role::kError) bytes += t.bytes;
  return bytes;
}

/// Products over vectors want many samples at once; convolutions have enough rows with few, and want their
/// wires in a cache. So: as many samples as leave the wires there, within bounds.
int fastest_micro_batch(const Description& description, const NamedRecipe& recipe, PlanOptions options) {
  if (needs_whole_batch(description)) return options.batch;
  options.micro_batch = std::min(options.batch, kLargestDefaultMicroBatch);
  while (options.micro_batch > kSmallestDefaultMicroBatch &&
         wire_bytes(HostPlan(description, recipe, options).view()) > kWireBytes)
    options.micro_batch = std::max(options.micro_batch / 2, kSmallestDefaultMicroBatch);
  return options.micro_batch;
}

}  // namespace

PlanOptions host_plan_options(const Description& description, const NamedRecipe& recipe,
                              const BatchOptions& options, const Kernels& kernels) {
  PlanOptions plan{.batch = options.batch,
                   .micro_batch = options.micro_batch,
                   .threads = options.threads,
                   .mode = options.mode,
                   .momentum = options.momentum,
                   .tile_bytes = kTileBytes,
                   .alignment = static_cast<int32_t>(kArenaAlignment),
                   .scratch = kernels.gemm->scratch};
  if (plan.micro_batch == 0) plan.micro_batch = fastest_micro_batch(description, recipe, plan);
  return plan;
}

}  // namespace mantissa::host
