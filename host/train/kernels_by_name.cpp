// Joins the reference and the run-time targets of the vector kernels under one list of names.
#include "host/train/kernels_by_name.hpp"

#include <fmt/format.h>

#include "host/error.hpp"
#include "host/model/nearest.hpp"
#include "mantissa/kernels/host_targets.hpp"

namespace mantissa::host {

std::vector<std::string_view> kernel_names() {
  std::vector<std::string_view> names = {"best"};
  for (size_t i = 0; i < host_target_count(); ++i) names.emplace_back(host_target_name(i));
  names.emplace_back("ref");
  return names;
}

const Kernels& select_kernels(std::string_view name) {
  if (name == "ref") return kernels_ref;
  if (select_host_target(name)) return kernels_hwy;
  throw Error(fmt::format("kernels {} are not built, or not for this CPU{}", in_quotes(name),
                          suggestion(name, kernel_names())));
}

std::string kernels_in_use(const Kernels& kernels) {
  return &kernels == &kernels_ref ? "ref" : host_target_in_use();
}

}  // namespace mantissa::host
