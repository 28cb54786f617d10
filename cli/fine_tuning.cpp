#include "cli/fine_tuning.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/error.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::cli {

void add_fine_tuning_options(CLI::App& command, FineTuning& tuning) {
  CLI::Option* from = command.add_option("--from", tuning.from,
                                         "Start anew with the parameters of a saved model, on other data");
  from->option_text("FILE");
  from->excludes(command.get_option("--recipe"));
  command
      .add_option("--freeze", tuning.freeze,
                  "With --from: layers that keep their parameters, such as conv1,conv2")
      ->delimiter(',')
      ->needs(from)
      ->option_text("NAMES");
}

host::SavedModel load_to_tune(const FineTuning& tuning) {
  host::SavedModel model = host::load_model(tuning.from);
  host::Description& d = model.description;
  std::vector<std::string_view> known;
  for (size_t i = 0; i < d.nodes.size(); ++i)
    if (d.nodes[i].has_parameters()) known.push_back(d.layer_names[i]);
  for (const std::string& name : tuning.freeze) {
    const auto found = std::ranges::find(d.layer_names, name);
    if (std::ranges::find(known, name) == known.end())
      throw host::Error(fmt::format("--freeze: {} has no layer {} with parameters{}", tuning.from,
                                    host::in_quotes(name), host::suggestion(name, known)));
    d.nodes[static_cast<size_t>(found - d.layer_names.begin())].training = Training::kFrozen;
  }
  const auto trains = [](const Node& n) { return n.has_parameters() && n.training == Training::kTrainable; };
  if (std::ranges::none_of(d.nodes, trains))
    throw host::Error(fmt::format("--freeze: no layer of {} is left to train", tuning.from));
  return model;
}

void normalize_as_trained(const host::SavedModel& model, host::Dataset& data) {
  for (host::Split* split : {&data.train, &data.test}) split->set_normalization(model.normalization);
  data.normalization = model.normalization;
  data.input_absmax = model.input_range;
}

}  // namespace mantissa::cli
