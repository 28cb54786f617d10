// Gathers what the templates of the exported files ask for.
#include "host/export/export_model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "host/error.hpp"
#include "host/export/cpp_text.hpp"
#include "host/export/model_code.hpp"
#include "host/export/templates.hpp"
#include "host/export/trained_state.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_plan.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "mantissa/train/checkpoint.hpp"

namespace mantissa::host {
namespace {

constexpr uint32_t kFlashUnit = 32;  // the largest of common microcontrollers

/// What a set of kernels is called, and how it is compiled.
struct KernelSet {
  std::string_view name;
  std::string_view set, header, scratch_code;  ///< in C++; empty: none is needed
  GemmScratch scratch;
  int32_t tile_bytes;               ///< as for boards: fast products work on four rows together
  std::string_view other_suffixes;  ///< of sources that are left out
  std::string_view core, flags;     ///< for example
};
constexpr std::string_view kSmallHeader = "mantissa/kernels/kernels_small.hpp";
constexpr KernelSet kKernelSets[] = {
    {"ref", "RefKernels", "", "", {}, 512, "_test, _bench, _hwy, _dsp or _mve", "cm0", "-mcpu=cortex-m0"},
    {"small", "SmallKernels", kSmallHeader, "mantissa::kGemmSmallScratch", kGemmSmallScratch, 1024,
     "_test, _bench, _hwy, _dsp or _mve", "cm0", "-mcpu=cortex-m0"},
    {"dsp", "DspKernels", kSmallHeader, "mantissa::kGemmDspScratch", kGemmDspScratch, 2048,
     "_test, _bench, _hwy or _mve", "cm4", "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard"},
    {"mve", "MveKernels", kSmallHeader, "mantissa::kGemmMveScratch", kGemmMveScratch, 2048,
     "_test, _bench or _hwy", "cm55", "-mcpu=cortex-m55+nomve.fp -mfloat-abi=hard"},
};

const KernelSet& find_kernels(std::string_view name) {
  const auto found = std::ranges::find(kKernelSets, name, &KernelSet::name);
  if (found != std::end(kKernelSets)) return *found;
  std::vector<std::string_view> names;
  for (const KernelSet& set : kKernelSets) names.push_back(set.name);
  throw Error(fmt::format("there are no kernels {} for export{}", in_quotes(name), suggestion(name, names)));
}

template <class T, class Text>
std::string list(const std::vector<T>& values, Text&& text) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(text(value));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string number(int64_t n) { return fmt::format("{}", n); }

/// What follows the parameter of init(): nothing where the caller must say the range.
std::string default_range(const PlanSummary& plan, std::optional<float> given) {
  const bool is_needed = !plan.is_float && plan.scaling == Scaling::kDelayed;
  if (given) return " = " + cpp_float(*given);
  return is_needed ? "" : " = 1.0f";
}

void check(const SavedModel& model, const ExportOptions& options, const PlanSummary& plan) {
  if (!is_cpp_name(options.name))
    throw Error(fmt::format("{} cannot name a namespace of C++; {} would do", in_quotes(options.name),
                            in_quotes(cpp_name(options.name))));
  if (options.input_range && !(std::isfinite(*options.input_range) && *options.input_range > 0))
    throw Error(fmt::format("an input range of {}; it must be positive and finite", *options.input_range));
  const int classes = model.description.classes;
  if (classes != 0 && classes != plan.classes)
    throw Error(
        fmt::format("model {}: [output] has {} classes, but the layers give {} outputs; make them equal",
                    in_quotes(model.description.name), classes, plan.classes));
}

using Values = std::map<std::string, std::string>;

/// For comments, and the constants of the header.
void add_header_values(Values& values, const SavedModel& model, const ExportOptions& options,
                       const PlanSummary& plan) {
  const Description& d = model.description;
  const bool normalizes = !model.normalization.mean.empty();
  values["NAME"] = options.name;
  values["TITLE"] = cpp_comment(d.name);
  values["RECIPE"] = cpp_comment(model.recipe.name);
  values["VERSION"] = options.version;
  values["COMMAND"] = cpp_comment(options.command);
  values["STEPS"] = number(d.input.steps);
  values["CHANNELS"] = number(d.input.channels);
  values["CLASSES"] = number(plan.classes);
  values["CLASS_NAMES"] = list(d.class_names, cpp_string);
  values["BATCH"] = number(plan.batch);
  values["UPDATES"] = number(model.progress.step);
  values["DEFAULT_RANGE"] = default_range(plan, options.input_range);
  values["NORMALIZED"] = normalizes ? ", once they are normalised" : "";
  values["RAW"] = normalizes ? ", not normalised yet" : ", normalised as in training";
}

void add_kernel_values(Values& values, const KernelSet& kernels) {
  values["TILE_BYTES"] = number(kernels.tile_bytes);
  values["KERNELS"] = fmt::format("mantissa::{}", kernels.set);
  values["KERNEL_HEADER"] = kernels.header;
  values["SCRATCH"] =
      kernels.scratch_code.empty() ? "" : fmt::format(", .scratch = {}", kernels.scratch_code);
  values["OTHER_SUFFIXES"] = kernels.other_suffixes;
  values["CORE"] = kernels.core;
  values["FLAGS"] = kernels.flags;
}

/// For the code.
void add_source_values(Values& values, const SavedModel& model, const PlanView& plan) {
  const TrainingDefaults& training = model.description.training;
  values["MODEL"] = model_code(model.description);
  values["RECIPE_CODE"] = recipe_code(model.recipe, model.description);
  values["HAS_MOMENTUM"] = fmt::format("{}", plan.summary.momentum);
  values["FINGERPRINT"] = fmt::format("{:#018x}u", checkpoint_fingerprint(plan));
  values["MEAN"] = list(model.normalization.mean, cpp_float);
  values["INVERSE_STD"] = list(model.normalization.inverse_std, cpp_float);
  values["LR"] = cpp_float(static_cast<float>(training.lr));
  values["MOMENTUM"] = cpp_float(static_cast<float>(training.momentum));
  values["WEIGHT_DECAY"] = cpp_float(static_cast<float>(training.weight_decay));
}

}  // namespace

ExportedModel export_model(const SavedModel& model, const ExportOptions& options) {
  const Description& d = model.description;
  const bool momentum = d.training.momentum > 0;
  if (needs_whole_batch(d))
    throw Error(
        fmt::format("model {}: exported code trains sample by sample, and a batch_norm needs its whole "
                    "batch; export a trained "
                    "model with --fold, or freeze the layer (trainable = false), or take group_norm",
                    in_quotes(d.name)));
  const KernelSet& kernels = find_kernels(options.kernels);
  const HostPlan made(d, model.recipe,
                      {.batch = d.training.batch,
                       .momentum = momentum,
                       .tile_bytes = kernels.tile_bytes,
                       .scratch = kernels.scratch});
  const PlanView plan = made.view();
  check(model, options, plan.summary);

  Values values;
  std::set<std::string> conditions;
  ExportedModel exported;
  exported.arena_bytes = plan.summary.arena_bytes;
  exported.state_bytes = checkpoint_bytes(plan, kFlashUnit);
  values["ARENA_BYTES"] = number(exported.arena_bytes);
  values["STATE_BYTES"] = number(exported.state_bytes);
  if (!kernels.header.empty()) conditions.insert("KERNEL_HEADER");
  if (!d.class_names.empty()) conditions.insert("CLASS_NAMES");
  if (plan.summary.batch > 1) conditions.insert("BATCHES");
  if (!model.normalization.mean.empty()) {
    conditions.insert("NORMALIZATION");
    exported.sample_bytes = static_cast<uint32_t>(d.input.size()) * uint32_t{sizeof(float)};
  }
  if (options.trained == Trained::kInclude) {
    conditions.insert("TRAINED");
    values["TRAINED_STATE"] = trained_state_code(model, momentum);
    exported.trained_bytes = checkpoint_bytes(plan, 1);
  }
  add_header_values(values, model, options, plan.summary);
  add_source_values(values, model, plan);
  add_kernel_values(values, kernels);
  exported.header = fill_template(kHeaderTemplate, values, conditions);
  exported.source = fill_template(kSourceTemplate, values, conditions);
  return exported;
}

}  // namespace mantissa::host
