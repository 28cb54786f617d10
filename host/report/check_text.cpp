// Three tables and a verdict, or the same as JSON.
#include "host/report/check_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/report/meetings.hpp"
#include "host/report/proof_text.hpp"
#include "host/report/roundings.hpp"
#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

using Json = nlohmann::ordered_json;

std::string check_heading(const PlanView& plan, const Description& d, const std::string& recipe) {
  return fmt::format("{}, recipe {}: {} layers, batch {}, micro-batch {}\n", d.name, recipe,
                     plan.summary.layers, plan.summary.batch, plan.summary.micro_batch);
}

std::string rounding_table(const PlanView& plan, const Description& d) {
  if (plan.summary.is_float)
    return "roundings\n  Every float32 operation rounds, half to even, in a fixed order.\n";
  Table table("llllll");
  table.add({"path", "where", "from", "to", "rule", "scale"});
  for (const RoundingPlace& r : roundings(plan, d))
    table.add({r.path, r.where, r.from, r.to, r.rule, r.scaling});
  return fmt::format("roundings, in the order of a batch; products, sums and pools round nothing else\n{}",
                     table.text());
}

std::string meeting_table(const PlanView& plan, const Description& d) {
  if (plan.summary.is_float) return "formats that meet\n  None: all are float32.\n";
  Table table("llll");
  table.add({"where", "arrives", "wanted", "inserted"});
  for (const Meeting& m : meetings(plan, d)) table.add({m.where, m.arrives, m.wanted, m.inserted});
  return fmt::format("formats that meet\n{}", table.text());
}

Json proofs_json(const PlanView& plan, const Description& d) {
  auto all = Json::array();
  for (const Proof& p : plan.proofs)
    all.push_back({{"layer", d.layer_names[static_cast<size_t>(p.layer)]},
                   {"sum", reduction_name(p.reduction)},
                   {"terms", p.terms},
                   {"a_max", p.a_max},
                   {"b_max", p.b_max},
                   {"extra", p.extra},
                   {"worst_case", p.worst},
                   {"accumulator_bits", p.bits},
                   {"spare_bits", spare_bits(p)},
                   {"block_terms", p.block_terms}});
  return all;
}

}  // namespace

std::string verdict(const PlanView& plan, const Description& d) {
  if (plan.proofs.empty()) return "proved: nothing overflows; float32 sums do not wrap\n";
  const Proof& tightest = *std::ranges::min_element(plan.proofs, {}, spare_bits);
  const auto blocks = std::ranges::count_if(plan.proofs, [](const Proof& p) { return p.block_terms > 0; });
  return fmt::format("proved: nothing overflows; {} sums, {}bits to spare in the tightest: {} ({}, {})\n",
                     plan.proofs.size(),
                     blocks > 0 ? fmt::format("{} of them folded into 64 bits, ", blocks) : "",
                     spare_bits(tightest), d.layer_names[static_cast<size_t>(tightest.layer)],
                     reduction_name(tightest.reduction));
}

std::string check_text(const PlanView& plan, const Description& d, const std::string& recipe) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", check_heading(plan, d, recipe), proof_table(plan, d),
                     rounding_table(plan, d), meeting_table(plan, d), verdict(plan, d));
}

std::string check_json(const PlanView& plan, const Description& d, const std::string& recipe) {
  Json j;
  j["model"] = d.name;
  j["recipe"] = recipe;
  j["batch"] = plan.summary.batch;
  j["proved"] = true;
  j["sums"] = proofs_json(plan, d);
  j["roundings"] = Json::array();
  for (const RoundingPlace& r : roundings(plan, d))
    j["roundings"].push_back({{"path", r.path},
                              {"where", r.where},
                              {"from", r.from},
                              {"to", r.to},
                              {"rule", r.rule},
                              {"scale", r.scaling}});
  j["meetings"] = Json::array();
  for (const Meeting& m : meetings(plan, d))
    j["meetings"].push_back(
        {{"where", m.where}, {"arrives", m.arrives}, {"wanted", m.wanted}, {"inserted", m.inserted}});
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mantissa::host
