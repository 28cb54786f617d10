// What a plan proves, where it rounds and what it inserts between formats: the validator's report.
// A plan that exists is proved, since plan() refuses every other; this says what was proved.
#pragma once
#include <string>

#include "host/model/description.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// "proved: nothing overflows; 15 sums, bits to spare in the tightest: 5 (conv1, weight gradient)"; a line.
std::string verdict(const PlanView& plan, const Description& description);

/// Proofs, roundings, formats that meet, and the verdict, for a terminal.
std::string check_text(const PlanView& plan, const Description& description, const std::string& recipe);

/// The same as a JSON object.
std::string check_json(const PlanView& plan, const Description& description, const std::string& recipe);

}  // namespace mantissa::host
