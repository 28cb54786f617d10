// The update: momentum and parameters, and the scales they live in.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {
Engine::LayerUpdate Engine::prepare_update(const LayerPlan& l) const {
  LayerUpdate u;
  const bool exact = !plan_.summary.is_float && plan_.summary.scaling == Scaling::kDelayed;
  const Scale dy = exact ? wire_scale(l.dy, 0) : Scale{};
  u.weight = {.tensor = l.weight,
              .slot = l.weight_slot,
              .momentum = l.weight_momentum,
              .momentum_slot = l.weight_momentum_slot,
              .sums = exact ? l.gradient.accumulator : Element::kFloat32,
              .sum_shift = l.gradient_shift,
              .stream = ParameterStream::kWeightUpdate,
              .unit = exact ? gradient_unit(l, 0) : Scale{}};
  u.bias = {.tensor = l.bias,
            .slot = l.bias_slot,
            .momentum = l.bias_momentum,
            .momentum_slot = l.bias_momentum_slot,
            .sums = l.bias >= 0 ? plan_.tensors[size_t(l.bias_sums)].element : Element::kInt32,
            .stream = ParameterStream::kBiasUpdate,
            .unit = dy};
  for (ParameterUpdate* each : {&u.weight, &u.bias}) {
    if (each->tensor < 0) continue;
    updates_exactly(l.formats) ? prepare_integer(l, *each) : prepare_float(l, *each);
    if (has_granules(l, *each) || l.formats.parameter.is_float())
      continue;  // each granule has factors of its own
    set_factors(l, *each, code_view(l, each->tensor), state(each->slot).scale);
  }
  return u;
}

bool Engine::has_granules(const LayerPlan& l, const ParameterUpdate& u) const {
  return l.layout == ParameterLayout::kGranules && u.tensor == l.weight;
}

/// What depends on the scale of the parameters, or of some of them.
void Engine::set_factors(const LayerPlan& l, ParameterUpdate& u, const CodeView& codes, Scale scale) const {
  if (!updates_exactly(l.formats)) {
    u.real.parameters = codes;
    u.real.scale = scale.to_float();
    u.real.inverse_scale = (Scale{} / scale).to_float();
    return;
  }
  IntegerUpdate& integer = u.integer;
  integer.parameters = codes;
  if (u.momentum < 0) return set_plain_factors(integer, settings_, {u.mean, scale, {}});
  const ScaleState& s = state(u.momentum_slot);
  set_momentum_factors(integer, settings_, {u.mean, scale, s.unit.shifted(-integer.momentum_drop)},
                       s.scale.exponent - s.unit.exponent);
}

void Engine::prepare_integer(const LayerPlan& l, ParameterUpdate& u) const {
  IntegerUpdate& integer = u.integer;
  integer.element = u.sums;
  integer.sum_shift = u.sum_shift;
  integer.rounding = l.formats.parameter_rounding;
  integer.key = update_key(u);
  u.mean = u.unit.shifted(u.sum_shift) / batch_divisor();
  integer.looks = progress_.step % kLookPeriod == kLookPeriod - 1;
  if (u.momentum < 0) return;
  integer.momentum = data<>(u.momentum);
  integer.momentum_element = element_of(l.formats.momentum);
  integer.momentum_range = momentum_range(l.formats.momentum.bits);
  integer.momentum_drop = momentum_drop(l.formats.momentum.bits);
}

/// What float32 gradient sums of a batch are multiplied by.
float Engine::per_sample() const {
  const PlanSummary& p = plan_.summary;
  if (p.loss_settings.reduction == LossReduction::kSum) return 1.0f;
  if (!p.is_soft()) return 1.0f / float(batch_samples_);
  if (!p.is_float) return (Scale{} / batch_divisor()).to_float();
  return float_weight_ > 0.0f ? 1.0f / float_weight_ : 1.0f;
}

void Engine::prepare_float(const LayerPlan& l, ParameterUpdate& u) const {
  FloatUpdate& real = u.real;
  real.element = u.sums;
  real.gain = u.sums == Element::kFloat32 ? per_sample() : (u.unit / batch_divisor()).to_float();
  if (l.formats.parameter.is_float()) real.values = data<float>(u.tensor);
  real.momentum = u.momentum >= 0 ? data<float>(u.momentum) : nullptr;
  real.decay = settings_.momentum;
  real.pull = settings_.weight_decay;
  real.rate = settings_.lr;
  real.rounding = l.formats.parameter_rounding;
  real.key = update_key(u);
}

