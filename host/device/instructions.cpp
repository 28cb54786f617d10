// Turns numbers of regions back into steps and layers.
#include "host/device/instructions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "firmware/job.hpp"
#include "host/error.hpp"
#include "host/report/plan_text.hpp"
#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

constexpr int kInputRegions = 31;     // the layer that step_region() makes of -1
constexpr int kPartsOfRegions = 256;  // the part of region id is counted as region id + 256

constexpr StepKind kKinds[] = {StepKind::kOperands, StepKind::kInput, StepKind::kForward,
                               StepKind::kLoss,     StepKind::kRead,  StepKind::kBackward,
                               StepKind::kGradient, StepKind::kUpdate};

StepCount& step_of(InstructionCounts& counts, int id) {
  const auto kind = static_cast<StepKind>(id % 8);
  const int layer = id / 8 == kInputRegions ? -1 : id / 8;
  const auto found = std::ranges::find_if(
      counts.steps, [=](const StepCount& s) { return s.kind == kind && s.layer == layer; });
  return found != counts.steps.end() ? *found : counts.steps.emplace_back(StepCount{kind, layer, 0, 0});
}

void add_region(InstructionCounts& counts, int id, uint64_t entries, uint64_t instructions) {
  if (id == firmware::kReadRegion) return;
  if (id == firmware::kBatchRegion) {
    counts.batches = entries;
    counts.between = instructions;
    return;
  }
  StepCount& step = step_of(counts, id % kPartsOfRegions);
  step.instructions += instructions;
  if (id >= kPartsOfRegions) step.product += instructions;
}

}  // namespace

uint64_t InstructionCounts::of(StepKind kind) const {
  uint64_t sum = 0;
  for (const StepCount& s : steps)
    if (s.kind == kind) sum += s.instructions;
  return sum;
}

uint64_t InstructionCounts::per_batch() const {
  uint64_t sum = between;
  for (const StepCount& s : steps) sum += s.instructions;
  return batches > 0 ? sum / batches : 0;
}

InstructionCounts parse_counts(std::string_view json, const std::string& name) {
  try {
    const auto counted = nlohmann::json::parse(json);
    if (counted.contains("error"))
      throw Error(
          fmt::format("{}: instructions were not counted: {}", name, counted["error"].get<std::string>()));
    InstructionCounts counts;
    counts.total = counted.at("total");
    for (const auto& [id, region] : counted.at("regions").items())
      add_region(counts, std::stoi(id), region.at("entries"), region.at("instructions"));
    std::ranges::sort(counts.steps, {}, [](const StepCount& s) { return std::pair(s.layer, s.kind); });
    return counts;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(fmt::format("{}: not what the counter of instructions writes: {}", name, error.what()));
  }
}

std::string counts_text(const InstructionCounts& counts, const PlanView& plan) {
  Table table("lr");
  for (const StepKind kind : kKinds)
    if (counts.of(kind) > 0 && counts.batches > 0)
      table.add(
          {std::string(step_name(kind)), grouped(static_cast<int64_t>(counts.of(kind) / counts.batches))});
  if (counts.batches > 0) {
    table.add({"between these", grouped(static_cast<int64_t>(counts.between / counts.batches))});
    table.add_rule();
    table.add({"a training step", grouped(static_cast<int64_t>(counts.per_batch()))});
  }
  return fmt::format("instructions (not cycles): {} in the whole run; in a step of batch {}, on average\n{}",
                     grouped(static_cast<int64_t>(counts.total)), plan.summary.batch, table.text());
}

}  // namespace mantissa::host
