// Networks with GroupNorm and BatchNorm in three recipes against an independent implementation in exact integers, bit for bit: losses, and the
// hash of all that training leaves. Without heap, for boards, too. The numbers and networks come from tools/gold/norms.py.
#pragma once
#include <algorithm>
#include <string_view>

#include "tests/chain_check.hpp"

namespace mantissa::test {

#include "tests/golden/norms.inc"

constexpr Node kNormGroups[] = {kConv, relu(), group_norm({.groups = 2}), global_avg_pool1d(),
                                linear({.features = 4})};
constexpr Node kNormInstances[] = {kConv, group_norm({.groups = 8, .bias = Bias::kNone}), relu(),
                                   global_avg_pool1d(), linear({.features = 4})};
constexpr Node kNormBatch[] = {kConv, relu(), batch_norm(), global_avg_pool1d(), linear({.features = 4})};
constexpr Node kNormFeatures[] = {linear({.features = 16}),
                                  batch_norm({.epsilon = 0.01f, .momentum = 0.25f}),
                                  relu(),
                                  linear({.features = 10}),
                                  batch_norm(),
                                  linear({.features = 4})};
constexpr Node kNormFirst[] = {batch_norm(), kConv, relu(), global_avg_pool1d(), linear({.features = 4})};
constexpr Node kNormFrozen[] = {kConv, relu(), batch_norm({.training = Training::kFrozen}),
                                global_avg_pool1d(), linear({.features = 4})};

constexpr Model kNormModels[] = {{kSignal, kNormGroups},   {kSignal, kNormInstances}, {kSignal, kNormBatch},
                                 {kVector, kNormFeatures}, {kSignal, kNormFirst},     {kSignal, kNormFrozen}};
inline constexpr size_t kNormRecipes = 3;
static_assert(std::size(kNormModels) * kNormRecipes == std::size(kNormChains));

inline Recipe norm_recipe(const NormChain& chain) {
  const std::string_view name = chain.recipe;
  return name == "int8" ? int8_recipe() : name == "sym12" ? sym12_recipe() : sym8_recipe();
}

/// Batches of the golden data as a user trains them.
class NormTraining {
 public:
  NormTraining(Engine& engine, const NormChain& chain, bool is_flat)
      : engine_(engine),
        x_(reinterpret_cast<const float*>(is_flat ? kFlatX : kSteppedX)),
        labels_(is_flat ? kFlatLabels : kSteppedLabels),
        elements_(engine.plan().summary.input.size()) {
    engine.initialize(chain.seed);
    float largest = 0;
    for (int32_t i = 0; i < kChainBatch * kChainBatches * elements_; ++i)
      largest = std::max(largest, x_[i] < 0 ? -x_[i] : x_[i]);
    engine.set_input_range(largest);
    for (const LayerPlan& l : engine.plan().layers)
      if (chain.running != nullptr && l.running >= 0)
        for (size_t i = 0; i < engine.bytes(l.running).size(); ++i)
          engine.bytes(l.running)[i] = reinterpret_cast<const std::byte*>(chain.running)[i];
  }

  int64_t train(int32_t step, int32_t samples) {
    const int32_t first = step * kChainBatch, micro_batch = engine_.plan().summary.micro_batch;
    int64_t loss = 0;
    engine_.begin_batch(samples, {.lr = 0.05f, .momentum = 0.9f}, x_ + first * elements_, labels_ + first);
    for (int32_t s = 0; s < samples; s += micro_batch) {
      const int32_t count = samples - s < micro_batch ? samples - s : micro_batch;
      loss += engine_.accumulate(x_ + (first + s) * elements_, labels_ + first + s, count).loss_q24;
    }
    engine_.end_batch();
    return loss;
  }

  /// Of the first batch, sample by sample.
  int64_t evaluate() {
    int64_t loss = 0;
    for (int32_t s = 0; s < kChainBatch; ++s)
      loss += engine_.evaluate(x_ + s * elements_, labels_ + s, 1, nullptr).loss_q24;
    return loss;
  }

 private:
  Engine& engine_;
  const float* x_;
  const int32_t* labels_;
  int32_t elements_;
};

inline ChainDifference run_norm_chain(ChainRun& memory, size_t which, int32_t micro_batch,
                                      const Kernels& kernels) {
  const NormChain& chain = kNormChains[which];
  const Model& model = kNormModels[which / kNormRecipes];
  Result<Engine> bound = memory.bind({model, norm_recipe(chain)}, micro_batch, kernels);
  if (!bound.ok()) return {.what = "plan", .found = int64_t(bound.error.code)};
  Engine& engine = bound.value;
  NormTraining training(engine, chain, model.input.steps == 1);
  const auto differs = [](int32_t step, const char* what, uint64_t found, uint64_t expected) {
    return ChainDifference{step, found == expected ? nullptr : what, 0, int64_t(found), int64_t(expected)};
  };
  for (int32_t step = 0; step < kChainBatches; ++step) {
    const bool is_last = step == kChainBatches - 1;
    const bool is_short = is_last && chain.name == std::string_view("first");
    const int64_t loss = training.train(step, kChainBatch - (is_short ? 1 : 0));
    ChainDifference d = differs(step + 1, "loss", uint64_t(loss), uint64_t(chain.loss_q24[step]));
    if (d.what == nullptr && step == 0)
      d = differs(1, "hash of the state", engine.state_hash(), chain.hash_after_first);
    if (d.what == nullptr && is_last)
      d = differs(step + 1, "hash of the state", engine.state_hash(), chain.hash_after_last);
    if (d.what != nullptr) return d;
  }
  return differs(kChainBatches, "loss of evaluation", uint64_t(training.evaluate()),
                 uint64_t(chain.evaluation_q24));
}

/// All of them; those whose statistics are of a batch with the whole batch in memory only.
template <class Report>
void run_norm_chains(ChainRun& memory, int32_t micro_batch, const Kernels& kernels, Report&& report) {
  for (size_t i = 0; i < std::size(kNormChains); ++i) {
    bool follows_batch = false;
    for (const Node& node : kNormModels[i / kNormRecipes].nodes)
      follows_batch |= node.op == Op::kBatchNorm && node.training == Training::kTrainable;
    if (follows_batch && micro_batch != kChainBatch) continue;
    report(kNormChains[i], run_norm_chain(memory, i, micro_batch, kernels));
  }
}

}  // namespace mantissa::test
