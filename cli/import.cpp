// mantissa import: weights of a PyTorch network as a saved model.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/data/dataset.hpp"
#include "host/error.hpp"
#include "host/file/atomic_file.hpp"
#include "host/import/import_model.hpp"
#include "host/report/text.hpp"
#include "host/train/host_plan.hpp"

namespace mantissa::cli {
namespace {

struct ImportArguments {
  std::string model, weights, output, data, recipe = "float32";
  std::vector<std::string> map;
  bool partial = false;
};

host::ImportOptions options_of(const ImportArguments& a) {
  host::ImportOptions options{.map = {}, .partial = a.partial};
  for (const std::string& pair : a.map) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == pair.size())
      throw host::Error(fmt::format("--map {}: LAYER=NAME is needed, as conv1=features.0", pair));
    options.map.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return options;
}

/// Normalisation and range as training would measure them; without data, samples are taken as they are.
void add_data(const ImportArguments& a, host::SavedModel& model) {
  const host::Description& d = model.description;
  if (a.data.empty()) {
    const auto channels = static_cast<size_t>(d.input.channels);
    model.normalization = {std::vector<float>(channels, 0.0f), std::vector<float>(channels, 1.0f)};
    return;
  }
  const host::HostPlan plan(d, model.recipe, {.mode = PlanMode::kInfer});
  const host::Dataset data = host::load_dataset(a.data, d.input_shape(), plan.view().summary.classes);
  model.normalization = data.normalization;
  model.input_range = data.input_absmax;
}

void print_report(const host::ImportReport& report) {
  host::Table table("llll");
  for (const host::ImportedLayer& l : report.layers)
    table.add({l.layer, l.how.empty() ? "at random" : l.group, l.how, l.shapes});
  fmt::print("{}", table.text());
  for (const std::string& tensor : report.left_over) fmt::print("  left over: {}\n", tensor);
}

int import_model(const ImportArguments& a) {
  host::SavedModel model;
  model.description = host::read_description(a.model);
  model.recipe = host::find_recipe(a.recipe, model.description);
  const host::ImportOptions options = options_of(a);
  host::check_writable(a.output);
  add_data(a, model);
  const host::ImportReport report = host::import_weights(host::read_weights(a.weights), options, model);
  host::save_model(a.output, model);
  print_report(report);
  fmt::print("saved to {}, recipe {}\n", a.output, model.recipe.name);
  return 0;
}

}  // namespace

void add_import(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<ImportArguments>();
  CLI::App* command = program.add_subcommand("import", "Make a saved model of a PyTorch network's weights");
  command->footer(
      "WEIGHTS is a .safetensors, or a .npz: numpy.savez(f, **{k: v.numpy() for k, v in "
      "net.state_dict().items()}).\n"
      "Layers take tensors of their own name (conv1.weight), else in order where shapes fit.\n"
      "With --data samples are normalised as in training, and 'mantissa train --resume' goes on from there; "
      "without,\n"
      "they are taken as they are. Integer recipes with delayed scales set these in the first batch of "
      "training.\n\n"
      "Example: mantissa import har.toml har.safetensors -o har.mnt\n"
      "         mantissa import har.toml har.npz --recipe int8 --data DIR --map conv1=features.0 -o har.mnt");
  command->add_option("MODEL.toml", a->model, "The model")->required()->option_text(" ");
  command->add_option("WEIGHTS", a->weights, "Its weights")->required()->option_text(" ");
  command->add_option("-o,--output", a->output, "The saved model to write")->required()->option_text("FILE");
  command
      ->add_option("--recipe", a->recipe,
                   "Number formats: float32 (default), sym12, sym8, int8, or a TOML file")
      ->option_text("NAME");
  command->add_option("--data", a->data, "Folder whose training set says the normalisation")
      ->option_text("DIR");
  command->add_option("--map", a->map, "Tensors for a layer; may be given again")->option_text("LAYER=NAME");
  command->add_flag("--partial", a->partial, "Take what fits; other layers begin at random");
  command->callback([a, &chosen] { chosen = [a] { return import_model(*a); }; });
}

}  // namespace mantissa::cli
