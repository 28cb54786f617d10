// The update: momentum and parameters, and the scales they live in.
#include "mantissa/model/engine-inl.hpp"

namespace mantissa {

namespace {

constexpr int magnitude_bits(int64_t worst) {
  int bits = 0;
  while ((worst >> bits) != 0) ++bits;
  return bits;
}

}  // namespace

Engine::LayerUpdate Engine::prepare_update(const LayerPlan& l) const {
  LayerUpdate u;
  const PlanSummary& p = plan_.summary;
  const bool dynamic = !p.is_float && p.scaling == Scaling::kDynamic;
  if (!p.is_float && !dynamic) {
    u.weight_unit = wire_scale(l.dy, 0) * wire_scale(l.x, 0);
    u.bias_unit = wire_scale(l.dy, 0);
  }
  const Scale samples = Scale::normalized(uint32_t(batch_samples_), 0);
  const auto prepare = [&](int16_t tensor, int16_t slot, int16_t momentum, int16_t momentum_slot, Scale unit,
                           Element element, int shift, int64_t terms_worst, ParameterStream stream,
                           IntegerUpdate& integer, FloatUpdate& real, Scale& new_momentum) {
    if (tensor < 0) return;
    const bool stored_float = l.formats.parameter.is_float();
    const RandomKey key = random_key(progress_.seed, progress_.step,
                                     parameter_stream(plan_.tensors[size_t(tensor)].layer, stream));
    const CodeView codes = stored_float ? CodeView{} : code_view(l, tensor);
    if (!l.formats.gradient.is_float()) {
      integer.element = element;
      integer.sum_shift = shift;
      integer.parameters = codes;
      integer.rounding = p.parameter_rounding;
      integer.key = key;
      SgdScales scales{unit.shifted(shift) / samples, state(slot).scale, {}, {}};
      const SgdBits bits{magnitude_bits(terms_worst >> shift), codes.bits - 1, l.formats.momentum.bits - 1};
      if (momentum < 0) return set_plain_factors(integer, settings_, scales, bits);
      ScaleState& s = state(momentum_slot);
      scales.old_momentum = s.scale;
      new_momentum = s.seen > 0 ? delayed_scale(p, s, l.formats.momentum.max_code(), true) : s.scale;
      scales.new_momentum = new_momentum;
      integer.momentum = data<>(momentum);
      integer.momentum_element = element_of(l.formats.momentum);
      integer.momentum_range = symmetric_range(l.formats.momentum.bits);
      return set_momentum_factors(integer, settings_, scales, bits);
    }
    real.element = element;
    real.gain = p.is_float || dynamic ? 1.0f / float(batch_samples_) : (unit / samples).to_float();
    if (stored_float) {
      real.values = data<float>(tensor);
    } else {
      real.parameters = codes;
      real.scale = state(slot).scale.to_float();
      real.inverse_scale = (Scale{} / state(slot).scale).to_float();
    }
    real.momentum = momentum >= 0 ? data<float>(momentum) : nullptr;
    real.decay = settings_.momentum;
    real.pull = settings_.weight_decay;
    real.rate = settings_.lr;
    real.rounding = p.parameter_rounding;
    real.key = key;
  };
  const auto sum_element = [&](Element exact) { return p.is_float || dynamic ? Element::kFloat32 : exact; };
  const int64_t terms = int64_t(l.out.steps) * p.batch;
  const int64_t dy_max = p.is_float ? 0 : plan_.tensors[size_t(l.dy.tensor)].format.max_code();
  const int64_t x_max = p.is_float ? 0 : plan_.tensors[size_t(l.x.tensor)].format.max_code();
  prepare(l.weight, l.weight_slot, l.weight_momentum, l.weight_momentum_slot, u.weight_unit,
          sum_element(l.gradient.accumulator), l.gradient_shift, terms * dy_max * x_max,
          ParameterStream::kWeightUpdate, u.weight_integer, u.weight_float, u.weight_momentum);
  const Element bias_element = l.bias >= 0 ? plan_.tensors[size_t(l.bias_gradient)].element : Element::kInt32;
  prepare(l.bias, l.bias_slot, l.bias_momentum, l.bias_momentum_slot, u.bias_unit, sum_element(bias_element),
          0, terms * dy_max, ParameterStream::kBiasUpdate, u.bias_integer, u.bias_float, u.bias_momentum);
  return u;
}

/// Updates some output channels from their gradient sums.
void Engine::update_rows(const LayerPlan& l, const LayerUpdate& update, const void* sums, int32_t row,
                         int32_t rows, int32_t worker) {
  WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[worker];
  const auto merge = [](UpdateSeen& into, const UpdateSeen& seen) {
    into.momentum = seen.momentum > into.momentum ? seen.momentum : into.momentum;
    into.parameter = seen.parameter > into.parameter ? seen.parameter : into.parameter;
    into.momentum_saturated += seen.momentum_saturated;
    into.parameter_saturated += seen.parameter_saturated;
  };
  const auto apply = [&](IntegerUpdate integer, FloatUpdate real, const void* gradient, int32_t first,
                         int32_t count, UpdateSeen& seen) {
    integer.sums = real.sums = gradient;
    integer.first = real.first = uint32_t(first);
    integer.count = real.count = count;
    merge(seen,
          l.formats.gradient.is_float() ? kernels_->update_float(real) : kernels_->update_integer(integer));
  };
  apply(update.weight_integer, update.weight_float, sums, row * l.fan_in, rows * l.fan_in, counter.weight);
  if (l.bias < 0) return;
  const Tensor& bt = plan_.tensors[size_t(l.bias_gradient)];
  apply(update.bias_integer, update.bias_float, at(data<>(l.bias_gradient), bt.element, row), row, rows,
        counter.bias);
}

void Engine::run_update(const LayerPlan& l) {
  const LayerUpdate update = prepare_update(l);
  update_rows(l, update, data<>(l.weight_gradient), 0, l.node.outputs, 0);
  commit_update(l, update);
}

/// Calibration looks at the gradient of one sample, to give the momentum its first scale.
void Engine::observe_gradient(const LayerPlan& l, const void* sums, int32_t row, int32_t rows,
                              int32_t worker) {
  WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[worker];
  const auto look = [&](const void* values, Element element, int32_t count, UpdateSeen& seen) {
    FinishSums f;
    f.sums = const_cast<void*>(values);  // nothing is added, so nothing changes
    f.element = element;
    f.rows = 1;
    f.columns = f.stride = count;
    const uint64_t magnitude = kernels_->finish_sums(f);
    seen.momentum = magnitude > seen.momentum ? magnitude : seen.momentum;
  };
  look(sums, l.gradient.accumulator, rows * l.fan_in, counter.weight);
  if (l.bias < 0) return;
  const Tensor& bt = plan_.tensors[size_t(l.bias_gradient)];
  look(at(data<>(l.bias_gradient), bt.element, row), bt.element, rows, counter.bias);
}

/// After all rows: the momentum's scale, what saturated, and parameters that have outgrown their scale or shrunk in it.
void Engine::commit_update(const LayerPlan& l, const LayerUpdate& update) {
  UpdateSeen weight, bias;
  for (int32_t w = 0; w < plan_.summary.threads; ++w) {
    WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[w];
    const auto take = [](UpdateSeen& into, UpdateSeen& from) {
      into.momentum = from.momentum > into.momentum ? from.momentum : into.momentum;
      into.parameter = from.parameter > into.parameter ? from.parameter : into.parameter;
      into.momentum_saturated += from.momentum_saturated;
      into.parameter_saturated += from.parameter_saturated;
      from = {};
    };
    take(weight, counter.weight);
    take(bias, counter.bias);
  }
  const auto commit = [&](int16_t tensor, int16_t slot, int16_t momentum_slot, const UpdateSeen& seen,
                          Scale unit, Scale momentum) {
    if (tensor < 0 || l.formats.parameter.is_float()) return;
    const bool integer = !l.formats.gradient.is_float();
    if (integer && momentum_slot >= 0) {
      ScaleState& s = state(momentum_slot);
      s.saturated += uint32_t(seen.momentum_saturated);
      s.unit = observing_ ? unit : momentum;
      s.seen = seen.momentum;
      // All codes are still 0, so the first scale follows the gradient alone: a decay from `unit` would take long.
      const bool fits = observing_ && s.seen > 0;
      s.scale = fits ? delayed_scale(plan_.summary, s, l.formats.momentum.max_code(), false) : s.unit;
    }
    if (observing_) return;
    state(slot).saturated += uint32_t(seen.parameter_saturated);
    refit_parameters(l, tensor, slot, seen.parameter);
  };
  commit(l.weight, l.weight_slot, l.weight_momentum_slot, weight, update.weight_unit, update.weight_momentum);
  commit(l.bias, l.bias_slot, l.bias_momentum_slot, bias, update.bias_unit, update.bias_momentum);
}

/// Keeps the largest code between one half and 15/16 of the range: outside, the scale is chosen anew so that it lies at
/// three quarters, and all codes are rounded into it. Rare, since weights move slowly.
void Engine::refit_parameters(const LayerPlan& l, int16_t tensor, int16_t slot, uint64_t largest) {
  const CodeView view = code_view(l, tensor);
  const uint64_t high = uint64_t(view.range.high);
  if (largest == 0 || (largest * 16 <= high * 15 && largest * 2 >= high)) return;
  ScaleState& s = state(slot);
  const Scale fitted = s.scale * Scale::ratio(uint32_t(largest), uint32_t(high - high / 4));
  const Multiplier by = multiplier(s.scale / fitted);
  const bool is_weight = tensor == l.weight;
  const RandomKey key =
      random_key(progress_.seed, progress_.step,
                 parameter_stream(plan_.tensors[size_t(tensor)].layer,
                                  is_weight ? ParameterStream::kWeightRefit : ParameterStream::kBiasRefit));
  const int32_t n = is_weight ? l.weights : l.node.outputs;
  for (int32_t i = 0; i < n; ++i)
    store_code(view, uint32_t(i),
               rescale(load_code(view, uint32_t(i)), by, plan_.summary.parameter_rounding, view.range,
                       random16(key, uint32_t(i))));
  s.scale = fitted;
}

}  // namespace mantissa
