// plan(): from a model and a recipe to tensors, steps, offsets and proofs.
// One constexpr function for firmware (in the compiler) and host (at run time), hence the same plan and the same bits.
#pragma once
#include "mantissa/kernels/update.hpp"
#include "mantissa/model/formats.hpp"
#include "mantissa/model/placement.hpp"
#include "mantissa/model/proofs.hpp"
#include "mantissa/model/shapes.hpp"

namespace mantissa {

/// The state of one scale, in the arena. `seen` counts in units of `unit`.
struct ScaleState {
  Scale scale;             ///< of the codes
  Scale unit;              ///< of the accumulators that `seen` looked at
  uint64_t seen = 0;       ///< largest magnitude since the last batch began
  uint32_t saturated = 0;  ///< codes that did not fit, since bind
  uint32_t reserved = 0;
};

/// What one thread sees during a step.
struct WorkerCounter {
  Seen wire;
  UpdateSeen weight, bias;
};

namespace planning {

class Planner {
 public:
  constexpr Planner(const Model& model, const Recipe& recipe, const PlanOptions& options, PlanBuffers buffers)
      : model_(model), recipe_(recipe), options_(options), buffers_(buffers) {}

  constexpr Result<PlanSummary> run(std::span<int16_t> order) {
    if (Error e = check()) return e;
    if (Error e = make_layers()) return e;
    if (Error e = make_wires()) return e;
    make_parameters();
    if (Error e = make_products()) return e;
    make_steps();
    make_states();
    if (size_t(summary_.tensors) > order.size())
      return Error{.code = ErrorCode::kCapacity, .found = summary_.tensors};
    const int64_t bytes =
        place_tensors(buffers_.tensors.first(size_t(summary_.tensors)), order, options_.alignment);
    if (bytes > int64_t(UINT32_MAX))
      return Error{.code = ErrorCode::kArenaTooSmall, .found = bytes, .limit = UINT32_MAX};
    summary_.arena_bytes = uint32_t(bytes);
    return summary_;
  }

 private:
  constexpr bool training() const { return options_.mode == PlanMode::kTrain; }
  constexpr bool dynamic() const { return recipe_.scaling == Scaling::kDynamic; }
  constexpr int32_t count() const { return int32_t(model_.nodes.size()); }
  constexpr LayerPlan& layer(int32_t i) { return buffers_.layers[size_t(i)]; }
  constexpr Tensor& tensor(int32_t i) { return buffers_.tensors[size_t(i)]; }

  constexpr Error check() const {
    if (model_.nodes.empty()) return {.code = ErrorCode::kNoLayers};
    if (model_.nodes.size() > buffers_.layers.size())
      return {.code = ErrorCode::kTooManyLayers,
              .found = int64_t(model_.nodes.size()),
              .limit = int64_t(buffers_.layers.size())};
    if (options_.batch < 1 || options_.batch > shapes::kLargest)
      return {.code = ErrorCode::kBadBatch, .found = options_.batch};
    if (options_.micro_batch < 1 || options_.micro_batch > options_.batch)
      return {.code = ErrorCode::kBadBatch, .found = options_.micro_batch, .limit = options_.batch};
    if (model_.input.steps < 1 || model_.input.channels < 1 || model_.input.steps > shapes::kLargest ||
        model_.input.channels > shapes::kLargest ||
        int64_t(model_.input.steps) * model_.input.channels > shapes::kLargest)
      return {.code = ErrorCode::kBadShape, .found = model_.input.channels};
    return {};
  }

