// The loss: from logits to errors, and what a batch adds up to.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

LossResult Engine::sample_loss(const LayerPlan& l, int32_t sample, bool with_errors) {
  const PlanSummary& p = plan_.summary;
  if (p.loss == Loss::kMse) return sample_mse(l, sample, with_errors);
  if (is_pointwise(p.loss)) return sample_pointwise(l, sample, with_errors);
  if (p.is_soft()) return sample_soft(l, sample, with_errors);
  const int32_t label = targets_.labels[sample];
  if (p.is_float)
    return cross_entropy(data<float>(p.logits_tensor, sample), p.classes, label,
                         with_errors ? data<float>(l.dy.tensor, sample) : nullptr, kernels_->softmax_float);
  int32_t* logits = data<int32_t>(p.logits_tensor, sample);
  const Multiplier exponent = exponent_multiplier(forward_unit(l, sample).shifted(l.logits_shift));
  if (!with_errors)
    return cross_entropy(logits, p.classes, exponent, label, 1, static_cast<int8_t*>(nullptr));
  const Tensor& error = plan_.tensors[size_t(l.dy.tensor)];
  if (error.element == Element::kInt8)
    return cross_entropy(logits, p.classes, exponent, label, error.format.max_code(),
                         data<int8_t>(l.dy.tensor, sample));
  return cross_entropy(logits, p.classes, exponent, label, error.format.max_code(),
                       data<int16_t>(l.dy.tensor, sample));
}

LossErrors Engine::errors_of_loss(const LayerPlan& l, int32_t sample) const {
  const Tensor& t = plan_.tensors[size_t(l.dy.tensor)];
  return {data<>(l.dy.tensor, sample), t.element, plan_.summary.is_float ? 0 : t.format.max_code()};
}

/// Adds the weight of the label's class to those of the batch.
LossResult Engine::sample_soft(const LayerPlan& l, int32_t sample, bool with_errors) {
  const PlanSummary& p = plan_.summary;
  const std::span<const float> weights = p.loss_settings.class_weights;
  SoftCrossEntropy s;
  s.weights = weights.empty() ? nullptr : weights.data();
  s.smoothing = p.loss_settings.smoothing;
  s.classes = p.classes;
  s.label = targets_.labels[sample];
  s.softmax = kernels_->softmax_float;
  s.weight_sum = training_ ? &float_weight_ : nullptr;
  if (with_errors) s.errors = errors_of_loss(l, sample);
  if (p.is_float) {
    s.values = data<float>(p.logits_tensor, sample);
  } else {
    s.logits = data<int32_t>(p.logits_tensor, sample);
    s.unit = forward_unit(l, sample).shifted(l.logits_shift);
  }
  const SoftResult r = kernels_->soft_cross_entropy(s);
  result_.weight += r.weight - (1 << 15);
  if (!training_) return r.loss;
  weight_ += r.weight;
  weight_unit_ = r.weight_unit;
  return r.loss;
}

MseTargets Engine::sample_targets(int32_t sample) const {
  if (targets_.values == nullptr) return {nullptr, targets_.labels[sample]};
  return {targets_.values + ptrdiff_t(sample) * plan_.summary.classes, -1};
}

/// One unit of the errors that take the place of the outputs.
Scale Engine::error_unit(const LayerPlan& l, int32_t sample) const {
  const Scale unit = forward_unit(l, sample).shifted(l.logits_shift);
  const int32_t divisor = plan_.summary.loss_divisor();
  return plan_.summary.loss == Loss::kMse ? mse_error_unit(unit, divisor)
                                          : unit / Scale::normalized(uint32_t(divisor), 0);
}

/// The errors that have taken the place of the outputs, rounded as a wire's sums are.
void Engine::round_errors(const LayerPlan& l, int32_t sample, uint64_t largest) {
  const int32_t n = plan_.summary.classes;
  const Scale unit = error_unit(l, sample);
  if (plan_.summary.scaling == Scaling::kDelayed && observing_) {
    state(l.dy.slot).unit = unit;
    state(l.dy.slot).seen = largest;
    roll(l.dy);
  }
  round_wire(l.dy, {.sums = data<int32_t>(plan_.summary.logits_tensor, sample),
                    .unit = unit,
                    .seen_unit = unit,
                    .sample = sample,
                    .rows = 1,
                    .columns = n,
                    .code_stride = n,
                    .magnitude = largest});
}

