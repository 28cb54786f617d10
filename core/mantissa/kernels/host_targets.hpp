// The instruction sets that the vector kernels can use on this CPU, by name.
// They give equal bits; a person selects one to see that, or to measure it.
#pragma once
#include <cstddef>
#include <string_view>

namespace mantissa {

/// How many instruction sets the CPU and this program have in common.
size_t host_target_count();

/// Name of target i, best first: "avx3_dl", "avx3", "avx2", "sse4", ... Null behind the last.
const char* host_target_name(size_t i);

/// All vector kernels use this target from now on; "best" undoes it. False, and no change, if there is no such target.
/// Not while kernels run, nor between a prepare and its run.
bool select_host_target(std::string_view name);

/// The target in use.
const char* host_target_in_use();

}  // namespace mantissa
