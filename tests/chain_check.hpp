// Networks with LayerNorm, Quantize, transposed convolutions, pools and both losses, and wires and weights in all formats, against an independent implementation
// in exact integers, bit for bit. Without heap, so that boards run it as hosts do. The numbers and the networks come from
// tools/gold/chain.py, kept.py, transposed.py, images.py, graphs.py and pools.py.
#pragma once
#include "mantissa/engine/engine.hpp"
#include "mantissa/tensor/pack.hpp"

namespace mantissa::test {

struct ChainWireScale {
  int32_t
      layer;  ///< that rounds it (what lies behind a ReLU or Quantize counts as its producer's); the loss comes last
  int32_t
      backward;  ///< 0: the layer's output, 1: the error of its input, 2: the sum of the errors of its output
  int32_t scale[2];  ///< of the operand: mantissa, exponent
  int32_t lowest
      [2];  ///< Asym with one scale that follows the sums: the magnitude of the lowest value; else zeros
};
struct ChainState {
  int32_t steps;         ///< trained so far
  const int16_t* codes;  ///< of weights and biases, layer by layer, as stored
  const int16_t* momentum;
  const int32_t (
      *parameter_scales)[2];  ///< of each weight tensor, its momentum, each bias tensor, its momentum
  const int32_t (
      *granules)[3];  ///< of weights with several: mantissa, exponent, zero point; or 0, exponent byte, 0
  const ChainWireScale* wire_scales;  ///< as they are for the next step
};
struct Chain {
  const char* name;
  uint64_t seed;
  uint32_t weight_decay, input_range;  ///< bits of float32
  int32_t elements;                    ///< of one sample
  int32_t parameters, codes, wires;    ///< tensors, elements of all of them, scales of wires
  const uint32_t* x;
  const int32_t* labels;    ///< or null
  const uint32_t* targets;  ///< or null
  int64_t loss_q24[10];     ///< of each step, the sum over its samples
  ChainState after[2];
};
inline constexpr int32_t kChainBatch = 4, kChainBatches = 10;

#include "tests/golden/chain.inc"
#include "tests/golden/graphs.inc"
#include "tests/golden/images.inc"
#include "tests/golden/kept.inc"
#include "tests/golden/pools.inc"
#include "tests/golden/transposed.inc"

inline constexpr size_t kChainLayers = 7;
inline constexpr uint32_t kChainArena = 24 * 1024;

/// What a golden run trains, and in which numbers.
struct ChainNetwork {
  Model model;
  Recipe recipe = int8_recipe();
};

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

constexpr Node kBends[] = {linear({.features = 16}), tanh(), linear({.features = 10}),
                           leaky_relu({.slope = 0.1f}), linear({.features = 4})};
constexpr Node kClipped[] = {kConv,
                             relu(),
                             relu6(),
                             quantize({{.bits = 7}, {}}),
                             sigmoid(),
                             global_avg_pool1d(),
                             linear({.features = 4})};
constexpr Node kDropped[] = {
    kConv, relu(), dropout({.p = 0.25f}), kConv, dropout({.p = 0.3f}), linear({.features = 4})};

constexpr Node kPlain[] = {linear({.features = 16}), relu(), linear({.features = 4})};
constexpr float kChainWeights[] = {0.5f, 2.0f, 1.0f, 0.25f};

constexpr Shape kVector = {1, 12}, kSignal = {5, 6};

constexpr ChainNetwork kNetworks[] = {
    {{kVector, kFlat}},
    {{kVector, kFlat}},
    {{kVector, kFlat, Loss::kMse}},
    {{kVector, kFlat, Loss::kMse}},
    {{kVector, kMixed}},
    {{kSignal, kSteps}},
    {{kSignal, kApart}},
    {{kSignal, kTurned}},
    {{kVector, kFlat, Loss::kMse}},
    {{kVector, kBends}},
    {{kSignal, kClipped}},
    {{kSignal, kDropped}},
    {{kVector, kPlain, Loss::kL1}},
    {{kVector, kPlain, Loss::kHuber, {.delta = 0.5f}}},
    {{kVector, kPlain, Loss::kBce, {.reduction = LossReduction::kSum}}},
    {{kVector, kPlain, Loss::kCrossEntropy, {.smoothing = 0.2f, .class_weights = kChainWeights}}},
    {{kVector,
      kPlain,
      Loss::kCrossEntropy,
      {.reduction = LossReduction::kSum, .class_weights = kChainWeights}}}};
static_assert(std::size(kNetworks) == std::size(kChains));

// Wires and weights that products do not read.
constexpr WireSetting kAsRecipe = {};
constexpr WireSetting kDynamic = {.bits = 8, .scaling = Scaling::kDynamic};
constexpr WireSetting kDynamicBand = {
    .bits = 7, .kind = FormatKind::kAsym, .scaling = Scaling::kDynamic, .rounding = Rounding::kStochastic};
constexpr WireSetting kFixedBand = {.bits = 8, .kind = FormatKind::kAsym, .scale = 0.05f, .zero_point = -20};
constexpr WireSetting kOtherBand = {.bits = 8, .kind = FormatKind::kAsym, .scale = 0.04f, .zero_point = 31};

constexpr WireSetting setting(Format f, std::optional<Rounding> rounding = {}) {
  return {.bits = f.bits, .kind = f.kind, .group = f.group, .rounding = rounding};
}
constexpr WireSetting kWide = setting(asym_format(16));
constexpr WireSetting kBlocks = setting(bfp_format(8, 4)), kBlockErrors = setting(bfp_format(6, 4));
constexpr WireSetting kGroups = setting(sym_format(5, 8), Rounding::kStochastic);
constexpr WireSetting kGroupErrors = setting(sym_format(6, 4), Rounding::kStochastic);
constexpr WireSetting kBandGroups = setting(asym_format(9, 4), Rounding::kHalfEven);
constexpr WireSetting kBandErrors = setting(asym_format(10), Rounding::kStochastic);
constexpr WireSetting kNarrowErrors = setting(asym_format(5), Rounding::kHalfEven);
/// The chain on 12 features with those wires behind the first Linear and LayerNorm.
constexpr auto flat_as(const WireSetting& y, const WireSetting& dx, const WireSetting& second) {
  return make_model(kVector, linear({.features = 16}), quantize({y, dx}), layer_norm(),
                    quantize({second, dx}), linear({.features = 4}));
}
constexpr auto flat_as(const WireSetting& y, const WireSetting& dx) { return flat_as(y, dx, y); }
constexpr auto kAsymWide = flat_as(kWide, kAsRecipe);
constexpr auto kBfp = flat_as(kBlocks, kBlockErrors);
constexpr auto kInGroups = flat_as(kGroups, kGroupErrors);
constexpr auto kOfSamples = flat_as(kDynamic, kDynamic);
constexpr auto kFixed = flat_as(kFixedBand, kAsRecipe, kOtherBand);
constexpr auto kBandOfSamples = flat_as(kDynamicBand, kNarrowErrors);
constexpr auto kMixedKinds = flat_as(kBandGroups, kBandErrors);
constexpr Node kPooled[] = {kConv, relu(), max_pool1d({.kernel = 3}), layer_norm(), linear({.features = 4})};
constexpr Node kAlone[] = {kConv, max_pool1d({.kernel = 3}), relu(), layer_norm(), linear({.features = 4})};

constexpr Recipe with_formats(LayerFormats formats, WireMemory memory = WireMemory::kOperands) {
  Recipe recipe = int8_recipe();
  recipe.formats = formats;
  recipe.wire_memory = memory;
  return recipe;
}
constexpr Recipe with_wires(Format activation, Format error, Rounding error_rounding = Rounding::kHalfAway,
                            Format parameter = int8_recipe().formats.parameter) {
  LayerFormats f = int8_recipe().formats;
  f.activation = activation;
  f.error = error;
  f.error_rounding = error_rounding;
  f.parameter = parameter;
  return with_formats(f, WireMemory::kPacked);
}
constexpr Recipe with_weights(Format parameter) {
  LayerFormats f = int8_recipe().formats;
  f.parameter = parameter;
  return with_formats(f);
}

constexpr ChainNetwork kKeptNetworks[] = {
    {{kSignal, kSteps}, with_wires(asym_format(8), asym_format(8))},
    {kAsymWide},
    {kBfp},
    {kInGroups},
    {kOfSamples},
    {kFixed},
    {{kSignal, kSteps}, with_weights(sym_format(4, kPerChannel))},
    {{kVector, kFlat}, with_weights(asym_format(6))},
    {{kVector, kFlat}, with_weights(bfp_format(8, 4))},
    {{kSignal, kPooled}, with_wires(sym_format(5), sym_format(8))},
    {kBandOfSamples},
    {{kSignal, kAlone}, with_wires(asym_format(6), bfp_format(7, 4), Rounding::kFloor)},
    {{kVector, kMixedKinds.nodes, Loss::kMse}, with_weights(asym_format(5, 8))}};
static_assert(std::size(kKeptNetworks) == std::size(kKeptChains));

// Transposed convolutions that reproduce their input.
constexpr Node kLonger[] = {kConv, relu(),
                            conv_transpose1d({.channels = 4, .kernel = 4, .stride = 2, .padding = 1}), relu(),
                            conv_transpose1d({.channels = 5, .kernel = 3, .padding = 1})};
constexpr Node kGaps[] = {conv_transpose1d({.channels = 4, .kernel = 2, .stride = 3, .output_padding = 1}),
                          conv_transpose1d({.channels = 2, .kernel = 1})};
constexpr Node kFives[] = {conv1d({.channels = 8, .kernel = 5}), relu(),
                           conv_transpose1d({.channels = 4, .kernel = 5, .stride = 5}), relu(),
                           conv_transpose1d({.channels = 3, .kernel = 2, .stride = 2, .bias = Bias::kNone})};
constexpr Node kThrees[] = {
    kConv, relu(),
    conv_transpose1d({.channels = 5, .kernel = 5, .stride = 3, .padding = 2, .output_padding = 2}), relu(),
    conv1d({.channels = 5, .kernel = 4})};
constexpr ChainNetwork kTransposedNetworks[] = {
    {{kSignal, kLonger, Loss::kMse}},
    {{kSignal, kGaps, Loss::kMse}},
    {{kSignal, kFives, Loss::kMse}},
    {{kSignal, kThrees, Loss::kMse}},
    {{kSignal, kLonger, Loss::kMse}, with_wires(asym_format(8), sym_format(6, 4), Rounding::kStochastic)},
    {{kSignal, kLonger, Loss::kMse}, with_weights(sym_format(5, kPerChannel))}};
static_assert(std::size(kTransposedNetworks) == std::size(kTransposedChains));

// Images of the signals' numbers.
constexpr Shape kImage = image_shape(5, 3, 2);
constexpr Node kSquares[] = {conv2d({.channels = 6, .kernel = {3, 3}, .padding = Padding::kSame}),
                             relu(),
                             max_pool2d({.kernel = {2, 2}, .padding = {1, 1}}),
                             conv2d({.channels = 4,
                                     .kernel = {2, 3},
                                     .stride = {2, 1},
                                     .padding = Padding::kExplicit,
                                     .pad = {1, 0, 1, 1}}),
                             global_avg_pool1d(),
                             linear({.features = 4})};
constexpr Node kDepthwise[] = {
    conv2d({.channels = 4, .kernel = {1, 2}, .padding = Padding::kExplicit, .pad = {0, 0, 1, 0}}),
    relu(),
    conv2d({.channels = 4, .kernel = {3, 3}, .dilation = {2, 1}, .groups = 4, .padding = Padding::kSame}),
    conv2d({.channels = 5}),
    avg_pool2d({.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}}),
    flatten(),
    linear({.features = 4})};
