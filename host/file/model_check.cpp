// What numbers of a saved model may be: bounds and the sentences about them.
#include "host/file/model_check.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "host/error.hpp"
#include "host/file/model_state.hpp"
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa::host {
namespace {

constexpr int32_t kLargestExponent =
    4096;  // training that explodes ends at float32's 127 or a few times that

float float_at(const SavedTensor& t, size_t i) {
  float value;
  std::memcpy(&value, t.data.data() + i * sizeof value, sizeof value);
  return value;
}

/// Momentum uses the lowest code of its range.
CodeRange range_of(const SavedTensor& t, Format format) {
  const bool is_momentum = t.role == StateRole::kWeightMomentum || t.role == StateRole::kBiasMomentum;
  return is_momentum ? momentum_range(t.bits) : code_range(format);
}

void check_codes(const SavedTensor& t, const Tensor& planned, const std::string& what) {
  if (t.encoding == Encoding::kOffset) return;  // every pattern of 16 bits is a code
  const CodeRange range = range_of(t, planned.format);
  const auto* packed = reinterpret_cast<const uint8_t*>(t.data.data());
  for (size_t i = 0; i < static_cast<size_t>(planned.elements); ++i) {
    const int32_t code = unpack_code(packed, t.bits, i);
    if (code < range.low || code > range.high)
      throw Error(fmt::format("{}: code {} is {}, and it must be from {} to {}", what, i, code, range.low,
                              range.high));
  }
}

}  // namespace

void check_settings(const SavedModel& model, const std::string& name) {
  if (!std::isfinite(model.input_range) || model.input_range < 0)
    throw Error(
        fmt::format("{}: an input range of {}; it must be finite and not negative", name, model.input_range));
  if (model.description.classes == 0) throw Error(fmt::format("{}: the number of classes is missing", name));
  const auto& [mean, inverse_std] = model.normalization;
  const auto channels = static_cast<size_t>(model.description.input.channels);
  if (mean.size() != inverse_std.size() || (!mean.empty() && mean.size() != channels))
    throw Error(fmt::format("{}: normalisation of {} and {} channels; the input has {}", name, mean.size(),
                            inverse_std.size(), channels));
  for (size_t c = 0; c < mean.size(); ++c)
    if (!std::isfinite(mean[c]) || !std::isfinite(inverse_std[c]) || inverse_std[c] <= 0)
      throw Error(fmt::format(
          "{}: normalisation of channel {} is (x - {}) * {}; both must be finite, the second above 0", name,
          c, mean[c], inverse_std[c]));
}

void check_size(const PlanView& plan, size_t payload_bytes, const std::string& name) {
  size_t bytes = 0;
  for (const StateEntry& e : durable_tensors(plan)) bytes += plan.tensors[static_cast<size_t>(e.id)].bytes;
  if (bytes > payload_bytes)
    throw Error(
        fmt::format("{}: its model has {} bytes of state, the file only {}", name, bytes, payload_bytes));
}

void check_elements(const SavedTensor& tensor, const Tensor& planned, const std::string& what) {
  if (tensor.encoding != Encoding::kFloat32) return check_codes(tensor, planned, what);
  for (size_t i = 0; i < static_cast<size_t>(planned.elements); ++i)
    if (!std::isfinite(float_at(tensor, i)))
      throw Error(fmt::format("{}: value {} is {}: training has diverged; a lower lr may help", what, i,
                              float_at(tensor, i)));
}

void check_variances(const SavedTensor& tensor, const std::string& what) {
  const size_t channels = tensor.data.size() / sizeof(float) / 2;
  for (size_t c = 0; c < channels; ++c)
    if (float_at(tensor, channels + c) < 0)
      throw Error(fmt::format("{}: the variance of channel {} is {}, and it must be at least 0", what, c,
                              float_at(tensor, channels + c)));
}

void check_scale(Scale scale, const std::string& what) {
  const bool normalized = scale.mantissa >> 30 == 1;
  if (!normalized || scale.exponent < -kLargestExponent || scale.exponent > kLargestExponent)
    throw Error(fmt::format(
        "{}: {} * 2^{} is not a scale: the mantissa must have 31 bits, the exponent be within +-{}", what,
        scale.mantissa, scale.exponent, kLargestExponent));
}

void check_weight_scales(const SavedTensor& tensor, const LayerPlan& layer, const std::string& what) {
  std::vector<std::byte> copy = tensor.data;  // aligned, as an arena's bytes are
  TensorView v;
  v.format = layer.formats.parameter;
  v.elements = static_cast<size_t>(layer.weights);
  v.channels = static_cast<size_t>(layer.weight_rows());
  set_metadata(v, copy.data());
  for (const Scale scale : v.scales) check_scale(scale, what);
  const CodeRange range = code_range(v.format);
  for (const int16_t zero_point : v.zero_points)
    if (zero_point < range.low || zero_point > range.high)
      throw Error(fmt::format("{}: a zero point is {}, and it must be from {} to {}", what, zero_point,
                              range.low, range.high));
  for (const uint8_t exponent : v.exponents)
    if (exponent > kLargestExponentByte)
      throw Error(fmt::format("{}: an exponent byte is {}, and it must be at most {}", what, exponent,
                              kLargestExponentByte));
}

void check_momentum_scale(const SavedScale& s, const std::string& what) {
  if (s.scale.mantissa != s.unit.mantissa || s.unit.exponent < s.scale.exponent - 1)
    throw Error(
        fmt::format("{}: {} * 2^{} is followed by {} * 2^{}; it must be the same, its half or 2^k times it",
                    what, s.scale.mantissa, s.scale.exponent, s.unit.mantissa, s.unit.exponent));
}

}  // namespace mantissa::host
