// Backward: errors through products and pools, and the gradients of parameters.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

/// One unit of a layer's backward accumulator.
Scale Engine::backward_unit(const LayerPlan& l, int32_t sample) const {
  if (plan_.summary.is_float) return {};
  const Scale dy = wire_scale(l.dy, sample);
  // Of a LayerNorm: of the sums times the step's inverse square root.
  if (l.node.op == Op::kLayerNorm)
    return (dy * weight_scale(l) / wire_scale(l.x, sample)).shifted(-kErrorBits);
  if (l.node.has_groups_of_norms()) return group_backward_unit(l, sample);
  if (l.node.op == Op::kQuantize) return dy;
  if (l.node.op == Op::kLeakyRelu) return dy.shifted(-kSlopeBits);
  if (l.node.is_bounded()) return dy * wire_scale(l.y, sample) * wire_scale(l.y, sample);
  if (l.node.has_parameters()) return dy * weight_scale(l);
  return l.node.is_max_pool() ? dy : dy / Scale::normalized(uint32_t(backward_divisor(l)), 0);
}

void Engine::run_backward(const LayerPlan& l) {
  if (makes_batch_statistics(l)) sum_batch_errors(l);
  if (!l.node.is_product()) {
    parallel(count_, int64_t(count_) * l.in.size() * 16, [&](int32_t s, int32_t worker) {
      if (l.node.op == Op::kLayerNorm) return backward_norm(l, s, worker);
      if (l.node.has_groups_of_norms()) return backward_group_norm(l, s, worker);
      if (l.node.op == Op::kQuantize) return requantize(l.dy, l.dx, l.backward, l.in, s, worker);
      if (l.node.op == Op::kSoftmax) return backward_softmax(l, s, worker);
      if (l.node.is_activation()) return backward_activation(l, s, worker);
      if (l.node.op == Op::kDropout) return drop(l, l.dy, l.dx, s);
      if (l.node.takes_two()) return backward_join(l, s);
      backward_pool(l, s, worker);
    });
  } else {
    const bool is_linear = l.node.op == Op::kLinear;
    const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
    const ConvGeometry c = geometry_of(l, 0, is_linear ? dyt.sample_stride() : l.out.channels);
    prepare_product({l, l.backward, c, {data<>(l.dy.tensor), dyt.element, 0, 0, 0}, !l.node.is_transposed()});
    const int64_t work = int64_t(count_) * l.gradient_steps() * l.weights;
    const int32_t tile = l.backward.tile_rows;
    if (is_linear) {
      parallel((count_ + tile - 1) / tile, work, [&](int32_t i, int32_t worker) {
        backward_rows(l, i * tile, 0, i * tile + tile > count_ ? count_ - i * tile : tile, worker);
      });
      for (int32_t s = 0; s < count_; ++s) clear_halo(l.dx.tensor, s);
    } else {
      parallel(count_, work, [&](int32_t s, int32_t worker) {
        for (int32_t row = 0; row < l.in.steps; row += tile)
          backward_rows(l, s, row, row + tile > l.in.steps ? l.in.steps - row : tile, worker);
        clear_halo(l.dx.tensor, s);
      });
    }
  }
  if (!plan_.summary.is_float && l.dx.slot != l.dy.slot) collect(l.dx, backward_unit(l, 0));
}

