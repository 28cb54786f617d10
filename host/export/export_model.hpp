// A model as C++ source for a firmware project: it compiles alone with the core, and trains with the bits of the host.
// The plan is made again by the compiler, which checks that it is the one that was seen here.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "host/file/model_file.hpp"

namespace mantissa::host {

enum class Trained { kLeaveOut, kInclude };

struct ExportOptions {
  std::string name;                        ///< of namespace and files; see is_cpp_name()
  std::optional<float> input_range = {};   ///< largest magnitude of a normalised input
  std::string kernels = "ref";             ///< "ref" for any core, "small", "dsp", "mve"
  Trained trained = Trained::kLeaveOut;    ///< the saved state, as an array
  std::string command = {}, version = {};  ///< for the head of the files
};

struct ExportedModel {
  std::string header, source;  ///< texts of NAME.hpp and NAME.cpp
  uint32_t arena_bytes = 0;    ///< RAM that training takes
  uint32_t sample_bytes = 0;   ///< RAM for a normalised sample
  uint32_t state_bytes = 0;    ///< flash of each of two slots, for units up to 32 bytes
  uint32_t trained_bytes = 0;  ///< flash of the saved state, if included
};

/// Exports the model with its normalisation; batch and momentum are those of the description's training settings.
/// Throws Error if the name is none, there are no such kernels, the recipe does not go with the model, an input range is needed and not finite and
/// positive, or a state is asked for that the model does not have.
ExportedModel export_model(const SavedModel& model, const ExportOptions& options);

}  // namespace mantissa::host
