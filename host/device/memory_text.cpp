// One line per part, in the order of addresses, and the total against the board's RAM.
#include "host/device/memory_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "host/report/plan_text.hpp"
#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kPartsShown = 5;

/// The largest tensors that are alive when most bytes are.
std::vector<Tensor> largest_parts(const PlanView& plan) {
  const int peak = peak_step(plan);
  std::vector<Tensor> parts;
  for (const Tensor& t : plan.tensors)
    if (t.is_alive(peak) && t.bytes > 0) parts.push_back(t);
  std::ranges::stable_sort(parts, std::ranges::greater{}, &Tensor::bytes);
  parts.resize(std::min(parts.size(), kPartsShown));
  return parts;
}

}  // namespace

std::string memory_text(const BoardPlan& plan, const Description& description,
                        std::optional<uint32_t> stack_used) {
  const BoardMemory& m = plan.memory();
  const uint64_t ram = plan.board().ram_bytes;
  Table table("lrl");
  table.add({"static", grouped_size(m.static_bytes), "data of the program itself"});
  table.add({"arena", grouped_size(m.arena_bytes),
             "all that training keeps; its largest parts when it is fullest:"});
  for (const Tensor& t : largest_parts(plan.view()))
    table.add({"", "", fmt::format("{:>9}  {}", grouped_size(t.bytes), tensor_name(t, description))});
  if (m.sample_bytes > 0)
    table.add({"sample", grouped_size(m.sample_bytes), "which the outputs are compared with"});
  table.add(
      {"stack", grouped_size(m.stack_bytes),
       stack_used ? fmt::format("{} used", grouped_size(*stack_used)) : "painted and measured in each run"});
  table.add_rule();
  table.add(
      {"total", grouped_size(m.total()), fmt::format("of {} on {}", grouped_size(ram), plan.board().name)});
  if (plan.fits()) table.add({"left", grouped_size(ram - m.total()), ""});
  return fmt::format("bytes of RAM\n{}", table.text());
}

}  // namespace mantissa::host
