// Why sums do not overflow, as a table.
#pragma once
#include <string>
#include <string_view>

#include "host/model/description.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// "weight gradient".
std::string_view reduction_name(Reduction reduction);

/// Bits of the accumulator that even the worst case leaves free.
int spare_bits(const Proof& proof);

/// Bits that the worst case takes, its sign included.
int needed_bits(const Proof& proof);

/// One row for each sum.
std::string proof_table(const PlanView& plan, const Description& description);

}  // namespace mantissa::host
