// As import and folding want it: nothing is known of how the values were made.
#include "host/import/store_parameters.hpp"

#include <algorithm>
#include <cmath>

#include "mantissa/engine/engine-inl.hpp"
#include "mantissa/num/float_bits.hpp"

namespace mantissa::host {

void store_parameters(Engine& engine, const LayerPlan& l, int16_t id, int16_t slot,
                      std::span<const float> values) {
  const Tensor& tensor = engine.plan().tensors[static_cast<size_t>(id)];
  if (tensor.format.is_float()) {
    std::ranges::copy(std::as_bytes(values), engine.bytes(id).begin());
    return;
  }
  const bool offset = l.layout == ParameterLayout::kOffset16 && tensor.role == Role::kWeight;
  const CodeView view{.layout = offset ? CodeLayout::kOffset16 : CodeLayout::kPacked,
                      .data = engine.bytes(id).data(),
                      .bits = tensor.format.bits,
                      .range = offset ? kOffsetRange : symmetric_range(tensor.format.bits)};
  float largest = 0;
  for (const float v : values) largest = std::max(largest, std::fabs(v));
  Scale& scale = engine.state(slot).scale;
  if (largest > 0)
    scale = Scale::from_float(largest) /
            Scale::normalized(static_cast<uint32_t>(view.range.high - view.range.high / 4), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const FloatParts parts = split_float(values[i]);
    const Multiplier by = multiplier(power_of_two(parts.exponent) / scale);
    store_code(view, static_cast<uint32_t>(i),
               rescale(parts.significand, by, Rounding::kHalfAway, view.range));
  }
}

}  // namespace mantissa::host