constexpr Node kStrided[] = {conv2d({.channels = 6,
                                     .kernel = {2, 2},
                                     .stride = {3, 2},
                                     .groups = 2,
                                     .padding = Padding::kExplicit,
                                     .pad = {2, 1, 0, 3}}),
                             layer_norm(), avg_pool2d({.kernel = {2, 2}}), flatten(),
                             linear({.features = 4})};
constexpr ChainNetwork kImageNetworks[] = {
    {{kImage, kSquares}},
    {{kImage, kDepthwise}},
    {{kImage, kStrided}},
    {{kImage, kSquares},
     with_wires(asym_format(8), sym_format(8), Rounding::kHalfAway, sym_format(5, kPerChannel))}};
static_assert(std::size(kImageNetworks) == std::size(kImageChains));

// Graphs.
constexpr Node kSameConv = conv1d({.channels = 8, .kernel = 3, .padding = Padding::kSame});
constexpr Node kResidual[] = {
    kConv, relu(), kSameConv, add({.with = 1}), relu(), global_avg_pool1d(), linear({.features = 4})};
constexpr Node kBranches[] = {conv1d({.channels = 6, .kernel = 3}),
                              relu(),
                              conv1d({.channels = 4}),
                              conv1d({.channels = 3, .kernel = 3, .padding = Padding::kSame}).after(1),
                              concat({.with = 2}),
                              global_avg_pool1d(),
                              linear({.features = 4})};
