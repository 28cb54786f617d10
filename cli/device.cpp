// mantissa device: training on an emulated board, and whether it gives the bits of the host.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/board_options.hpp"
#include "cli/commands.hpp"
#include "cli/fine_tuning.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/training_data.hpp"
#include "host/device/board_training.hpp"
#include "host/device/memory_text.hpp"
#include "host/device/refusal.hpp"
#include "host/error.hpp"
#include "host/file/atomic_file.hpp"
#include "host/file/model_file.hpp"
#include "host/report/plan_text.hpp"
#include "host/report/results.hpp"
#include "host/report/text.hpp"
#include "host/train/host_engine.hpp"
#include "host/train/kernels_by_name.hpp"
#include "host/train/trainer.hpp"

namespace mantissa::cli {
namespace {

struct RunArguments {
  std::string model, data, recipe = "int8", kernels = "fast", json, save;
  BoardArguments board;
  TrainingOverrides training;
  FineTuning tuning;
  bool count = false;
  uint32_t count_from = 0;
};

int list_boards() {
  host::Table table("lllrrl");
  table.add({"board", "core", "instructions", "flash", "RAM", "has"});
  table.add_rule();
  for (const host::Board& b : host::boards())
    table.add({std::string(b.name), std::string(b.core), std::string(b.instructions),
               host::grouped(b.flash_bytes), host::grouped(b.ram_bytes),
               fmt::format("{}{}{}", b.has_fpu ? "FPU" : "", b.has_dsp ? ", DSP" : "",
                           b.has_helium ? ", Helium" : "")});
  fmt::print("{}", table.text(0));
  return 0;
}

/// The host's run with the same arguments, and what it needs to be looked at.
struct HostRun {
  HostRun(const host::SavedModel& model, const host::Dataset& data, bool adopts)
      : engine(
            model.description, model.recipe,
            {.batch = model.description.training.batch, .momentum = model.description.training.momentum > 0},
            host::select_kernels("best")),
        target(model.description.target) {
    if (adopts) {
      host::adopt(model, engine.engine(), model.description.training.seed);
      return;
    }
    engine.engine().initialize(model.description.training.seed);
    engine.engine().set_input_range(data.input_absmax);
  }
  void train(const host::Dataset& data, const host::TrainingDefaults& training,
             const std::atomic<bool>& stop) {
    host::Trainer trainer(engine.engine(), engine.arena(), data.train, training, {{}, &stop}, target);
    while (!trainer.finished()) epochs.push_back(trainer.run_epoch());
  }

