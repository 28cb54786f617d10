// Every variant of the kernels that this machine can run, for tests that hold each against a reference of their own.
#pragma once
#include <cstdint>
#include <type_traits>

#include "mantissa/kernels/host_targets.hpp"
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/kernels/kernels_small.hpp"

namespace mantissa::test {

template <class T>
inline constexpr Element kElement = std::is_same_v<T, float> ? Element::kFloat32
                                    : sizeof(T) == 1         ? Element::kInt8
                                    : sizeof(T) == 2         ? Element::kInt16
                                    : sizeof(T) == 4         ? Element::kInt32
                                                             : Element::kInt64;

/// Calls body(kernels, name). What small cores have instructions for runs by its portable definition.
template <class Body>
void on_every_variant(Body body) {
  body(kernels_ref, "reference");
  for (size_t i = 0; host_target_name(i); ++i) {
    select_host_target(host_target_name(i));
    body(kernels_hwy, host_target_name(i));
  }
  select_host_target("best");
  body(kernels_dsp, "cores with DSP instructions");
  body(kernels_small, "small cores");
}

}  // namespace mantissa::test