/// Some steps of dx of a sample, or, for Linear, of some samples. With a stride, all steps at once, phase by phase.
void Engine::backward_rows(const LayerPlan& l, int32_t sample, int32_t row, int32_t rows, int32_t worker) {
  const bool is_linear = l.node.op == Op::kLinear, is_float = plan_.summary.is_float;
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  const Tensor& dxt = plan_.tensors[size_t(l.dx.tensor)];
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const int32_t dx_row = is_linear ? dxt.sample_stride() : l.in.channels;
  const Element element = l.backward.accumulator;
  void* dx = at(data<>(l.dx.tensor, sample), dxt.element, ptrdiff_t(row) * l.in.channels);
  void* sums = is_float ? dx : data<>(l.backward.tile, worker);
  const int32_t stride = is_float ? dx_row : l.in.channels;
  const ConvGeometry c = geometry_of(l, dx_row, is_linear ? dyt.sample_stride() : l.out.channels);
  run_product(
      {l, l.backward, c, {data<>(l.dy.tensor, sample), dyt.element, 0, 0, 0}, !l.node.is_transposed()}, sums,
      stride, row, rows, worker);
  FinishSums finish;
  finish.sums = sums;
  finish.element = element;
  finish.rows = rows;
  finish.columns = l.in.channels;
  finish.stride = stride;
  if (l.relu_input) {
    finish.mask = at(data<>(l.x.tensor, sample), xt.element, ptrdiff_t(row) * l.in.channels);
    finish.mask_element = xt.element;
    finish.mask_stride = is_linear ? xt.sample_stride() : l.in.channels;
  }
  const uint64_t magnitude = kernels_->finish_sums(finish);
  if (!is_float)
    round_wire(l.dx, sum_rows(l.backward, backward_unit(l, sample),
                              {.sample = sample,
                               .row = row,
                               .rows = rows,
                               .columns = l.in.channels,
                               .code_stride = dx_row,
                               .magnitude = magnitude,
                               .worker = worker}));
}

void Engine::clear_gradients() {
  for (const LayerPlan& l : plan_.layers)
    for (int16_t tensor : {l.weight_gradient, l.bias_gradient, l.gradient_scales})
      if (tensor >= 0 && !plan_.summary.fused_update)
        for (std::byte& b : bytes(tensor)) b = std::byte(0);
}

void Engine::run_gradient(const LayerPlan& l) {
  const bool dynamic = !plan_.summary.is_float && plan_.summary.scaling == Scaling::kDynamic;
  if (observing_ && dynamic) return;
  const bool outer = updates_from_operands(l);
  const int32_t all = l.weight_rows();
  // Without sums there is nothing to keep small.
  const int32_t tile =
      outer ? (all + plan_.summary.threads - 1) / plan_.summary.threads : l.gradient.tile_rows;
  const LayerUpdate update = prepare_update(l);
  const int32_t layer = plan_.tensors[size_t(l.weight)].layer;
  const auto body = [&](int32_t i, int32_t worker) {
    const int32_t row = i * tile, rows = row + tile > all ? all - row : tile;
    const Share share = share_of(l, row, rows);
    gradient_rows(l, share, worker);
    const void* sums = gradient_sums(l, row, worker);
    if (observing_)
      observe_gradient(l, sums, share, worker);
    else if (plan_.summary.fused_update)
      probed(StepKind::kUpdate, layer,
             [&] { update_rows(l, update, outer ? nullptr : sums, share, worker); });
    else if (l.coded_weight_gradient)
      join_weight_gradient(l, sums, row, rows);
  };
  // Packed codes of neighbouring rows may share a byte, which two threads must not write.
  const bool is_packed = l.layout == ParameterLayout::kPacked || l.layout == ParameterLayout::kGranules;
  const bool shares_bytes = l.coded_weight_gradient ? l.fan_in * l.formats.gradient.bits % 8 != 0
                                                    : is_packed && l.formats.parameter.bits % 8 != 0;
  const int64_t work = shares_bytes ? 0 : int64_t(count_) * l.gradient_steps() * l.weights;
  parallel((all + tile - 1) / tile, work, body);
  if (!observing_ && l.coded_bias_gradient) join_bias_gradient(l);
  if (observing_ || plan_.summary.fused_update)
    probed(StepKind::kUpdate, layer, [&] { commit_update(l, update); });
}

