// Networks with LayerNorm, Quantize and both losses against an independent implementation in exact integers, bit for bit.
// Without heap, so that boards run it as hosts do. The numbers and the networks come from tools/gold/chain.py.
#pragma once
#include "mantissa/model/engine.hpp"
#include "mantissa/tensor/pack.hpp"

namespace mantissa::test {

#include "tests/golden/chain.inc"

inline constexpr size_t kChainLayers = 6;
inline constexpr uint32_t kChainArena = 16 * 1024;

constexpr Node kSym8 = quantize({{.bits = 8}, {.bits = 8}});
constexpr Node kFlat[] = {linear({.features = 16, .output = Output::kAccumulator}), kSym8, layer_norm(),
                          kSym8, linear({.features = 4})};
constexpr Node kMixed[] = {linear({.features = 16}), quantize({{.bits = 12}, {.bits = 10}}), layer_norm(),
                           quantize({{.bits = 6, .scale = 0.05f}, {.bits = 8}}), linear({.features = 4})};
constexpr Node kConv = conv1d({.channels = 8, .kernel = 3});
constexpr Node kSteps[] = {kConv, relu(), layer_norm(), global_avg_pool1d(), linear({.features = 4})};
constexpr Node kApart[] = {kConv,
                           relu(),
                           max_pool1d({.kernel = 3}),
                           quantize({{.bits = 6}, {.bits = 7}}),
                           layer_norm(),
                           linear({.features = 4})};
constexpr Node kTurned[] = {kConv, layer_norm(), quantize({{.bits = 7}, {.bits = 6}}), global_avg_pool1d(),
                            linear({.features = 4})};

/// The network of kChains[i].
inline Model chain_model(size_t i) {
  constexpr Shape kVector = {1, 12}, kSignal = {5, 6};
  const Model models[] = {{kVector, kFlat},
                          {kVector, kFlat},
                          {kVector, kFlat, Loss::kMse},
                          {kVector, kFlat, Loss::kMse},
                          {kVector, kMixed},
                          {kSignal, kSteps},
                          {kSignal, kApart},
                          {kSignal, kTurned},
                          {kVector, kFlat, Loss::kMse}};
  static_assert(std::size(models) == std::size(kChains));
  return models[i];
}

/// Where a run leaves the golden one: the step, and what differs there.
struct ChainDifference {
  int32_t step = 0;
  const char* what = nullptr;  ///< null: nothing does
  int32_t at = 0;
  int64_t found = 0, expected = 0;
};

/// A plan and its memory.
struct ChainRun {
  LayerPlan layers[kChainLayers];
  Tensor tensors[max_tensors(kChainLayers)];
  Step steps[max_steps(kChainLayers)];
  Proof proofs[max_proofs(kChainLayers)];
  alignas(kArenaAlignment) std::byte arena[kChainArena];

  Result<Engine> bind(size_t chain, const Recipe& recipe, int32_t micro_batch, const Kernels& kernels) {
    int16_t order[max_tensors(kChainLayers)] = {};
    const PlanOptions options = {.batch = kChainBatch,
                                 .micro_batch = micro_batch,
                                 .alignment = int32_t(kArenaAlignment),
                                 .scratch = kernels.gemm->scratch};
    const Result<PlanSummary> made =
        plan_into(chain_model(chain), recipe, options, {layers, tensors, steps, proofs}, order);
    if (!made.ok()) return made.error;
    const PlanSummary& s = made.value;
    return Engine::bind(
        {s, std::span(layers).first(size_t(s.layers)), std::span(tensors).first(size_t(s.tensors)),
         std::span(steps).first(size_t(s.steps)), std::span(proofs).first(size_t(s.proofs))},
        arena, kernels);
  }
};

/// Loss of one batch, as a user trains it.
inline int64_t train_batch(Engine& engine, const Chain& chain, int32_t step) {
  const SgdSettings settings = {
      .lr = 0.05f, .momentum = 0.9f, .weight_decay = std::bit_cast<float>(chain.weight_decay)};
  const float* x = reinterpret_cast<const float*>(chain.x) + step * kChainBatch * chain.elements;
  const float* values = reinterpret_cast<const float*>(chain.targets);
  const auto targets = [&](int32_t sample) {
    const int32_t at = step * kChainBatch + sample;
    return values != nullptr ? Targets(values + at * engine.plan().summary.classes)
                             : Targets(chain.labels + at);
  };
  int64_t loss = 0;
  engine.begin_batch(kChainBatch, settings, x, targets(0));
  for (int32_t s = 0; s < kChainBatch; s += engine.plan().summary.micro_batch)
    loss += engine.accumulate(x + s * chain.elements, targets(s), engine.plan().summary.micro_batch).loss_q24;
  engine.end_batch();
  return loss;
}

class ChainComparison {
 public:
  ChainComparison(const Engine& engine, const Chain& chain, const ChainState& state)
      : engine_(engine), state_(state) {
    difference_.step = state.steps;
    for (const LayerPlan& l : engine.plan().layers) {
      compare_parameter(l.weight, l.weight_momentum, l.weight_slot, l.weight_momentum_slot);
      compare_parameter(l.bias, l.bias_momentum, l.bias_slot, l.bias_momentum_slot);
    }
    for (int32_t i = 0; i < chain.wires; ++i) compare_wire(i, state.wire_scales[i]);
  }
  const ChainDifference& difference() const { return difference_; }

