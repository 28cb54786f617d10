// Softmax as a layer in the engine, forward and backward.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

void Engine::forward_softmax(const LayerPlan& l, int32_t sample) {
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  SoftmaxForward s;
  s.steps = l.in.steps;
  s.channels = l.in.channels;
  s.x = data<>(l.x.tensor, sample);
  s.x_element = plan_.tensors[size_t(l.x.tensor)].element;
  s.y = data<>(l.y.tensor, sample);
  s.y_element = yt.element;
  if (!plan_.summary.is_float) {
    s.exponent = exponent_multiplier(wire_scale(l.x, sample));
    s.max_code = yt.format.max_code();
  }
  kernels_->softmax_forward(s);
  clear_halo(l.y.tensor, sample);
}

/// Sums of whole steps, which the wire rounds.
void Engine::backward_softmax(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  SoftmaxBackward s;
  s.channels = l.in.channels;
  s.y_element = yt.element;
  s.dy_element = dyt.element;
  const auto make = [&](int32_t first, int32_t count, void* dx) {
    s.steps = count / s.channels;
    s.y = at(data<>(l.y.tensor, sample), yt.element, first);
    s.dy = at(data<>(l.dy.tensor, sample), dyt.element, first);
    s.dx = dx;
    kernels_->softmax_backward(s);
  };
  if (!plan_.summary.is_float) {
    s.dx_element = l.backward.accumulator;
    s.max_code = yt.format.max_code();
  }
  pass_elements(l, sample, worker, make);
}

}  // namespace mantissa
