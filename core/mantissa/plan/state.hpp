// What the arena holds beside codes: the states of scales, and what the threads count.
#pragma once
#include "mantissa/kernels/update.hpp"
#include "mantissa/num/scale.hpp"

namespace mantissa {

/// The state of one scale. `seen` counts in units of `unit`. Of integer momentum: `unit` is the scale that the next update
/// writes its codes in: `scale`, its half, or 2^k times it.
struct ScaleState {
  Scale scale;             ///< of the codes
  Scale unit;              ///< of the accumulators that `seen` looked at
  uint64_t seen = 0;       ///< largest magnitude since the last batch began
  uint32_t saturated = 0;  ///< codes that did not fit, since bind
  uint32_t reserved = 0;
};

/// What one thread sees during a step.
struct WorkerCounter {
  Seen wire;
  uint64_t wire_below = 0;  ///< of an Asym wire: the largest magnitude below zero, and `wire` has that above
  UpdateSeen weight, bias;
};

}  // namespace mantissa
