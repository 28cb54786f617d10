// The ranges are those of model files, so that both refuse the same values.
#include "cli/options.hpp"

#include <fmt/format.h>

#include "host/model/description_names.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::cli {
namespace {

constexpr host::IntegerRange kThreads{1, 256};

/// Words to the numbers that the library reads an enumeration from.
CLI::Validator schedule_name() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        for (const auto& [name, value] : host::kSchedules)
          if (name == text) {
            text = fmt::format("{}", static_cast<int>(value));
            return {};
          }
        return fmt::format("{} is neither constant nor linear", host::in_quotes(text));
      },
      "");
}

CLI::Validator overflow_name() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        if (text != "count" && text != "error")
          return fmt::format("{} is neither count nor error", host::in_quotes(text));
        text = fmt::format("{}", static_cast<int>(text == "error" ? host::OverflowPolicy::kError
                                                                  : host::OverflowPolicy::kCount));
        return {};
      },
      "");
}

template <class T, class Range>
CLI::Validator range_check(Range range) {
  return CLI::Validator(
      [range](std::string& text) -> std::string {
        T value{};
        if (!CLI::detail::lexical_cast(text, value))
          return fmt::format("{} is not {}", host::in_quotes(text),
                             std::is_integral_v<T> ? "a whole number" : "a number");
        if (value >= range.low && value <= range.high) return {};
        return fmt::format("{} is out of range; it must be from {} to {}", host::clipped(text, 60), range.low,
                           range.high);
      },
      fmt::format("{}..{}", range.low, range.high));
}

}  // namespace

CLI::Validator in_range(host::IntegerRange range) { return range_check<int64_t>(range); }
CLI::Validator in_range(host::NumberRange range) { return range_check<double>(range); }

void TrainingOverrides::apply_to(host::TrainingDefaults& t) const {
  t.epochs = epochs.value_or(t.epochs);
  const int usual_batch = t.batch;
  t.batch = batch.value_or(t.batch);
  // A sample moves the weights as far in a batch of another size. Source: Goyal et al. 2017, linear scaling rule.
  t.lr = lr.value_or(t.lr * t.batch / usual_batch);
  t.momentum = momentum.value_or(t.momentum);
  t.weight_decay = weight_decay.value_or(t.weight_decay);
  t.schedule = schedule.value_or(t.schedule);
  t.seed = seed.value_or(t.seed);
  t.only_class = only_class.value_or(t.only_class);
}

void add_batch_option(CLI::App& command, std::optional<int>& batch) {
  command.add_option("--batch", batch, "Samples per update")->check(in_range(host::kBatch))->option_text("N");
}

void add_micro_batch_option(CLI::App& command, int& micro_batch) {
  command.add_option("--micro-batch", micro_batch, "Samples in memory at once (default: the fastest) *")
      ->check(in_range(host::kBatch))
      ->option_text("N");
}

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads (default: 1; small networks do not gain from more) *")
      ->check(in_range(kThreads))
      ->option_text("N");
}

void add_recipe_option(CLI::App& command, std::string& recipe) {
  command
      .add_option("--recipe", recipe,
                  "Number formats: float32, sym12, sym8, int8, or a TOML file (default: int8)")
      ->option_text("NAME");
}

void add_kernels_option(CLI::App& command, std::string& kernels) {
  command
      .add_option("--kernels", kernels,
                  "Instruction set: best (default), ref, or one that 'mantissa kernels' lists *")
      ->option_text("NAME");
}

void add_overflow_option(CLI::App& command, host::OverflowPolicy& policy) {
  command
      .add_option("--overflow", policy,
                  "Codes that do not fit: count them (default), or stop with an error that names the tensor")
      ->transform(overflow_name())
      ->option_text("count|error");
}

void add_optimizer_options(CLI::App& command, TrainingOverrides& o) {
  command
      .add_option("--lr", o.lr, "Learning rate (default: the model's; for another batch in proportion to it)")
      ->check(in_range(host::kLearningRate))
      ->option_text("X");
  command.add_option("--momentum", o.momentum, "Momentum; 0 keeps none")
      ->check(in_range(host::kMomentum))
      ->option_text("X");
  command.add_option("--weight-decay", o.weight_decay, "Weight decay")
      ->check(in_range(host::kWeightDecay))
      ->option_text("X");
}

void add_training_options(CLI::App& command, TrainingOverrides& o) {
  command.add_option("--samples", o.samples, "Train with the first N samples only (default: all)")
      ->check(in_range(host::kSamples))
      ->option_text("N");
  command.add_option("--epochs", o.epochs, "Passes over the training set")
      ->check(in_range(host::kEpochs))
      ->option_text("N");
  add_batch_option(command, o.batch);
  add_optimizer_options(command, o);
  command.add_option("--schedule", o.schedule, "Of the learning rate: constant, or linear down to 0")
      ->transform(schedule_name())
      ->option_text("NAME");
  command.add_option("--seed", o.seed, "Of initial values, order of samples and rounding")->option_text("N");
}

}  // namespace mantissa::cli
