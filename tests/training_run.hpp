// Runs of small models for tests: a plan on the heap, an arena between guards, a toy problem, threads.
// The toy problem uses no library mathematics, so that its samples are the same bits everywhere.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "mantissa/engine/engine.hpp"
#include "tests/models.hpp"

namespace mantissa::test {

/// A plan whose arrays are as long as the model needs.
struct HeapPlan {
  HeapPlan(const Model& model, const Recipe& recipe, const PlanOptions& options)
      : layers(model.nodes.size()),
        tensors(max_tensors(layers.size())),
        steps(max_steps(layers.size())),
        proofs(max_proofs(layers.size())) {
    std::vector<int16_t> order(tensors.size());
    const Result<PlanSummary> made =
        plan_into(model, recipe, options, {layers, tensors, steps, proofs}, order);
    error = made.error;
    summary = made.value;
  }
  PlanView view() const {
    return {summary, layers, std::span(tensors).first(size_t(summary.tensors)),
            std::span(steps).first(size_t(summary.steps)), std::span(proofs).first(size_t(summary.proofs))};
  }

  std::vector<LayerPlan> layers;
  std::vector<Tensor> tensors;
  std::vector<Step> steps;
  std::vector<Proof> proofs;
  PlanSummary summary;
  Error error;
};

/// Bytes aligned to 64 with guards on both sides, filled with rubbish that bind must clear.
class GuardedArena {
 public:
  explicit GuardedArena(size_t bytes) : size_(bytes), memory_((bytes + 63) / 64 + 2, Line{}) {
    std::memset(memory_.data(), kGuard, memory_.size() * sizeof(Line));
  }
  std::span<std::byte> bytes() { return {memory_[1].bytes, size_}; }
  bool guards_intact() const {
    const uint8_t* all = reinterpret_cast<const uint8_t*>(memory_.data());
    for (size_t i = 0; i < memory_.size() * sizeof(Line); ++i)
      if ((i < sizeof(Line) || i >= sizeof(Line) + size_) && all[i] != kGuard) return false;
    return true;
  }

 private:
  static constexpr uint8_t kGuard = 0xA5;
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  size_t size_;
  std::vector<Line> memory_;
};

/// Threads that take the next index until none is left.
class Threads {
 public:
  explicit Threads(int32_t count) : count_(count) {}
  Executor executor() {
    return count_ == 1 ? Executor{} : Executor{this, [](void* self, int32_t n, void* task, auto body) {
                                                 std::atomic<int32_t> next = 0;
                                                 std::vector<std::thread> threads;
                                                 for (int32_t worker = 0;
                                                      worker < static_cast<Threads*>(self)->count_; ++worker)
                                                   threads.emplace_back([&next, n, task, body, worker] {
                                                     for (int32_t i = next++; i < n; i = next++)
                                                       body(task, i, worker);
                                                   });
                                                 for (std::thread& thread : threads) thread.join();
                                                 ++static_cast<Threads*>(self)->runs;
                                               }};
  }
  int32_t runs = 0;

 private:
  int32_t count_;
};

/// Class k is a square wave of half period k + 1 in the first channels, with noise everywhere. Multiples of 1/64 in +-2.
struct Toy {
  Toy(Shape shape, int32_t classes, int32_t samples, uint64_t seed)
      : x(size_t(samples) * size_t(shape.size())), labels(size_t(samples)) {
    const RandomKey key = random_key(seed, 0, 0);
    for (int32_t s = 0; s < samples; ++s) {
      labels[size_t(s)] = int32_t(random_below(key, uint32_t(s), uint32_t(classes)));
      for (int32_t t = 0; t < shape.steps; ++t)
        for (int32_t c = 0; c < shape.channels; ++c) {
          const int32_t i = (s * shape.steps + t) * shape.channels + c;
          const int32_t phase = shape.steps > 1 ? t : c;
          const int32_t wave = phase / (labels[size_t(s)] + 1) % 2 == 0 ? 64 : -64;
          const int32_t noise = int32_t(random16(key, uint32_t(1000000 + i)) % 65) - 32;
          x[size_t(i)] = float(wave + noise) / 64;
        }
    }
  }
  std::vector<float> x;
  std::vector<int32_t> labels;
};

struct RunOptions {
  int32_t batch = 7;
  int32_t micro_batch = 7;
  int32_t threads = 1;
  int32_t batches = 4;
  const Kernels* kernels = &kernels_ref;
  SgdSettings settings = {.lr = 0.125f, .momentum = 0.875f, .weight_decay = 0.0f};
  bool momentum = true;
  InputMemory input = InputMemory::kBorrowed;
  int32_t tile_bytes = 2048;
  uint64_t seed = 5;