  constexpr Error make_layers() {
    const bool is_float = recipe_.formats.activation.is_float();
    summary_.input = model_.input;
    summary_.layers = count();
    summary_.batch = options_.batch;
    summary_.micro_batch = options_.micro_batch;
    summary_.threads = options_.threads;
    summary_.fused_update = options_.batch == options_.micro_batch;
    summary_.momentum = options_.momentum;
    summary_.mode = options_.mode;
    summary_.scaling = recipe_.scaling;
    summary_.wire_rounding = recipe_.wire_rounding;
    summary_.parameter_rounding = recipe_.parameter_rounding;
    summary_.margin = recipe_.margin;
    summary_.decay = recipe_.decay;
    summary_.is_float = is_float;
    Shape shape = model_.input;
    bool trainable_before = false, relu = false;
    for (int32_t i = 0; i < count(); ++i) {
      LayerPlan& l = layer(i);
      l = LayerPlan{};
      l.node = model_.nodes[size_t(i)];
      l.in = shape;
      l.formats = recipe_.at(i);
      Error e = infer_shape(l);
      if (!e && int64_t(l.out.steps) * l.out.channels > shapes::kLargest) e = shapes::bad_attribute(l.node.outputs);
      if (!e) e = check_formats(l.formats, is_float, recipe_.scaling);
      if (e) {
        e.layer = int16_t(i);
        return e;
      }
      l.relu_input = relu;
      relu = l.node.op == Op::kRelu || (l.node.op == Op::kFlatten && relu);
      l.passes_error = trainable_before;
      l.trains = training() && l.node.has_parameters() && l.node.training == Training::kTrainable;
      trainable_before = trainable_before || l.trains;
      const bool after_product =
          i > 0 && (layer(i - 1).node.has_parameters() || layer(i - 1).node.op == Op::kRelu);
      l.fused = l.node.op == Op::kFlatten || (l.node.op == Op::kRelu && after_product);
      if (l.node.op == Op::kRelu && after_product) layer(i - 1).relu_output = true;
      shape = l.out;
    }
    summary_.classes = shape.size();
    return check_logits();
  }

  /// The loss reads accumulators, so the last operation must make some.
  constexpr Error check_logits() {
    int32_t last = count() - 1;
    while (last > 0 && layer(last).node.op == Op::kFlatten) --last;
    const Op op = layer(last).node.op;
    if (op == Op::kRelu || op == Op::kMaxPool1d || op == Op::kFlatten)
      return {.code = ErrorCode::kUnsupported, .detail = Detail::kLossNeedsLogits, .layer = int16_t(last)};
    if (layer(count() - 1).out.steps != 1)
      return {.code = ErrorCode::kNotAClassifier,
              .layer = int16_t(count() - 1),
              .found = layer(count() - 1).out.steps};
    logits_layer_ = last;
    return {};
  }

  constexpr int16_t add_tensor(Role role, int32_t at, Format format, int64_t elements, int64_t samples = 1) {
    Tensor& t = tensor(summary_.tensors);
    t = Tensor{.role = role,
               .element = element_of(format),
               .format = format,
               .layer = int16_t(at),
               .samples = int32_t(samples),
               .elements = int32_t(elements)};
    t.first_step = INT16_MAX;
    return int16_t(summary_.tensors++);
  }

  constexpr void touch(int16_t id, int32_t step) {
    if (id < 0) return;
    Tensor& t = tensor(id);
    if (step < t.first_step) t.first_step = int16_t(step);
    if (step > t.last_step) t.last_step = int16_t(step);
  }

  constexpr int16_t new_slot() { return int16_t(summary_.slots++); }

