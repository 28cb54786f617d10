// Lets save() write into memory in place of flash.
#include "host/export/trained_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/error.hpp"
#include "host/export/cpp_text.hpp"
#include "host/file/model_state.hpp"
#include "host/model/describe.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_engine.hpp"
#include "mantissa/train/checkpoint.hpp"

namespace mantissa::host {
namespace {

using Bytes = std::vector<std::byte>;

/// Slot 0 is in `memory`; slot 1 can not be read.
Flash memory_flash(Bytes& memory) {
  return {.context = &memory,
          .slot_bytes = static_cast<uint32_t>(memory.size()),
          .unit = 1,
          .erase = [](void*, int32_t slot) { return slot == 0; },
          .program =
              [](void* context, int32_t, uint32_t offset, std::span<const std::byte> bytes) {
                std::ranges::copy(bytes, static_cast<Bytes*>(context)->begin() + offset);
                return true;
              },
          .read =
              [](void* context, int32_t slot, uint32_t offset, std::span<std::byte> bytes) {
                std::copy_n(static_cast<Bytes*>(context)->begin() + offset, bytes.size(), bytes.begin());
                return slot == 0;
              }};
}

Bytes state_of(const Engine& engine, const SavedModel& model) {
  Bytes memory(checkpoint_bytes(engine.plan(), 1));
  const Result<Checkpoint> saved = save(engine, memory_flash(memory));
  if (!saved.ok()) throw Error(describe(saved.error, model.description, model.recipe.name));
  return memory;
}

}  // namespace

std::string trained_state_code(const SavedModel& model, bool momentum) {
  if (model.tensors.empty())
    throw Error(
        fmt::format("model {} has not been trained; export a saved model (*.mnt), as 'mantissa train "
                    "--save' writes it",
                    in_quotes(model.description.name)));
  const TrainingDefaults& training = model.description.training;
  HostEngine host_engine(model.description, model.recipe, {.batch = training.batch, .momentum = momentum},
                         kernels_ref);
  Engine& engine = host_engine.engine();
  restore(model, engine);
  const Bytes state = state_of(engine, model);

  std::string code;
  size_t at = 0;
  const auto add_part = [&](const std::string& comment, size_t bytes) {
    code +=
        fmt::format("    // {}\n{}", cpp_comment(comment), cpp_bytes(std::span(state).subspan(at, bytes)));
    at += bytes;
  };
  add_part("header and progress", checkpoint::body_offset(1) + checkpoint::kProgressBytes);
  for (const StateEntry& e : durable_tensors(engine.plan()))
    add_part(describe_state(e.layer, e.role, model.description), engine.bytes(e.id).size());
  if (at < state.size()) add_part("states of scales", state.size() - at);
  return code;
}

}  // namespace mantissa::host
