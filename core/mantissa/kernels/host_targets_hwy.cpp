// Names for the targets of Highway's run-time dispatch.
// Highway knows targets as bits, the lower the better; a mask of one bit forces a target.
#include "mantissa/kernels/host_targets.hpp"

#include <hwy/highway.h>

namespace mantissa {
namespace {

struct HostTarget {
  int64_t bit;
  const char* name;
};

constexpr HostTarget kHostTargets[] = {
#if HWY_ARCH_X86
    {HWY_AVX3_DL, "avx3_dl"}, {HWY_AVX3, "avx3"},     {HWY_AVX2, "avx2"}, {HWY_SSE4, "sse4"},
#elif HWY_ARCH_ARM
    {HWY_NEON, "neon"},
#endif
    {HWY_EMU128, "emu128"},   {HWY_SCALAR, "scalar"},
};

/// Bits of the whole CPU, whatever is selected.
int64_t host_targets() {
  static const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets;
}

const HostTarget* host_target(size_t i) {
  for (const HostTarget& target : kHostTargets)
    if ((host_targets() & target.bit) && i-- == 0) return &target;
  return nullptr;
}

void use_targets(int64_t mask) {
  hwy::SetSupportedTargetsForTest(mask);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

size_t host_target_count() {
  size_t count = 0;
  while (host_target(count)) ++count;
  return count;
}

const char* host_target_name(size_t i) {
  const HostTarget* target = host_target(i);
  return target ? target->name : nullptr;
}

bool select_host_target(std::string_view name) {
  const HostTarget* target = nullptr;
  if (name == "best") {
    host_targets();
    use_targets(0);
    return true;
  }
  for (size_t i = 0; (target = host_target(i)); ++i)
    if (name == target->name) {
      use_targets(target->bit);
      return true;
    }
  return false;
}

const char* host_target_in_use() {
  host_targets();
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  for (const HostTarget& target : kHostTargets)
    if (targets & target.bit) return target.name;
  return "";
}

}  // namespace mantissa