  PlanOptions plan_options() const {
    return {.batch = batch,
            .micro_batch = micro_batch,
            .threads = threads,
            .momentum = momentum,
            .input = input,
            .tile_bytes = tile_bytes,
            .alignment = 64,
            .scratch = kernels->gemm->scratch};
  }
};

struct RunResult {
  Error error;
  uint64_t hash = 0;
  std::vector<int64_t> losses;  ///< of each batch, Q24 nats per batch
  uint64_t saturated = 0;
  bool guards_intact = false;
  int32_t threaded_runs = 0;
};

/// One batch of samples from `first`, in micro-batches.
inline BatchResult train_batch(Engine& engine, const RunOptions& o, const Toy& toy, int32_t first,
                               int32_t samples) {
  const int32_t size = engine.plan().summary.input.size();
  const float* x = toy.x.data() + ptrdiff_t(first) * size;
  const int32_t* labels = toy.labels.data() + first;
  const auto staged = [&engine, size](const float* from, int32_t count) {
    if (engine.sample().empty()) return from;
    std::copy_n(from, ptrdiff_t(count) * size, engine.sample().data());
    return static_cast<const float*>(engine.sample().data());
  };
  BatchResult sum;
  engine.begin_batch(samples, o.settings, staged(x, 1), labels[0]);
  for (int32_t s = 0; s < samples; s += o.micro_batch) {
    const int32_t count = std::min(o.micro_batch, samples - s);
    const BatchResult part = engine.accumulate(staged(x + ptrdiff_t(s) * size, count), labels + s, count);
    sum.loss_q24 += part.loss_q24;
    sum.correct += part.correct;
  }
  engine.end_batch();
  return sum;
}

/// An engine with all that it needs to live, ready for its first batch.
struct ReadyEngine {
  ReadyEngine(const NamedModel& m, const Recipe& recipe, const RunOptions& o, uint64_t seed = 1)
      : options(o),
        plan(m.model(), recipe, o.plan_options()),
        arena(plan.summary.arena_bytes),
        engine(Engine::bind(plan.view(), arena.bytes(), *o.kernels).value) {
    engine.initialize(seed);
    engine.set_input_range(1.5f);
  }
  BatchResult train(const Toy& toy, int32_t first, int32_t samples) {
    return train_batch(engine, options, toy, first, samples);
  }

  RunOptions options;
  HeapPlan plan;
  GuardedArena arena;
  Engine engine;
};

/// Trains on the toy problem. Every third batch is short by two samples.
inline RunResult train(const NamedModel& m, const Recipe& recipe, const RunOptions& o) {
  RunResult result;
  const HeapPlan plan(m.model(), recipe, o.plan_options());
  result.error = plan.error;
  if (result.error) return result;
  const Toy toy(m.input, plan.summary.classes, o.batch * o.batches, 3);
  GuardedArena arena(plan.summary.arena_bytes);
  Threads threads(o.threads);
  Result<Engine> bound = Engine::bind(plan.view(), arena.bytes(), *o.kernels, threads.executor());
  result.error = bound.error;
  if (result.error) return result;
  Engine& engine = bound.value;
  engine.initialize(o.seed);
  engine.set_input_range(1.5f);
  for (int32_t b = 0; b < o.batches; ++b) {
    const int32_t samples = b % 3 == 2 && o.batch > 2 ? o.batch - 2 : o.batch;
    result.losses.push_back(train_batch(engine, o, toy, b * o.batch, samples).loss_q24);
  }
  result.hash = engine.state_hash();
  result.saturated = engine.saturated();
  result.guards_intact = arena.guards_intact();
  result.threaded_runs = threads.runs;
  return result;
}

}  // namespace mantissa::test
