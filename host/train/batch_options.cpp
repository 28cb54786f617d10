// The numbers were measured on networks of sensors, 10 K to 100 K parameters; bits do not depend on them.
#include "host/train/batch_options.hpp"

#include <algorithm>

namespace mantissa::host {
namespace {

constexpr int kMicroBatch = 16;
constexpr int kTileBytes = 65536;

}  // namespace

int default_micro_batch(int batch) { return std::min(batch, kMicroBatch); }

PlanOptions host_plan_options(const BatchOptions& options, const Kernels& kernels) {
  return {.batch = options.batch,
          .micro_batch = options.micro_batch > 0 ? options.micro_batch : default_micro_batch(options.batch),
          .threads = options.threads,
          .mode = options.mode,
          .momentum = options.momentum,
          .tile_bytes = kTileBytes,
          .alignment = static_cast<int32_t>(kArenaAlignment),
          .scratch_bytes = kernels.gemm->scratch_bytes};
}

}  // namespace mantissa::host