RandomKey Engine::update_key(const ParameterUpdate& u) const {
  const int16_t layer = plan_.tensors[size_t(u.tensor)].layer;
  return random_key(progress_.seed, progress_.step, parameter_stream(layer, u.stream));
}

/// Updates elements of one tensor from their gradient sums, or, without `sums`, rows of a Linear from the operands of one sample.
UpdateSeen Engine::apply_update(const LayerPlan& l, const ParameterUpdate& u, const void* sums, int32_t first,
                                int32_t count) {
  return has_granules(l, u) ? update_granules(l, u, sums, first, count)
                            : apply_part(l, u, sums, first, count);
}

UpdateSeen Engine::apply_part(const LayerPlan& l, const ParameterUpdate& u, const void* sums, int32_t first,
                              int32_t count) {
  if (updates_exactly(l.formats)) {
    IntegerUpdate integer = u.integer;
    integer.sums = sums;
    if (sums == nullptr)
      integer.outer = {data<int8_t>(l.dy.tensor) + first / l.fan_in, data<int8_t>(l.x.tensor), l.fan_in};
    integer.first = uint32_t(first);
    integer.count = count;
    return kernels_->update_integer(integer);
  }
  FloatUpdate real = u.real;
  real.sums = sums;
  real.first = uint32_t(first);
  real.count = count;
  return kernels_->update_float(real);
}

/// Updates the parameters of a share.
void Engine::update_rows(const LayerPlan& l, const LayerUpdate& update, const void* sums, const Share& share,
                         int32_t worker) {
  WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[worker];
  counter.weight.merge(apply_update(l, update.weight, sums, share.row * l.fan_in, share.rows * l.fan_in));
  if (l.bias < 0 || share.biases == 0) return;
  counter.bias.merge(apply_update(l, update.bias, at(data<>(l.bias_sums), update.bias.sums, share.bias),
                                  share.bias, share.biases));
}

void Engine::run_update(const LayerPlan& l) {
  const LayerUpdate update = prepare_update(l);
  WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[0];
  GradientGrid* grids = l.gradient_scales >= 0 ? data<GradientGrid>(l.gradient_scales) : nullptr;
  counter.weight.merge(l.coded_weight_gradient
                           ? update_from_codes(l, update.weight, l.weight_gradient, grids, l.weight_rows(),
                                               l.weight_gradient_slot)
                           : apply_update(l, update.weight, data<>(l.weight_gradient), 0, l.weights));
  if (l.bias >= 0)
    counter.bias.merge(
        l.coded_bias_gradient
            ? update_from_codes(l, update.bias, l.bias_gradient, &bias_grid(l), 1, l.bias_gradient_slot)
            : apply_update(l, update.bias, data<>(l.bias_gradient), 0, l.node.outputs));
  commit_update(l, update);
}

/// Calibration looks at the gradient of one sample, to give the momentum its first scale.
void Engine::observe_gradient(const LayerPlan& l, const void* sums, const Share& share, int32_t worker) {
  WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[worker];
  const auto look = [&](const void* values, Element element, int32_t count, UpdateSeen& seen) {
    FinishSums f;
    f.sums = const_cast<void*>(values);  // nothing is added, so nothing changes
    f.element = element;
    f.rows = 1;
    f.columns = f.stride = count;
    const uint64_t magnitude = kernels_->finish_sums(f);
    seen.gradient = magnitude > seen.gradient ? magnitude : seen.gradient;
  };
  look(sums, l.gradient.accumulator, share.rows * l.fan_in, counter.weight);
  if (l.bias < 0 || share.biases == 0) return;
  const Tensor& bt = plan_.tensors[size_t(l.bias_sums)];
  look(at(data<>(l.bias_sums), bt.element, share.bias), bt.element, share.biases, counter.bias);
}

/// After all rows: what the threads saw.
void Engine::commit_update(const LayerPlan& l, const LayerUpdate& update) {
  UpdateSeen weight, bias;
  for (int32_t w = 0; w < plan_.summary.threads; ++w) {
    WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[w];
    weight.merge(counter.weight);
    bias.merge(counter.bias);
    counter.weight = counter.bias = {};
  }
  if (l.formats.parameter.is_float()) return;
  commit_parameter(l, update.weight, weight);
  if (l.bias >= 0) commit_parameter(l, update.bias, bias);
}

