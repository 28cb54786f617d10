// Forward: samples to codes, products and pools to wires.
#include "mantissa/model/engine-inl.hpp"
#include "mantissa/num/float_bits.hpp"

namespace mantissa {

void Engine::clear_halo(int16_t tensor, int32_t sample) const {
  const Tensor& t = plan_.tensors[size_t(tensor)];
  const ptrdiff_t width = ptrdiff_t(element_bytes(t.element));
  std::byte* first = data<std::byte>(tensor, sample);
  for (ptrdiff_t i = -t.halo_before * width; i < 0; ++i) first[i] = std::byte(0);
  std::byte* end = first + t.elements * width;
  for (ptrdiff_t i = 0; i < t.halo_after * width; ++i) end[i] = std::byte(0);
}

/// The codes of a wire into the tensor of another one of the same element.
void Engine::copy_sample(const Wire& from, const Wire& to, int32_t sample) const {
  const Tensor& t = plan_.tensors[size_t(to.tensor)];
  const std::byte* x = data<std::byte>(from.tensor, sample);
  std::byte* y = data<std::byte>(to.tensor, sample);
  for (size_t i = 0; i < size_t(t.elements) * element_bytes(t.element); ++i) y[i] = x[i];
  clear_halo(to.tensor, sample);
}

Scale Engine::wire_scale(const Wire& wire, int32_t sample) const {
  const Scale s =
      wire.slot < 0 ? wire.factor : state(wire.slot, is_dynamic(wire) ? sample : 0).scale * wire.factor;
  return training_ ? s * wire.training_factor : s;
}

/// Of the operands. Stored codes wider than the operand lose their lower bits, so an operand's step is larger. Operands of float32
/// weights, and of those with many scales, have a scale of their own.
Scale Engine::weight_scale(const LayerPlan& l) const {
  const Scale stored = state(l.weight_slot).scale;
  const bool is_plain = l.layout == ParameterLayout::kPacked || l.layout == ParameterLayout::kOffset16;
  return is_plain ? stored.shifted(l.formats.parameter.bits - l.formats.weight.bits) : stored;
}

/// One unit of a layer's forward accumulator.
Scale Engine::forward_unit(const LayerPlan& l, int32_t sample) const {
  if (plan_.summary.is_float) return {};
  const Scale x = wire_scale(l.x, sample);
  if (l.node.is_norm()) return weight_scale(l).shifted(-norm_bits(l));
  if (l.node.op == Op::kQuantize || l.node.op == Op::kRelu6) return x;
  if (l.node.op == Op::kLeakyRelu) return x.shifted(-kSlopeBits);
  if (l.node.takes_two()) return join_unit(l, sample);
  if (l.node.is_bounded()) return wire_scale(l.y, sample);
  return l.node.has_parameters() ? x * weight_scale(l)
                                 : x / Scale::normalized(uint32_t(forward_divisor(l)), 0);
}

void* Engine::scratch(const ProductPlan& product, int32_t operand, int32_t worker) const {
  if (product.packed < 0) return nullptr;
  return data<>(product.packed, plan_.summary.scratch_use == ScratchUse::kOperand ? operand : worker);
}

GemmOperand Engine::weight_operand(const LayerPlan& l) const {
  const int16_t tensor = l.weight_operand >= 0 ? l.weight_operand : l.weight;
  const std::byte* first = arena_ + plan_.tensors[size_t(tensor)].offset;
  const Element element = element_of(l.formats.weight);
  if (l.layout == ParameterLayout::kOffset16) return {first + 1, element, 0, 0, 2};  // the upper bytes
  return {first, element, 0, 0, 1};
}

/// The operand of groups has room for twice the largest sum: their codes may be rounded up, by half of a large step.
void Engine::set_dynamic_scale(const Wire& wire, int32_t sample, uint64_t seen, Scale unit) const {
  const int32_t max_code = plan_.tensors[size_t(wire.tensor)].format.max_code();
  const Scale scale = seen == 0 ? scale_of_nothing(max_code) : dynamic_scale(seen, unit, max_code);
  state(wire.slot, sample).scale = wire.kept_scales >= 0 ? scale.shifted(1) : scale;
}

/// In which the largest sums of a wire are collected: that of the sums, if all samples have the same.
Scale Engine::seen_unit(const Wire& wire, Scale unit) const {
  constexpr int32_t kFineBits = 16;
  const bool samples_differ = plan_.summary.scaling == Scaling::kDynamic;
  return samples_differ && !is_dynamic(wire) ? wire_scale(wire, 0).shifted(-kFineBits) : unit;
}

/// Brings what the threads saw of a wire into its state.
void Engine::collect(const Wire& wire, Scale unit) {
  if (wire.slot < 0) return;
  ScaleState& s = state(wire.slot);
  for (int32_t w = 0; w < plan_.summary.threads; ++w) {
    WorkerCounter& counter = data<WorkerCounter>(plan_.summary.counters_tensor)[w];
    if (training_ && counter.wire.magnitude > s.seen) s.seen = counter.wire.magnitude;
    if (training_ && wire.below_slot >= 0 && counter.wire_below > state(wire.below_slot).seen)
      state(wire.below_slot).seen = counter.wire_below;
    s.saturated += uint32_t(counter.wire.saturated);
    counter.wire = {};
    counter.wire_below = 0;
  }
  if (training_) s.unit = seen_unit(wire, unit);  // in evaluation a Dropout leaves another one
}

/// Weights as codes, from float32 or codes with many scales (scale from their largest magnitude), or from wider stored codes.
void Engine::make_operands(const LayerPlan& l) {
  const Format weight = l.formats.weight;
  void* out = data<>(l.weight_operand);
  const CodeRange range = symmetric_range(weight.bits);
  if (l.formats.parameter.is_float()) {
    const float* values = data<float>(l.weight);
    const float largest = kernels_->largest_magnitude(values, l.weights);
    Scale& scale = state(l.weight_slot).scale;
    if (largest > 0.0f) scale = Scale::from_float(largest) / Scale::normalized(uint32_t(range.high), 0);
    const float inverse = (Scale{} / scale).to_float();
    kernels_->quantize_floats({values, inverse, range, out, element_of(weight), l.weights});
    return;
  }
  if (l.layout == ParameterLayout::kGranules) {
    TensorView operand;
    operand.format = weight;
    operand.elements = size_t(l.weights);
    operand.container_bits = uint8_t(8 * element_bytes(element_of(weight)));
    operand.codes = {static_cast<uint8_t*>(out), size_t(l.weights) * element_bytes(element_of(weight))};
    operand.scales = {&state(l.weight_slot).scale, 1};
    return kernels_->read_weights(weight_view(l), operand);
  }
  const CodeView view = code_view(l, l.weight);
  const int32_t drop = l.formats.parameter.bits - weight.bits;
  const int32_t half = drop > 0 ? 1 << (drop - 1) : 0;
  for (int32_t i = 0; i < l.weights; ++i) {
    const int32_t code = clamp_code((load_code(view, uint32_t(i)) + half) >> drop, range);
    if (element_of(weight) == Element::kInt8)
      static_cast<int8_t*>(out)[i] = int8_t(code);
    else
      static_cast<int16_t*>(out)[i] = int16_t(code);
  }
}

namespace {

/// out[i] = clamp(value(i), +-limit); returns how many did not fit.
template <class Value>
uint32_t put_biases(int32_t count, int32_t limit, int32_t* out, Value value) {
  uint32_t saturated = 0;
  for (int32_t i = 0; i < count; ++i) {
    const auto wanted = value(i);
    out[i] = wanted > limit ? limit : wanted < -limit ? -limit : int32_t(wanted);
    saturated += out[i] != wanted ? 1 : 0;
  }
  return saturated;
}

int64_t nearest_integer(float x) {
  constexpr float kFarOut = 4294967296.0f;
  const float bounded = x > kFarOut ? kFarOut : x < -kFarOut ? -kFarOut : x;
  const int64_t whole = truncated(bounded);
  const float rest = bounded - float(whole);
  return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

}  // namespace

/// Biases in units of the accumulator, nearest, within the room that the proof leaves; how many do not fit in it.
uint32_t Engine::make_bias_operand(const LayerPlan& l, int32_t sample, int32_t* out) const {
  const Scale unit = forward_unit(l, sample);
  const auto put = [&](auto value) { return put_biases(l.node.outputs, l.bias_limit, out, value); };
  if (l.formats.parameter.is_float()) {
    const float* bias = data<float>(l.bias);
    const float inverse = (Scale{} / unit).to_float();
    return put([=](int32_t i) { return nearest_integer(bias[i] * inverse); });
  }
  const CodeView view = code_view(l, l.bias);
  const Multiplier by = multiplier(state(l.bias_slot).scale / unit);
  return by.shift > 16
             ? put([=](int32_t i) { return scaled_code(load_code(view, uint32_t(i)), by); })
             : put([=](int32_t i) { return scaled(load_code(view, uint32_t(i)), by, Rounding::kHalfAway); });
}

/// Biases that did not fit beside the sums, once for each sample.
uint32_t& Engine::bias_saturated(int32_t worker) const {
  return data<WorkerCounter>(plan_.summary.counters_tensor)[worker].bias.parameter_saturated;
}

void Engine::collect_bias(const LayerPlan& l) const {
  for (int32_t w = 0; w < plan_.summary.threads; ++w) {
    state(l.bias_slot).saturated += bias_saturated(w);
    bias_saturated(w) = 0;
  }
}

void Engine::load_input(int32_t sample) {
  const PlanSummary& p = plan_.summary;
  const int32_t size = p.input.size();
  const float* x = x_ + ptrdiff_t(sample) * size;
  clear_halo(p.input_tensor, sample);
  if (p.is_float) {
    float* out = data<float>(p.input_tensor, sample);
    for (int32_t i = 0; i < size; ++i) out[i] = x[i];
    return;
  }
  const Tensor& t = plan_.tensors[size_t(p.input_tensor)];
  ScaleState& s = state(p.input_wire.slot, sample);
  if (p.scaling == Scaling::kDynamic) {
    const float largest = kernels_->largest_magnitude(x, size);
    if (largest > 0.0f)
      s.scale = Scale::from_float(largest) / Scale::normalized(uint32_t(t.format.max_code()), 0);
  }
  kernels_->quantize_floats({x, (Scale{} / s.scale).to_float(), symmetric_range(t.format.bits),
                             data<>(p.input_tensor, sample), t.element, size});
}

void Engine::run_forward(const LayerPlan& l) {
  const int64_t work = int64_t(count_) * l.gradient_steps() * l.weights;
  if (l.bias_operand >= 0 && plan_.summary.scaling == Scaling::kDelayed)
    bias_saturated(0) += make_bias_operand(l, 0, data<int32_t>(l.bias_operand)) * uint32_t(count_);
  if (l.node.op == Op::kBatchNorm) begin_batch_norm(l);
  if (!l.node.is_product()) {
    parallel(count_, int64_t(count_) * l.in.size() * 16, [&](int32_t s, int32_t worker) {
      if (l.node.op == Op::kLayerNorm) return forward_norm(l, s, worker);
      if (l.node.has_groups_of_norms()) return forward_group_norm(l, s, worker);
      if (l.node.op == Op::kQuantize) return requantize(l.x, l.y, l.forward, l.out, s, worker);
      if (l.node.op == Op::kSoftmax) return forward_softmax(l, s);
      if (l.node.is_activation()) return forward_activation(l, s, worker);
      if (l.node.op == Op::kDropout) return drop(l, l.x, l.y, s);
      if (l.node.takes_two()) return forward_join(l, s, worker);
      forward_pool(l, s, worker);
    });
  } else {
    const bool is_linear = l.node.op == Op::kLinear;
    const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
    prepare_product({l,
                     l.forward,
                     geometry_of(l, is_linear ? xt.sample_stride() : l.in.channels, 0),
                     {data<>(l.x.tensor), xt.element, 0, 0, 0},
                     l.node.is_transposed()});
    if (is_linear) {
      const int32_t tile = l.forward.tile_rows;
      parallel((count_ + tile - 1) / tile, work, [&](int32_t i, int32_t worker) {
        forward_rows(l, i * tile, 0, i * tile + tile > count_ ? count_ - i * tile : tile, worker);
      });
      for (int32_t s = 0; s < count_; ++s) clear_halo(l.y.tensor, s);
    } else {
      parallel(count_, work, [&](int32_t s, int32_t worker) {
        const int32_t tile = l.forward.tile_rows;
        for (int32_t row = 0; row < l.out.steps; row += tile)
          forward_rows(l, s, row, row + tile > l.out.steps ? l.out.steps - row : tile, worker);
        clear_halo(l.y.tensor, s);
      });
    }
  }
  if (l.bias_operand >= 0) collect_bias(l);
  if (!plan_.summary.is_float && l.y.slot != l.x.slot) collect(l.y, forward_unit(l, 0));
}

Gemm Engine::product_view(const WeightProduct& p, int32_t phase, int32_t group, int32_t row,
                          int32_t rows) const {
  const ConvGeometry& c = p.geometry;
  GemmOperand w = weight_operand(p.layer);
  w.data = at(w.data, w.element, ptrdiff_t(p.window_row) * c.fan_in() * w.inner_stride);
  Gemm g = p.spreads ? backward_view(c, backward_phase(c, phase), p.from, w, group, row, rows)
                     : forward_view(c, p.from, w, group, row, rows);
  g.c_element = p.plan.accumulator;
  g.block_terms = p.plan.block_terms;
  return g;
}

/// Arranges the weights for all runs of a product, where its kernel wants them so.
void Engine::prepare_product(WeightProduct p) const {
  if (p.plan.packed < 0) return;
  for (p.window_row = 0; p.window_row < p.geometry.window_rows; ++p.window_row)
    for (int32_t phase = 0; phase < p.phases(); ++phase)
      for (int32_t group = 0; group < p.geometry.groups; ++group) {
        Gemm g = product_view(p, phase, group, 0, p.plan.tile_rows);
        g.scratch = scratch(p.plan, p.operand(phase, group), 0);
        kernels_->gemm->prepare(g);
      }
}

/// Sums of some rows; of several phases all rows at once.
void Engine::run_signal(const WeightProduct& p, void* sums, int32_t stride, int32_t row, int32_t rows,
                        GemmStore store, int32_t worker) const {
  const ConvGeometry& c = p.geometry;
  const int32_t phases = p.phases(), groups = p.layer.is_depthwise() ? 1 : c.groups;
  for (int32_t phase = 0; phase < phases; ++phase)
    for (int32_t group = 0; group < groups; ++group) {
      Gemm g = product_view(p, phase, group, row, (rows - phase + phases - 1) / phases);
      g.c = at(sums, p.plan.accumulator, ptrdiff_t(phase) * stride + group * (p.columns() / c.groups));
      g.c_stride = stride * phases;
      g.store = store;
      if (p.layer.is_depthwise()) {
        kernels_->depthwise({g, c.groups, c.weight_row() * weight_operand(p.layer).inner_stride});
        continue;
      }
      g.scratch = scratch(p.plan, p.operand(phase, group), worker);
      kernels_->gemm->run(g);
    }
}

/// Sums of some rows: of a signal's steps, or of the whole rows of an image that they are.
void Engine::run_product(const WeightProduct& p, void* sums, int32_t stride, int32_t row, int32_t rows,
                         int32_t worker) const {
  if (!p.layer.node.is_2d()) return run_signal(p, sums, stride, row, rows, GemmStore::kOverwrite, worker);
  const int32_t width = p.spreads ? p.layer.in_row() : p.layer.out_row();
  for (int32_t done = 0; done < rows; done += width)
    run_image_row(p, at(sums, p.plan.accumulator, ptrdiff_t(done) * stride), stride, (row + done) / width,
                  worker);
}

/// Biases as they join the sums. Those of dynamic scales are made for the sample, whose sums are one tile.
const void* Engine::bias_row(const LayerPlan& l, int32_t sample, int32_t worker) const {
  if (l.bias < 0) return nullptr;
  if (plan_.summary.is_float) return data<>(l.bias);
  if (plan_.summary.scaling == Scaling::kDelayed) return data<>(l.bias_operand);
  int32_t* bias = data<int32_t>(l.bias_operand, worker);
  bias_saturated(worker) += make_bias_operand(l, sample, bias);
  return bias;
}

/// Some rows of a sample, or, for Linear, some samples: product, bias, ReLU, rounding.
void Engine::forward_rows(const LayerPlan& l, int32_t sample, int32_t row, int32_t rows, int32_t worker) {
  const bool is_linear = l.node.op == Op::kLinear;
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  const int32_t y_row = is_linear ? yt.sample_stride() : l.out.channels;
  const bool logits = yt.role == Role::kLogits;
  const bool direct = yt.element == l.forward.accumulator;  // float32, or logits that fit
  const Element element = l.forward.accumulator;
  void* y = at(data<>(l.y.tensor, sample), yt.element, ptrdiff_t(row) * l.out.channels);
  void* sums = direct ? y : data<>(l.forward.tile, worker);
  const int32_t stride = direct ? y_row : l.out.channels;
  const ConvGeometry c = geometry_of(l, is_linear ? xt.sample_stride() : l.in.channels, y_row);
  run_product({l, l.forward, c, {data<>(l.x.tensor, sample), xt.element, 0, 0, 0}, l.node.is_transposed()},
              sums, stride, row, rows, worker);
  FinishSums finish;
  finish.sums = sums;
  finish.element = element;
  finish.rows = rows;
  finish.columns = l.out.channels;
  finish.stride = stride;
  finish.activation = l.relu_output ? Activation::kRelu : Activation::kNone;
  finish.bias = bias_row(l, sample, worker);
  const uint64_t magnitude = kernels_->finish_sums(finish);
  if (direct) return;
  if (logits) {
    const int64_t half = int64_t(1) << (l.logits_shift - 1);
    for (int32_t i = 0; i < rows * l.out.channels; ++i)
      static_cast<int32_t*>(y)[i] = int32_t((static_cast<int64_t*>(sums)[i] + half) >> l.logits_shift);
    return;
  }
  round_wire(l.y, sum_rows(l.forward, forward_unit(l, sample),
                           {.sample = sample,
                            .row = row,
                            .rows = rows,
                            .columns = l.out.channels,
                            .code_stride = y_row,
                            .magnitude = magnitude,
                            .worker = worker}));
}

/// Sums that lie in the tile of a thread.
Engine::SumRows Engine::sum_rows(const ProductPlan& product, Scale unit, SumRows rows) const {
  rows.sums = data<>(product.tile, rows.worker);
  rows.element = product.accumulator;
  rows.unit = rows.seen_unit = unit;
  return rows;
}

/// The one rounding of a wire: from sums to rows of a sample.
void Engine::round_wire(const Wire& wire, const SumRows& s) {
  if (is_dynamic(wire)) set_dynamic_scale(wire, s.sample, s.magnitude, s.unit);
  round_sums(wire, s);
}

void Engine::round_sums(const Wire& wire, const SumRows& s) {
  const Tensor& t = plan_.tensors[size_t(wire.tensor)];
  RescaleSums r;
  r.sums = s.sums;
  r.element = s.element;
  r.rows = s.rows;
  r.columns = s.columns;
  r.rounding = wire.rounding;
  constexpr uint32_t kWireStreams = 0x80000000u;
  r.key = random_key(progress_.seed, progress_.step, kWireStreams + uint32_t(wire.slot));
  r.first_index =
      uint32_t(batch_offset_ + s.sample) * uint32_t(t.elements) + uint32_t(s.row) * uint32_t(s.columns);
  Seen seen;
  if (wire.kept >= 0) {
    seen = keep_rows(wire, r, s);
  } else {
    r.by = multiplier(s.unit / wire_scale(wire, s.sample));
    r.range = symmetric_range(t.format.bits);
    r.codes = at(data<>(wire.tensor, s.sample), t.element, ptrdiff_t(s.row) * s.columns);
    r.code_element = t.element;
    r.code_stride = s.code_stride;
    seen = {s.magnitude, kernels_->rescale_sums(r)};
  }
  seen.magnitude = in_unit(seen.magnitude, s.seen_unit, seen_unit(wire, s.seen_unit));
  data<WorkerCounter>(plan_.summary.counters_tensor)[s.worker].wire.merge(seen);
}

/// Codes into another format or scale: sums of one term, rounded as all are.
void Engine::requantize(const Wire& from, const Wire& to, const ProductPlan& product, Shape shape,
                        int32_t sample, int32_t worker) {
  const Tensor& t = plan_.tensors[size_t(from.tensor)];
  const Elements elements = {.to = to,
                             .product = product,
                             .unit = wire_scale(from, sample),
                             .shape = shape,
                             .sample = sample,
                             .worker = worker};
  round_elements(elements, [&](int32_t first, int32_t count, void* sums) {
    widen(at(data<>(from.tensor, sample), t.element, first), t.element, count, static_cast<int32_t*>(sums));
  });
}

}  // namespace mantissa
