// The loss: from logits to errors, and what a batch adds up to.
#include "mantissa/model/engine-inl.hpp"

namespace mantissa {

LossResult Engine::sample_loss(const LayerPlan& l, int32_t sample, bool with_errors) const {
  const PlanSummary& p = plan_.summary;
  if (p.is_float)
    return cross_entropy(data<float>(p.logits_tensor, sample), p.classes, labels_[sample],
                         with_errors ? data<float>(l.dy.tensor, sample) : nullptr, kernels_->softmax_float);
  int32_t* logits = data<int32_t>(p.logits_tensor, sample);
  const Multiplier exponent = exponent_multiplier(forward_unit(l, sample).shifted(l.logits_shift));
  if (!with_errors)
    return cross_entropy(logits, p.classes, exponent, labels_[sample], 1, static_cast<int8_t*>(nullptr));
  const Tensor& error = plan_.tensors[size_t(l.dy.tensor)];
  if (error.element == Element::kInt8)
    return cross_entropy(logits, p.classes, exponent, labels_[sample], error.format.max_code(),
                         data<int8_t>(l.dy.tensor, sample));
  return cross_entropy(logits, p.classes, exponent, labels_[sample], error.format.max_code(),
                       data<int16_t>(l.dy.tensor, sample));
}

void Engine::run_loss(const LayerPlan& l) {
  for (int32_t s = 0; s < count_; ++s) {
    const bool with_errors = (training_ || observing_) && l.dy.tensor >= 0;
    const LossResult loss = sample_loss(l, s, with_errors);
    if (with_errors) clear_halo(l.dy.tensor, s);
    result_.loss_q24 += loss.loss_q24;
    result_.correct += loss.prediction == labels_[s] ? 1 : 0;
    if (predictions_ != nullptr) predictions_[s] = loss.prediction;
  }
}

}  // namespace mantissa
