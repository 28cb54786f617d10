// Binds an engine to memory and threads of the host.
#include "host/train/host_engine.hpp"

#include "host/error.hpp"
#include "host/model/describe.hpp"

namespace mantissa::host {

HostEngine::HostEngine(const Description& description, const NamedRecipe& recipe, const BatchOptions& options,
                       const Kernels& kernels)
    : plan_(description, recipe, host_plan_options(description, recipe, options, kernels)),
      arena_(plan_.view()),
      threads_(options.threads) {
  const Result<Engine> bound = Engine::bind(plan_.view(), arena_.bytes(), kernels, threads_.executor());
  if (!bound.ok()) throw Error(describe(bound.error, description, recipe.name));
  engine_ = bound.value;
}

}  // namespace mantissa::host