constexpr Node kThrice[] = {conv1d({.channels = 6, .kernel = 3, .padding = Padding::kSame}),
                            add({.with = kModelInput}),
                            layer_norm(),
                            add({.with = 1}),
                            concat({.with = 1}),
                            global_avg_pool1d(),
                            linear({.features = 4})};
constexpr ChainNetwork kGraphNetworks[] = {
    {{kSignal, kResidual}},
    {{kSignal, kBranches}},
    {{kSignal, kThrice}},
    {{kSignal, kResidual}, with_wires(asym_format(8), asym_format(8))}};
static_assert(std::size(kGraphNetworks) == std::size(kGraphChains));
// Averages over windows of several sizes, Softmax, groups of transposed convolutions.
constexpr Node kClasses = linear({.features = 4});
constexpr Node kAdaptive[] = {conv1d({.channels = 8}),
                              relu(),
                              adaptive_avg_pool1d({.steps = 3}),
                              conv1d({.channels = 8, .kernel = 2}),
                              adaptive_avg_pool1d({.steps = 3}),
                              flatten(),
                              kClasses};
constexpr Node kTiles[] = {conv2d({.channels = 6}),
                           relu(),
                           adaptive_avg_pool2d({.size = {3, 2}}),
                           conv2d({.channels = 4}),
                           adaptive_avg_pool2d({.size = {2, 2}}),
                           flatten(),
                           kClasses};
