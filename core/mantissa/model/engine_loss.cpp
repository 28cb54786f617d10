// The loss: from logits to errors, and what a batch adds up to.
#include "mantissa/model/engine-inl.hpp"

namespace mantissa {

LossResult Engine::sample_loss(const LayerPlan& l, int32_t sample, bool with_errors) {
  const PlanSummary& p = plan_.summary;
  if (p.loss == Loss::kMse) return sample_mse(l, sample, with_errors);
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

/// The errors take the place of the outputs, then they are rounded as a wire's sums are.
LossResult Engine::sample_mse(const LayerPlan& l, int32_t sample, bool with_errors) {
  const PlanSummary& p = plan_.summary;
  const int32_t n = p.classes;
  const float* values = targets_.values == nullptr ? nullptr : targets_.values + ptrdiff_t(sample) * n;
  const MseTargets targets = {values, values == nullptr ? targets_.labels[sample] : -1};
  if (p.is_float)
    return mse(data<float>(p.logits_tensor, sample), n, targets,
               with_errors ? data<float>(l.dy.tensor, sample) : nullptr);
  int32_t* outputs = data<int32_t>(p.logits_tensor, sample);
  const Scale unit = forward_unit(l, sample).shifted(l.logits_shift);
  const MseResult result = mse(outputs, n, unit, targets);
  if (!with_errors) return result.loss;
  const Scale error_unit = mse_error_unit(unit, n);
  if (p.scaling == Scaling::kDelayed && observing_) {
    state(l.dy.slot).unit = error_unit;
    state(l.dy.slot).seen = result.largest;
    roll(l.dy);
  }
  round_wire(l.dy, {.sums = outputs,
                    .unit = error_unit,
                    .seen_unit = error_unit,
                    .sample = sample,
                    .rows = 1,
                    .columns = n,
                    .code_stride = n,
                    .magnitude = result.largest});
  return result.loss;
}

void Engine::run_loss(const LayerPlan& l) {
  for (int32_t s = 0; s < count_; ++s) {
    const bool with_errors = (training_ || observing_) && l.dy.tensor >= 0;
    const LossResult loss = sample_loss(l, s, with_errors);
    if (with_errors) clear_halo(l.dy.tensor, s);
    result_.loss_q24 += loss.loss_q24;
    result_.correct += targets_.labels != nullptr && loss.prediction == targets_.labels[s] ? 1 : 0;
    if (predictions_ != nullptr) predictions_[s] = loss.prediction;
  }
  if (!training_ || l.dy.slot < 0 || plan_.summary.scaling == Scaling::kDynamic || plan_.summary.is_float)
    return;
  collect(l.dy, mse_error_unit(forward_unit(l, 0).shifted(l.logits_shift), plan_.summary.classes));
  if (!observing_) return;
  state(l.dy.slot).saturated = 0;
  state(l.dy.slot).seen = 0;
}

}  // namespace mantissa
