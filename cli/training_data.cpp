// Cutting comes after normalising, so that a short run sees the samples that a long one sees.
#include "cli/training_data.hpp"

#include <fmt/format.h>

#include "host/error.hpp"
#include "host/report/text.hpp"

namespace mantissa::cli {

host::Dataset load_training_data(const std::string& folder, const host::Description& d, int outputs,
                                 std::optional<int> samples) {
  if (d.classes != 0 && d.classes != outputs)
    throw host::Error(
        fmt::format("model {}: [output] has {} classes, but the layers give {} outputs; make them equal",
                    d.name, d.classes, outputs));
  host::Dataset data = host::load_dataset(folder, d.input_shape(), outputs);
  if (!samples) return data;
  if (static_cast<size_t>(*samples) > data.train.size())
    throw host::Error(fmt::format("--samples {}: {} has {} training samples; give at most as many", *samples,
                                  folder, host::grouped(static_cast<int64_t>(data.train.size()))));
  data.train.keep_first(static_cast<size_t>(*samples));
  return data;
}

}  // namespace mantissa::cli
