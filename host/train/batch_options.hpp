// What a person chooses about batches and threads, and how a PC plans with it.
// Training, evaluation and the printed plan must be planned alike, or a plan would not tell what a run takes.
#pragma once
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/model/plan.hpp"

namespace mantissa::host {

struct BatchOptions {
  int batch = 32;
  int micro_batch = 0;  ///< samples in memory at once; 0: default_micro_batch()
  int threads = 1;
  PlanMode mode = PlanMode::kTrain;
  bool momentum = true;
};

/// Large enough for products to run at full speed, small enough for the wires of a micro-batch to stay in a cache.
int default_micro_batch(int batch);

/// Tensors on cache lines, tiles that fill a first-level cache, scratch as the kernels want it.
PlanOptions host_plan_options(const BatchOptions& options, const Kernels& kernels);

}  // namespace mantissa::host
