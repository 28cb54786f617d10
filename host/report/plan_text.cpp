// One table each for tensors, steps, bytes by purpose, and proofs.
#include "host/report/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/model/recipe_file.hpp"
#include "host/report/proof_text.hpp"
#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

enum class Purpose { kParameters, kOptimizer, kWires, kGradients, kOperands, kScratch, kScales };
constexpr const char* kPurposes[] = {"parameters",      "optimizer state", "wires", "gradients",
                                     "weight operands", "scratch",         "scales"};

struct RoleWords {
  const char* name;
  Purpose purpose;
};

RoleWords words_of(Role role) {
  switch (role) {
    case Role::kActivation: return {"activations", Purpose::kWires};
    case Role::kError: return {"errors", Purpose::kWires};
    case Role::kLogits: return {"logits", Purpose::kWires};
    case Role::kWeight: return {"weights", Purpose::kParameters};
    case Role::kBias: return {"biases", Purpose::kParameters};
    case Role::kWeightMomentum: return {"weight momentum", Purpose::kOptimizer};
    case Role::kBiasMomentum: return {"bias momentum", Purpose::kOptimizer};
    case Role::kWeightGradient: return {"weight gradient", Purpose::kGradients};
    case Role::kBiasGradient: return {"bias gradient", Purpose::kGradients};
    case Role::kGradientScales: return {"gradient scales", Purpose::kGradients};
    case Role::kWeightScales: return {"weight scales", Purpose::kParameters};
    case Role::kKept: return {"kept codes", Purpose::kWires};
    case Role::kKeptScales: return {"scales of kept codes", Purpose::kWires};
    case Role::kWeightOperand: return {"weights as codes", Purpose::kOperands};
    case Role::kBiasOperand: return {"biases as sums", Purpose::kOperands};
    case Role::kTile: return {"sums of a tile", Purpose::kScratch};
    case Role::kPacked: return {"packed operand", Purpose::kScratch};
    case Role::kScales: return {"scales", Purpose::kScales};
    case Role::kCounters: return {"thread counters", Purpose::kScales};
    case Role::kSample: return {"sample", Purpose::kScratch};
    case Role::kMoments: return {"statistics", Purpose::kScratch};
    case Role::kRunning: return {"running statistics", Purpose::kParameters};
  }
  return {};
}

/// How the elements of a tensor are held: the name of a format where it has one.
std::string held_as(const Tensor& t) {
  switch (t.role) {
    case Role::kTile:
    case Role::kLogits:
    case Role::kBiasOperand:
    case Role::kWeightGradient:
    case Role::kBiasGradient:
      if (t.format.is_narrow()) return format_name(t.format);
      if (t.element == Element::kInt64) return "int64";
      return t.element == Element::kFloat32 || t.format.is_float() ? "float32" : "int32";
    case Role::kPacked:
    case Role::kGradientScales:
    case Role::kWeightScales:
    case Role::kKeptScales:
    case Role::kScales:
    case Role::kMoments:
    case Role::kCounters: return "-";
    case Role::kRunning:
    case Role::kActivation:
    case Role::kError:
    case Role::kKept:
    case Role::kWeight:
    case Role::kBias:
    case Role::kWeightMomentum:
    case Role::kBiasMomentum:
    case Role::kWeightOperand:
    case Role::kSample: return format_name(t.format);
  }
  return "";
}

std::string layer_name(const Description& d, int layer) {
  return layer < 0 ? "-" : d.layer_names[static_cast<size_t>(layer)];
}

std::string lifetime(const Tensor& t, const PlanSummary& plan) {
  if (t.first_step == 0 && t.last_step == plan.steps - 1) return "always";
  const auto steps = [](int first, int last) {
    return first == last ? fmt::format("{}", first + 1) : fmt::format("{}-{}", first + 1, last + 1);
  };
  const std::string first_life = steps(t.first_step, t.last_step);
  return t.last_again < 0 ? first_life
                          : fmt::format("{}, {}", first_life, steps(t.first_again, t.last_again));
}

const char* name_in_layer(const Tensor& t) {
  return t.layer < 0 && t.role == Role::kActivation ? "input" : words_of(t.role).name;
}

uint64_t bytes_alive(const PlanView& plan, int step) {
  uint64_t bytes = 0;
  for (const Tensor& t : plan.tensors)
    if (t.is_alive(step)) bytes += t.bytes;
  return bytes;
}

std::string words_of(Shape s) {
  return s.width > 0 ? fmt::format("{} x {} x {}", s.height(), s.width, s.channels)
                     : fmt::format("{} x {}", s.steps, s.channels);
}

