// mantissa export: a model as C++ source for a firmware project.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/error.hpp"
#include "host/export/cpp_text.hpp"
#include "host/export/export_model.hpp"
#include "host/export/fold_batch_norms.hpp"
#include "host/file/atomic_file.hpp"
#include "host/model/nearest.hpp"
#include "host/report/text.hpp"

namespace mantissa::cli {
namespace {

namespace fs = std::filesystem;

struct ExportArguments {
  std::string model, recipe, folder, name, kernels = "ref";
  std::optional<float> input_range;
  bool weights = false, fold = false;
  TrainingOverrides training;
};

constexpr char kDefaultRecipe[] = "int8";

bool is_saved(const ExportArguments& a) { return fs::path(a.model).extension() == ".mnt"; }

/// A model file's TOML, or a saved model with its own recipe.
host::SavedModel load(const ExportArguments& a) {
  host::SavedModel model;
  if (!is_saved(a)) {
    if (a.weights)
      throw host::Error(fmt::format(
          "{}: --weights is for saved models (*.mnt), as 'mantissa train --save' writes them", a.model));
    model.description = host::read_description(a.model);
    model.recipe = host::find_recipe(a.recipe.empty() ? kDefaultRecipe : a.recipe, model.description);
    return model;
  }
  model = host::load_model(a.model);
  if (a.recipe.empty()) return model;
  host::NamedRecipe wanted = host::find_recipe(a.recipe, model.description);
  wanted.name = model.recipe.name;
  if (host::write_recipe(wanted, model.description) != host::write_recipe(model.recipe, model.description))
    throw host::Error(
        fmt::format("{}: trained with recipe {}, not {}; leave --recipe out, or export the model's TOML file",
                    a.model, host::in_quotes(model.recipe.name), host::in_quotes(a.recipe)));
  return model;
}

/// A word of a command line, in quotes where a shell would take it apart.
std::string shell_word(const std::string& text) {
  const bool is_plain =
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+=:") ==
      std::string::npos;
  return is_plain ? text : fmt::format("\"{}\"", text);
}

/// The same command with every choice spelled out.
std::string command_of(const ExportArguments& a, const host::TrainingDefaults& t, const std::string& name) {
  std::string command = fmt::format("mantissa export {}", shell_word(a.model));
  if (!is_saved(a))
    command += fmt::format(" --recipe {}", shell_word(a.recipe.empty() ? kDefaultRecipe : a.recipe));
  command += fmt::format(" --name {} --kernels {}", name, a.kernels);
  command += fmt::format(" --batch {} --lr {} --momentum {} --weight-decay {}", t.batch, t.lr, t.momentum,
                         t.weight_decay);
  if (a.input_range) command += fmt::format(" --input-range {}", *a.input_range);
  return command + fmt::format("{}{} -o {}", a.fold ? " --fold" : "", a.weights ? " --weights" : "",
                               shell_word(a.folder));
}

void write(const fs::path& folder, const std::string& name, const host::ExportedModel& exported) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw host::Error(fmt::format("{}: the folder cannot be made: {}", folder.string(), error.message()));
  const fs::path header = folder / (name + ".hpp"), source = folder / (name + ".cpp");
  host::check_writable(header);
  host::check_writable(source);
  host::write_file_atomically(header, {std::as_bytes(std::span(exported.header))});
  host::write_file_atomically(source, {std::as_bytes(std::span(exported.source))});
}

void print_memory(const host::ExportedModel& e) {
  host::Table table("lr");
  const auto add = [&table](const char* what, uint32_t bytes) {
    if (bytes > 0) table.add({what, host::grouped(bytes) + " bytes"});
  };
  add("RAM: arena", e.arena_bytes);
  add("RAM: a normalised sample", e.sample_bytes);
  add("flash: trained weights", e.trained_bytes);
  add("flash: each of two slots to save in", e.state_bytes);
  fmt::print("{}", table.text());
}

void print_folded(const host::FoldReport& report) {
  if (!report.folded.empty()) fmt::print("folded: {}\n", fmt::join(report.folded, ", "));
  if (!report.frozen.empty())
    fmt::print("frozen, since no layer with weights is directly before: {}\n",
               fmt::join(report.frozen, ", "));
}

int export_source(ExportArguments& a) {
  host::SavedModel model = load(a);
  if (a.fold) print_folded(host::fold_batch_norms(model));
  a.training.batch = a.training.batch.value_or(1);
  a.training.apply_to(model.description.training);
  const std::string name = a.name.empty() ? host::cpp_name(model.description.name) : a.name;
  host::ExportOptions options{
      .name = name,
      .input_range = a.input_range,
      .kernels = a.kernels,
      .trained = a.weights ? host::Trained::kInclude : host::Trained::kLeaveOut,
      .command = command_of(a, model.description.training, name),
      .version = MANTISSA_VERSION,
  };
  if (!options.input_range && model.input_range > 0) options.input_range = model.input_range;
  const host::ExportedModel exported = host::export_model(model, options);
  const host::TrainingDefaults& t = model.description.training;
  write(a.folder, name, exported);
  fmt::print("{}: recipe {}, batch {}, lr {}, momentum {}, weight decay {}\n", model.description.name,
             model.recipe.name, t.batch, t.lr, t.momentum, t.weight_decay);
  print_memory(exported);
  fmt::print("written to {0}.hpp and {0}.cpp\n", (fs::path(a.folder) / name).string());
  return 0;
}

}  // namespace

void add_export(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<ExportArguments>();
  CLI::App* command = program.add_subcommand("export", "Write a model as C++ source for a firmware project");
  command->footer(
      "NAME.hpp says how to compile it: it needs the core of Mantissa and nothing else.\n\n"
      "Example: mantissa export ecg.mnt --weights -o firmware\n"
      "         mantissa export examples/ecg/ecg.toml --recipe int8 --input-range 12 -o firmware");
  command
      ->add_option("MODEL", a->model,
                   "The model: a TOML file, or a saved one (*.mnt) with its recipe and normalisation")
      ->required()
      ->option_text(" ");
  command
      ->add_option("--recipe", a->recipe,
                   "Number formats: float32, sym12, sym8, int8, or a TOML file (default: int8)")
      ->option_text("NAME");
  command->add_option("-o,--output", a->folder, "Folder for the two files")->required()->option_text("DIR");
  command->add_option("--name", a->name, "Of files and namespace (default: the model's)")
      ->option_text("NAME");
  command->add_flag("--weights", a->weights, "Include the saved model's parameters, momentum and scales");
  command->add_flag("--fold", a->fold,
                    "Fold batch norms into the layers before them (integer accuracy may differ a little)");
  command
      ->add_option("--input-range", a->input_range,
                   "The largest |x| of samples (default: the saved model's, or a parameter of init)")
      ->option_text("X");
  command
      ->add_option("--kernels", a->kernels,
                   "ref (default), or what is fast on Cortex-M0 and M3: small; M4, M7 and M33: dsp; M55: mve")
      ->option_text("NAME");
  TrainingOverrides& t = a->training;
  command->add_option("--batch", t.batch, "Samples per update (default: 1)")
      ->check(in_range(host::kBatch))
      ->option_text("N");
  add_optimizer_options(*command, t);
  command->callback([a, &chosen] { chosen = [a] { return export_source(*a); }; });
}

}  // namespace mantissa::cli
