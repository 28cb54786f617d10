// Pools and ReLU by themselves, forward and backward.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

namespace {

template <class T>
void relu_codes(T* codes, int32_t n) {
  for (int32_t i = 0; i < n; ++i) codes[i] = codes[i] > T(0) ? codes[i] : T(0);
}

/// Windows of a signal, or of a row of an image, and the element of x that their first row begins with.
struct PoolRow {
  PoolShape shape;
  ptrdiff_t x = 0;
};

/// The windows from `first` on; of an image those of the row that it lies in, or less.
PoolRow pool_row(const LayerPlan& l, int32_t first, int32_t count) {
  const bool is_adaptive = l.node.is_adaptive();
  PoolRow p;
  p.shape = {.in_steps = l.in_row(),
             .out_steps = count,
             .channels = l.in.channels,
             .kernel = l.node.kernel,
             .stride = l.node.stride,
             .pad = l.pad_left,
             .first = first % l.out_row(),
             .adaptive = is_adaptive ? l.node.outputs : 0};
  if (!l.node.is_2d()) return p;
  const Vertical& v = l.node.vertical;
  const PoolWindow rows = window_of({.in_steps = l.in.height(),
                                     .kernel = v.kernel,
                                     .stride = v.stride,
                                     .pad = l.pad_top,
                                     .adaptive = is_adaptive ? l.node.output_rows : 0},
                                    first / l.out_row());
  p.shape.rows = rows.count;
  p.shape.pitch = l.in_row();
  p.x = ptrdiff_t(rows.first) * l.in_row() * l.in.channels;
  return p;
}

/// Calls body(row, first window) for `count` windows from `first` on, whole rows of an image.
template <class Body>
void for_each_row(const LayerPlan& l, int32_t first, int32_t count, Body body) {
  const int32_t step = l.node.is_2d() ? l.out_row() : count;
  for (int32_t at = first; at < first + count; at += step) body(pool_row(l, at, step), at);
}

}  // namespace

void Engine::forward_relu(const LayerPlan& l, int32_t sample) {
  const Tensor& t = plan_.tensors[size_t(l.y.tensor)];
  if (l.x.tensor != l.y.tensor) copy_sample(l.x, l.y, sample);
  if (t.element == Element::kFloat32) return relu_codes(data<float>(l.y.tensor, sample), t.elements);
  t.element == Element::kInt8 ? relu_codes(data<int8_t>(l.y.tensor, sample), t.elements)
                              : relu_codes(data<int16_t>(l.y.tensor, sample), t.elements);
}

void Engine::forward_pool(const LayerPlan& l, int32_t sample, int32_t worker) {
  if (l.node.op == Op::kRelu) return forward_relu(l, sample);
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  const int32_t channels = l.out.channels;
  const void* x = data<>(l.x.tensor, sample);
  void* y = data<>(l.y.tensor, sample);
  if (l.node.is_max_pool()) {
    clear_halo(l.y.tensor, sample);
    for_each_row(l, 0, l.out.steps, [&](const PoolRow& p, int32_t first) {
      kernels_->max_pool(
          {p.shape, xt.element, at(x, xt.element, p.x), at(y, yt.element, ptrdiff_t(first) * channels)});
    });
    if (l.y.kept >= 0) keep_operand(l.y, sample);
    return;
  }
  const bool direct = yt.element == l.forward.accumulator;
  const ForwardRows all = {sample, worker, direct ? l.out.steps : l.forward.tile_rows};
  round_forward(l, all, [&](int32_t row, int32_t rows, void* sums) {
    for_each_row(l, row, rows, [&](const PoolRow& p, int32_t first) {
      kernels_->window_sums({p.shape, xt.element, at(x, xt.element, p.x),
                             at(sums, l.forward.accumulator, ptrdiff_t(first - row) * channels)});
      if (!l.windows.are_equal())
        kernels_->share_sums({p.shape, l.forward.accumulator,
                              at(sums, l.forward.accumulator, ptrdiff_t(first - row) * channels),
                              forward_divisor(l)});
    });
  });
  if (plan_.summary.is_float && l.windows.are_equal()) {
    const float divisor = 1.0f / float(l.windows.most);
    for (int32_t i = 0; i < yt.elements; ++i) static_cast<float*>(y)[i] *= divisor;
  }
}

