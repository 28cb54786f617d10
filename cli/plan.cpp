// mantissa plan: what training would take and why it cannot overflow, without any data.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/report/plan_text.hpp"
#include "host/train/host_plan.hpp"
#include "host/train/kernels_by_name.hpp"

namespace mantissa::cli {
namespace {

struct PlanArguments {
  std::string model, recipe = "int8", kernels = "best";
  std::optional<int> batch;
  int micro_batch = 0, threads = 1;
  bool no_momentum = false, inference = false;
};

int plan(const PlanArguments& a) {
  const host::Description d = host::read_description(a.model);
  const host::NamedRecipe recipe = host::find_recipe(a.recipe, d);
  const host::BatchOptions options{.batch = a.batch.value_or(d.training.batch),
                                   .micro_batch = a.micro_batch,
                                   .threads = a.threads,
                                   .mode = a.inference ? PlanMode::kInfer : PlanMode::kTrain,
                                   .momentum = !a.no_momentum && d.training.momentum > 0};
  const host::HostPlan made(d, recipe,
                            host::host_plan_options(d, recipe, options, host::select_kernels(a.kernels)));
  fmt::print("{}", host::plan_text(made.view(), d, recipe.name));
  return 0;
}

}  // namespace

void add_plan(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<PlanArguments>();
  CLI::App* command = program.add_subcommand("plan", "Show memory, steps and overflow proofs of a training");
  command->footer(std::string(kSameResult) +
                  "Scratch depends on the kernels; --kernels ref shows what a microcontroller takes.\n\n"
                  "Example: mantissa plan examples/har/har.toml --recipe int8 --batch 64");
  command->add_option("MODEL.toml", a->model, "The model")->required()->option_text(" ");
  add_recipe_option(*command, a->recipe);
  add_batch_option(*command, a->batch);
  add_micro_batch_option(*command, a->micro_batch);
  add_threads_option(*command, a->threads);
  add_kernels_option(*command, a->kernels);
  command->add_flag("--no-momentum", a->no_momentum, "Plan for momentum 0");
  command->add_flag("--inference", a->inference, "Plan for evaluation only");
  command->callback([a, &chosen] { chosen = [a] { return plan(*a); }; });
}

}  // namespace mantissa::cli
