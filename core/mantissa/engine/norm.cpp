// LayerNorm in the engine: step by step of each sample, forward, backward; and the gradient of gamma and beta of all norms.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

/// One unit of a weight gradient's integer sums.
Scale Engine::gradient_unit(const LayerPlan& l, int32_t sample) const {
  const Scale dy = wire_scale(l.dy, sample);
  return l.node.is_norm() ? dy.shifted(-norm_bits(l)) : dy * wire_scale(l.x, sample);
}

NormStep Engine::norm_step(const LayerPlan& l, int32_t sample, int32_t step, int32_t worker) const {
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const GemmOperand gamma = weight_operand(l);
  NormStep s;
  s.x = at(data<>(l.x.tensor, sample), xt.element, ptrdiff_t(step) * l.in.channels);
  s.x_element = xt.element;
  s.channels = l.in.channels;
  s.gamma = gamma.data;
  s.gamma_element = gamma.element;
  s.gamma_stride = gamma.inner_stride;
  s.float_epsilon = l.node.epsilon;
  if (plan_.summary.is_float) return s;
  s.epsilon = norm_epsilon(l.node.epsilon, l.in.channels, wire_scale(l.x, sample));
  s.normalized = data<int16_t>(l.normalized, worker);
  return s;
}

void Engine::forward_norm(const LayerPlan& l, int32_t sample, int32_t worker) {
  const bool direct = plan_.tensors[size_t(l.y.tensor)].element == l.forward.accumulator;
  const int32_t n = l.in.channels;
  const ForwardRows all = {sample, worker, direct ? 1 : l.forward.tile_rows, bias_row(l, sample, worker)};
  round_forward(l, all, [&](int32_t row, int32_t rows, void* sums) {
    for (int32_t i = 0; i < rows; ++i)
      kernels_->norm_forward(
          {norm_step(l, sample, row + i, worker), at(sums, l.forward.accumulator, ptrdiff_t(i) * n)});
  });
}

/// Each step has a unit of its own, so what the wire's scale follows is brought to a common one.
void Engine::backward_norm(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Tensor& dxt = plan_.tensors[size_t(l.dx.tensor)];
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  const int32_t n = l.in.channels;
  const auto errors = [&](int32_t step, void* sums) {
    const void* dy = at(data<>(l.dy.tensor, sample), dyt.element, ptrdiff_t(step) * n);
    return kernels_->norm_backward({norm_step(l, sample, step, worker), dy, dyt.element, l.relu_input, sums});
  };
  clear_halo(l.dx.tensor, sample);
  if (plan_.summary.is_float) {
    for (int32_t step = 0; step < l.in.steps; ++step)
      errors(step, at(data<>(l.dx.tensor, sample), dxt.element, ptrdiff_t(step) * n));
    return;
  }
  const auto in_common_unit = [](const NormSeen& seen) {
    return seen.largest == 0 ? 0
                             : whole(Scale::normalized(seen.largest, 0) * seen.inverse.shifted(kErrorBits));
  };
  void* sums = data<>(l.backward.tile, worker);
  const Scale common = backward_unit(l, sample), unit = common.shifted(kErrorBits);
  if (is_dynamic(l.dx)) {
    uint64_t largest = 0;
    for (int32_t step = 0; step < l.in.steps; ++step) {
      const uint64_t magnitude = in_common_unit(errors(step, sums));
      largest = magnitude > largest ? magnitude : largest;
    }
    set_dynamic_scale(l.dx, sample, largest, common);
  }
  for (int32_t step = 0; step < l.in.steps; ++step) {
    const NormSeen seen = errors(step, sums);
    round_sums(l.dx, {.sums = sums,
                      .element = Element::kInt64,
                      .unit = unit * seen.inverse,
                      .seen_unit = common,
                      .sample = sample,
                      .row = step,
                      .rows = 1,
                      .columns = n,
                      .code_stride = n,
                      .magnitude = in_common_unit(seen),
                      .worker = worker});
  }
}

/// dgamma and dbeta over the steps and samples of this micro-batch. Dynamic scales: each sample's exact sums join float32 sums.
void Engine::norm_gradient_rows(const LayerPlan& l, int32_t worker) {
  const bool dynamic = !plan_.summary.is_float && plan_.summary.scaling == Scaling::kDynamic;
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  const int32_t n = l.in.channels;
  const Element element = l.gradient.accumulator;
  const auto clear = [](void* sums, size_t size) {
    for (size_t i = 0; i < size; ++i) static_cast<std::byte*>(sums)[i] = std::byte(0);
  };
  void* total = gradient_sums(l, 0, worker);
  void* sums = dynamic ? data<>(l.gradient.tile, worker) : total;
  if (sums_in_tile(l)) clear(total, size_t(n) * (dynamic ? sizeof(float) : element_bytes(element)));
  for (int32_t s = 0; s < count_; ++s) {
    const void* dy = data<>(l.dy.tensor, s);
    if (dynamic) clear(sums, size_t(n) * element_bytes(element));
    if (l.node.has_groups_of_norms()) {
      group_gradient_rows(l, s, sums);
    } else {
      for (int32_t step = 0; step < l.in.steps; ++step)
        kernels_->norm_gradient({norm_step(l, s, step, worker), at(dy, dyt.element, ptrdiff_t(step) * n),
                                 dyt.element, sums, element});
    }
    if (dynamic)
      kernels_->add_scaled({sums, element, gradient_unit(l, s).to_float(), static_cast<float*>(total), n});
    if (l.bias < 0) continue;
    const Element bias_element = dynamic ? element : plan_.tensors[size_t(l.bias_sums)].element;
    if (dynamic) clear(sums, size_t(n) * element_bytes(element));
    kernels_->column_sums(
        {dy, dyt.element, l.out.steps, n, n, dynamic ? sums : data<>(l.bias_sums), bias_element});
    if (dynamic)
      kernels_->add_scaled({sums, element, wire_scale(l.dy, s).to_float(), data<float>(l.bias_sums), n});
  }
}

}  // namespace mantissa
