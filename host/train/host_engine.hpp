// An engine with all that it needs on a PC: plan, memory, threads.
// The core's engine borrows them; here they have an owner, in one place and in the right order.
#pragma once
#include "host/train/arena.hpp"
#include "host/train/batch_options.hpp"
#include "host/train/host_plan.hpp"
#include "host/train/thread_pool.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// Neither copied nor moved: the engine holds addresses of its parts.
class HostEngine {
 public:
  /// Plans, and takes the memory. Throws Error as HostPlan, Arena and ThreadPool do.
  HostEngine(const Description& description, const NamedRecipe& recipe, const BatchOptions& options,
             const Kernels& kernels);
  HostEngine(const HostEngine&) = delete;
  HostEngine& operator=(const HostEngine&) = delete;

  Engine& engine() { return engine_; }
  const Engine& engine() const { return engine_; }
  PlanView plan() const { return plan_.view(); }
  Arena& arena() { return arena_; }

 private:
  HostPlan plan_;
  Arena arena_;
  ThreadPool threads_;
  Engine engine_;
};

}  // namespace mantissa::host
