// The data of a training, as the commands that train load it: the same files, the same samples, the same checks.
#pragma once
#include <algorithm>
#include <optional>
#include <string>

#include "host/data/dataset.hpp"
#include "host/model/description.hpp"

namespace mantissa::cli {

/// The data set, its training half cut to the first `samples`; normalised as the whole of it. Throws Error as
/// load_dataset(), and if the model's layers do not give `outputs` as its description says or there are fewer samples.
host::Dataset load_training_data(const std::string& folder, const host::Description& description, int outputs,
                                 std::optional<int> samples);

/// The class that a reconstruction is trained on: only_class, else 0.
inline int usual_class(const host::Description& d) { return std::max(d.training.only_class, 0); }

}  // namespace mantissa::cli
