// Runs of small models for tests: a plan on the heap, an arena between guards, a toy problem, threads.
// The toy problem uses no library mathematics, so that its samples are the same bits everywhere.
#pragma once
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "mantissa/model/engine.hpp"

namespace mantissa::test {

struct NamedModel {
  std::string name;
  Shape input;
  std::vector<Node> nodes;
  Model model() const { return {input, nodes}; }
};

struct NamedRecipe {
  std::string name;
  Recipe recipe;
};

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
  int32_t tile_bytes = 2048;
  uint64_t seed = 5;

  PlanOptions plan_options() const {
    return {.batch = batch,
            .micro_batch = micro_batch,
            .threads = threads,
            .momentum = momentum,
            .tile_bytes = tile_bytes,
            .alignment = 64,
            .scratch_bytes = kernels->gemm->scratch_bytes};
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
  BatchResult sum;
  engine.begin_batch(samples, o.settings, x, labels[0]);
  for (int32_t s = 0; s < samples; s += o.micro_batch) {
    const int32_t count = std::min(o.micro_batch, samples - s);
    const BatchResult part = engine.accumulate(x + ptrdiff_t(s) * size, labels + s, count);
    sum.loss_q24 += part.loss_q24;
    sum.correct += part.correct;
  }
  engine.end_batch();
  return sum;
}

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

/// The usual network for signals.
inline NamedModel small_model() {
  return {"small",
          {16, 3},
          {conv1d({.channels = 8, .kernel = 3, .padding = Padding::kSame}), relu(), max_pool1d({.kernel = 2}),
           conv1d({.channels = 8, .kernel = 3}), relu(), global_avg_pool1d(), linear({.features = 3})}};
}

/// Every layer in every role, and attributes that need care.
inline std::vector<NamedModel> odd_models() {
  const Node first = conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame});
  const Node out = linear({.features = 3});
  const Node gap = global_avg_pool1d();
  return {
      small_model(),
      {"stride",
       {17, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 3, .stride = 2, .padding = Padding::kSame}), relu(),
        gap, out}},
      {"stride beyond kernel",
       {17, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 2, .stride = 3}), relu(), gap, out}},
      {"dilation",
       {16, 3},
       {first, relu(), conv1d({.channels = 5, .kernel = 3, .dilation = 2}), relu(), gap, out}},
      {"asymmetric",
       {16, 3},
       {first, relu(),
        conv1d({.channels = 5,
                .kernel = 4,
                .stride = 2,
                .dilation = 3,
                .padding = Padding::kExplicit,
                .pad_left = 7,
                .pad_right = 2}),
        gap, out}},
      {"wide padding",
       {8, 3},
       {first,
        conv1d({.channels = 4, .kernel = 2, .padding = Padding::kExplicit, .pad_left = 5, .pad_right = 6}),
        gap, out}},
      {"groups",
       {16, 4},
       {conv1d({.channels = 6, .kernel = 3, .groups = 2}), relu(),
        conv1d({.channels = 12, .kernel = 3, .groups = 6}), relu(), gap, out}},
      {"groups with stride and dilation",
       {20, 4},
       {first,
        conv1d(
            {.channels = 6, .kernel = 3, .stride = 2, .dilation = 2, .groups = 3, .padding = Padding::kSame}),
        relu(), gap, out}},
      {"average pool",
       {16, 3},
       {first, relu(), avg_pool1d({.kernel = 2}),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), gap, out}},
      {"overlapping average pool",
       {16, 3},
       {first, relu(), avg_pool1d({.kernel = 3, .stride = 2}), conv1d({.channels = 4, .kernel = 3}), gap,
        out}},
      {"overlapping max pool",
       {16, 3},
       {first, relu(), max_pool1d({.kernel = 3, .stride = 1}), conv1d({.channels = 4, .kernel = 3}), gap,
        out}},
      {"pools with gaps",
       {17, 3},
       {first, max_pool1d({.kernel = 2, .stride = 3}), conv1d({.channels = 4, .kernel = 2}), relu(),
        avg_pool1d({.kernel = 1, .stride = 2}), flatten(), out}},
      {"relu after pool",
       {16, 3},
       {first, max_pool1d({.kernel = 2}), relu(), conv1d({.channels = 4, .kernel = 3}),
        avg_pool1d({.kernel = 2}), relu(), flatten(), out}},
      {"relu after overlapping pool",
       {16, 3},
       {first, avg_pool1d({.kernel = 4, .stride = 2}), relu(), conv1d({.channels = 4, .kernel = 3}), gap,
        relu(), out}},
      {"frozen first",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), relu(),
        conv1d({.channels = 4, .kernel = 3}), relu(), gap, out}},
      {"frozen between",
       {16, 3},
       {first, relu(), conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), relu(), gap,
        out}},
      {"frozen last", {16, 3}, {first, relu(), gap, linear({.features = 3, .training = Training::kFrozen})}},
      {"all frozen",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .training = Training::kFrozen}), gap,
        linear({.features = 3, .training = Training::kFrozen})}},
      {"no bias",
       {16, 3},
       {conv1d({.channels = 4, .kernel = 3, .bias = Bias::kNone}), relu(), flatten(),
        linear({.features = 3, .bias = Bias::kNone})}},
      {"last is a convolution",
       {16, 3},
       {first, relu(), max_pool1d({.kernel = 4}), conv1d({.channels = 3, .kernel = 4})}},
      {"last is a pool", {16, 3}, {first, relu(), conv1d({.channels = 3, .kernel = 1}), gap}},
      {"flatten behind a padded convolution",
       {16, 3},
       {first, relu(), conv1d({.channels = 4, .kernel = 5, .stride = 2, .padding = Padding::kSame}), relu(),
        flatten(), linear({.features = 9}), relu(), out}},
      {"convolution behind Linear",
       {16, 3},
       {first, flatten(), linear({.features = 6}), relu(),
        conv1d({.channels = 5, .kernel = 3, .padding = Padding::kSame}), relu(),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), out}},
      {"layers by themselves",
       {1, 12},
       {linear({.features = 10}), relu(), relu(), linear({.features = 7}), flatten(), relu(), out,
        flatten()}},
      {"relu first",
       {16, 3},
       {relu(), conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), gap, out}},
      {"pool first",
       {16, 3},
       {avg_pool1d({.kernel = 3, .stride = 2}), max_pool1d({.kernel = 2}),
        conv1d({.channels = 4, .kernel = 3, .padding = Padding::kSame}), gap, out}},
      {"one Linear", {1, 5}, {out}},
  };
}

