// Wires: their scales, what is seen of them, and the one rounding that makes their codes.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

Scale Engine::wire_scale(const Wire& wire, int32_t sample) const {
  const Scale s =
      wire.slot < 0 ? wire.factor : state(wire.slot, is_dynamic(wire) ? sample : 0).scale * wire.factor;
  return training_ ? s * wire.training_factor : s;
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

/// Calls make(first, count, sums) for the elements of a tile at a time, and rounds what it makes.
void Engine::round_elements(const Elements& e, const TileMaker& make) {
  const int32_t columns = e.shape.channels;
  clear_halo(e.to.tensor, e.sample);
  for (int32_t row = 0; row < e.shape.steps; row += e.product.tile_rows) {
    const int32_t left = e.shape.steps - row;
    FinishSums finish;
    finish.sums = data<>(e.product.tile, e.worker);
    finish.element = e.product.accumulator;
    finish.rows = left < e.product.tile_rows ? left : e.product.tile_rows;
    finish.columns = finish.stride = finish.mask_stride = columns;
    make(row * columns, finish.rows * columns, finish.sums);
    if (e.mask != nullptr) {
      finish.mask_element = plan_.tensors[size_t(e.mask->tensor)].element;
      finish.mask = at(data<>(e.mask->tensor, e.sample), finish.mask_element, ptrdiff_t(row) * columns);
    }
    round_wire(e.to, sum_rows(e.product, e.unit,
                              {.sample = e.sample,
                               .row = row,
                               .rows = finish.rows,
                               .columns = columns,
                               .code_stride = columns,
                               .magnitude = kernels_->finish_sums(finish),
                               .worker = e.worker}));
  }
}

/// Calls make(first row, rows, sums) for the rows of a tile at a time; bias, ReLU and the one rounding follow. Float32 sums and logits
/// stay where they are made.
void Engine::round_forward(const LayerPlan& l, const ForwardRows& f, const TileMaker& make) {
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  const bool direct = yt.element == l.forward.accumulator;
  FinishSums finish;
  finish.element = l.forward.accumulator;
  finish.columns = finish.stride = l.out.channels;
  finish.bias = f.bias;
  finish.activation = l.relu_output ? Activation::kRelu : Activation::kNone;
  for (int32_t row = 0; row < l.out.steps; row += f.tile_rows) {
    finish.rows = row + f.tile_rows > l.out.steps ? l.out.steps - row : f.tile_rows;
    finish.sums = direct ? at(data<>(l.y.tensor, f.sample), yt.element, ptrdiff_t(row) * l.out.channels)
                         : data<>(l.forward.tile, f.worker);
    make(row, finish.rows, finish.sums);
    const uint64_t magnitude = kernels_->finish_sums(finish);
    if (!direct)
      round_wire(l.y, sum_rows(l.forward, forward_unit(l, f.sample),
                               {.sample = f.sample,
                                .row = row,
                                .rows = finish.rows,
                                .columns = l.out.channels,
                                .code_stride = l.out.channels,
                                .magnitude = magnitude,
                                .worker = f.worker}));
  }
  clear_halo(l.y.tensor, f.sample);
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

}  // namespace mantissa