 private:
  void expect(const char* what, int32_t at, int64_t found, int64_t expected) {
    if (difference_.what != nullptr || found == expected) return;
    difference_ = {difference_.step, what, at, found, expected};
  }
  void expect_scale(const char* what, int32_t at, Scale found, const int32_t (&expected)[2]) {
    expect(what, at, found.mantissa, expected[0]);
    expect(what, at, found.exponent, expected[1]);
  }
  void compare_parameter(int16_t tensor, int16_t momentum, int16_t slot, int16_t momentum_slot) {
    if (tensor < 0) return;
    const auto code = [this](int16_t of, int32_t i) {
      return unpack_code(reinterpret_cast<const uint8_t*>(engine_.bytes(of).data()), 16, size_t(i));
    };
    const int32_t count = engine_.plan().tensors[size_t(tensor)].elements;
    for (int32_t i = 0; i < count; ++i, ++codes_) {
      expect("parameter", codes_, code(tensor, i), state_.codes[codes_]);
      expect("momentum", codes_, code(momentum, i), state_.momentum[codes_]);
    }
    expect_scale("scale of parameter", scales_ / 2, engine_.state(slot).scale,
                 state_.parameter_scales[scales_]);
    expect_scale("scale of momentum", scales_ / 2, engine_.state(momentum_slot).scale,
                 state_.parameter_scales[scales_ + 1]);
    scales_ += 2;
  }
  void compare_wire(int32_t i, const ChainWireScale& expected) {
    const PlanView& plan = engine_.plan();
    const bool is_loss = expected.layer == plan.summary.layers;
    const LayerPlan& l = plan.layers[size_t(is_loss ? 0 : expected.layer)];
    const Wire& wire = is_loss ? plan.summary.loss_wire : expected.backward != 0 ? l.dx : l.y;
    expect_scale("scale of wire", i, engine_.state(wire.slot).scale * wire.factor, expected.scale);
  }

  const Engine& engine_;
  const ChainState& state_;
  ChainDifference difference_;
  int32_t codes_ = 0, scales_ = 0;
};

/// Ten batches of kChains[i] from the start.
inline ChainDifference run_chain(ChainRun& memory, size_t i, int32_t micro_batch, const Kernels& kernels) {
  const Chain& chain = kChains[i];
  Result<Engine> bound = memory.bind(i, int8_recipe(), micro_batch, kernels);
  if (!bound.ok()) return {.what = "plan", .found = int64_t(bound.error.code)};
  Engine& engine = bound.value;
  engine.initialize(chain.seed);
  engine.set_input_range(std::bit_cast<float>(chain.input_range));
  for (int32_t step = 0; step < kChainBatches; ++step) {
    const int64_t loss = train_batch(engine, chain, step);
    if (loss != chain.loss_q24[step]) return {step + 1, "loss", 0, loss, chain.loss_q24[step]};
    for (const ChainState& state : chain.after) {
      if (state.steps != step + 1) continue;
      const ChainDifference d = ChainComparison(engine, chain, state).difference();
      if (d.what != nullptr) return d;
    }
  }
  return {};
}

}  // namespace mantissa::test