/// Where the sums of some rows are made: in the tile if they are consumed at once, else in the batch's buffer.
void* Engine::gradient_sums(const LayerPlan& l, int32_t row, int32_t worker) const {
  if (sums_in_tile(l)) return data<>(l.float_tile >= 0 ? l.float_tile : l.gradient.tile, worker);
  return at(data<>(l.weight_gradient), plan_.tensors[size_t(l.weight_gradient)].element,
            ptrdiff_t(row) * l.fan_in);
}

/// Whether the update makes the products dy * x itself: a Linear's gradient of one sample is nothing else.
bool Engine::updates_from_operands(const LayerPlan& l) const {
  const auto is_int8 = [this](const Wire& w) {
    return plan_.tensors[size_t(w.tensor)].element == Element::kInt8;
  };
  return plan_.summary.fused_update && !observing_ && count_ == 1 && l.node.op == Op::kLinear &&
         l.layout != ParameterLayout::kGranules && updates_exactly(l.formats) && is_int8(l.x) &&
         is_int8(l.dy);
}

/// dw and db of a share over the samples of this micro-batch, into the tile or the batch's buffer.
void Engine::gradient_rows(const LayerPlan& l, const Share& share, int32_t worker) {
  const bool is_linear = l.node.op == Op::kLinear, in_tile = sums_in_tile(l);
  const bool dynamic = !plan_.summary.is_float && plan_.summary.scaling == Scaling::kDynamic;
  const int32_t row = share.row, rows = share.rows;
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  if (l.bias >= 0 && (plan_.summary.fused_update || l.coded_bias_gradient)) {
    const Tensor& bt = plan_.tensors[size_t(l.bias_sums)];
    std::byte* first = static_cast<std::byte*>(at(data<>(l.bias_sums), bt.element, share.bias));
    const size_t bytes =
        size_t(share.biases) * element_bytes(bt.element);  // a store to a byte may change what bt says
    for (size_t i = 0; i < bytes; ++i) first[i] = std::byte(0);
  }
  if (l.node.is_norm()) return norm_gradient_rows(l, worker);
  void* sums = gradient_sums(l, row, worker);
  if (dynamic) {
    if (in_tile)
      for (int32_t i = 0; i < rows * l.fan_in; ++i) static_cast<float*>(sums)[i] = 0.0f;
    for (int32_t s = 0; s < count_; ++s) gradient_of_sample(l, s, share, static_cast<float*>(sums), worker);
    return;
  }
  if (is_linear && !updates_from_operands(l)) {
    gradient_product(l, 0, count_, row, rows, sums, in_tile ? GemmStore::kOverwrite : GemmStore::kAdd,
                     worker);
  } else if (!is_linear) {
    for (int32_t s = 0; s < count_; ++s)
      gradient_product(l, s, 1, row, rows, sums, in_tile && s == 0 ? GemmStore::kOverwrite : GemmStore::kAdd,
                       worker);
  }
  if (l.bias < 0 || share.biases == 0) return;
  const Element bias_element = plan_.tensors[size_t(l.bias_sums)].element;
  void* bias_sums = at(data<>(l.bias_sums), bias_element, share.bias);
  for (int32_t s = 0; s < (is_linear ? 1 : count_); ++s)
    kernels_->column_sums({at(data<>(l.dy.tensor, s), dyt.element, share.bias), dyt.element,
                           is_linear ? count_ : l.out.steps, share.biases,
                           is_linear ? dyt.sample_stride() : l.out.channels, bias_sums, bias_element});
}

