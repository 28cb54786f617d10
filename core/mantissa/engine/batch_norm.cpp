// BatchNorm in the engine: statistics of a batch, of the first sample while it sets scales, and those that run.
// Rows are then normalized as those of a GroupNorm.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

/// One unit of codes of `bits` in which all samples of the batch are looked at: that of the largest scale, or a part of it.
Scale Engine::batch_unit(const Wire& wire, int32_t bits) const {
  Scale largest = wire_scale(wire, 0);
  if (!wire.has_scales_of_samples()) return largest;
  for (int32_t s = 1; s < count_; ++s) largest = max(largest, wire_scale(wire, s));
  return largest.shifted(plan_.tensors[size_t(wire.tensor)].format.bits - bits);
}

/// Codes of a sample: as they are, or (bits > 0) in the unit of the batch where samples have scales of their own.
NormCodes Engine::batch_codes(const Wire& wire, int32_t sample, int32_t bits) const {
  NormCodes codes;
  codes.data = data<>(wire.tensor, sample);
  codes.element = plan_.tensors[size_t(wire.tensor)].element;
  if (bits == 0 || !wire.has_scales_of_samples()) return codes;
  codes.by = multiplier(wire_scale(wire, sample) / batch_unit(wire, bits));
  codes.largest = (1 << (bits - 1)) - 1;
  return codes;
}

int32_t Engine::common_bits(const LayerPlan& l, const Wire& wire) const {
  return common_norm_bits(norm_elements(l, plan_.summary.batch),
                          plan_.tensors[size_t(wire.tensor)].format.bits);
}

RunningStatistics Engine::running_statistics(const LayerPlan& l) const {
  RunningStatistics r;
  r.rows = group_rows(l, 0);
  r.mean = data<float>(l.running);
  r.variance = r.mean + l.in.channels;
  r.momentum = l.node.momentum;
  return r;
}

namespace {

/// Some channels of rows, each a group.
GroupRows channels_of(GroupRows g, size_t bytes_of_moments, int32_t first, int32_t count) {
  g.x.data = at(g.x.data, g.x.element, first);
  g.gamma = at(g.gamma, g.gamma_element, ptrdiff_t(first) * g.gamma_stride);
  g.moments = static_cast<std::byte*>(g.moments) + size_t(first) * bytes_of_moments;
  g.channels = g.groups = count;
  return g;
}

}  // namespace

/// Calls body(view of a sample's channels in the range, sample or -1 for none) as the body asks: channels apart, so that the order of
/// sums does not depend on threads.
template <class Body>
void Engine::each_channel_range(const LayerPlan& l, Body&& body) {
  constexpr int32_t kTogether = 16;
  const size_t bytes = plan_.summary.is_float ? sizeof(FloatMoments) : sizeof(Moments);
  const int32_t channels = l.in.channels;
  parallel((channels + kTogether - 1) / kTogether, int64_t(count_) * l.in.size() * 8,
           [&](int32_t i, int32_t) {
             const int32_t first = i * kTogether;
             const int32_t count = first + kTogether > channels ? channels - first : kTogether;
             body(first, [&, first, count](int32_t sample) {
               return channels_of(group_rows(l, sample), bytes, first, count);
             });
           });
}

/// Statistics for the samples that follow: of the batch, of all that the first sample has while it sets scales, or those that run.
void Engine::begin_batch_norm(const LayerPlan& l) {
  if (!makes_batch_statistics(l)) return kernels_->read_running(running_statistics(l));
  for (std::byte& b : bytes(l.moments)) b = std::byte(0);
  constexpr MomentPhase kPhases[] = {MomentPhase::kSums, MomentPhase::kMean, MomentPhase::kSquares,
                                     MomentPhase::kInverse};
  if (observing_) {
    GroupRows all = group_rows(l, 0);
    all.groups = 1;
    for (const MomentPhase phase : kPhases) kernels_->group_moments({all, phase});
    const std::span<std::byte> moments = bytes(l.moments);
    const size_t each = moments.size() / size_t(l.in.channels);
    for (size_t i = each; i < moments.size(); ++i) moments[i] = moments[i - each];
    return;
  }
  each_channel_range(l, [&](int32_t, auto view) {
    for (const MomentPhase phase : kPhases) {
      const bool is_of_samples = phase == MomentPhase::kSums || phase == MomentPhase::kSquares;
      for (int32_t s = 0; s < (is_of_samples ? count_ : 1); ++s) kernels_->group_moments({view(s), phase});
    }
  });
  kernels_->update_running(running_statistics(l));
}

/// What mean and deviation take of the errors. Those of the first sample, which sets scales, are constants.
void Engine::sum_batch_errors(const LayerPlan& l) {
  clear_group_errors(group_rows(l, 0), plan_.summary.is_float);
  if (observing_) return;
  each_channel_range(l, [&](int32_t first, auto view) {
    for (int32_t s = 0; s < count_; ++s) {
      NormCodes dy = group_errors_of(l, s);
      dy.data = at(dy.data, dy.element, first);
      kernels_->group_errors({view(s), dy});
    }
  });
}

}  // namespace mantissa
