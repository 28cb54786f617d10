// The learning rate of each step.
// A few operations in a fixed order, so that a step's rate has the same bits on every machine.
#pragma once
#include <cstdint>

namespace mantissa {

enum class Schedule : uint8_t {
  kConstant,
  kLinear,  ///< falls on a line that reaches 0 after the last step
};

/// lr for step 0..total-1.  kLinear: lr * (1 - step / total), in float32.  Requires total > 0.
constexpr float learning_rate(Schedule schedule, float lr, uint32_t step, uint32_t total) {
  switch (schedule) {
    case Schedule::kConstant: return lr;
    case Schedule::kLinear: return lr * (1.0f - float(step) / float(total));
  }
  return lr;
}

}  // namespace mantissa