  /// Activations from the input on, errors from the loss back.
  constexpr Error make_wires() {
    const Format input = count() > 0 ? layer(0).formats.activation : recipe_.formats.activation;
    Wire wire{
        add_tensor(Role::kActivation, -1, input, model_.input.size(), options_.micro_batch), new_slot(), {}};
    summary_.input_tensor = wire.tensor;
    summary_.input_wire = wire;
    for (int32_t i = 0; i < count(); ++i) {
      LayerPlan& l = layer(i);
      l.x = wire;
      if (i == logits_layer_) {
        const Format f = summary_.is_float ? float32_format() : sym_int32_format();
        wire = {add_tensor(Role::kLogits, i, f, l.out.size(), options_.micro_batch), -1, {}};
        summary_.logits_tensor = wire.tensor;
      } else if (l.node.op == Op::kMaxPool1d) {
        wire.tensor =
            add_tensor(Role::kActivation, i, tensor(wire.tensor).format, l.out.size(), options_.micro_batch);
      } else if (l.node.op != Op::kRelu && l.node.op != Op::kFlatten) {
        wire = {add_tensor(Role::kActivation, i, l.formats.activation, l.out.size(), options_.micro_batch),
                new_slot(),
                {}};
      }
      l.y = wire;
      if (l.node.op == Op::kConv1d) {
        tensor(l.x.tensor).halo_before = l.pad_left * l.in.channels;
        tensor(l.x.tensor).halo_after = l.pad_right * l.in.channels;
      }
    }
    if (training()) make_errors();
    return {};
  }

  constexpr void make_errors() {
    const LayerPlan& last = layer(logits_layer_);
    Wire wire{
        add_tensor(Role::kError, logits_layer_, last.formats.error, summary_.classes, options_.micro_batch),
        -1,
        {}};
    if (!summary_.is_float) wire.factor = Scale::ratio(1, uint32_t(last.formats.error.max_code()));
    for (int32_t i = count() - 1; i >= 0; --i) {
      LayerPlan& l = layer(i);
      if (!l.trains && !l.passes_error) break;
      l.dy = wire;
      if (l.node.op == Op::kConv1d && l.passes_error) {
        const int64_t reach = int64_t(l.node.kernel - 1) * l.node.dilation - l.pad_left;
        const int32_t last_step = (l.in.steps - 1 + l.pad_left) / l.node.stride;
        tensor(wire.tensor).halo_before =
            reach > 0 ? int32_t((reach + l.node.stride - 1) / l.node.stride) * l.out.channels : 0;
        tensor(wire.tensor).halo_after =
            last_step >= l.out.steps ? (last_step - l.out.steps + 1) * l.out.channels : 0;
      }
      if (!l.passes_error) break;
      const bool pools =
          l.node.op == Op::kMaxPool1d || l.node.op == Op::kAvgPool1d || l.node.op == Op::kGlobalAvgPool1d;
      if (l.node.has_parameters() || (pools && l.node.stride < l.node.kernel)) {
        const Format f = layer(i - 1).formats.error;
        wire = {add_tensor(Role::kError, i - 1, f, l.in.size(), options_.micro_batch), new_slot(), {}};
      } else if (pools) {
        wire.tensor =
            add_tensor(Role::kError, i - 1, tensor(wire.tensor).format, l.in.size(), options_.micro_batch);
        if (l.node.op != Op::kMaxPool1d) wire.factor = wire.factor * Scale::ratio(1, uint32_t(l.node.kernel));
      }
      l.dx = wire;
    }
  }

  constexpr void make_parameters() {
    for (int32_t i = 0; i < count(); ++i) {
      LayerPlan& l = layer(i);
      if (!l.node.has_parameters()) continue;
      const bool bias = l.node.bias == Bias::kPerOutput;
      summary_.parameters += l.weights + (bias ? l.node.outputs : 0);
      l.layout = parameter_layout(l.formats);
      l.weight = add_tensor(Role::kWeight, i, l.formats.parameter, l.weights);
      l.weight_slot = new_slot();
      if (bias) {
        l.bias = add_tensor(Role::kBias, i, l.formats.parameter, l.node.outputs);
        l.bias_slot = new_slot();
        if (!summary_.is_float)
          l.bias_operand = add_tensor(Role::kBiasOperand, i, sym_int32_format(), l.node.outputs,
                                      dynamic() ? options_.threads : 1);
      }
      if (!reads_in_place(l.formats))
        l.weight_operand = add_tensor(Role::kWeightOperand, i, l.formats.weight, l.weights);
      if (l.trains && options_.momentum) {
        l.weight_momentum = add_tensor(Role::kWeightMomentum, i, l.formats.momentum, l.weights);
        l.weight_momentum_slot = new_slot();
        if (bias) {
          l.bias_momentum = add_tensor(Role::kBiasMomentum, i, l.formats.momentum, l.node.outputs);
          l.bias_momentum_slot = new_slot();
        }
      }
    }
  }

