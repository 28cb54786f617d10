// mantissa train: from a model file and a data folder to a trained model and a report.
// What can be wrong is looked for before training starts, outputs included.
#include <fmt/format.h>

#include <filesystem>

#include "cli/commands.hpp"
#include "cli/fine_tuning.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/training_data.hpp"
#include "host/data/dataset.hpp"
#include "host/error.hpp"
#include "host/file/atomic_file.hpp"
#include "host/file/model_file.hpp"
#include "host/report/results.hpp"
#include "host/report/text.hpp"
#include "host/train/host_engine.hpp"
#include "host/train/kernels_by_name.hpp"
#include "host/train/trainer.hpp"

namespace mantissa::cli {
namespace {

using host::SavedModel;

struct TrainArguments {
  std::string model, data, recipe = "int8", kernels = "best", json, save, resume;
  int micro_batch = 0, threads = 1;
  host::OverflowPolicy overflow = host::OverflowPolicy::kCount;
  TrainingOverrides training;
  FineTuning tuning;
};

/// The model to train, new or taken up.
SavedModel starting_point(const TrainArguments& a) {
  const int starts = !a.model.empty() + !a.resume.empty() + !a.tuning.from.empty();
  if (starts != 1)
    throw host::Error(
        starts == 0 ? "a MODEL.toml to train is needed, or --resume or --from with a saved model"
                    : "several of a model file, --resume and --from are given; a saved model holds its own");
  SavedModel model;
  if (!a.tuning.from.empty()) {
    model = load_to_tune(a.tuning);
  } else if (a.resume.empty()) {
    model.description = host::read_description(a.model);
    model.recipe = host::find_recipe(a.recipe, model.description);
  } else {
    model = host::load_model(a.resume);
  }
  a.training.apply_to(model.description.training);
  return model;
}

host::BatchOptions batch_options(const TrainArguments& a, const SavedModel& model) {
  const bool resumed = !a.resume.empty();
  return {.batch = model.description.training.batch,
          .micro_batch = a.micro_batch,
          .threads = a.threads,
          .momentum = resumed ? model.momentum : model.description.training.momentum > 0};
}

host::Dataset load_data(const TrainArguments& a, const SavedModel& model, int outputs) {
  host::Dataset data = load_training_data(a.data, model.description, outputs, a.training.samples);
  if (!a.tuning.from.empty()) normalize_as_trained(model, data);
  const bool same = data.normalization.mean == model.normalization.mean &&
                    data.normalization.inverse_std == model.normalization.inverse_std;
  if (!a.resume.empty() && !same)
    throw host::Error(
        fmt::format("{}: its training set is not the one that {} was trained on; training goes on "
                    "with the same data only",
                    a.data, a.resume));
  return data;
}

void start_engine(const TrainArguments& a, SavedModel& model, const host::Dataset& data, Engine& engine) {
  if (!a.resume.empty()) return host::restore(model, engine);
  if (!a.tuning.from.empty()) return host::adopt(model, engine, model.description.training.seed);
  model.normalization = data.normalization;
  model.input_range = data.input_absmax;
  engine.initialize(model.description.training.seed);
  engine.set_input_range(data.input_absmax);
}

void print_heading(const TrainArguments& a, const SavedModel& model, const host::Dataset& data,
                   const PlanSummary& plan, const std::string& kernels) {
  const host::Description& d = model.description;
  const host::TrainingDefaults& t = d.training;
  fmt::print("{}: {} layers, {} parameters, {} {}; {} training samples, {} test samples\n", d.name,
             plan.layers, host::grouped(plan.parameters), plan.classes,
             d.target == host::Target::kInput ? "outputs" : "classes",
             host::grouped(static_cast<int64_t>(data.train.size())),
             host::grouped(static_cast<int64_t>(data.test.size())));
  fmt::print("recipe {}, batch {} (micro-batch {}), lr {}{}, momentum {}, weight decay {}, seed {}\n",
             model.recipe.name, t.batch, plan.micro_batch, t.lr,
             t.schedule == Schedule::kLinear ? " falling to 0" : "", t.momentum, t.weight_decay, t.seed);
  fmt::print("{}, {} kernels, {} bytes\n", a.threads == 1 ? "1 thread" : fmt::format("{} threads", a.threads),
             kernels, host::grouped(plan.arena_bytes));
  if (!a.tuning.from.empty())
    fmt::print("starts with the parameters of {}, {} updates old\n", a.tuning.from,
               host::grouped(model.progress.step));
  if (!a.resume.empty())
    fmt::print("taken up from {} after {} updates\n", a.resume, host::grouped(model.progress.step));
  fmt::print("\n");
}

void run_epochs(host::Trainer& trainer, Progress& progress, host::Results& results) {
  while (!trainer.finished()) {
    const host::EpochResult epoch = trainer.run_epoch();
    if (epoch.samples == 0) break;
    results.train_loss.push_back(epoch.loss);
    results.train_accuracy.push_back(epoch.accuracy);
    if (epoch.complete) ++results.epochs;
    progress.finish_epoch(
        epoch, epoch.complete ? "" : fmt::format("  after {} samples", host::grouped(epoch.samples)));
  }
}

void save(const TrainArguments& a, SavedModel& model, const Engine& engine) {
  if (a.save.empty()) return;
  host::capture(engine, model);
  host::save_model(a.save, model);
  fmt::print("saved to {} ({} bytes)\n", a.save,
             host::grouped(static_cast<int64_t>(std::filesystem::file_size(a.save))));
}

host::Results first_results(const TrainArguments& a, const SavedModel& model, const PlanSummary& plan) {
  host::Results r;
  r.model = model.description.name;
  r.recipe = model.recipe.name;
  r.is_float = plan.is_float;
  r.version = MANTISSA_VERSION;
  r.class_names = model.description.class_names;
  r.seed = model.description.training.seed;
  r.batch = plan.batch;
  r.micro_batch = plan.micro_batch;
  r.threads = a.threads;
  r.parameters = plan.parameters;
  r.arena_bytes = plan.arena_bytes;
  return r;
}

int train(const TrainArguments& a) {
  SavedModel model = starting_point(a);
  const Kernels& kernels = host::select_kernels(a.kernels);
  for (const std::string& path : {a.json, a.save})
    if (!path.empty()) host::check_writable(path);
  host::HostEngine host_engine(model.description, model.recipe, batch_options(a, model), kernels);
  Engine& engine = host_engine.engine();
  const PlanSummary& plan = engine.plan().summary;
  const host::Dataset data = load_data(a, model, plan.classes);
  start_engine(a, model, data, engine);

  const std::atomic<bool>& stop = watch_interrupts();
  Progress progress(model.description.training.epochs, {}, model.description.target);
  host::OverflowGuard guard(engine, model.description, a.overflow);
  const auto check_overflow = [&] { guard.check(fmt::format("in update {}", engine.progress().step)); };
  host::Trainer trainer(
      engine, host_engine.arena(), data.train, model.description.training,
      {[&progress](const host::TrainingMoment& m) { progress.show(m); }, &stop, check_overflow},
      model.description.target);
  if (trainer.finished())
    throw host::Error(fmt::format("{} has been trained for {} epochs already; give more with --epochs",
                                  a.resume, trainer.epochs_done()));
  host::Results results = first_results(a, model, plan);
  results.kernels = host::kernels_in_use(kernels);
  print_heading(a, model, data, plan, results.kernels);
  run_epochs(trainer, progress, results);

  results.interrupted = trainer.stopped();
  results.samples_per_second = trainer.samples_per_second();
  results.peak_bytes = host_engine.arena().peak_bytes();
  results.saturated = host::saturations(engine, model.description);
  results.weights_hash = engine.state_hash();
  results.steps = engine.progress().step;
  fmt::print("\n");
  if (results.interrupted) fmt::print("interrupted; the test set is not evaluated\n");
  save(a, model, engine);
  if (!results.interrupted) {
    if (model.description.target == host::Target::kInput)
      results.reconstruction = host::evaluate_reconstruction(engine, data, usual_class(model.description));
    else
      results.test = host::evaluate(engine, data.test);
  }
  fmt::print("{}", host::results_text(results, report_columns()));
  if (!a.json.empty())
    host::write_file_atomically(a.json, {std::as_bytes(std::span<const char>(host::results_json(results)))});
  return results.interrupted ? kExitInterrupted : 0;
}

}  // namespace

void add_train(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* command = program.add_subcommand("train", "Train a model on a folder of .npy files");
  command->footer(
      std::string(kSameResult) +
      "DIR holds train_x.npy, train_y.npy, test_x.npy and test_y.npy. What is not given here is taken from\n"
      "[training] in MODEL.toml. Ctrl-C ends training after the current batch; a second one at once.\n\n"
      "Example: mantissa generate ecg -o ecg\n"
      "         mantissa train examples/ecg/ecg.toml --data ecg --recipe int8 --epochs 5 --save ecg.mnt\n"
      "         mantissa train --resume ecg.mnt --data ecg --epochs 10 --save ecg.mnt\n"
      "         mantissa train --from har.mnt --freeze conv1,conv2 --data one_person --epochs 10 --lr 0.005");
  command->add_option("MODEL.toml", a->model, "The model")->option_text(" ");
  command->add_option("--data", a->data, "Folder with the data")->required()->option_text("DIR");
  add_recipe_option(*command, a->recipe);
  add_training_options(*command, a->training);
  command
      ->add_option("--only-class", a->training.only_class,
                   "Train with the samples of this label only (default: all)")
      ->check(in_range(host::kLabels))
      ->option_text("N");
  add_micro_batch_option(*command, a->micro_batch);
  add_threads_option(*command, a->threads);
  add_kernels_option(*command, a->kernels);
  add_overflow_option(*command, a->overflow);
  command->add_option("--json", a->json, "Write the results there as JSON")->option_text("FILE");
  command->add_option("--save", a->save, "Write the trained model there")->option_text("FILE");
  CLI::Option* resume = command->add_option("--resume", a->resume,
                                            "Go on with a saved model, as if it had not been interrupted");
  resume->option_text("FILE");
  for (const char* fixed : {"--recipe", "--batch", "--seed", "--momentum", "--only-class"})
    resume->excludes(command->get_option(fixed));
  add_fine_tuning_options(*command, a->tuning);
  command->callback([a, &chosen] { chosen = [a] { return train(*a); }; });
}

}  // namespace mantissa::cli
