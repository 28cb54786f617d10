// Real numbers into an engine's parameters, in whatever format these are.
#pragma once
#include <span>

#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// Stores float32 parameters, or codes with a scale as initialize() would choose it: the largest magnitude at three quarters of the range,
/// rounded half away. Not for weights with several scales.
void store_parameters(Engine& engine, const LayerPlan& l, int16_t id, int16_t slot,
                      std::span<const float> values);

}  // namespace mantissa::host
