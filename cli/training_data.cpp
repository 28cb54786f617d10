// Choosing by label and cutting come after normalising, so that a short run sees the samples that a long one sees.
#include "cli/training_data.hpp"

#include <fmt/format.h>

#include "host/error.hpp"
#include "host/report/text.hpp"

namespace mantissa::cli {

host::Dataset load_training_data(const std::string& folder, const host::Description& d, int outputs,
                                 std::optional<int> samples) {
  const bool is_input = d.target == host::Target::kInput;
  if (is_input && outputs != d.input.size())
    throw host::Error(fmt::format(
        "model {}: target = \"input\" compares the outputs with the sample, but the layers give {} "
        "values for an input of {} steps x {} channels; make them equal in number",
        d.name, outputs, d.input.steps, d.input.channels));
  if (!is_input && d.classes != 0 && d.classes != outputs)
    throw host::Error(
        fmt::format("model {}: [output] has {} classes, but the layers give {} outputs; make them equal",
                    d.name, d.classes, outputs));
  host::Dataset data =
      is_input ? host::load_dataset(folder, d.input_shape(), d.classes, nullptr, host::Labels::kOptional)
               : host::load_dataset(folder, d.input_shape(), outputs);
  if (d.training.only_class >= 0) {
    if (!data.has_labels)
      throw host::Error(fmt::format("only_class {}: {} has no labels", d.training.only_class, folder));
    data.train.keep_label(d.training.only_class);
    if (data.train.size() == 0)
      throw host::Error(fmt::format("only_class {}: no training sample in {} has this label",
                                    d.training.only_class, folder));
  }
  if (!samples) return data;
  if (static_cast<size_t>(*samples) > data.train.size())
    throw host::Error(fmt::format("--samples {}: {} has {} training samples; give at most as many", *samples,
                                  folder, host::grouped(static_cast<int64_t>(data.train.size()))));
  data.train.keep_first(static_cast<size_t>(*samples));
  return data;
}

}  // namespace mantissa::cli
