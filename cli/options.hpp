// Options that several commands share, with their ranges and help.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "host/model/description.hpp"
#include "host/model/ranges.hpp"
#include "host/train/batch_options.hpp"
#include "host/train/saturation.hpp"

namespace mantissa::cli {

/// Refuses values outside the range, NaN included, with a sentence that says the range.
CLI::Validator in_range(host::IntegerRange range);
CLI::Validator in_range(host::NumberRange range);

/// What the command line says about training, where it says anything.
struct TrainingOverrides {
  std::optional<int> samples, epochs, batch, only_class;
  std::optional<double> lr, momentum, weight_decay;
  std::optional<Schedule> schedule;
  std::optional<uint64_t> seed;

  void apply_to(host::TrainingDefaults& training) const;
};

void add_batch_option(CLI::App& command, std::optional<int>& batch);
void add_micro_batch_option(CLI::App& command, int& micro_batch);
void add_threads_option(CLI::App& command, int& threads);
void add_recipe_option(CLI::App& command, std::string& recipe);
void add_kernels_option(CLI::App& command, std::string& kernels);
void add_overflow_option(CLI::App& command, host::OverflowPolicy& policy);
/// Explains the * in the help of the three options before it.
inline constexpr char kSameResult[] =
    "* The result does not depend on it, not by a bit. (Gradients stored as sym or asym do, on "
    "--micro-batch.)\n\n";
/// --lr, --momentum, --weight-decay.
void add_optimizer_options(CLI::App& command, TrainingOverrides& overrides);
/// --samples, --epochs, --batch, --lr, --momentum, --weight-decay, --schedule, --seed.
void add_training_options(CLI::App& command, TrainingOverrides& overrides);

}  // namespace mantissa::cli