constexpr Node kEven[] = {conv1d({.channels = 8, .kernel = 2}), adaptive_avg_pool1d({.steps = 2}), flatten(),
                          kClasses};
constexpr Node kInside[] = {conv1d({.channels = 8}),
                            relu(),
                            avg_pool1d({.kernel = 3, .stride = 2, .padding = 1, .divisor = Divisor::kInside}),
                            conv1d({.channels = 8}),
                            avg_pool1d({.kernel = 2, .padding = 1, .divisor = Divisor::kInside}),
                            flatten(),
                            kClasses};
constexpr Node kFramed[] = {
    conv2d({.channels = 6}),
    avg_pool2d({.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}, .divisor = Divisor::kInside}),
    flatten(), kClasses};
constexpr Node kShares[] = {kConv, relu(), softmax(), flatten(), kClasses, softmax()};
constexpr Node kGrouped[] = {
    kConv, relu(), conv_transpose1d({.channels = 6, .kernel = 4, .stride = 2, .padding = 1, .groups = 2}),
    relu(), conv_transpose1d({.channels = 6, .kernel = 2, .padding = 1, .groups = 6})};
constexpr ChainNetwork kPoolNetworks[] = {
    {{kSignal, kAdaptive}},
    {{kImage, kTiles}},
    {{kSignal, kEven}},
    {{kSignal, kInside}},
    {{kImage, kFramed}},
    {{kSignal, kAdaptive}, with_wires(asym_format(8), asym_format(7), Rounding::kStochastic)},
    {{kSignal, kShares, Loss::kMse}},
    {{kSignal, kGrouped, Loss::kMse}}};