std::string plan_heading(const PlanView& plan, const Description& d, const std::string& recipe) {
  const PlanSummary& s = plan.summary;
  return fmt::format(
      "{}, recipe {}: {} layers, {} parameters, input {}, {} classes\n"
      "batch {}, micro-batch {} ({}), {}, {}\n",
      d.name, recipe, s.layers, grouped(s.parameters), words_of(s.input), s.classes, s.batch, s.micro_batch,
      s.fused_update ? "gradients are used where they are made" : "gradients are kept for a batch",
      s.momentum ? "momentum" : "no momentum",
      s.threads == 1 ? "1 thread" : fmt::format("{} threads", s.threads));
}

std::string tensor_table(const PlanView& plan, const Description& d) {
  Table table("llllrrl");
  table.add({"layer", "tensor", "format", "elements", "bytes", "offset", "alive in steps"});
  for (const Tensor& t : plan.tensors) {
    std::string elements = grouped(t.elements);
    if (t.samples > 1) elements = fmt::format("{} x {}", t.samples, elements);
    table.add({layer_name(d, t.layer), name_in_layer(t), held_as(t), elements, grouped_size(t.bytes),
               grouped_size(t.offset), lifetime(t, plan.summary)});
  }
  return fmt::format("tensors\n{}", table.text());
}

std::string step_table(const PlanView& plan, const Description& d) {
  Table table("rllrl");
  table.add({"", "step", "layer", "bytes alive", ""});
  for (int i = 0; i < plan.summary.steps; ++i) {
    const Step& step = plan.steps[static_cast<size_t>(i)];
    const bool updates = step.kind == StepKind::kGradient && plan.summary.fused_update;
    const bool once = i < plan.summary.first_step || step.kind == StepKind::kUpdate;
    table.add({fmt::format("{}", i + 1), std::string(updates ? "gradient and update" : step_name(step.kind)),
               layer_name(d, step.layer), grouped_size(bytes_alive(plan, i)),
               once && !plan.summary.fused_update ? "once per batch" : ""});
  }
  return fmt::format("steps\n{}", table.text());
}

std::string memory_table(const PlanView& plan) {
  uint64_t sums[std::size(kPurposes)] = {};
  uint64_t all = 0;
  for (const Tensor& t : plan.tensors) {
    sums[static_cast<size_t>(words_of(t.role).purpose)] += t.bytes;
    all += t.bytes;
  }
  Table table("lr");
  for (size_t i = 0; i < std::size(kPurposes); ++i)
    if (sums[i] > 0) table.add({kPurposes[i], grouped_size(sums[i])});
  table.add_rule();
  table.add({"all of them", grouped_size(all)});
  table.add({"arena", grouped_size(plan.summary.arena_bytes)});
  return fmt::format("bytes\n{}", table.text());
}

std::string peak_line(const PlanView& plan, const Description& d) {
  const int peak = peak_step(plan);
  const Step& step = plan.steps[static_cast<size_t>(peak)];
  return fmt::format(
      "  Tensors that are never alive together share bytes. The peak is step {}, {}{}: {} bytes are alive;\n"
      "  training takes {} bytes in all, and no more.\n",
      peak + 1, step_name(step.kind), step.layer < 0 ? "" : fmt::format(" of {}", layer_name(d, step.layer)),
      grouped_size(bytes_alive(plan, peak)), grouped_size(plan.summary.arena_bytes));
}

}  // namespace

std::string tensor_name(const Tensor& t, const Description& d) {
  return t.layer < 0 ? name_in_layer(t) : fmt::format("{} {}", layer_name(d, t.layer), name_in_layer(t));
}

std::string_view step_name(StepKind kind) {
  switch (kind) {
    case StepKind::kOperands: return "weights to codes";
    case StepKind::kInput: return "samples to codes";
    case StepKind::kForward: return "forward";
    case StepKind::kLoss: return "loss";
    case StepKind::kRead:
    case StepKind::kReadOther: return "kept codes to operand";
    case StepKind::kSumErrors: return "sum of errors";
    case StepKind::kBackward: return "backward";
    case StepKind::kGradient: return "gradient";
    case StepKind::kUpdate: return "update";
  }
  return "";
}

int peak_step(const PlanView& plan) {
  int peak = 0;
  for (int i = 1; i < plan.summary.steps; ++i)
    if (bytes_alive(plan, i) > bytes_alive(plan, peak)) peak = i;
  return peak;
}

std::string plan_text(const PlanView& plan, const Description& d, const std::string& recipe) {
  return fmt::format("{}\n{}\n{}\n{}{}\n{}", plan_heading(plan, d, recipe), tensor_table(plan, d),
                     step_table(plan, d), memory_table(plan), peak_line(plan, d), proof_table(plan, d));
}

}  // namespace mantissa::host