  constexpr Error add_proof(Reduction reduction, int32_t at, int32_t terms, int32_t a, int32_t b,
                            int64_t extra, ProductPlan& product) {
    if (summary_.is_float) {
      product.accumulator = Element::kFloat32;
      return {};
    }
    Proof& proof = buffers_.proofs[size_t(summary_.proofs++)];
    proof = Proof{
        .reduction = reduction, .layer = int16_t(at), .terms = terms, .a_max = a, .b_max = b, .extra = extra};
    // Pools sum in 32 bits only: a window that needs more is longer than any sensor's.
    return prove_sum(proof, reduction == Reduction::kPool ? Accumulation::kInt32 : recipe_.accumulation,
                     product);
  }

  constexpr int32_t max_code(const Wire& wire) {
    return tensor(wire.tensor).format.is_float() ? 0 : tensor(wire.tensor).format.max_code();
  }

  constexpr Error make_products() {
    for (int32_t i = 0; i < count(); ++i) {
      LayerPlan& l = layer(i);
      const bool averages = l.node.op == Op::kAvgPool1d || l.node.op == Op::kGlobalAvgPool1d;
      Error e{};
      if (l.node.has_parameters()) {
        e = make_forward(i, l);
        if (!e && l.passes_error) e = make_backward(i, l);
        if (!e && l.trains) e = make_gradient(i, l);
      } else if (averages || l.node.op == Op::kMaxPool1d) {
        e = make_pool(i, l, averages);
      }
      if (e) return e;
    }
    return {};
  }

  /// A tile of accumulators per thread. Float sums and logits need none: they are made where they stay.
  constexpr void add_tile(int32_t at, ProductPlan& p, int32_t columns, int32_t rows, bool whole) {
    const int64_t row_bytes = int64_t(columns) * int64_t(element_bytes(p.accumulator));
    int64_t fit = options_.tile_bytes / row_bytes;
    if (fit < 1) fit = 1;
    p.tile_rows = whole || fit > rows ? rows : int32_t(fit);
    if (summary_.is_float) return;
    p.tile =
        add_tensor(Role::kTile, at, sym_int32_format(), int64_t(columns) * p.tile_rows, options_.threads);
    tensor(p.tile).element = p.accumulator;
  }