LossResult Engine::sample_mse(const LayerPlan& l, int32_t sample, bool with_errors) {
  const PlanSummary& p = plan_.summary;
  const MseTargets targets = sample_targets(sample);
  if (p.is_float)
    return mse(data<float>(p.logits_tensor, sample), p.classes, targets, p.loss_divisor(),
               with_errors ? data<float>(l.dy.tensor, sample) : nullptr);
  const Scale unit = forward_unit(l, sample).shifted(l.logits_shift);
  const MseResult result =
      mse(data<int32_t>(p.logits_tensor, sample), p.classes, unit, targets, p.loss_divisor());
  if (with_errors) round_errors(l, sample, result.largest);
  return result.loss;
}

LossResult Engine::sample_pointwise(const LayerPlan& l, int32_t sample, bool with_errors) {
  const PlanSummary& p = plan_.summary;
  const bool rounds = p.loss == Loss::kHuber && !p.is_float;
  PointwiseLoss loss;
  loss.kind = p.loss == Loss::kL1      ? Pointwise::kL1
              : p.loss == Loss::kHuber ? Pointwise::kHuber
                                       : Pointwise::kBce;
  loss.count = p.classes;
  loss.divisor = p.loss_divisor();
  loss.targets = sample_targets(sample);
  loss.delta = p.loss_settings.delta;
  if (p.is_float) {
    loss.values = data<float>(p.logits_tensor, sample);
  } else {
    loss.sums = data<int32_t>(p.logits_tensor, sample);
    loss.unit = forward_unit(l, sample).shifted(l.logits_shift);
  }
  if (with_errors && !rounds) loss.errors = errors_of_loss(l, sample);
  const MseResult result = kernels_->pointwise_loss(loss);
  if (with_errors && rounds) round_errors(l, sample, result.largest);
  return result.loss;
}

/// By which the gradient sums of a batch are divided: its samples, the weights of their classes, or 1.
Scale Engine::batch_divisor() const {
  const PlanSummary& p = plan_.summary;
  if (p.loss_settings.reduction == LossReduction::kSum) return {};
  if (!p.is_soft()) return Scale::normalized(uint32_t(batch_samples_), 0);
  return weight_ > 0 ? Scale::normalized(uint64_t(weight_), 0) * weight_unit_ : Scale{};
}

/// Codes of a Sigmoid, Tanh or Softmax stay for the way back; the loss works on a copy, in the place of sums.
void Engine::load_logits(const LayerPlan& l, int32_t sample) {
  const int16_t logits = plan_.summary.logits_tensor;
  if (l.y.tensor == logits) return;
  const int32_t n = plan_.summary.classes;
  const void* y = data<>(l.y.tensor, sample);
  if (!plan_.summary.is_float)
    return widen(y, plan_.tensors[size_t(l.y.tensor)].element, n, data<int32_t>(logits, sample));
  for (int32_t i = 0; i < n; ++i) data<float>(logits, sample)[i] = static_cast<const float*>(y)[i];
}

void Engine::run_loss(const LayerPlan& l) {
  result_.weight += int64_t(count_) << 15;
  for (int32_t s = 0; s < count_; ++s) {
    const bool with_errors = (training_ || observing_) && l.dy.tensor >= 0;
    load_logits(l, s);
    const LossResult loss = sample_loss(l, s, with_errors);
    if (with_errors) clear_halo(l.dy.tensor, s);
    result_.loss_q24 += loss.loss_q24;
    result_.correct += targets_.labels != nullptr && loss.prediction == targets_.labels[s] ? 1 : 0;
    if (predictions_ != nullptr) predictions_[s] = loss.prediction;
  }
  if (!training_ || l.dy.slot < 0 || plan_.summary.scaling == Scaling::kDynamic || plan_.summary.is_float)
    return;
  collect(l.dy, error_unit(l, 0));
  if (!observing_) return;
  state(l.dy.slot).saturated = 0;
  state(l.dy.slot).seen = 0;
}

}  // namespace mantissa
