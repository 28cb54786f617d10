// Kernels as a person names them: the reference, or the vector kernels with one instruction set of this CPU.
// All give the same bits; the choice is for measuring, and for seeing that they do.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "mantissa/kernels/kernels.hpp"

namespace mantissa::host {

/// "best", then the instruction sets of this CPU, best first, then "ref".
std::vector<std::string_view> kernel_names();

/// Selects for the whole process. Throws Error, with the names, if there is no such kernel.
const Kernels& select_kernels(std::string_view name);

/// The name of what `kernels` runs on: "ref", or the instruction set.
std::string kernels_in_use(const Kernels& kernels);

}  // namespace mantissa::host
