// What a person chooses about batches and threads, and how a PC plans with it.
// Training, evaluation and the printed plan must be planned alike, or a plan would not tell what a run takes.
#pragma once
#include "host/train/host_plan.hpp"
#include "mantissa/kernels/kernels.hpp"

namespace mantissa::host {

inline constexpr int kLargestDefaultMicroBatch = 64;

struct BatchOptions {
  int batch = kLargestDefaultMicroBatch;
  int micro_batch = 0;  ///< samples in memory at once; 0: the fastest, for all that is known before a run
  int threads = 1;
  PlanMode mode = PlanMode::kTrain;
  bool momentum = true;
};

/// Tensors on cache lines, tiles that fill a first-level cache, scratch as the kernels want it.
/// Throws Error if the recipe does not go with the model or the options.
PlanOptions host_plan_options(const Description& description, const NamedRecipe& recipe,
                              const BatchOptions& options, const Kernels& kernels);

}  // namespace mantissa::host
