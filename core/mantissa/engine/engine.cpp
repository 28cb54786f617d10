// Binding, initial state, batches: everything but the layers' own work.
#include "mantissa/engine/engine.hpp"

#include "mantissa/engine/engine-inl.hpp"
#include "mantissa/engine/kernels_for.hpp"

namespace mantissa {
namespace {

constexpr uint32_t kStreamsPerLayer = 8;  // weight and bias: initial values, updates, refits, gradients

}  // namespace

uint32_t parameter_stream(int16_t layer, ParameterStream which) {
  return uint32_t(layer) * kStreamsPerLayer + uint32_t(which);
}

Result<Engine> Engine::bind(const PlanView& plan, std::span<std::byte> arena, const Kernels& kernels,
                            Executor executor) {
  if (arena.size() < plan.summary.arena_bytes)
    return Error{.code = ErrorCode::kArenaTooSmall,
                 .found = int64_t(arena.size()),
                 .limit = int64_t(plan.summary.arena_bytes)};
  const size_t alignment = size_t(plan.summary.alignment);
  const size_t misaligned = reinterpret_cast<uintptr_t>(arena.data()) % alignment;
  if (misaligned != 0)
    return Error{
        .code = ErrorCode::kArenaMisaligned, .found = int64_t(misaligned), .limit = int64_t(alignment)};
  const GemmScratch& scratch = kernels.gemm->scratch;
  if (scratch.use != ScratchUse::kNone &&
      (plan.summary.scratch_use != scratch.use || plan.summary.alignment < scratch.alignment))
    return Error{
        .code = ErrorCode::kKernelMismatch, .found = plan.summary.alignment, .limit = scratch.alignment};
  if (!can_run(kernels, plan)) return Error{.code = ErrorCode::kKernelMissing};
  Engine engine;
  engine.plan_ = plan;
  engine.arena_ = arena.data();
  engine.kernels_ = &kernels;
  engine.executor_ = executor;
  for (size_t i = 0; i < plan.summary.arena_bytes; ++i) arena[i] = std::byte(0);
  engine.scales_ = engine.data<ScaleState>(plan.summary.scales_tensor);
  engine.scales_per_slot_ = plan.tensors[size_t(plan.summary.scales_tensor)].samples;
  for (size_t i = 0; i < engine.bytes(plan.summary.scales_tensor).size() / sizeof(ScaleState); ++i)
    engine.scales_[i] = ScaleState{};
  return engine;
}

std::span<std::byte> Engine::bytes(int16_t tensor) const {
  const Tensor& t = plan_.tensors[size_t(tensor)];
  return {arena_ + t.offset, t.bytes};
}

std::span<float> Engine::sample() const {
  const int16_t tensor = plan_.summary.sample_tensor;
  if (tensor < 0) return {};
  return {data<float>(tensor), bytes(tensor).size() / sizeof(float)};
}

void Engine::set_input_range(float largest) {
  if (plan_.summary.is_float || !(largest > 0.0f)) return;
  const Tensor& input = plan_.tensors[size_t(plan_.summary.input_tensor)];
  state(plan_.summary.input_wire.slot).scale =
      Scale::from_float(largest) / Scale::normalized(uint32_t(input.format.max_code()), 0);
}

void Engine::initialize(uint64_t seed) {
  progress_ = Progress{.seed = seed};
  for (int16_t i = 0; i < plan_.summary.layers; ++i) {
    const LayerPlan& l = plan_.layers[size_t(i)];
    if (!l.node.has_parameters()) continue;
    const bool is_norm = l.node.is_norm();
    if (l.running >= 0)
      for (int32_t c = 0; c < 2 * l.in.channels; ++c)
        data<float>(l.running)[c] = c < l.in.channels ? 0.0f : 1.0f;
    // 1 / sqrt(fan_in) with 30 bits below the point.
    const Scale bound = Scale::normalized(sqrt_floor((uint64_t(1) << 60) / uint32_t(l.fan_in)), -30);
    const Scale unit = bound / Scale::normalized(32767, 0);
    const auto fill = [&](int16_t tensor, int16_t slot, int32_t n, ParameterStream which) {
      if (tensor < 0) return;
      const RandomKey key = random_key(seed, 0, parameter_stream(i, which));
      const float one = which == ParameterStream::kWeightInit ? 1.0f : 0.0f;  // gamma; beta
      if (l.formats.parameter.is_float()) {
        const float step = unit.to_float();
        for (int32_t k = 0; k < n; ++k)
          data<float>(tensor)[k] = is_norm ? one : step * float(initial_code(key, k));
        return;
      }
      if (tensor == l.weight && l.layout == ParameterLayout::kGranules)
        return initialize_granules(l, bound, key);
      const CodeView view = code_view(l, tensor);
      const Scale scale =
          (is_norm ? Scale{} : bound) / Scale::normalized(uint32_t(view.range.high - view.range.high / 4), 0);
      state(slot).scale = scale;
      if (is_norm) {
        const int32_t code =
            rescale(int32_t(one), multiplier(Scale{} / scale), Rounding::kHalfAway, view.range);
        for (int32_t k = 0; k < n; ++k) store_code(view, uint32_t(k), code);
        state(slot).scale = scale;
        return;
      }
      const Multiplier by = multiplier(unit / scale);
      for (int32_t k = 0; k < n; ++k)
        store_code(view, uint32_t(k), rescale(initial_code(key, k), by, Rounding::kHalfAway, view.range));
    };
    fill(l.weight, l.weight_slot, l.weights, ParameterStream::kWeightInit);
    fill(l.bias, l.bias_slot, l.node.outputs, ParameterStream::kBiasInit);
  }
}

CodeView Engine::code_view(const LayerPlan& l, int16_t tensor) const {
  const Tensor& t = plan_.tensors[size_t(tensor)];
  CodeView view;
  view.bits = t.format.bits;
  view.range = symmetric_range(t.format.bits);
  view.data = arena_ + t.offset;
  if (l.layout == ParameterLayout::kOffset16 && t.role == Role::kWeight) {
    view.layout = CodeLayout::kOffset16;
    view.range = kOffsetRange;
  }
  return view;
}

float Engine::parameter_value(const LayerPlan& l, int16_t tensor, int32_t i) const {
  if (l.formats.parameter.is_float()) return data<float>(tensor)[i];
  if (tensor == l.weight && l.layout == ParameterLayout::kGranules)
    return dequantize(weight_view(l), size_t(i));
  const int16_t slot = tensor == l.weight ? l.weight_slot : l.bias_slot;
  return float(load_code(code_view(l, tensor), uint32_t(i))) * state(slot).scale.to_float();
}

void Engine::begin_batch(int32_t samples, const SgdSettings& settings, const float* x, Targets first) {
  training_ = true;
  settings_ = settings;
  batch_samples_ = samples;
  batch_offset_ = 0;
  if (plan_.summary.calibrates && !progress_.calibrated) calibrate(x, first);
  progress_.calibrated = true;
  weight_ = 0;
  float_weight_ = 0.0f;
  clear_gradients();
  for (int32_t i = 0; i < plan_.summary.first_step; ++i) run_step(plan_.steps[size_t(i)]);
}

BatchResult Engine::accumulate(const float* x, Targets targets, int32_t count) {
  x_ = x;
  targets_ = targets;
  count_ = count;
  result_ = {};
  for (int32_t i = plan_.summary.first_step; i < plan_.summary.steps; ++i)
    if (plan_.steps[size_t(i)].kind != StepKind::kUpdate) run_step(plan_.steps[size_t(i)]);
  batch_offset_ += count;
  return result_;
}

void Engine::end_batch() {
  for (const Step& step : plan_.steps)
    if (step.kind == StepKind::kUpdate) run_step(step);
  if (plan_.summary.calibrates) {
    const auto roll_own = [this](const Wire& wire, const Wire& source) {
      if (wire.has_own_scale(source)) roll(wire);
    };
    for (const LayerPlan& l : plan_.layers) {
      roll_own(l.y, l.x);
      roll_own(l.dx, l.dy);
      if (l.sums_errors) roll_own(l.dy, {});
    }
    roll_own(plan_.summary.loss_wire, {});
  }
  ++progress_.step;
  training_ = false;
}

BatchResult Engine::evaluate(const float* x, Targets targets, int32_t count, int32_t* predictions) {
  const bool was_training = training_;  // within a batch, what comes after goes on with it
  training_ = false;
  x_ = x;
  targets_ = targets;
  count_ = count;
  predictions_ = predictions;
  result_ = {};
  for (const Step& step : plan_.steps) {
    run_step(step);
    if (step.kind == StepKind::kLoss) break;
  }
  predictions_ = nullptr;
  training_ = was_training;
  return result_;
}

void Engine::run_step(const Step& step) {
  probed(step.kind, step.layer, [&] { execute(step); });
}

void Engine::execute(const Step& step) {
  const LayerPlan* l = step.layer >= 0 ? &plan_.layers[size_t(step.layer)] : nullptr;
  switch (step.kind) {
    case StepKind::kOperands: return make_operands(*l);
    case StepKind::kInput: return parallel(count_, 0, [this](int32_t s, int32_t) { load_input(s); });
    case StepKind::kForward: return run_forward(*l);
    case StepKind::kLoss: return run_loss(*l);
    case StepKind::kRead: return run_read(l->x);
    case StepKind::kReadOther: return run_read(wire_of(l->other));
    case StepKind::kSumErrors: return run_error_sum(step.layer);
    case StepKind::kBackward: return run_backward(*l);
    case StepKind::kGradient: return run_gradient(*l);
    case StepKind::kUpdate: return run_update(*l);
  }
}

/// Sets every delayed scale from one sample: each rounding runs twice, first to look, then to round.
void Engine::calibrate(const float* x, Targets first) {
  x_ = x;
  targets_ = first;
  count_ = 1;
  observing_ = true;
  clear_gradients();
  for (const Step& step : plan_.steps) {
    if (step.kind == StepKind::kUpdate) continue;
    run_step(step);
    const bool sums = step.kind == StepKind::kSumErrors, forward = step.kind == StepKind::kForward;
    if (!forward && !sums && step.kind != StepKind::kBackward) continue;
    const LayerPlan& l = plan_.layers[size_t(step.layer)];
    const Wire& wire = forward ? l.y : sums ? l.dy : l.dx;
    const Wire source = forward ? l.x : sums ? Wire{} : l.dy;
    if (!wire.has_own_scale(source) || is_dynamic(wire)) continue;
    roll(wire);
    run_step(step);
    state(wire.slot).saturated = 0;
    for (int16_t slot : {wire.slot, wire.below_slot})
      if (slot >= 0) state(slot).seen = 0;
  }
  observing_ = false;
}

/// scale = margin * seen / max_code, but no less than decay of the old one; unchanged where nothing was seen.
void Engine::roll(const Wire& wire) {
  if (is_dynamic(wire)) return;
  if (wire.below_slot >= 0) return roll_asym(wire);
  ScaleState& s = state(wire.slot);
  const int32_t max_code = plan_.tensors[size_t(wire.tensor)].format.max_code();
  if (s.seen > 0) s.scale = delayed_scale(plan_.summary, s, max_code, progress_.calibrated);
  s.seen = 0;
}

uint64_t Engine::saturated() const {
  uint64_t total = 0;
  const size_t count = bytes(plan_.summary.scales_tensor).size() / sizeof(ScaleState);
  for (size_t i = 0; i < count; ++i) total += data<ScaleState>(plan_.summary.scales_tensor)[i].saturated;
  return total;
}

uint64_t Engine::state_hash() const {
  Hash hash;
  const auto add_tensor = [&](int16_t tensor) {
    hash.add_bytes(reinterpret_cast<const uint8_t*>(bytes(tensor).data()), bytes(tensor).size());
  };
  const auto add_scale = [&](int16_t slot) {
    if (slot < 0) return;
    hash.add_u32(state(slot).scale.mantissa);
    hash.add_u32(uint32_t(state(slot).scale.exponent));
  };
  for (const LayerPlan& l : plan_.layers) {
    for (int16_t tensor : {l.weight, l.bias, l.weight_momentum, l.bias_momentum})
      if (tensor >= 0) add_tensor(tensor);
    for (int16_t tensor : {l.weight_scales, l.running})
      if (tensor >= 0) add_tensor(tensor);
    // The scale of operands made from float32 weights, or of those with many scales, follows from the weights.
    const bool has_scale = l.layout != ParameterLayout::kGranules;
    if (!l.formats.parameter.is_float())
      for (int16_t slot : {has_scale ? l.weight_slot : int16_t(-1), l.bias_slot, l.weight_momentum_slot,
                           l.bias_momentum_slot})
        add_scale(slot);
    for (const Wire& wire : {l.y, l.dx, l.sums_errors ? l.dy : Wire{}})
      if (!plan_.summary.is_float && wire.scaling == Scaling::kDelayed) {
        add_scale(wire.slot);
        add_scale(wire.below_slot);
      }
  }
  return hash.value();
}

}  // namespace mantissa