/// The product for rows of dw: over the steps of one sample or, for Linear, over samples.
void Engine::gradient_product(const LayerPlan& l, int32_t sample, int32_t samples, int32_t row, int32_t rows,
                              void* sums, GemmStore store, int32_t worker) {
  const bool is_linear = l.node.op == Op::kLinear;
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  const ConvGeometry c = geometry_of(l, is_linear ? xt.sample_stride() : l.in.channels,
                                     is_linear ? dyt.sample_stride() : l.out.channels);
  GemmOperand dy = {data<>(l.dy.tensor, sample), dyt.element, 0, 0, 0};
  GemmOperand x = {data<>(l.x.tensor, sample), xt.element, 0, 0, 0};
  if (l.node.is_transposed()) {  // of the Conv1d from y to x
    const GemmOperand swapped = dy;
    dy = x;
    x = swapped;
  }
  if (l.node.is_2d()) return image_gradient(l, c, dy, x, row, rows, sums, store, worker);
  signal_gradient(l, c, dy, x, row, rows, is_linear ? samples : l.gradient_steps(), sums, store, worker);
}

/// Over the steps of a signal, or of a row of an image: `sums` are those of a row of the window.
void Engine::signal_gradient(const LayerPlan& l, const ConvGeometry& c, GemmOperand dy, GemmOperand x,
                             int32_t row, int32_t rows, int32_t steps, void* sums, GemmStore store,
                             int32_t worker) {
  if (l.is_depthwise()) {
    const Gemm g = gradient_view(c, dy, x, 0, row, rows, steps);
    return kernels_->depthwise_gradient({.a = g.a.data,
                                         .b = g.b.data,
                                         .a_element = g.a.element,
                                         .b_element = g.b.element,
                                         .a_stride = g.a.inner_stride,
                                         .b_stride = g.b.inner_stride,
                                         .b_outer_stride = c.dilation * c.in_row,
                                         .rows = steps,
                                         .taps = c.kernel,
                                         .channels = rows,
                                         .c = sums,
                                         .c_element = l.gradient.accumulator,
                                         .c_stride = c.weight_row(),
                                         .store = store});
  }
  const int32_t taps = c.flat() ? 1 : c.kernel;
  for (int32_t done = 0; done < rows;) {  // rows of one group at a time
    const int32_t first = row + done;
    const int32_t left_in_group = c.group_out() - first % c.group_out();
    const int32_t now = rows - done < left_in_group ? rows - done : left_in_group;
    for (int32_t tap = 0; tap < taps; ++tap) {
      Gemm g = gradient_view(c, dy, x, tap, first, now, steps);
      g.c =
          at(sums, l.gradient.accumulator, ptrdiff_t(done) * c.weight_row() + ptrdiff_t(tap) * c.group_in());
      g.c_element = l.gradient.accumulator;
      g.c_stride = c.weight_row();
      g.store = store;
      g.block_terms = l.gradient.block_terms;
      g.scratch = scratch(l.gradient, worker, worker);
      kernels_->gemm->prepare(g);
      kernels_->gemm->run(g);
    }
    done += now;
  }
}

/// Dynamic scales differ between samples, so each sample's exact sums join the batch's float32 sums on their own.
void Engine::gradient_of_sample(const LayerPlan& l, int32_t sample, const Share& share, float* weight_sums,
                                int32_t worker) {
  void* sums = data<>(l.gradient.tile, worker);
  const Element element = l.gradient.accumulator;
  gradient_product(l, sample, 1, share.row, share.rows, sums, GemmStore::kOverwrite, worker);
  const Scale dy = wire_scale(l.dy, sample);
  kernels_->add_scaled(
      {sums, element, (dy * wire_scale(l.x, sample)).to_float(), weight_sums, share.rows * l.fan_in});
  if (l.bias < 0 || share.biases == 0) return;
  for (size_t i = 0; i < size_t(share.biases) * element_bytes(element); ++i)
    static_cast<std::byte*>(sums)[i] = std::byte(0);
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  kernels_->column_sums({at(data<>(l.dy.tensor, sample), dyt.element, share.bias), dyt.element, l.out.steps,
                         share.biases, l.out.channels, sums, element});
  kernels_->add_scaled({sums, element, dy.to_float(), data<float>(l.bias_sums) + share.bias, share.biases});
}

}  // namespace mantissa
