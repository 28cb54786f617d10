// mantissa check: what a model and a recipe prove, where they round and what stands between formats, without any data.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "host/file/atomic_file.hpp"
#include "host/report/check_text.hpp"
#include "host/train/kernels_by_name.hpp"

namespace mantissa::cli {
namespace {

struct CheckArguments {
  std::string model, recipe = "int8", json;
  std::optional<int> batch;
  int micro_batch = 0;
};

int check(const CheckArguments& a) {
  if (!a.json.empty()) host::check_writable(a.json);
  const host::Description d = host::read_description(a.model);
  const host::NamedRecipe recipe = host::find_recipe(a.recipe, d);
  const host::BatchOptions options{.batch = a.batch.value_or(d.training.batch),
                                   .micro_batch = a.micro_batch,
                                   .momentum = d.training.momentum > 0};
  const host::HostPlan made(d, recipe,
                            host::host_plan_options(d, recipe, options, host::select_kernels("best")));
  fmt::print("{}", host::check_text(made.view(), d, recipe.name));
  if (!a.json.empty()) {
    const std::string json = host::check_json(made.view(), d, recipe.name);
    host::write_file_atomically(a.json, {std::as_bytes(std::span<const char>(json))});
  }
  return 0;
}

}  // namespace

void add_check(CLI::App& program, Command& chosen) {
  auto a = std::make_shared<CheckArguments>();
  CLI::App* command =
      program.add_subcommand("check", "Prove that nothing overflows, and show every rounding and conversion");
  command->footer(
      std::string(kSameResult) +
      "Exit code 1 and a sentence that says what would do, if the recipe cannot be proved for the model.\n"
      "Other commands refuse the same models; this one shows why the rest is safe.\n\n"
      "Example: mantissa check examples/har/har.toml --recipe int8");
  command->add_option("MODEL.toml", a->model, "The model")->required()->option_text(" ");
  add_recipe_option(*command, a->recipe);
  add_batch_option(*command, a->batch);
  add_micro_batch_option(*command, a->micro_batch);
  command->add_option("--json", a->json, "Write the report there as JSON")->option_text("FILE");
  command->callback([a, &chosen] { chosen = [a] { return check(*a); }; });
}

}  // namespace mantissa::cli
