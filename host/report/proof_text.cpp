// Says for each sum how many terms it has, how large they get, and what holds them.
#include "host/report/proof_text.hpp"

#include <fmt/format.h>

#include <bit>

#include "host/report/text.hpp"
#include "mantissa/plan/proofs.hpp"

namespace mantissa::host {
namespace {

std::string remark(const Proof& p) {
  if (p.block_terms > 0) return fmt::format("32 bits for {} terms at a time", grouped(p.block_terms));
  if (p.reduction == Reduction::kNormBackward) return fmt::format("with {} to subtract", grouped(p.extra));
  return p.extra > 0 ? fmt::format("with {} for the bias", grouped(p.extra)) : "";
}

}  // namespace

std::string_view reduction_name(Reduction reduction) {
  switch (reduction) {
    case Reduction::kForward: return "forward";
    case Reduction::kBackward: return "backward";
    case Reduction::kGradient: return "weight gradient";
    case Reduction::kBiasGradient: return "bias gradient";
    case Reduction::kPool: return "pool";
    case Reduction::kNorm: return "norm";
    case Reduction::kNormSquares: return "norm, squares";
    case Reduction::kNormBackward: return "norm, backward";
    case Reduction::kSlope: return "slope";
    case Reduction::kJoin: return "join";
    case Reduction::kWindowShare: return "pool, shared unit";
    case Reduction::kSoftmax: return "softmax, backward";
  }
  return "";
}

int needed_bits(const Proof& p) {
  return static_cast<int>(std::bit_width(static_cast<uint64_t>(p.worst))) + 1;
}

int spare_bits(const Proof& p) { return p.bits - needed_bits(p); }

std::string proof_table(const PlanView& plan, const Description& d) {
  if (plan.proofs.empty())
    return "overflow proofs\n  None are needed: float32 sums do not wrap, and their order is fixed.\n";
  Table table("llrrrrrrl");
  table.add(
      {"layer", "sum", "terms", "|a| max", "|b| max", "worst case", "accumulator", "bits to spare", ""});
  for (const Proof& p : plan.proofs)
    table.add({d.layer_names[static_cast<size_t>(p.layer)], std::string(reduction_name(p.reduction)),
               grouped(p.terms), grouped(p.a_max), adds_values(p.reduction) ? "-" : grouped(p.b_max),
               grouped(p.worst), fmt::format("{} bits", p.bits), fmt::format("{}", spare_bits(p)),
               remark(p)});
  return fmt::format("overflow proofs: terms x |a| x |b| stays below 2^(accumulator bits - 1)\n{}",
                     table.text());
}

}  // namespace mantissa::host
