// A plan in the making: the caller's arrays, and what the stages of planning share.
#pragma once
#include "mantissa/model/graph.hpp"
#include "mantissa/plan/formats.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::planning {

struct Draft {
  const Model& model;
  const Recipe& recipe;
  const PlanOptions& options;
  PlanBuffers buffers;
  PlanSummary summary{};
  int32_t logits_layer = 0;
  int16_t read_tensors[2] = {-1, -1};  ///< operands that are read anew for a layer: their second life

  Error error = {};  ///< the first one of a stage that goes on

  constexpr void fail(Error e, int32_t at) {
    if (error) return;
    error = e;
    error.layer = int16_t(at);
  }
  constexpr bool training() const { return options.mode == PlanMode::kTrain; }
  constexpr bool dynamic() const { return recipe.scaling == Scaling::kDynamic; }
  /// Whether the sums of a sample must be there before one of them is rounded.
  constexpr bool stages(const Wire& wire) const { return dynamic() || wire.kept_scales >= 0; }
  constexpr int32_t count() const { return int32_t(model.nodes.size()); }
  constexpr int32_t readers(int32_t i) const { return planning::readers(model, i); }
  constexpr LayerPlan& layer(int32_t i) { return buffers.layers[size_t(i)]; }
  constexpr Tensor& tensor(int32_t i) { return buffers.tensors[size_t(i)]; }
  constexpr int16_t new_slot() { return int16_t(summary.slots++); }
  /// Largest code of a wire; 0 for float32.
  constexpr int32_t max_code(const Wire& wire) {
    const Format f = tensor(wire.tensor).format;
    return f.is_float() ? 0 : f.max_code();
  }

  constexpr int16_t add_tensor(Role role, int32_t at, Format format, int64_t elements, int64_t samples = 1) {
    tensor(summary.tensors) = Tensor{.role = role,
                                     .element = element_of(format),
                                     .format = format,
                                     .layer = int16_t(at),
                                     .first_step = INT16_MAX,
                                     .samples = int32_t(samples),
                                     .elements = int32_t(elements)};
    return int16_t(summary.tensors++);
  }

  /// The tensor is alive in this step.
  constexpr void touch(int16_t id, int32_t step) {
    if (id < 0) return;
    Tensor& t = tensor(id);
    if (id == read_tensors[0] || id == read_tensors[1]) {
      if (step < t.first_again) t.first_again = int16_t(step);
      if (step > t.last_again) t.last_again = int16_t(step);
      return;
    }
    if (step < t.first_step) t.first_step = int16_t(step);
    if (step > t.last_step) t.last_step = int16_t(step);
  }

  /// The tensor is alive from the first step to the last.
  constexpr void hold(int16_t id) {
    touch(id, 0);
    touch(id, summary.steps - 1);
  }
};

/// What a layer passes on, or the model's input.
constexpr const Wire& wire_of(Draft& d, int32_t layer) {
  return layer < 0 ? d.summary.input_wire : d.layer(layer).y;
}

/// Calls body(wire) for the errors that the readers of layer i pass back, in the order of the layers.
template <class Body>
constexpr void for_each_error(Draft& d, int32_t i, Body body) {
  for_each_error(std::span<const LayerPlan>(d.buffers.layers.first(size_t(d.count()))), i, body);
}

/// Zeros around a tensor, or a row of one, in elements.
struct Halo {
  int32_t before = 0, after = 0;
};

/// Around the signal that a convolution slides its window over: x of a convolution, dy of a transposed one. Shapes are of a row.
constexpr Halo window_halo(const LayerPlan& l, Shape signal, Shape windows) {
  const int64_t last =
      int64_t(windows.row() - 1) * l.node.stride + int64_t(l.node.kernel - 1) * l.node.dilation - l.pad_left;
  return {l.pad_left * signal.channels,
          last >= signal.row() ? int32_t(last - signal.row() + 1) * signal.channels : 0};
}

/// Around what is spread over the signal: dy of a convolution, x of a transposed one.
constexpr Halo spread_halo(const LayerPlan& l, Shape signal, Shape windows) {
  const int64_t reach = int64_t(l.node.kernel - 1) * l.node.dilation - l.pad_left;
  const int32_t last = (signal.row() - 1 + l.pad_left) / l.node.stride;
  return {reach > 0 ? int32_t((reach + l.node.stride - 1) / l.node.stride) * windows.channels : 0,
          last >= windows.row() ? (last - windows.row() + 1) * windows.channels : 0};
}

constexpr void set_halo(Draft& d, const Wire& wire, Halo halo) {
  Tensor& t = d.tensor(wire.tensor);
  t.halo_before = halo.before > t.halo_before ? halo.before : t.halo_before;
  t.halo_after = halo.after > t.halo_after ? halo.after : t.halo_after;
}

}  // namespace mantissa::planning
