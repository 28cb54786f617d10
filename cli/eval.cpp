// mantissa eval: how good a saved model is on a test set.
#include <fmt/format.h>

#include "cli/commands.hpp"
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

namespace mantissa::cli {
namespace {

struct EvalArguments {
  std::string file, data, kernels = "best", json, reconstructions;
  int threads = 1;
  host::OverflowPolicy overflow = host::OverflowPolicy::kCount;
};

/// As training printed it: momentum is part of the hash, so an engine for inference can not tell.
uint64_t training_hash(const host::SavedModel& model, const Kernels& kernels) {
  host::HostEngine trained(model.description, model.recipe,
                           {.batch = host::smallest_batch(model.description), .momentum = model.momentum},
                           kernels);
  host::restore(model, trained.engine());
  return trained.engine().state_hash();
}

int eval(const EvalArguments& a) {
  const host::SavedModel model = host::load_model(a.file);
  const host::Description& d = model.description;
  const Kernels& kernels = host::select_kernels(a.kernels);
  for (const std::string& path : {a.json, a.reconstructions})
    if (!path.empty()) host::check_writable(path);
  const bool is_input =
      d.target == host::Target::kInput;  // then the training set is needed for the threshold
  if (!a.reconstructions.empty() && !is_input)
    throw host::Error(
        fmt::format("--reconstructions: {} does not reproduce its input (target = \"input\")", a.file));
  host::Dataset data = is_input
                           ? load_training_data(a.data, d, d.input.size(), {})
                           : host::load_dataset(a.data, d.input_shape(), d.classes, &model.normalization);
  if (is_input)
    for (host::Split* split : {&data.train, &data.test}) split->set_normalization(model.normalization);
  host::HostEngine host_engine(d, model.recipe, {.threads = a.threads, .mode = PlanMode::kInfer}, kernels);
  Engine& engine = host_engine.engine();
  host::restore(model, engine);
  host::OverflowGuard guard(engine, d, a.overflow);

  const PlanSummary& plan = engine.plan().summary;
  if (!plan.is_float && plan.scaling == Scaling::kDelayed && !model.progress.calibrated)
    throw host::Error(fmt::format(
        "{}: recipe {} sets its scales in the first batch of training, and there has been none; train it: "
        "mantissa train --resume {}, or import the weights with recipe float32",
        a.file, model.recipe.name, a.file));
  host::Results r;
  r.model = d.name;
  r.recipe = model.recipe.name;
  r.is_float = plan.is_float;
  r.kernels = host::kernels_in_use(kernels);
  r.version = MANTISSA_VERSION;
  r.class_names = d.class_names;
  r.seed = model.progress.seed;
  r.steps = model.progress.step;
  r.batch = d.training.batch;
  r.micro_batch = plan.micro_batch;
  r.threads = a.threads;
  r.parameters = plan.parameters;
  r.arena_bytes = plan.arena_bytes;
  if (is_input)
    r.reconstruction = host::evaluate_reconstruction(engine, data, usual_class(d));
  else
    r.test = host::evaluate(engine, data.test);
  guard.check("in the evaluation");
  if (r.test) r.samples_per_second = static_cast<double>(r.test->samples) / std::max(r.test->seconds, 1e-9);
  r.saturated = host::saturations(engine, d);
  r.weights_hash = training_hash(model, kernels);
  fmt::print("{}: recipe {}, {} parameters, {} updates of batch {}; {} test samples\n\n{}", d.name, r.recipe,
             host::grouped(r.parameters), host::grouped(r.steps), r.batch,
             host::grouped(static_cast<int64_t>(data.test.size())), host::results_text(r, report_columns()));
  if (!a.reconstructions.empty()) {
    const std::string csv = host::reconstructions_csv(engine, data.test);
    host::write_file_atomically(a.reconstructions, {std::as_bytes(std::span<const char>(csv))});
  }
  if (!a.json.empty())
    host::write_file_atomically(a.json, {std::as_bytes(std::span<const char>(host::results_json(r)))});
  return 0;
}

}  // namespace

void add_eval(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* command = program.add_subcommand("eval", "Evaluate a saved model on a test set");
  command->footer(std::string(kSameResult) +
                  "DIR holds test_x.npy and test_y.npy; samples are normalised as in training.\n\n"
                  "Example: mantissa eval ecg.mnt --data ecg --json ecg.json");
  command->add_option("FILE", a->file, "The saved model")->required()->option_text(" ");
  command->add_option("--data", a->data, "Folder with the data")->required()->option_text("DIR");
  add_threads_option(*command, a->threads);
  add_kernels_option(*command, a->kernels);
  add_overflow_option(*command, a->overflow);
  command->add_option("--json", a->json, "Write the results there as JSON")->option_text("FILE");
  command
      ->add_option("--reconstructions", a->reconstructions,
                   "Write sample and outputs of each test sample there (CSV), of an autoencoder")
      ->option_text("FILE");
  command->callback([a, &chosen] { chosen = [a] { return eval(*a); }; });
}

}  // namespace mantissa::cli