  constexpr void add_packed(int32_t at, ProductPlan& p, const GemmShape& shape, Element a, Element b,
                            int64_t copies) {
    if (options_.scratch_bytes == nullptr) return;
    const size_t bytes =
        (options_.scratch_bytes(shape, a, b) + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    if (bytes == 0) return;
    p.packed = add_tensor(Role::kPacked, at, sym_format(8), int64_t(bytes), copies);
  }

  constexpr Error make_forward(int32_t i, LayerPlan& l) {
    const int32_t a = max_code(l.x), b = summary_.is_float ? 0 : l.formats.weight.max_code();
    const int64_t room = l.bias >= 0 ? kBiasRoom : 0;
    if (Error e = add_proof(Reduction::kForward, i, l.fan_in, a, b, room, l.forward)) return e;
    const int64_t left = kInt32Max - int64_t(l.fan_in) * a * b;
    l.bias_limit = int32_t(left > 1 << 30 || l.forward.accumulator == Element::kInt64 ? 1 << 30 : left);
    const bool is_linear = l.node.op == Op::kLinear;
    if (i == logits_layer_ && l.forward.accumulator == Element::kInt64)
      while (((int64_t(l.fan_in) * a * b + l.bias_limit) >> l.logits_shift) > kInt32Max) ++l.logits_shift;
    add_tile(i, l.forward, l.node.outputs, is_linear ? options_.micro_batch : l.out.steps,
             dynamic() && !is_linear);
    if (dynamic() && is_linear) l.forward.tile_rows = 1;
    const int32_t taps = l.flat_window() ? 1 : l.node.kernel;
    add_packed(i, l.forward, {l.forward.tile_rows, l.node.outputs / l.node.groups, taps, l.fan_in / taps},
               tensor(l.x.tensor).element, weight_element(l), l.node.groups);
    return {};
  }

  constexpr Error make_backward(int32_t i, LayerPlan& l) {
    const int32_t terms = l.node.kernel * (l.node.outputs / l.node.groups);
    const int32_t b = summary_.is_float ? 0 : l.formats.weight.max_code();
    if (Error e = add_proof(Reduction::kBackward, i, terms, max_code(l.dy), b, 0, l.backward)) return e;
    const bool is_linear = l.node.op == Op::kLinear;
    const bool whole = !is_linear && (dynamic() || l.node.stride > 1);
    add_tile(i, l.backward, l.in.channels, is_linear ? options_.micro_batch : l.in.steps, whole);
    if (dynamic() && is_linear) l.backward.tile_rows = 1;
    add_packed(
        i, l.backward,
        {l.backward.tile_rows, l.in.channels / l.node.groups, l.node.kernel, l.node.outputs / l.node.groups},
        tensor(l.dy.tensor).element, weight_element(l), int64_t(l.node.groups) * l.node.stride);
    return {};
  }

  /// dw over a batch (scales constant over it) or over a sample (dynamic); db likewise.
  constexpr Error make_gradient(int32_t i, LayerPlan& l) {
    const int64_t terms = int64_t(l.out.steps) * (dynamic() ? 1 : options_.batch);
    if (terms > INT32_MAX)
      return {.code = ErrorCode::kBadBatch, .layer = int16_t(i), .found = options_.batch};
    if (Error e =
            add_proof(Reduction::kGradient, i, int32_t(terms), max_code(l.dy), max_code(l.x), 0, l.gradient))
      return e;
    ProductPlan bias_product;
    if (l.bias >= 0)
      if (Error e =
              add_proof(Reduction::kBiasGradient, i, int32_t(terms), max_code(l.dy), 1, 0, bias_product))
        return e;
    if (l.gradient.accumulator == Element::kInt64) {
      const int64_t worst = terms * max_code(l.dy) * max_code(l.x);
      while ((worst >> l.gradient_shift) >= int64_t(1) << 30) ++l.gradient_shift;
    }
    const bool float_sums = summary_.is_float || dynamic();
    Format sums = float_sums ? float32_format() : sym_int32_format();
    if (l.bias >= 0) {
      l.bias_gradient = add_tensor(Role::kBiasGradient, i, sums, l.node.outputs);
      if (!float_sums) tensor(l.bias_gradient).element = bias_product.accumulator;
    }
    const bool is_linear = l.node.op == Op::kLinear;
    const int64_t row_bytes = int64_t(l.fan_in) * int64_t(element_bytes(l.gradient.accumulator));
    int64_t rows = options_.tile_bytes / row_bytes;
    const int64_t share = (l.node.outputs + options_.threads - 1) / options_.threads;
    rows = rows < 1 ? 1 : rows > share ? share : rows;
    l.gradient.tile_rows = int32_t(rows);
    if (!summary_.fused_update) {
      l.weight_gradient = add_tensor(Role::kWeightGradient, i, sums, l.weights);
      if (!float_sums) tensor(l.weight_gradient).element = l.gradient.accumulator;
    }
    if (summary_.fused_update || dynamic()) {
      l.gradient.tile = add_tensor(Role::kTile, i, sym_int32_format(), rows * l.fan_in, options_.threads);
      tensor(l.gradient.tile).element = l.gradient.accumulator;
      if (summary_.fused_update && dynamic() && !summary_.is_float)
        l.float_tile = add_tensor(Role::kTile, i, float32_format(), rows * l.fan_in, options_.threads);
    }
    const bool flat = l.flat_window();
    const int32_t inner =
        is_linear ? (dynamic() && !summary_.is_float ? 1 : options_.micro_batch) : l.out.steps;
    add_packed(i, l.gradient, {l.gradient.tile_rows, flat ? l.fan_in : l.fan_in / l.node.kernel, 1, inner},
               tensor(l.dy.tensor).element, tensor(l.x.tensor).element, options_.threads);
    return {};
  }

  constexpr Error make_pool(int32_t i, LayerPlan& l, bool averages) {
    if (averages) {
      if (Error e = add_proof(Reduction::kPool, i, l.node.kernel, max_code(l.x), 1, 0, l.forward)) return e;
      if (i != logits_layer_) add_tile(i, l.forward, l.out.channels, l.out.steps, dynamic());
    }
    if (l.passes_error && l.node.stride < l.node.kernel) {
      const int32_t windows = (l.node.kernel + l.node.stride - 1) / l.node.stride;
      if (Error e = add_proof(Reduction::kPool, i, windows, max_code(l.dy), 1, 0, l.backward)) return e;
      add_tile(i, l.backward, l.in.channels, l.in.steps, true);
    }
    return {};
  }

  constexpr Element weight_element(const LayerPlan& l) const { return element_of(l.formats.weight); }

  constexpr int32_t add_step(StepKind kind, int32_t at) {
    buffers_.steps[size_t(summary_.steps)] = {kind, int16_t(at)};
    return summary_.steps++;
  }

  constexpr void make_steps() {
    for (int32_t i = 0; i < count(); ++i)
      if (layer(i).weight_operand >= 0) touch(layer(i).weight_operand, add_step(StepKind::kOperands, i));
    summary_.first_step = summary_.steps;
    touch(summary_.input_tensor, add_step(StepKind::kInput, -1));
    for (int32_t i = 0; i < count(); ++i)
      if (!layer(i).fused) add_forward_step(i);
    const int32_t loss = add_step(StepKind::kLoss, logits_layer_);
    touch(summary_.logits_tensor, loss);
    touch(layer(logits_layer_).dy.tensor, loss);
    for (int32_t i = count() - 1; training() && i >= 0; --i) {
      const LayerPlan& l = layer(i);
      if (l.passes_error && l.node.op != Op::kRelu && l.node.op != Op::kFlatten) add_backward_step(i);
      if (l.trains) add_gradient_step(i);
    }
    for (int32_t i = 0; i < count(); ++i)
      if (layer(i).trains && !summary_.fused_update) add_step(StepKind::kUpdate, i);
    hold_durable();
  }

  constexpr void add_forward_step(int32_t i) {
    LayerPlan& l = layer(i);
    const int32_t step = add_step(StepKind::kForward, i);
    for (int16_t id :
         {l.x.tensor, l.y.tensor, l.forward.tile, l.forward.packed, l.bias_operand, l.weight_operand})
      touch(id, step);
  }
  constexpr void add_backward_step(int32_t i) {
    LayerPlan& l = layer(i);
    const int32_t step = add_step(StepKind::kBackward, i);
    for (int16_t id : {l.dy.tensor, l.dx.tensor, l.backward.tile, l.backward.packed, l.weight_operand})
      touch(id, step);
    if (l.relu_input || l.node.op == Op::kMaxPool1d) touch(l.x.tensor, step);
  }
  constexpr void add_gradient_step(int32_t i) {
    LayerPlan& l = layer(i);
    const int32_t step = add_step(StepKind::kGradient, i);
    for (int16_t id : {l.dy.tensor, l.x.tensor, l.gradient.tile, l.gradient.packed, l.float_tile,
                       l.weight_gradient, l.bias_gradient})
      touch(id, step);
  }

  /// What outlives a micro-batch is alive in all of its steps.
  constexpr void hold_durable() {
    for (int32_t i = 0; i < count(); ++i) {
      const LayerPlan& l = layer(i);
      for (int16_t id : {l.weight, l.bias, l.weight_momentum, l.bias_momentum}) hold(id);
      if (summary_.fused_update) continue;
      hold(l.weight_operand);
      hold(l.weight_gradient);
      hold(l.bias_gradient);
    }
  }
  constexpr void hold(int16_t id) {
    touch(id, 0);
    touch(id, summary_.steps - 1);
  }

  constexpr void make_states() {
    const int64_t per_slot = dynamic() && !summary_.is_float ? options_.micro_batch : 1;
    summary_.scales_tensor =
        add_tensor(Role::kScales, -1, sym_format(8), int64_t(sizeof(ScaleState)) * summary_.slots, per_slot);
    summary_.counters_tensor =
        add_tensor(Role::kCounters, -1, sym_format(8), int64_t(sizeof(WorkerCounter)), options_.threads);
    hold(summary_.scales_tensor);
    hold(summary_.counters_tensor);
    for (int32_t i = 0; i < summary_.tensors; ++i) {
      Tensor& t = tensor(i);
      const bool packed = t.role == Role::kWeight || t.role == Role::kBias;
      const int64_t bytes = packed
                                ? int64_t(packed_bytes(size_t(t.elements), t.format.bits))
                                : int64_t(t.samples) * t.sample_stride() * int64_t(element_bytes(t.element));
      t.bytes = uint32_t(bytes > INT32_MAX ? INT32_MAX : bytes);
    }
  }

  const Model& model_;
  const Recipe& recipe_;
  const PlanOptions& options_;
  PlanBuffers buffers_;
  PlanSummary summary_{};
  int32_t logits_layer_ = 0;
};

}  // namespace planning

/// Compiles a model for a recipe into the caller's arrays (sizes: max_tensors, max_steps, max_proofs of the number of
/// layers; order: as long as tensors). Errors name the layer and what would fit.
constexpr Result<PlanSummary> plan_into(const Model& model, const Recipe& recipe, const PlanOptions& options,
                                        PlanBuffers buffers, std::span<int16_t> order) {
  return planning::Planner(model, recipe, options, buffers).run(order);
}

/// A plan of known capacity: an aggregate, so that a constant one lies in flash.
template <size_t kLayers>
struct Plan {
  PlanSummary summary;
  LayerPlan layers[kLayers];
  Tensor tensors[max_tensors(kLayers)];
  Step steps[max_steps(kLayers)];
  Proof proofs[max_proofs(kLayers)];

  constexpr PlanView view() const {
    return {summary, std::span(layers).first(size_t(summary.layers)),
            std::span(tensors).first(size_t(summary.tensors)), std::span(steps).first(size_t(summary.steps)),
            std::span(proofs).first(size_t(summary.proofs))};
  }
};

/// plan() in a constant expression:  constexpr auto kPlan = plan(kModel, int8_recipe(), {.batch = 16}).value;
template <size_t kLayers>
constexpr Result<Plan<kLayers>> plan(const StaticModel<kLayers>& model, const Recipe& recipe,
                                     const PlanOptions& options = {}) {
  Result<Plan<kLayers>> result;
  Plan<kLayers>& p = result.value;
  int16_t order[max_tensors(kLayers)] = {};
  const Result<PlanSummary> made =
      plan_into(model, recipe, options, {p.layers, p.tensors, p.steps, p.proofs}, order);
  result.error = made.error;
  p.summary = made.value;
  return result;
}

}  // namespace mantissa
