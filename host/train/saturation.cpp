// Names the slots of a plan, and compares their counts with earlier ones.
#include "host/train/saturation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

uint64_t codes_of_slot(const Engine& engine, int16_t slot) {
  const PlanView& plan = engine.plan();
  const int32_t samples = plan.tensors[static_cast<size_t>(plan.summary.scales_tensor)].samples;
  uint64_t codes = 0;
  for (int32_t i = 0; i < samples; ++i) codes += engine.state(slot, i).saturated;
  return codes;
}

uint64_t codes_in(const std::vector<Saturation>& all, const std::string& where) {
  const auto found = std::ranges::find(all, where, &Saturation::where);
  return found == all.end() ? 0 : found->codes;
}

}  // namespace

std::vector<Saturation> saturations(const Engine& engine, const Description& description) {
  std::vector<Saturation> all;
  const PlanView& plan = engine.plan();
  const auto add = [&](int16_t slot, const std::string& where) {
    if (slot < 0) return;
    if (const uint64_t codes = codes_of_slot(engine, slot)) all.push_back({where, codes});
  };
  add(plan.summary.input_wire.slot, "input");
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerPlan& l = plan.layers[i];
    const std::string& name = description.layer_names[i];
    if (l.y.slot != l.x.slot) add(l.y.slot, fmt::format("{} output", name));
    if (l.dx.slot != l.dy.slot) add(l.dx.slot, fmt::format("{} error to the layer before", name));
    if (l.sums_errors) add(l.dy.slot, fmt::format("{} sum of errors", name));
    add(l.weight_slot, fmt::format("{} weights", name));
    add(l.bias_slot, fmt::format("{} biases", name));
    add(l.weight_gradient_slot, fmt::format("{} gradient of the weights", name));
    add(l.bias_gradient_slot, fmt::format("{} gradient of the biases", name));
    add(l.weight_momentum_slot, fmt::format("{} momentum of the weights", name));
    add(l.bias_momentum_slot, fmt::format("{} momentum of the biases", name));
  }
  add(plan.summary.loss_wire.slot, "error of the loss");
  std::stable_sort(all.begin(), all.end(),
                   [](const Saturation& a, const Saturation& b) { return a.codes > b.codes; });
  return all;
}

OverflowGuard::OverflowGuard(const Engine& engine, const Description& description, OverflowPolicy policy)
    : engine_(engine),
      description_(description),
      policy_(policy),
      total_(engine.saturated()),
      before_(saturations(engine, description)) {}

void OverflowGuard::check(const std::string& when) {
  if (policy_ == OverflowPolicy::kCount) return;
  const uint64_t total = engine_.saturated();
  if (total == total_) return;
  total_ = total;
  const std::vector<Saturation> now = saturations(engine_, description_);
  std::vector<std::string> places;
  for (const Saturation& s : now)
    if (const uint64_t codes = s.codes - codes_in(before_, s.where))
      places.push_back(fmt::format("{} of {}", codes, s.where));
  before_ = now;
  throw Error(fmt::format(
      "codes did not fit {}, which is an error in this run: {}; use more bits or a larger margin there, "
      "or have overflow counted, where such codes take the nearest value that fits",
      when, fmt::join(places, ", ")));
}

}  // namespace mantissa::host
