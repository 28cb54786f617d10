// Which tensors and scales of a plan are durable, and what a person calls them.
// capture(), restore() and the reader of files must agree on it.
#pragma once
#include <string>
#include <vector>

#include "host/file/model_file.hpp"

namespace mantissa::host {

/// A durable tensor, or the slot of a durable scale.
struct StateEntry {
  int layer = -1;
  StateRole role = StateRole::kInput;
  int16_t id = -1;
};

/// Weights, biases and their momentum.
std::vector<StateEntry> durable_tensors(const PlanView& plan);

/// Scales that outlive a batch. Those of wires only if they are delayed, each at the layer that rounds to it:
/// pools, ReLU and Flatten hand codes on with their scale. None in float32.
std::vector<StateEntry> durable_scales(const PlanView& plan);

Encoding encoding_of(const PlanView& plan, const StateEntry& tensor);

/// "the weight momentum of layer 'conv1'".
std::string describe_state(int layer, StateRole role, const Description& description);

}  // namespace mantissa::host