/// The four recipes and what a user may write: other widths, storages, scalings and roundings.
inline std::vector<NamedRecipe> all_recipes() {
  std::vector<NamedRecipe> all = {{"float32", float32_recipe()},
                                  {"sym12", sym12_recipe()},
                                  {"sym8", sym8_recipe()},
                                  {"int8", int8_recipe()}};
  const auto add = [&all](std::string name, Recipe base, auto change) {
    change(base);
    all.push_back({std::move(name), base});
  };
  add("int8, 8-bit momentum", int8_recipe(), [](Recipe& r) { r.formats.momentum = sym_format(8); });
  add("int8, 8-bit parameters", int8_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(8); });
  add("int8, 12-bit parameters", int8_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(12); });
  add("int8, 6-bit weights", int8_recipe(), [](Recipe& r) { r.formats.weight = sym_format(6); });
  add("int8, rounding to even", int8_recipe(), [](Recipe& r) {
    r.wire_rounding = r.parameter_rounding = Rounding::kHalfEven;
    r.decay = 0.0f;
  });
  add("int16", int8_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = r.formats.weight = sym_format(16); });
  add("sym8, 12-bit parameters", sym8_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(12); });
  add("sym8, stochastic wires", sym8_recipe(), [](Recipe& r) { r.wire_rounding = Rounding::kStochastic; });
  add("sym8, 16-bit errors", sym8_recipe(), [](Recipe& r) { r.formats.error = sym_format(16); });
  add("sym8, float parameters", sym8_recipe(), [](Recipe& r) { r.formats.parameter = float32_format(); });
  add("sym8 dynamic", sym8_recipe(), [](Recipe& r) { r.scaling = Scaling::kDynamic; });
  add("sym16 dynamic", sym12_recipe(),
      [](Recipe& r) { r.formats.activation = r.formats.error = r.formats.weight = sym_format(16); });
  add("sym12, 14-bit parameters", sym12_recipe(), [](Recipe& r) { r.formats.parameter = sym_format(14); });
  return all;
}

}  // namespace mantissa::test
