// What the engine's source files share: access to the arena, work for threads, codes of parameters.
#pragma once
#include <type_traits>

#include "mantissa/engine/engine.hpp"
#include "mantissa/layers/conv1d.hpp"
#include "mantissa/num/requantize.hpp"
#include "mantissa/tensor/dynamic_scale.hpp"

namespace mantissa {

/// Names of the random sequences of a layer.
enum class ParameterStream : uint32_t {
  kWeightInit,
  kBiasInit,
  kWeightUpdate,
  kBiasUpdate,
  kWeightRefit,
  kBiasRefit,
  kWeightGradient,
  kBiasGradient
};
uint32_t parameter_stream(int16_t layer, ParameterStream which);

inline int32_t load_code(const CodeView& view, uint32_t i) {
  if (view.layout == CodeLayout::kOffset16) return static_cast<const int16_t*>(view.data)[i] - kCodeOffset;
  if (view.layout == CodeLayout::kGranule)
    return unpack_code(static_cast<const uint8_t*>(view.data), view.bits, i) - view.zero_point;
  if (view.bits == 16) return static_cast<const int16_t*>(view.data)[i];
  return unpack_code(static_cast<const uint8_t*>(view.data), view.bits, i);
}

inline void store_code(const CodeView& view, uint32_t i, int32_t code) {
  if (view.layout == CodeLayout::kOffset16) {
    static_cast<int16_t*>(view.data)[i] = int16_t(code + kCodeOffset);
    return;
  }
  pack_code(static_cast<uint8_t*>(view.data), view.bits, i, code + view.zero_point);
}

/// Scales, zero points or exponents of a tensor as they lie in memory: scales first.
inline void set_metadata(TensorView& v, void* memory) {
  const size_t count = granules(v.format, v.elements, v.channels);
  if (v.format.kind == FormatKind::kBfp) {
    v.exponents = {static_cast<uint8_t*>(memory), count};
    return;
  }
  v.scales = {static_cast<Scale*>(memory), count};
  if (v.format.kind == FormatKind::kAsym)
    v.zero_points = {static_cast<int16_t*>(static_cast<void*>(v.scales.data() + count)), count};
}

/// Initial value i in units of 1/32767 of the bound.
inline int32_t initial_code(RandomKey key, int32_t i) {
  const int32_t code = int32_t(random16(key, uint32_t(i))) - 32768;
  return code < -32767 ? -32767 : code;
}

/// The scale for the next batch from what this one saw (seen > 0).
inline Scale delayed_scale(const PlanSummary& plan, const ScaleState& s, int32_t max_code, bool has_history) {
  const Scale margin = Scale::from_float(plan.margin);
  if (!has_history || !(plan.decay > 0.0f)) return delayed_scale(s.seen, s.unit, max_code, margin);
  return next_delayed_scale(s.scale, s.seen, s.unit, max_code, {margin, Scale::from_float(plan.decay)});
}

template <class T>
T* Engine::data(int16_t tensor, int32_t sample) const {
  const Tensor& t = plan_.tensors[size_t(tensor)];
  const size_t element = size_t(sample) * size_t(t.sample_stride()) + size_t(t.halo_before);
  return static_cast<T*>(static_cast<void*>(arena_ + t.offset + element * element_bytes(t.element)));
}

/// Some rows of sums of a sample on their way into a wire.
struct Engine::SumRows {
  const void* sums = nullptr;  ///< dense
  Element element = Element::kInt32;
  Scale unit = {};  ///< of the sums
  Scale seen_unit =
      {};  ///< in which the largest ones are collected; that of the sums, unless rows have units of their own
  int32_t sample = 0, row = 0, rows = 0, columns = 0;
  int32_t code_stride = 0;
  uint64_t magnitude = 0;  ///< the largest one, in seen_unit
  int32_t worker = 0;
};

/// An integer in one unit, nearest in another one.
inline uint64_t in_unit(uint64_t magnitude, Scale from, Scale to) {
  return magnitude == 0 || from == to ? magnitude
                                      : uint64_t(whole(Scale::normalized(magnitude, 0) * from / to));
}

/// The magnitude below zero of an Asym wire without negative values is its scale times 2^-40: a Scale is never 0.
inline constexpr int32_t kNothingBelow = 40;

inline void clear_elements(void* elements, Element element, ptrdiff_t count) {
  std::byte* bytes = static_cast<std::byte*>(elements);
  const ptrdiff_t size = count * ptrdiff_t(element_bytes(element));
  for (ptrdiff_t i = 0; i < size; ++i) bytes[i] = std::byte(0);
}

/// Before the errors of groups are summed.
inline void clear_group_errors(const GroupRows& g, bool is_float) {
  for (int32_t i = 0; i < g.groups; ++i) {
    if (is_float)
      static_cast<FloatMoments*>(g.moments)[i].products = static_cast<FloatMoments*>(g.moments)[i].errors = 0;
    else
      static_cast<Moments*>(g.moments)[i].products = static_cast<Moments*>(g.moments)[i].errors = 0;
  }
}

/// A dynamic scale where all sums are 0. Any is right for the codes, but the next layer's biases and the targets of the loss come to
/// units made of it: in the sums' own, ever smaller from layer to layer, they would not fit.
inline Scale scale_of_nothing(int32_t max_code) { return Scale{} / Scale::normalized(uint32_t(max_code), 0); }

/// Codes of an operand as sums.
inline void widen(const void* codes, Element element, int32_t count, int32_t* sums) {
  for (int32_t i = 0; i < count; ++i)
    sums[i] = element == Element::kInt8 ? static_cast<const int8_t*>(codes)[i]
                                        : static_cast<const int16_t*>(codes)[i];
}

/// Runs body(index, worker) for all indices; on threads where the work (multiply-adds) pays for waking them.
template <class Body>
void Engine::parallel(int32_t count, int64_t work, Body&& body) {
  constexpr int64_t kWorthThreads = 200000;
  if (executor_.run == nullptr || count < 2 || work < kWorthThreads) {
    for (int32_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  using Task = std::remove_reference_t<Body>;
  void* task = const_cast<void*>(static_cast<const void*>(&body));
  executor_.run(executor_.context, count, task, [](void* self, int32_t index, int32_t worker) {
    (*static_cast<Task*>(self))(index, worker);
  });
}

template <class Body>
void Engine::probed(StepKind kind, int32_t layer, Body&& body) const {
  if (probe_.begin == nullptr) return body();
  probe_.begin(probe_.context, kind, layer);
  body();
  probe_.end(probe_.context, kind, layer);
}

/// Sums of one term each, of a sample.
struct Engine::Elements {
  const Wire& to;
  const ProductPlan& product;
  Scale unit;
  Shape shape;
  int32_t sample = 0, worker = 0;
  const Wire* mask = nullptr;  ///< a wire that has passed a ReLU: where it is 0 the sums become 0
};

/// A sample on its way through a layer that makes sums.
struct Engine::ForwardRows {
  int32_t sample = 0, worker = 0;
  int32_t tile_rows = 0;
  const void* bias = nullptr;
};

/// What makes the sums of a tile: (first, count, sums), of elements in round_elements(), of rows in round_forward(). It refers to a
/// callable, so that the loops over tiles are compiled once.
class Engine::TileMaker {
 public:
  template <class Make>
  TileMaker(const Make& make)  // implicit, so that callers write a lambda
      : make_(&make), call_([](const void* made, int32_t first, int32_t count, void* sums) {
          (*static_cast<const Make*>(made))(first, count, sums);
        }) {}
  void operator()(int32_t first, int32_t count, void* sums) const { call_(make_, first, count, sums); }

 private:
  const void* make_;
  void (*call_)(const void* make, int32_t first, int32_t count, void* sums);
};

/// What the update of one parameter tensor needs, made once before its rows are updated.
struct Engine::ParameterUpdate {
  int16_t tensor = -1, slot = -1, momentum = -1, momentum_slot = -1;
  Element sums = Element::kFloat32;
  int32_t sum_shift = 0;
  ParameterStream stream = ParameterStream::kWeightUpdate;
  Scale unit;       ///< of the integer sums
  Scale mean = {};  ///< of the mean gradient, one unit of the sums that the update reads
  IntegerUpdate integer = {};
  FloatUpdate real = {};
};

struct Engine::LayerUpdate {
  ParameterUpdate weight, bias;
};

/// Rows: elements between steps of x and dx, of y and dy. A ConvTranspose1d is the transpose of a Conv1d from y to x.
inline ConvGeometry geometry_of(const LayerPlan& l, int32_t x_row, int32_t y_row) {
  const Node& n = l.node;
  if (n.is_transposed())
    return {l.out.channels, l.in.channels, n.kernel, n.stride, 1, n.groups, l.pad_left, y_row, x_row};
  return {l.in.channels, l.out.channels, n.kernel, n.stride, n.dilation,
          n.groups,      l.pad_left,     x_row,    y_row,    n.vertical.kernel};
}

/// A product with a layer's weights: y from x, or dx from dy.
struct Engine::WeightProduct {
  const LayerPlan& layer;
  const ProductPlan& plan;
  ConvGeometry geometry;
  GemmOperand from;      ///< at step 0
  bool spreads = false;  ///< `from` over the signal, phase by phase of the stride; else windows slide over it
  int32_t window_row = 0;  ///< of the window of an image: `from` is the row that it meets

  int32_t phases() const { return spreads ? geometry.stride : 1; }
  int32_t columns() const { return spreads ? geometry.in_channels : geometry.out_channels; }
  /// Where the weights of a phase and a group are arranged.
  int32_t operand(int32_t phase, int32_t group) const {
    return (window_row * phases() + phase) * geometry.groups + group;
  }
};

/// What one thread makes of a layer's gradients at a time. Rows of weights are output channels and bring their biases along; those of
/// a ConvTranspose1d are input channels, and the first ones bring all biases.
struct Engine::Share {
  int32_t row = 0, rows = 0;
  int32_t bias = 0, biases = 0;
};
inline Engine::Share Engine::share_of(const LayerPlan& l, int32_t row, int32_t rows) {
  if (!l.node.is_transposed()) return {row, rows, row, rows};
  return {row, rows, 0, row == 0 ? l.node.outputs : 0};
}

}  // namespace mantissa
