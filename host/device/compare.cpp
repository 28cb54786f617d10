// Bytes are compared, values are shown.
#include "host/device/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "host/file/model_state.hpp"

namespace mantissa::host {
namespace {

template <class T>
double number_at(std::span<const std::byte> bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
  return static_cast<double>(value);
}

double momentum_at(const Engine& engine, const StateEntry& e, size_t i) {
  const LayerPlan& l = engine.plan().layers[static_cast<size_t>(e.layer)];
  const Tensor& t = engine.plan().tensors[static_cast<size_t>(e.id)];
  const auto bytes = engine.bytes(e.id);
  if (t.format.is_float()) return number_at<float>(bytes, i);
  const int16_t slot = e.role == StateRole::kWeightMomentum ? l.weight_momentum_slot : l.bias_momentum_slot;
  const double code =
      t.element == Element::kInt8 ? number_at<int8_t>(bytes, i) : number_at<int16_t>(bytes, i);
  return code * static_cast<double>(engine.state(slot).scale.to_float());
}

double value_at(const Engine& engine, const StateEntry& e, size_t i) {
  if (e.role == StateRole::kWeightMomentum || e.role == StateRole::kBiasMomentum)
    return momentum_at(engine, e, i);
  if (e.role == StateRole::kRunning) return number_at<float>(engine.bytes(e.id), i);
  const LayerPlan& l = engine.plan().layers[static_cast<size_t>(e.layer)];
  return static_cast<double>(engine.parameter_value(l, e.id, static_cast<int32_t>(i)));
}

/// Equal codes under another scale are another value, too; so is a difference that no value shows, in its bytes.
std::string describe_tensor(const Engine& a, const Engine& b, const StateEntry& in_a, const StateEntry& in_b,
                            const EngineNames& names, const std::string& what) {
  const auto elements = static_cast<size_t>(a.plan().tensors[static_cast<size_t>(in_a.id)].elements);
  for (size_t i = 0; i < elements; ++i) {
    const double of_a = value_at(a, in_a, i), of_b = value_at(b, in_b, i);
    if (of_a != of_b)
      return fmt::format("element {} of {} is {:.9g} on {} and {:.9g} on {}", i, what, of_a, names.a, of_b,
                         names.b);
  }
  const auto bytes_a = a.bytes(in_a.id), bytes_b = b.bytes(in_b.id);
  const auto byte = std::ranges::mismatch(bytes_a, bytes_b).in1 - bytes_a.begin();
  return fmt::format("byte {} of {} is {:#04x} on {} and {:#04x} on {}", byte, what,
                     static_cast<int>(bytes_a[static_cast<size_t>(byte)]), names.a,
                     static_cast<int>(bytes_b[static_cast<size_t>(byte)]), names.b);
}

}  // namespace

std::optional<std::string> first_difference(const Engine& a, const Engine& b, const EngineNames& names,
                                            const Description& description) {
  const auto tensors_a = durable_tensors(a.plan()), tensors_b = durable_tensors(b.plan());
  for (size_t i = 0; i < tensors_a.size(); ++i)
    if (!std::ranges::equal(a.bytes(tensors_a[i].id), b.bytes(tensors_b[i].id)))
      return describe_tensor(a, b, tensors_a[i], tensors_b[i], names,
                             describe_state(tensors_a[i].layer, tensors_a[i].role, description));
  const auto scales_a = durable_scales(a.plan()), scales_b = durable_scales(b.plan());
  for (size_t i = 0; i < scales_a.size(); ++i) {
    const Scale of_a = a.state(scales_a[i].id).scale, of_b = b.state(scales_b[i].id).scale;
    if (of_a != of_b)
      return fmt::format("the scale of {} is {} * 2^{} on {} and {} * 2^{} on {}",
                         describe_state(scales_a[i].layer, scales_a[i].role, description), of_a.mantissa,
                         of_a.exponent, names.a, of_b.mantissa, of_b.exponent, names.b);
  }
  return std::nullopt;
}

}  // namespace mantissa::host