static_assert(std::size(kPoolNetworks) == std::size(kPoolChains));

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

  Result<Engine> bind(const ChainNetwork& network, int32_t micro_batch, const Kernels& kernels) {
    int16_t order[max_tensors(kChainLayers)] = {};
    const PlanOptions options = {.batch = kChainBatch,
                                 .micro_batch = micro_batch,
                                 .alignment = int32_t(kArenaAlignment),
                                 .scratch = kernels.gemm->scratch};
    const Result<PlanSummary> made =
        plan_into(network.model, network.recipe, options, {layers, tensors, steps, proofs}, order);
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
      compare_parameter(l.weight, l.weight_momentum, l.weight_slot, l.weight_momentum_slot, l.weight_scales);
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
  int32_t code(int16_t of, int32_t i) const {
    const int bits = engine_.plan().tensors[size_t(of)].format.bits;
    return unpack_code(reinterpret_cast<const uint8_t*>(engine_.bytes(of).data()), bits, size_t(i));
  }
  void compare_parameter(int16_t tensor, int16_t momentum, int16_t slot, int16_t momentum_slot,
                         int16_t scales = -1) {
    if (tensor < 0) return;
    const int32_t count = engine_.plan().tensors[size_t(tensor)].elements;
    for (int32_t i = 0; i < count; ++i, ++codes_) {
      expect("parameter", codes_, code(tensor, i), state_.codes[codes_]);
      expect("momentum", codes_, code(momentum, i), state_.momentum[codes_]);
    }
    if (scales >= 0)
      compare_granules(tensor, scales);
    else
      expect_scale("scale of parameter", scales_ / 2, engine_.state(slot).scale,
                   state_.parameter_scales[scales_]);
    expect_scale("scale of momentum", scales_ / 2, engine_.state(momentum_slot).scale,
                 state_.parameter_scales[scales_ + 1]);
    scales_ += 2;
  }
  /// Scales, then zero points; or exponents.
  void compare_granules(int16_t tensor, int16_t scales) {
    const Tensor& weights = engine_.plan().tensors[size_t(tensor)];
    const Format format = weights.format;
    const int32_t rows = engine_.plan().layers[size_t(weights.layer)].weight_rows();
    const size_t count = mantissa::granules(format, size_t(weights.elements), size_t(rows));
    const auto* bytes = reinterpret_cast<const uint8_t*>(engine_.bytes(scales).data());
    const auto word = [&](size_t at) { return unpack_code(bytes + at, 16, 0) & 0xFFFF; };
    for (size_t g = 0; g < count; ++g, ++granules_) {
      const int32_t(&expected)[3] = state_.granules[granules_];
      if (format.kind == FormatKind::kBfp) {
        expect("exponent", granules_, bytes[g], expected[1]);
        continue;
      }
      expect("mantissa of granule", granules_, word(8 * g) | word(8 * g + 2) << 16, expected[0]);
      expect("exponent of granule", granules_, word(8 * g + 4) | word(8 * g + 6) << 16, expected[1]);
      if (format.kind == FormatKind::kAsym)
        expect("zero point", granules_, unpack_code(bytes + 8 * count, 16, g), expected[2]);
    }
  }
  void compare_wire(int32_t i, const ChainWireScale& expected) {
    const PlanView& plan = engine_.plan();
    const bool is_loss = expected.layer == plan.summary.layers;
    const LayerPlan& l = plan.layers[size_t(is_loss ? 0 : expected.layer)];
    const Wire& wire = is_loss                  ? plan.summary.loss_wire
                       : expected.backward == 2 ? l.dy
                       : expected.backward == 1 ? l.dx
                                                : l.y;
    expect_scale("scale of wire", i, engine_.state(wire.slot).scale * wire.factor, expected.scale);
    if (expected.lowest[0] != 0)
      expect_scale("lowest value of wire", i, engine_.state(wire.below_slot).scale, expected.lowest);
  }

  const Engine& engine_;
  const ChainState& state_;
  ChainDifference difference_;
  int32_t codes_ = 0, scales_ = 0, granules_ = 0;
};

/// Ten batches from the start.
inline ChainDifference run_chain(ChainRun& memory, const Chain& chain, const ChainNetwork& network,
                                 int32_t micro_batch, const Kernels& kernels) {
  Result<Engine> bound = memory.bind(network, micro_batch, kernels);
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

/// All networks; `report` gets the golden run and where it was left.
template <class Report>
void run_chains(ChainRun& memory, int32_t micro_batch, const Kernels& kernels, Report&& report) {
  for (size_t i = 0; i < std::size(kChains); ++i)
    report(kChains[i], run_chain(memory, kChains[i], kNetworks[i], micro_batch, kernels));
  for (size_t i = 0; i < std::size(kKeptChains); ++i)
    report(kKeptChains[i], run_chain(memory, kKeptChains[i], kKeptNetworks[i], micro_batch, kernels));
  for (size_t i = 0; i < std::size(kTransposedChains); ++i)
    report(kTransposedChains[i],
           run_chain(memory, kTransposedChains[i], kTransposedNetworks[i], micro_batch, kernels));
  for (size_t i = 0; i < std::size(kImageChains); ++i)
    report(kImageChains[i], run_chain(memory, kImageChains[i], kImageNetworks[i], micro_batch, kernels));
  for (size_t i = 0; i < std::size(kGraphChains); ++i)
    report(kGraphChains[i], run_chain(memory, kGraphChains[i], kGraphNetworks[i], micro_batch, kernels));
  for (size_t i = 0; i < std::size(kPoolChains); ++i)
    report(kPoolChains[i], run_chain(memory, kPoolChains[i], kPoolNetworks[i], micro_batch, kernels));
}
inline constexpr size_t kAllChains = std::size(kChains) + std::size(kKeptChains) +
                                     std::size(kTransposedChains) + std::size(kImageChains) +
                                     std::size(kGraphChains) + std::size(kPoolChains);

}  // namespace mantissa::test
