// Functions of one element in the engine: LeakyReLU, ReLU6, Sigmoid, Tanh forward and backward, and Dropout.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {
namespace {

constexpr Curve curve_of(Op op) {
  return op == Op::kLeakyRelu ? Curve::kLeakyRelu
         : op == Op::kRelu6   ? Curve::kRelu6
         : op == Op::kSigmoid ? Curve::kSigmoid
                              : Curve::kTanh;
}

}  // namespace

/// Codes or floats at once, or sums of one term that the wire rounds.
void Engine::forward_activation(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Tensor& xt = plan_.tensors[size_t(l.x.tensor)];
  const Tensor& yt = plan_.tensors[size_t(l.y.tensor)];
  ActivationForward f;
  f.curve = curve_of(l.node.op);
  f.x_element = xt.element;
  f.y_element = yt.element;
  f.slope = l.node.slope;
  if (plan_.summary.is_float || l.node.is_bounded()) {
    if (!plan_.summary.is_float) {
      f.exponent = curve_exponent(f.curve, wire_scale(l.x, sample));
      f.max_code = yt.format.max_code();
    }
    f.count = l.in.size();
    f.x = data<>(l.x.tensor, sample);
    f.y = data<>(l.y.tensor, sample);
    kernels_->activation_forward(f);
    return clear_halo(l.y.tensor, sample);
  }
  f.parameter = f.curve == Curve::kRelu6 ? six_in_codes(wire_scale(l.x, sample)) : l.share;
  const Elements elements = {.to = l.y,
                             .product = l.forward,
                             .unit = forward_unit(l, sample),
                             .shape = l.out,
                             .sample = sample,
                             .worker = worker};
  round_elements(elements, [&](int32_t first, int32_t count, void* sums) {
    f.x = at(data<>(l.x.tensor, sample), xt.element, first);
    f.y = sums;
    f.count = count;
    kernels_->activation_forward(f);
  });
}

/// The error of a wire that has passed a ReLU.
void Engine::mask_floats(const LayerPlan& l, float* dx, int32_t sample) const {
  const float* x = data<float>(l.x.tensor, sample);
  for (int32_t i = 0; l.relu_input && i < l.in.size(); ++i) dx[i] = x[i] > 0.0f ? dx[i] : 0.0f;
}

void Engine::backward_activation(const LayerPlan& l, int32_t sample, int32_t worker) {
  const Wire& of = l.node.is_bounded() ? l.y : l.x;
  const Tensor& oft = plan_.tensors[size_t(of.tensor)];
  const Tensor& dyt = plan_.tensors[size_t(l.dy.tensor)];
  const bool is_float = plan_.summary.is_float;
  ActivationBackward b;
  b.curve = curve_of(l.node.op);
  b.of_element = oft.element;
  b.dy_element = dyt.element;
  b.slope = l.node.slope;
  b.parameter = l.share;
  const auto make = [&](int32_t first, int32_t count, void* dx) {
    b.of = at(data<>(of.tensor, sample), oft.element, first);
    b.dy = at(data<>(l.dy.tensor, sample), dyt.element, first);
    b.dx = dx;
    b.count = count;
    kernels_->activation_backward(b);
  };
  if (!is_float && b.curve == Curve::kRelu6) {  // selects codes
    b.parameter = six_in_codes(wire_scale(l.x, sample));
    make(0, l.in.size(), data<>(l.dx.tensor, sample));
    return clear_halo(l.dx.tensor, sample);
  }
  if (!is_float) {
    b.dx_element = l.backward.accumulator;
    b.max_code = oft.format.is_narrow() ? oft.format.max_code() : 0;
  }
  pass_elements(l, sample, worker, make);
}

/// The error that a layer without weights passes on, made as sums, or as floats where they stay; 0 where x has passed a ReLU and is 0.
void Engine::pass_elements(const LayerPlan& l, int32_t sample, int32_t worker, const TileMaker& make) {
  if (plan_.summary.is_float) {
    float* dx = data<float>(l.dx.tensor, sample);
    make(0, l.in.size(), dx);
    mask_floats(l, dx, sample);
    return clear_halo(l.dx.tensor, sample);
  }
  round_elements({.to = l.dx,
                  .product = l.backward,
                  .unit = backward_unit(l, sample),
                  .shape = l.in,
                  .sample = sample,
                  .worker = worker,
                  .mask = l.relu_input ? &l.x : nullptr},
                 make);
}

/// The same elements of a wire and of its error, in training only. In place, but where the wire's producer reads its outputs again.
void Engine::drop(const LayerPlan& l, const Wire& from, const Wire& to, int32_t sample) const {
  const Tensor& t = plan_.tensors[size_t(to.tensor)];
  DropElements d;
  d.x = data<>(to.tensor, sample);
  d.element = t.element;
  d.count = l.in.size();
  if (from.tensor != to.tensor) copy_sample(from, to, sample);
  if (!training_) return;
  const uint32_t stream = parameter_stream(int16_t(&l - plan_.layers.data()), ParameterStream::kWeightInit);
  d.key = random_key(progress_.seed, progress_.step, stream);
  d.first_index = uint32_t(batch_offset_ + sample) * uint32_t(d.count);
  d.dropped = uint32_t(l.share);
  d.factor = Scale::ratio(1 << kDropBits, (1 << kDropBits) - d.dropped).to_float();
  kernels_->drop_elements(d);
}

}  // namespace mantissa