/// The gradient of one sample takes an eighth of the momentum's range: with the usual decays sums of it fit.
Scale Engine::first_momentum_scale(const LayerPlan& l, Scale unit, uint64_t largest) {
  const int32_t high = momentum_range(l.formats.momentum.bits).high;
  return largest == 0 ? unit
                      : Scale::normalized(largest, 0) * unit / Scale::normalized(uint32_t(high + 1) / 8, 0);
}

/// Twice the scale, or more, if a momentum did not fit or the largest sum alone would take over half of the range: samples that
/// move much come in spikes, and a range that forgot them would clip each one. Half of it if a look found room.
Scale Engine::next_momentum_scale(const LayerPlan& l, const ParameterUpdate& u,
                                  const UpdateSeen& seen) const {
  const Scale scale = state(u.momentum_slot).scale;
  const uint32_t range = uint32_t(momentum_range(l.formats.momentum.bits).high) + 1;
  int32_t doublings = seen.momentum_saturated != 0 ? 1 : 0;
  if (seen.gradient > 0) {
    const Scale wanted = Scale::normalized(seen.gradient, 0) * u.mean / Scale::normalized(range / 2, 0);
    const int32_t needed = wanted.exponent - scale.exponent + (wanted.mantissa > scale.mantissa ? 1 : 0);
    doublings = needed > doublings ? needed : doublings;
  }
  const Gain& gain = u.integer.gain;
  const bool has_room = gain.shift > 0 || gain.q < Gain::kLimit / 4;  // half of the scale doubles the gain
  const bool shrinks = u.integer.looks && has_room && seen.momentum > 0 && seen.momentum < range / 4;
  return scale.shifted(doublings > 0 ? doublings : shrinks ? -1 : 0);
}

/// The momentum's scale, what saturated, and parameters that have outgrown their scale or shrunk in it.
void Engine::commit_parameter(const LayerPlan& l, const ParameterUpdate& u, const UpdateSeen& seen) {
  if (updates_exactly(l.formats) && u.momentum >= 0) {
    ScaleState& s = state(u.momentum_slot);
    s.saturated += seen.momentum_saturated;
    s.scale = observing_ ? first_momentum_scale(l, u.unit, seen.gradient) : s.unit;
    s.unit = observing_ ? s.scale : next_momentum_scale(l, u, seen);
  }
  if (observing_) return;
  state(u.slot).saturated += seen.parameter_saturated;
  if (has_granules(l, u)) {
    const bool looked = !updates_exactly(l.formats) || u.integer.looks;
    if (looked) refit_granules(l);
    return;
  }
  refit_parameters(l, u.tensor, u.slot, seen);
}

/// Keeps the largest code between one half and 15/16 of the range: outside, the scale is chosen anew so that it lies at
/// three quarters, or at three eighths if codes lie at the end of the range and want beyond it, and all codes are
/// rounded into it. Rare, since weights move slowly.
void Engine::refit_parameters(const LayerPlan& l, int16_t tensor, int16_t slot, const UpdateSeen& seen) {
  const CodeView view = code_view(l, tensor);
  const uint32_t high = uint32_t(view.range.high), largest = seen.parameter;
  if (largest == 0 || (largest * 16 <= high * 15 && largest * 2 >= high)) return;
  const uint32_t wanted = seen.parameter_saturated > 0 ? (high - high / 4) / 2 : high - high / 4;
  ScaleState& s = state(slot);
  const Scale fitted = s.scale * Scale::ratio(largest, wanted);
  const Multiplier by = multiplier(s.scale / fitted);
  const bool is_weight = tensor == l.weight;
  const RandomKey key =
      random_key(progress_.seed, progress_.step,
                 parameter_stream(plan_.tensors[size_t(tensor)].layer,
                                  is_weight ? ParameterStream::kWeightRefit : ParameterStream::kBiasRefit));
  const int32_t n = is_weight ? l.weights : l.node.outputs;
  for (int32_t i = 0; i < n; ++i)
    store_code(view, uint32_t(i),
               rescale(load_code(view, uint32_t(i)), by, l.formats.parameter_rounding, view.range,
                       random16(key, uint32_t(i))));
  s.scale = fitted;
}

}  // namespace mantissa
