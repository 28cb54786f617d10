// Where wires meet: Add and Concat forward and backward, and errors of several readers that become one.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {
namespace {

bool is_positive(const void* codes, Element element, ptrdiff_t i) {
  if (element == Element::kInt8) return static_cast<const int8_t*>(codes)[i] > 0;
  if (element == Element::kInt16) return static_cast<const int16_t*>(codes)[i] > 0;
  return static_cast<const float*>(codes)[i] > 0.0f;
}

}  // namespace

/// Some columns of a sample's sums, which codes of wires join.
struct Engine::JoinedRows {
  const ProductPlan& product;
  Scale unit;
  void* sums = nullptr;
  int32_t sample = 0;
  int32_t row = 0, rows = 0, columns = 0;
  int32_t first_column = 0;
  int32_t wire_columns = 0;
  bool adds = false;
};

/// A unit in which the codes of the largest scale are whole.
Scale Engine::joined_unit(const ProductPlan& product, Scale largest) const {
  return plan_.summary.is_float ? Scale{} : largest.shifted(-product.unit_bits);
}

void Engine::put_wire(const Wire& wire, const JoinedRows& r) const {
  const Tensor& t = plan_.tensors[size_t(wire.tensor)];
  JoinCodes join;
  join.codes = at(data<>(wire.tensor, r.sample), t.element, ptrdiff_t(r.row) * r.wire_columns);
  join.element = t.element;
  join.rows = r.rows;
  join.columns = join.code_stride = r.wire_columns;
  join.sum_stride = r.columns;
  if (!plan_.summary.is_float) join.by = multiplier(wire_scale(wire, r.sample) / r.unit);
  join.adds = r.adds;
  join.sums = at(r.sums, r.product.accumulator, r.first_column);
  kernels_->join_codes(join);
}

Scale Engine::join_unit(const LayerPlan& l, int32_t sample) const {
  return joined_unit(l.forward, max(wire_scale(l.x, sample), wire_scale(wire_of(l.other), sample)));
}

void Engine::forward_join(const LayerPlan& l, int32_t sample, int32_t worker) {
  const bool direct = plan_.tensors[size_t(l.y.tensor)].element == l.forward.accumulator;
  const bool is_concat = l.node.op == Op::kConcat;
  JoinedRows r = {.product = l.forward, .unit = join_unit(l, sample), .sample = sample};
  r.columns = l.out.channels;
  const ForwardRows all = {sample, worker, direct ? l.out.steps : l.forward.tile_rows};
  round_forward(l, all, [&](int32_t row, int32_t rows, void* sums) {
    r.row = row;
    r.rows = rows;
    r.sums = sums;
    r.first_column = 0;
    r.wire_columns = l.in.channels;
    r.adds = false;
    put_wire(l.x, r);
    r.first_column = is_concat ? l.in.channels : 0;
    r.wire_columns = l.in_other.channels;
    r.adds = !is_concat;
    put_wire(wire_of(l.other), r);
  });
}

/// The errors of both inputs: the same codes, or those of their channels, 0 where an input has passed a ReLU and is 0.
void Engine::backward_join(const LayerPlan& l, int32_t sample) {
  const auto select = [&](const Wire& to, const Wire& input, int32_t first, int32_t columns, bool masked) {
    if (to.tensor < 0 || to.tensor == l.dy.tensor) return;
    const Tensor& t = plan_.tensors[size_t(to.tensor)];
    const Element mask = plan_.tensors[size_t(input.tensor)].element;
    const size_t width = element_bytes(t.element);
    const std::byte* dy = data<std::byte>(l.dy.tensor, sample) + size_t(first) * width;
    std::byte* dx = data<std::byte>(to.tensor, sample);
    const void* codes = data<>(input.tensor, sample);
    for (int32_t step = 0; step < l.out.steps; ++step)
      for (int32_t c = 0; c < columns; ++c) {
        const ptrdiff_t i = ptrdiff_t(step) * columns + c;
        const std::byte* from = dy + (ptrdiff_t(step) * l.out.channels + c) * ptrdiff_t(width);
        const bool stays = !masked || is_positive(codes, mask, i);
        for (size_t b = 0; b < width; ++b) dx[size_t(i) * width + b] = stays ? from[b] : std::byte(0);
      }
    clear_halo(to.tensor, sample);
  };
  const bool is_concat = l.node.op == Op::kConcat;
  if (l.passes_error) select(l.dx, l.x, 0, l.in.channels, l.relu_input);
  if (l.passes_other)
    select(l.dz, wire_of(l.other), is_concat ? l.in.channels : 0, l.in_other.channels, l.relu_other);
}

Scale Engine::error_sum_unit(int16_t layer, int32_t sample) const {
  Scale largest = {};
  bool first = true;
  for_each_error(plan_.layers, layer, [&](const Wire& wire) {
    const Scale scale = wire_scale(wire, sample);
    largest = first ? scale : max(largest, scale);
    first = false;
  });
  return joined_unit(plan_.layers[size_t(layer)].error_sum, largest);
}

void Engine::sum_errors(int16_t layer, int32_t sample, int32_t worker) {
  const LayerPlan& l = plan_.layers[size_t(layer)];
  const int32_t columns = l.out.channels;
  JoinedRows r = {.product = l.error_sum, .unit = error_sum_unit(layer, sample), .sample = sample};
  r.columns = r.wire_columns = columns;
  const auto make = [&](int32_t first, int32_t count, void* sums) {
    r.row = first / columns;
    r.rows = count / columns;
    r.sums = sums;
    r.adds = false;
    for_each_error(plan_.layers, layer, [&](const Wire& wire) {
      put_wire(wire, r);
      r.adds = true;
    });
  };
  if (plan_.summary.is_float) {
    make(0, l.out.size(), data<>(l.dy.tensor, sample));
    clear_halo(l.dy.tensor, sample);
  } else {
    round_elements({.to = l.dy,
                    .product = l.error_sum,
                    .unit = r.unit,
                    .shape = l.out,
                    .sample = sample,
                    .worker = worker},
                   make);
  }
}

void Engine::run_error_sum(int16_t layer) {
  const LayerPlan& l = plan_.layers[size_t(layer)];
  parallel(count_, int64_t(count_) * l.out.size() * 16,
           [&](int32_t s, int32_t worker) { sum_errors(layer, s, worker); });
  if (!plan_.summary.is_float) collect(l.dy, error_sum_unit(layer, 0));
}

}  // namespace mantissa
