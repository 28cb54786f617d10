// Training that starts from a trained model instead of random weights, as commands that train offer it.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "host/data/dataset.hpp"
#include "host/file/model_file.hpp"

namespace mantissa::cli {

struct FineTuning {
  std::string from;                 ///< a saved model; empty: training starts anew
  std::vector<std::string> freeze;  ///< layers that keep their parameters
};

/// --from and --freeze.
void add_fine_tuning_options(CLI::App& command, FineTuning& tuning);

/// The saved model with the layers frozen. Throws Error as load_model(), if a name is none of a layer with parameters, and if no
/// layer is left to train.
host::SavedModel load_to_tune(const FineTuning& tuning);

/// Samples as the model saw them: normalised as its training set was, not as this one would be.
void normalize_as_trained(const host::SavedModel& model, host::Dataset& data);

}  // namespace mantissa::cli
