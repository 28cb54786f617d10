// The state of a saved model as a device would have written it, so that a device can read it like its own.
#pragma once
#include <string>

#include "host/file/model_file.hpp"

namespace mantissa::host {

/// The bytes of a slot of flash with a programming unit of 1 (SPEC 11), as the initialiser of an array, with a comment
/// before each tensor. Throws Error if the model has not been trained, and as HostEngine and restore().
std::string trained_state_code(const SavedModel& model, bool momentum);

}  // namespace mantissa::host
