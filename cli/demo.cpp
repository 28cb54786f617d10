// mantissa demo: the same network trained with three recipes, side by side, on beats that are made up on the
// spot. It needs no file but the program.
#include <fmt/format.h>

#include <filesystem>

#include "cli/commands.hpp"
#include "cli/demo_model.hpp"
#include "cli/progress.hpp"
#include "host/data/dataset.hpp"
#include "host/ecg/ecg.hpp"
#include "host/error.hpp"
#include "host/file/model_file.hpp"
#include "host/plot/plot.hpp"
#include "host/report/confusion_text.hpp"
#include "host/report/results.hpp"
#include "host/report/text.hpp"
#include "host/train/host_engine.hpp"
#include "host/train/kernels_by_name.hpp"
#include "host/train/trainer.hpp"

namespace mantissa::cli {
namespace {

constexpr const char* kRecipes[] = {"float32", "sym8", "int8"};

struct Run {
  std::string recipe;
  host::Evaluation test;
  host::Series loss, accuracy;
  uint64_t arena_bytes = 0, file_bytes = 0, weights_hash = 0;
  double samples_per_second = 0;
};

host::Dataset ecg_dataset(const host::Description& d) {
  host::EcgOptions options;
  options.steps = d.input.steps;
  host::EcgSet set = host::generate_ecg(options);
  host::ArraySet arrays;
  arrays.train_x = std::move(set.train_x);
  arrays.test_x = std::move(set.test_x);
  arrays.train_y.assign(set.train_y.begin(), set.train_y.end());
  arrays.test_y.assign(set.test_y.begin(), set.test_y.end());
  arrays.shape = d.input_shape();
  arrays.classes = set.classes;
  return host::make_dataset(std::move(arrays));
}

Run train(const host::Description& d, const host::Dataset& data, const std::string& recipe,
          const std::filesystem::path& folder) {
  const Kernels& kernels = host::select_kernels("best");
  host::SavedModel model{.description = d,
                         .recipe = host::find_recipe(recipe, d),
                         .normalization = data.normalization,
                         .input_range = data.input_absmax};
  host::HostEngine host_engine(d, model.recipe, {.batch = d.training.batch}, kernels);
  Engine& engine = host_engine.engine();
  engine.initialize(d.training.seed);
  engine.set_input_range(data.input_absmax);

  Progress progress(d.training.epochs, fmt::format("  {:<8}", recipe));
  host::Trainer trainer(engine, host_engine.arena(), data.train, d.training,
                        {.on_progress = [&](const host::TrainingMoment& m) { progress.show(m); }});
  Run run;
  run.recipe = run.loss.name = run.accuracy.name = recipe;
  while (!trainer.finished()) {
    const host::EpochResult epoch = trainer.run_epoch();
    run.test = host::evaluate(engine, data.test);
    progress.finish_epoch(epoch, fmt::format("  test {:>7}", host::percent(run.test.accuracy)));
    for (host::Series* series : {&run.loss, &run.accuracy}) series->x.push_back(epoch.epoch);
    run.loss.y.push_back(epoch.loss);
    run.accuracy.y.push_back(run.test.accuracy);
  }
  host::capture(engine, model);
  const std::filesystem::path file = folder / fmt::format("ecg_{}.mnt", recipe);
  host::save_model(file, model);
  run.file_bytes = std::filesystem::file_size(file);
  run.arena_bytes = engine.plan().summary.arena_bytes;
  run.samples_per_second = trainer.samples_per_second();
  run.weights_hash = engine.state_hash();
  return run;
}

void print_table(const std::vector<Run>& runs) {
  host::Table table("lrrrrrr");
  table.add(
      {"recipe", "test accuracy", "macro F1", "training bytes", "saved bytes", "samples/s", "weights hash"});
  table.add_rule();
  for (const Run& r : runs)
    table.add({r.recipe, host::percent(r.test.accuracy), fmt::format("{:.4f}", r.test.macro_f1),
               host::grouped(static_cast<int64_t>(r.arena_bytes)),
               host::grouped(static_cast<int64_t>(r.file_bytes)),
               host::grouped(static_cast<int64_t>(r.samples_per_second)), host::hash_text(r.weights_hash)});
  fmt::print("{}", table.text());
}

void draw(const std::vector<Run>& runs, const std::filesystem::path& picture) {
  host::Chart loss{"Training loss", "epoch", "cross entropy (nats)", host::AxisScale::kLog, {}};
  host::Chart accuracy{"Test accuracy", "epoch", "share of correct beats", host::AxisScale::kLinear, {}};
  for (const Run& r : runs) {
    loss.series.push_back(r.loss);
    accuracy.series.push_back(r.accuracy);
  }
  host::draw_charts({loss, accuracy}, picture);
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw host::Error(fmt::format("{}: the folder cannot be made: {}", folder.string(), error.message()));
}

int demo(const std::filesystem::path& folder) {
  const host::Description d = host::parse_description(kDemoModel, "examples/ecg/ecg.toml");
  make_folder(folder);
  fmt::print("Making up electrocardiogram beats of simulated subjects, in {} classes:\n  {}.\n",
             d.class_names.size(), fmt::join(d.class_names, ", "));
  std::fflush(stdout);
  const host::Dataset data = ecg_dataset(d);
  fmt::print(
      "{} beats to train on, {} beats of other subjects to test on.\n\n"
      "Training a convolutional network on them three times, from the same start and in the same order:\n"
      "  float32  everything in 32-bit floating point, for comparison\n"
      "  sym8     8-bit integer activations, weights and errors; gradients and momentum in float32\n"
      "  int8     nothing but integers: forward, backward, and the update of the weights\n\n",
      host::grouped(static_cast<int64_t>(data.train.size())),
      host::grouped(static_cast<int64_t>(data.test.size())));
  std::vector<Run> runs;
  for (const char* recipe : kRecipes) {
    runs.push_back(train(d, data, recipe, folder));
    fmt::print("\n");
  }
  print_table(runs);
  fmt::print("\n  The hash is of all weights and optimizer state: it is the same on every machine.\n\n");
  fmt::print("Confusions of int8:\n{}\n",
             host::confusion_text(runs.back().test, d.class_names, report_columns()));
  draw(runs, folder / "curves.png");
  fmt::print(
      "Written to {}: curves.png, and the trained models ecg_float32.mnt, ecg_sym8.mnt, ecg_int8.mnt.\n",
      folder.string());
  return 0;
}

}  // namespace

void add_demo(CLI::App& program, Command& chosen) {
  auto folder = std::make_shared<std::string>("demo");
  CLI::App* command = program.add_subcommand("demo", "Train on generated heart beats with three recipes");
  command->footer("It takes less than a minute and no data.\n\nExample: mantissa demo --output demo");
  command->add_option("--output", *folder, "Folder for pictures and models (default: demo)")
      ->option_text("DIR");
  command->callback([folder, &chosen] { chosen = [folder] { return demo(*folder); }; });
}

}  // namespace mantissa::cli
