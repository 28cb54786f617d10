// What products read of parameters: weights as codes, biases in the unit of the sums.
#include "mantissa/engine/engine-inl.hpp"
#include "mantissa/num/float_bits.hpp"

namespace mantissa {

namespace {

/// out[i] = clamp(value(i), +-limit); returns how many did not fit.
template <class Value>
uint32_t put_biases(int32_t count, int32_t limit, int32_t* out, Value value) {
  uint32_t saturated = 0;
  for (int32_t i = 0; i < count; ++i) {
    const auto wanted = value(i);
    out[i] = wanted > limit ? limit : wanted < -limit ? -limit : int32_t(wanted);
    saturated += out[i] != wanted ? 1 : 0;
  }
  return saturated;
}

int64_t nearest_integer(float x) {
  constexpr float kFarOut = 4294967296.0f;
  const float bounded = x > kFarOut ? kFarOut : x < -kFarOut ? -kFarOut : x;
  const int64_t whole = truncated(bounded);
  const float rest = bounded - float(whole);
  return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

}  // namespace

/// Of the operands. Stored codes wider than the operand lose their lower bits, so an operand's step is larger. Operands of float32
/// weights, and of those with many scales, have a scale of their own.
Scale Engine::weight_scale(const LayerPlan& l) const {
  const Scale stored = state(l.weight_slot).scale;
  const bool is_plain = l.layout == ParameterLayout::kPacked || l.layout == ParameterLayout::kOffset16;
  return is_plain ? stored.shifted(l.formats.parameter.bits - l.formats.weight.bits) : stored;
}

GemmOperand Engine::weight_operand(const LayerPlan& l) const {
  const int16_t tensor = l.weight_operand >= 0 ? l.weight_operand : l.weight;
  const std::byte* first = arena_ + plan_.tensors[size_t(tensor)].offset;
  const Element element = element_of(l.formats.weight);
  if (l.layout == ParameterLayout::kOffset16) return {first + 1, element, 0, 0, 2};  // the upper bytes
  return {first, element, 0, 0, 1};
}

/// Weights as codes, from float32 or codes with many scales (scale from their largest magnitude), or from wider stored codes.
void Engine::make_operands(const LayerPlan& l) {
  const Format weight = l.formats.weight;
  void* out = data<>(l.weight_operand);
  const CodeRange range = symmetric_range(weight.bits);
  if (l.formats.parameter.is_float()) {
    const float* values = data<float>(l.weight);
    const float largest = kernels_->largest_magnitude(values, l.weights);
    Scale& scale = state(l.weight_slot).scale;
    if (largest > 0.0f) scale = Scale::from_float(largest) / Scale::normalized(uint32_t(range.high), 0);
    const float inverse = (Scale{} / scale).to_float();
    kernels_->quantize_floats({values, inverse, range, out, element_of(weight), l.weights});
    return;
  }
  if (l.layout == ParameterLayout::kGranules) {
    TensorView operand;
    operand.format = weight;
    operand.elements = size_t(l.weights);
    operand.container_bits = uint8_t(8 * element_bytes(element_of(weight)));
    operand.codes = {static_cast<uint8_t*>(out), size_t(l.weights) * element_bytes(element_of(weight))};
    operand.scales = {&state(l.weight_slot).scale, 1};
    return kernels_->read_weights(weight_view(l), operand);
  }
  const CodeView view = code_view(l, l.weight);
  const int32_t drop = l.formats.parameter.bits - weight.bits;
  const int32_t half = drop > 0 ? 1 << (drop - 1) : 0;
  for (int32_t i = 0; i < l.weights; ++i) {
    const int32_t code = clamp_code((load_code(view, uint32_t(i)) + half) >> drop, range);
    if (element_of(weight) == Element::kInt8)
      static_cast<int8_t*>(out)[i] = int8_t(code);
    else
      static_cast<int16_t*>(out)[i] = int16_t(code);
  }
}

/// Biases in units of the accumulator, nearest, within the room that the proof leaves; how many do not fit in it.
uint32_t Engine::make_bias_operand(const LayerPlan& l, int32_t sample, int32_t* out) const {
  const Scale unit = forward_unit(l, sample);
  const auto put = [&](auto value) { return put_biases(l.node.outputs, l.bias_limit, out, value); };
  if (l.formats.parameter.is_float()) {
    const float* bias = data<float>(l.bias);
    const float inverse = (Scale{} / unit).to_float();
    return put([=](int32_t i) { return nearest_integer(bias[i] * inverse); });
  }
  const CodeView view = code_view(l, l.bias);
  const Multiplier by = multiplier(state(l.bias_slot).scale / unit);
  return by.shift > 16
             ? put([=](int32_t i) { return scaled_code(load_code(view, uint32_t(i)), by); })
             : put([=](int32_t i) { return scaled(load_code(view, uint32_t(i)), by, Rounding::kHalfAway); });
}

/// Biases as they join the sums. Those of dynamic scales are made for the sample, whose sums are one tile.
const void* Engine::bias_row(const LayerPlan& l, int32_t sample, int32_t worker) const {
  if (l.bias < 0) return nullptr;
  if (plan_.summary.is_float) return data<>(l.bias);
  if (plan_.summary.scaling == Scaling::kDelayed) return data<>(l.bias_operand);
  int32_t* bias = data<int32_t>(l.bias_operand, worker);
  bias_saturated(worker) += make_bias_operand(l, sample, bias);
  return bias;
}

/// Biases that did not fit beside the sums, once for each sample.
uint32_t& Engine::bias_saturated(int32_t worker) const {
  return data<WorkerCounter>(plan_.summary.counters_tensor)[worker].bias.parameter_saturated;
}

void Engine::collect_bias(const LayerPlan& l) const {
  for (int32_t w = 0; w < plan_.summary.threads; ++w) {
    state(l.bias_slot).saturated += bias_saturated(w);
    bias_saturated(w) = 0;
  }
}

}  // namespace mantissa