/// Units of the sums in a code of x, in one of dy.
int32_t Engine::forward_divisor(const LayerPlan& l) const {
  return plan_.summary.is_float
             ? 1
             : average_divisor(l.windows, plan_.tensors[size_t(l.x.tensor)].format.max_code());
}
int32_t Engine::backward_divisor(const LayerPlan& l) const {
  return plan_.summary.is_float
             ? 1
             : spread_divisor(l.windows, plan_.tensors[size_t(l.dy.tensor)].format.max_code());
}

/// Errors of windows that overlap, or have shares of their own, are sums, rounded as those of products are.
void Engine::backward_overlapping_pool(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  const int32_t channels = l.in.channels;
  const void* x = data<>(l.x.tensor, sample);
  const void* dy = data<>(l.dy.tensor, sample);
  const Element element = l.backward.accumulator;
  void* sums = plan_.summary.is_float ? data<>(l.dx.tensor, sample) : data<>(l.backward.tile, worker);
  const bool is_equal = l.windows.are_equal();
  if (l.node.is_2d() || !is_equal) clear_elements(sums, element, l.in.size());
  for_each_row(l, 0, l.out.steps, [&](const PoolRow& p, int32_t first) {
    const void* errors = at(dy, dyt.element, ptrdiff_t(first) * channels);
    if (!is_equal)
      return kernels_->spread_shares(
          {p.shape, dyt.element, errors, at(sums, element, p.x), backward_divisor(l)});
    const void* winners = l.node.is_max_pool() ? at(x, xt.element, p.x) : nullptr;
    kernels_->overlap_sums({p.shape, xt.element, dyt.element, winners, errors, at(sums, element, p.x)});
  });
  FinishSums finish;
  finish.sums = sums;
  finish.element = element;
  finish.rows = l.in.steps;
  finish.columns = finish.stride = finish.mask_stride = channels;
  finish.mask = l.relu_input ? x : nullptr;
  finish.mask_element = xt.element;
  const uint64_t magnitude = kernels_->finish_sums(finish);
  if (!plan_.summary.is_float)
    round_wire(l.dx, sum_rows(l.backward, backward_unit(l, sample),
                              {.sample = sample,
                               .rows = l.in.steps,
                               .columns = channels,
                               .code_stride = channels,
                               .magnitude = magnitude,
                               .worker = worker}));
}

void Engine::backward_pool(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& dxt = plan_.tensors[size_t(l.dx.tensor)];
  const void* x = data<>(l.x.tensor, sample);
  const void* dy = data<>(l.dy.tensor, sample);
  void* dx = data<>(l.dx.tensor, sample);
  const Activation input = l.relu_input ? Activation::kRelu : Activation::kNone;
  clear_halo(l.dx.tensor, sample);
  if (l.windows.add_errors()) {
    backward_overlapping_pool(l, sample, worker);
  } else {
    if (l.node.is_2d()) clear_elements(dx, dxt.element, l.in.size());
    for_each_row(l, 0, l.out.steps, [&](const PoolRow& p, int32_t first) {
      const void* row_x = at(x, xt.element, p.x);
      const void* row_dy = at(dy, dxt.element, ptrdiff_t(first) * l.out.channels);
      void* row_dx = at(dx, dxt.element, p.x);
      if (l.node.is_max_pool())
        kernels_->max_pool_backward({p.shape, xt.element, dxt.element, row_x, row_dy, row_dx, input});
      else
        kernels_->spread({p.shape, xt.element, dxt.element, l.relu_input ? row_x : nullptr, row_dy, row_dx});
    });
  }
  if (plan_.summary.is_float && l.node.is_average() && l.windows.are_equal()) {
    const float divisor = 1.0f / float(l.windows.most);
    for (int32_t i = 0; i < dxt.elements; ++i) static_cast<float*>(dx)[i] *= divisor;
  }
}

}  // namespace mantissa
