// mantissa plan: what training would take and why it cannot overflow, without any data.
#include <fmt/format.h>

#include "cli/board_options.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/device/memory_text.hpp"
#include "host/device/refusal.hpp"
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
  BoardArguments board;
};

/// The plan that `device run` takes, tables first: they say what to change where it does not fit.
int plan_for_board(const host::Description& d, const host::NamedRecipe& recipe,
                   const host::BoardTarget& target, const host::BoardOptions& options) {
  const host::BoardPlan made(d, recipe, target, options);
  fmt::print("{}\n{}", host::plan_text(made.view(), d, recipe.name), host::memory_text(made, d));
  host::require_fit(made, d, recipe, target, options);
  return 0;
}

int plan(const PlanArguments& a) {
  const host::Description d = host::read_description(a.model);
  const host::NamedRecipe recipe = host::find_recipe(a.recipe, d);
  const int batch = a.batch.value_or(d.training.batch);
  const bool momentum = !a.no_momentum && d.training.momentum > 0;
  if (!a.board.board.empty())
    return plan_for_board(d, recipe, board_target(a.board, a.kernels),
                          {.batch = batch, .momentum = momentum});
  const host::BatchOptions options{.batch = batch,
                                   .micro_batch = a.micro_batch,
                                   .threads = a.threads,
                                   .mode = a.inference ? PlanMode::kInfer : PlanMode::kTrain,
                                   .momentum = momentum};
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
                  "With --board the plan is the board's, and all of its RAM is counted, static data and "
                  "stack included.\n\n"
                  "Example: mantissa plan examples/har/har.toml --recipe int8 --batch 64\n"
                  "         mantissa plan examples/ecg/ecg.toml --recipe int8 --batch 1 --board microbit");
  command->add_option("MODEL.toml", a->model, "The model")->required()->option_text(" ");
  add_recipe_option(*command, a->recipe);
  add_batch_option(*command, a->batch);
  add_micro_batch_option(*command, a->micro_batch);
  add_threads_option(*command, a->threads);
  add_kernels_option(*command, a->kernels);
  command->add_flag("--no-momentum", a->no_momentum, "Plan for momentum 0");
  command->add_flag("--inference", a->inference, "Plan for evaluation only");
  add_board_options(*command, a->board);
  for (const char* of_hosts : {"--micro-batch", "--threads", "--inference"})
    command->get_option("--board")->excludes(command->get_option(of_hosts));
  command->callback([a, &chosen] { chosen = [a] { return plan(*a); }; });
}

}  // namespace mantissa::cli