  host::HostEngine engine;
  host::Target target;
  std::vector<host::EpochResult> epochs;
};

void print_heading(const host::SavedModel& model, const host::BoardPlan& plan, const RunArguments& a,
                   size_t samples) {
  const host::TrainingDefaults& t = model.description.training;
  const PlanSummary& s = plan.view().summary;
  fmt::print("{}: {} layers, {} parameters; {} training samples, {} epoch{}\n", model.description.name,
             s.layers, host::grouped(s.parameters), host::grouped(static_cast<int64_t>(samples)), t.epochs,
             t.epochs == 1 ? "" : "s");
  fmt::print("recipe {}, batch {}, lr {}{}, momentum {}, weight decay {}, seed {}\n", model.recipe.name,
             t.batch, t.lr, t.schedule == Schedule::kLinear ? " falling to 0" : "", t.momentum,
             t.weight_decay, t.seed);
  fmt::print("{}: {}, {} kernels, emulated\n\n", plan.board().name, plan.board().core, a.kernels);
  std::fflush(stdout);
}

struct Outcome {
  host::BoardResult board;
  std::optional<std::string> difference;
  std::optional<host::Evaluation> test;
  std::optional<host::Reconstruction> reconstruction;  ///< where samples are their own targets, instead
};

void print_outcome(const Outcome& o, const host::BoardPlan& plan, const host::Description& d) {
  const uint64_t hash = o.board.run.state_hash;
  fmt::print("\n{}\n", host::memory_text(plan, d, o.board.run.stack_used));
  if (o.board.instructions) fmt::print("{}\n", host::counts_text(*o.board.instructions, plan.view()));
  fmt::print("{} steps, {} codes saturated, weights hash {}\n", host::grouped(o.board.run.steps),
             host::grouped(static_cast<int64_t>(o.board.run.saturated)), host::hash_text(hash));
  if (o.test)
    fmt::print("test accuracy {:.4f} of the board's weights, evaluated on the host\n", o.test->accuracy);
  if (o.reconstruction) {
    const host::Reconstruction& r = *o.reconstruction;
    fmt::print("training error {:.4f}, test error {:.4f}{} of the board's weights, evaluated on the host\n",
               r.train_error, r.test_error,
               r.detection ? fmt::format(", AUC {:.4f}, F1 {:.4f}", r.detection->auc, r.detection->f1) : "");
  }
  if (o.difference)
    fmt::print("NOT identical: {}\n", *o.difference);
  else
    fmt::print("identical to the host: every parameter, momentum and scale, and the losses of each epoch\n");
}

/// Per training step, but for the total.
nlohmann::ordered_json counts_json(const host::InstructionCounts& counts, const host::Description& d) {
  const uint64_t batches = std::max<uint64_t>(counts.batches, 1);
  nlohmann::ordered_json j = {
      {"total", counts.total}, {"per_step", counts.per_batch()}, {"between", counts.between / batches}};
  j["steps"] = nlohmann::ordered_json::array();
  for (const host::StepCount& s : counts.steps)
    j["steps"].push_back({{"step", host::step_name(s.kind)},
                          {"layer", s.layer < 0 ? "" : d.layer_names[static_cast<size_t>(s.layer)]},
                          {"instructions", s.instructions / batches},
                          {"product", s.product / batches}});
  return j;
}

std::string json_text(const Outcome& o, const host::BoardPlan& plan, const host::SavedModel& model,
                      const RunArguments& a, size_t samples) {
  const host::BoardMemory& m = plan.memory();
  nlohmann::ordered_json j;
  j["model"] = model.description.name;
  j["recipe"] = model.recipe.name;
  j["board"] = plan.board().name;
  j["core"] = plan.board().core;
  j["kernels"] = a.kernels;
  j["version"] = MANTISSA_VERSION;
  j["seed"] = model.description.training.seed;
  j["samples"] = samples;
  j["epochs"] = o.board.epochs.size();
  j["batch"] = model.description.training.batch;
  j["steps"] = o.board.run.steps;
  j["train_loss"] = nlohmann::ordered_json::array();
  for (const firmware::EpochSum& e : o.board.epochs)
    j["train_loss"].push_back(static_cast<double>(e.loss_q24) / (1 << 9) /
                              static_cast<double>(std::max<int64_t>(e.weight, 1)));
  j["test_accuracy"] = o.test ? nlohmann::ordered_json(o.test->accuracy) : nlohmann::ordered_json();
  if (o.reconstruction) j["reconstruction"] = host::reconstruction_json(*o.reconstruction);
  j["saturated"] = o.board.run.saturated;
  j["weights_hash"] = host::hash_text(o.board.run.state_hash);
  j["identical"] = !o.difference.has_value();
  j["difference"] = o.difference ? nlohmann::ordered_json(*o.difference) : nlohmann::ordered_json();
  j["ram_bytes"] = {{"static", m.static_bytes}, {"arena", m.arena_bytes}, {"sample", m.sample_bytes},
                    {"stack", m.stack_bytes},   {"total", m.total()},     {"of", plan.board().ram_bytes}};
  j["stack_used"] = o.board.run.stack_used;
  j["instructions"] =
      o.board.instructions ? counts_json(*o.board.instructions, model.description) : nlohmann::ordered_json();
  return j.dump(2) + "\n";
}

host::SavedModel model_to_train(const RunArguments& a) {
  if (a.model.empty() == a.tuning.from.empty())
    throw host::Error(a.model.empty()
                          ? "a MODEL.toml to train is needed, or --from with a saved model"
                          : "both a model file and --from are given; a saved model holds its own");
  host::SavedModel model;
  if (a.model.empty()) {
    model = load_to_tune(a.tuning);
  } else {
    model.description = host::read_description(a.model);
    model.recipe = host::find_recipe(a.recipe, model.description);
  }
  a.training.apply_to(model.description.training);
  return model;
}

/// The counter of instructions is built beside this program.
std::filesystem::path counter() {
  const std::filesystem::path path =
      std::filesystem::canonical("/proc/self/exe").replace_filename("count.so");
  if (!std::filesystem::exists(path))
    throw host::Error(
        fmt::format("{}: the counter of instructions is missing; it is the target mantissa_count of this "
                    "program's build",
                    path.string()));
  return path;
}

/// Compares, saves, evaluates and reports. The exit code.
int finish(const RunArguments& a, Outcome outcome, const host::BoardPlan& plan, const host::Dataset& data,
           host::SavedModel& model, HostRun& on_host) {
  host::ReturnedEngine board(plan.view(), outcome.board, model.description.training.seed);
  Engine& engine = on_host.engine.engine();
  outcome.difference =
      host::first_difference(outcome.board, board.engine(), on_host.epochs, engine, model.description);
  host::capture(board.engine(), model);
  if (!a.save.empty()) host::save_model(a.save, model);
  host::restore(model, engine);
  if (model.description.target == host::Target::kInput)
    outcome.reconstruction = host::evaluate_reconstruction(engine, data, usual_class(model.description));
  else
    outcome.test = host::evaluate(engine, data.test);
  print_outcome(outcome, plan, model.description);
  if (!a.json.empty()) {
    const std::string text = json_text(outcome, plan, model, a, data.train.size());
    host::write_file_atomically(a.json, {std::as_bytes(std::span<const char>(text))});
  }
  return outcome.difference ? 1 : 0;
}

int run(const RunArguments& a) {
  host::SavedModel model = model_to_train(a);
  const host::TrainingDefaults& t = model.description.training;
  const host::BoardTarget target = board_target(a.board, a.kernels);
  const host::BoardOptions options{.batch = t.batch, .momentum = t.momentum > 0};
  const host::BoardPlan plan(model.description, model.recipe, target, options);
  host::require_fit(plan, model.description, model.recipe, target, options);
  for (const std::string& path : {a.json, a.save})
    if (!path.empty()) host::check_writable(path);
  host::BoardHooks hooks{
      .on_line = [](std::string_view line) { fmt::print("{}\n", line), std::fflush(stdout); }};
  if (a.count) hooks.counter = counter();
  const bool adopts = !a.tuning.from.empty();
  host::Dataset data =
      load_training_data(a.data, model.description, plan.view().summary.classes, a.training.samples);
  if (adopts) normalize_as_trained(model, data);
  model.normalization = data.normalization;
  model.input_range = data.input_absmax;

  const std::atomic<bool>& stop = watch_interrupts();
  hooks.stop = &stop;
  print_heading(model, plan, a, data.train.size());
  const auto samples = static_cast<uint32_t>(data.train.size());
  auto returned = host::train_on_board(plan, data.train,
                                       {.training = t,
                                        .samples = samples,
                                        .input_range = data.input_absmax,
                                        .count_from = a.count_from,
                                        .start = adopts ? &model : nullptr},
                                       hooks);
  HostRun on_host(model, data, adopts);
  if (returned) on_host.train(data, t, stop);
  if (stop) {
    fmt::print("interrupted; what was trained is lost\n");
    return kExitInterrupted;
  }
  return finish(a, {std::move(*returned), {}, {}, {}}, plan, data, model, on_host);
}

void add_run(CLI::App& device, Command& chosen) {
  auto a = std::make_shared<RunArguments>();
  CLI::App* command = device.add_subcommand("run", "Train on an emulated board, and compare with the host");
  command->footer(
      "'mantissa train' with the same arguments gives the same weights hash. Ctrl-C ends the emulation.\n\n"
      "Example: mantissa device run examples/ecg/ecg.toml --data ecg --board microbit --batch 1 --samples "
      "200 --epochs 1");
  command->add_option("MODEL.toml", a->model, "The model")->option_text(" ");
  command->add_option("--data", a->data, "Folder with the data")->required()->option_text("DIR");
  add_board_options(*command, a->board);
  command->get_option("--board")->required();
  add_recipe_option(*command, a->recipe);
  add_training_options(*command, a->training);
  add_fine_tuning_options(*command, a->tuning);
  command->add_option("--kernels", a->kernels, "The board's: fast (default) or ref")->option_text("NAME");
  command->add_flag("--count", a->count, "Count the board's instructions, step by step (slower)");
  command->add_option("--count-from", a->count_from, "The first step that is counted (default: 0)")
      ->option_text("N")
      ->needs("--count");
  command->add_option("--json", a->json, "Write the results there as JSON")->option_text("FILE");
  command->add_option("--save", a->save, "Write the trained model there")->option_text("FILE");
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace

void add_device(CLI::App& program, Command& chosen) {
  CLI::App* device = program.add_subcommand("device", "Train on a microcontroller board, emulated");
  device->footer("Example: mantissa device list\n         mantissa device run --help");
  device->require_subcommand(1);
  CLI::App* list = device->add_subcommand("list", "Show the boards");
  list->footer("Example: mantissa device list");
  list->callback([&chosen] { chosen = list_boards; });
  add_run(*device, chosen);
}

}  // namespace mantissa::cli
