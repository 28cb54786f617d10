// Gradients that wait between micro-batches as codes: sums join them row by row, and the float update reads them.
#include "mantissa/engine/engine-inl.hpp"
#include "mantissa/num/fixed_math.hpp"

namespace mantissa {

/// The recipe's margin for sums that grow as those of random sign do: with the square root of the number of micro-batches.
float Engine::fixed_margin() const {
  if (plan_.summary.gradient_accumulation == GradientAccumulation::kRescale) return 0.0f;
  const uint32_t root = sqrt_floor((uint64_t(uint32_t(batch_samples_)) << 32) / uint32_t(count_));
  return plan_.summary.margin * (float(root) * 0x1p-16f);
}

/// Behind those of the weights' rows.
GradientGrid& Engine::bias_grid(const LayerPlan& l) const {
  return data<GradientGrid>(l.gradient_scales)[bytes(l.gradient_scales).size() / sizeof(GradientGrid) - 1];
}

/// The sums of some whole rows join their codes.
void Engine::join_weight_gradient(const LayerPlan& l, const void* sums, int32_t row, int32_t rows) {
  const Tensor& t = plan_.tensors[size_t(l.weight_gradient)];
  const bool float_sums = plan_.summary.is_float || plan_.summary.scaling == Scaling::kDynamic;
  const int32_t length = int32_t(granule_elements(t.format, size_t(t.elements), size_t(l.weight_rows())));
  JoinGradient join;
  join.element = float_sums ? Element::kFloat32 : l.gradient.accumulator;
  join.gain = float_sums ? 1.0f : gradient_unit(l, 0).to_float();
  join.fixed_margin = fixed_margin();
  join.key =
      random_key(progress_.seed, progress_.step, parameter_stream(t.layer, ParameterStream::kWeightGradient));
  const int32_t first = row * l.fan_in, end = first + rows * l.fan_in;
  for (int32_t i = first; i < end; i += length) {
    join.stored = {data<uint8_t>(l.weight_gradient), t.format,
                   data<GradientGrid>(l.gradient_scales) + i / length, uint32_t(i), length};
    join.sums = static_cast<const std::byte*>(sums) + size_t(i - first) * element_bytes(join.element);
    join.first_random = uint32_t(batch_offset_) * uint32_t(t.elements) + uint32_t(i);
    kernels_->join_gradient(join);
  }
}

void Engine::join_bias_gradient(const LayerPlan& l) {
  const Tensor& t = plan_.tensors[size_t(l.bias_gradient)];
  JoinGradient join;
  join.stored = {data<uint8_t>(l.bias_gradient), t.format, &bias_grid(l), 0, t.elements};
  join.sums = data<>(l.bias_sums);
  join.element = plan_.tensors[size_t(l.bias_sums)].element;
  join.gain = join.element == Element::kFloat32 ? 1.0f : wire_scale(l.dy, 0).to_float();
  join.fixed_margin = fixed_margin();
  join.key =
      random_key(progress_.seed, progress_.step, parameter_stream(t.layer, ParameterStream::kBiasGradient));
  join.first_random = uint32_t(batch_offset_) * uint32_t(t.elements);
  kernels_->join_gradient(join);
}

/// A float update granule by granule, decoded a few elements at a time; what saturated is added up.
UpdateSeen Engine::update_from_codes(const LayerPlan& l, const ParameterUpdate& u, int16_t gradient,
                                     GradientGrid* grids, int32_t channels, int16_t slot) {
  constexpr int32_t kChunk = 32;
  const Tensor& t = plan_.tensors[size_t(gradient)];
  const int32_t length = int32_t(granule_elements(t.format, size_t(t.elements), size_t(channels)));
  const float share = per_sample();
  int32_t steps[kChunk];
  UpdateSeen seen;
  ParameterUpdate part = u;
  part.sums = part.real.element = Element::kInt32;
  for (int32_t first = 0; first < t.elements; first += length) {
    GradientGrid& grid = grids[first / length];
    part.real.gain = grid.scale * share;
    for (int32_t done = 0; done < length; done += kChunk) {
      const int32_t at = first + done, count = length - done < kChunk ? length - done : kChunk;
      kernels_->read_gradient({data<uint8_t>(gradient), t.format, &grid, uint32_t(at), count}, steps);
      seen.merge(apply_update(l, part, steps, at, count));
    }
    if (slot >= 0) state(slot).saturated += grid.saturated;
  }
  return seen;
}

}  // namespace mantissa
