// Saved models to bytes and back.
// A file is compared with the plan of the model that it describes: it must hold exactly that state.
#include "host/file/model_file.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <map>
#include <utility>

#include "host/error.hpp"
#include "host/file/atomic_file.hpp"
#include "host/file/envelope.hpp"
#include "host/file/model_check.hpp"
#include "host/file/model_generated.h"
#include "host/file/model_state.hpp"
#include "host/file/read_file.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_plan.hpp"

namespace mantissa::host {
namespace {

static_assert(std::endian::native == std::endian::little, "an arena's bytes go into files as they are");
static_assert(static_cast<int>(stored::Role::ErrorSumBelow) == static_cast<int>(StateRole::kErrorSumBelow));
static_assert(static_cast<int>(stored::Encoding::Scales) == static_cast<int>(Encoding::kScales));

const std::string& layer_name(const Description& description, int layer) {
  static const std::string none;
  return layer < 0 ? none : description.layer_names.at(static_cast<size_t>(layer));
}

stored::Scale stored_scale(Scale s) { return {s.mantissa, s.exponent}; }

flatbuffers::DetachedBuffer build_payload(const SavedModel& model) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<stored::Tensor>> tensors;
  for (const SavedTensor& t : model.tensors) {
    const auto data = builder.CreateVector(reinterpret_cast<const uint8_t*>(t.data.data()), t.data.size());
    const auto layer = builder.CreateString(layer_name(model.description, t.layer));
    tensors.push_back(stored::CreateTensor(builder, layer, static_cast<stored::Role>(t.role),
                                           static_cast<stored::Encoding>(t.encoding),
                                           static_cast<uint8_t>(t.bits), data));
  }
  std::vector<flatbuffers::Offset<stored::ScaleState>> scales;
  for (const SavedScale& s : model.scales) {
    const auto layer = builder.CreateString(layer_name(model.description, s.layer));
    const stored::Scale scale = stored_scale(s.scale), unit = stored_scale(s.unit);
    scales.push_back(
        stored::CreateScaleState(builder, layer, static_cast<stored::Role>(s.role), &scale, &unit, s.seen));
  }
  const auto description = builder.CreateString(write_description(model.description));
  const auto recipe = builder.CreateString(write_recipe(model.recipe, model.description));
  const auto mean = builder.CreateVector(model.normalization.mean);
  const auto inverse_std = builder.CreateVector(model.normalization.inverse_std);
  const auto all_tensors = builder.CreateVector(tensors);
  const auto all_scales = builder.CreateVector(scales);
  stored::ModelBuilder m(builder);
  m.add_description(description);
  m.add_recipe(recipe);
  m.add_mean(mean);
  m.add_inverse_std(inverse_std);
  m.add_input_range(model.input_range);
  m.add_momentum(model.momentum);
  m.add_seed(model.progress.seed);
  m.add_step(model.progress.step);
  m.add_calibrated(model.progress.calibrated);
  m.add_tensors(all_tensors);
  m.add_scales(all_scales);
  stored::FinishModelBuffer(builder, m.Finish());
  return builder.Release();
}

std::string_view text_of(const flatbuffers::String& s) { return {s.c_str(), s.size()}; }

/// Stored tables by layer and role. Throws Error if one is there twice.
template <class Table>
std::map<std::pair<std::string_view, StateRole>, const Table*> by_key(
    const flatbuffers::Vector<flatbuffers::Offset<Table>>& tables, const std::string& name) {
  std::map<std::pair<std::string_view, StateRole>, const Table*> found;
  for (const Table* table : tables) {
    const std::string_view layer = text_of(*table->layer());
    if (!found.emplace(std::pair(layer, static_cast<StateRole>(table->role())), table).second)
      throw Error(fmt::format("{}: two records of role {} for layer {}", name,
                              static_cast<int>(table->role()), in_quotes(layer)));
  }
  return found;
}

/// The table for each entry, in their order. Throws Error unless the file has these and no others.
template <class Table>
std::vector<const Table*> match(const flatbuffers::Vector<flatbuffers::Offset<Table>>& tables,
                                const std::vector<StateEntry>& entries, const Description& description,
                                const std::string& name) {
  const auto found = by_key(tables, name);
  std::vector<const Table*> matched;
  for (const StateEntry& e : entries) {
    const auto it = found.find({layer_name(description, e.layer), e.role});
    if (it == found.end())
      throw Error(fmt::format("{}: {} is missing", name, describe_state(e.layer, e.role, description)));
    matched.push_back(it->second);
  }
  if (found.size() != entries.size())
    throw Error(fmt::format("{}: {} records, and its model has {}", name, found.size(), entries.size()));
  return matched;
}

void read_tensors(const stored::Model& from, const PlanView& plan, const std::string& name,
                  SavedModel& model) {
  const std::vector<StateEntry> entries = durable_tensors(plan);
  const auto tables = match(*from.tensors(), entries, model.description, name);
  for (size_t i = 0; i < entries.size(); ++i) {
    const StateEntry& e = entries[i];
    const stored::Tensor& t = *tables[i];
    const Tensor& planned = plan.tensors[static_cast<size_t>(e.id)];
    const std::string what = describe_state(e.layer, e.role, model.description);
    if (static_cast<Encoding>(t.encoding()) != encoding_of(plan, e) || t.bits() != planned.format.bits)
      throw Error(fmt::format("{}: {} has another format than the recipe says", name, what));
    if (t.data()->size() != planned.bytes)
      throw Error(fmt::format("{}: {} has {} bytes, and its layer needs {}", name, what, t.data()->size(),
                              planned.bytes));
    const auto* data = reinterpret_cast<const std::byte*>(t.data()->data());
    model.tensors.push_back({e.layer, e.role, encoding_of(plan, e), t.bits(), {data, data + planned.bytes}});
    if (e.role == StateRole::kWeightScales)
      check_weight_scales(model.tensors.back(), plan.layers[static_cast<size_t>(e.layer)],
                          name + ": " + what);
    else
      check_elements(model.tensors.back(), planned, name + ": " + what);
    if (e.role == StateRole::kRunning) check_variances(model.tensors.back(), name + ": " + what);
  }
}

void read_scales(const stored::Model& from, const PlanView& plan, const std::string& name,
                 SavedModel& model) {
  const std::vector<StateEntry> entries = durable_scales(plan);
  const auto tables = match(*from.scales(), entries, model.description, name);
  for (size_t i = 0; i < entries.size(); ++i) {
    const StateEntry& e = entries[i];
    const stored::ScaleState& s = *tables[i];
    model.scales.push_back({e.layer,
                            e.role,
                            {s.scale()->mantissa(), s.scale()->exponent()},
                            {s.unit()->mantissa(), s.unit()->exponent()},
                            s.seen()});
    const std::string what = name + ": the scale of " + describe_state(e.layer, e.role, model.description);
    check_scale(model.scales.back().scale, what);
    check_scale(model.scales.back().unit, what);
    if (e.role == StateRole::kWeightMomentum || e.role == StateRole::kBiasMomentum)
      check_momentum_scale(model.scales.back(), what);
  }
}

std::vector<float> floats_of(const flatbuffers::Vector<float>* values) {
  if (values == nullptr) return {};
  return {values->begin(), values->end()};
}

const stored::Model& verified(std::span<const std::byte> payload, const std::string& name) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(payload.data());
  flatbuffers::Verifier verifier(bytes, payload.size());
  if (!stored::VerifyModelBuffer(verifier))
    throw Error(
        fmt::format("{}: damaged: the checksum matches, but the content is not that of a saved model", name));
  return *stored::GetModel(bytes);
}

}  // namespace

std::vector<std::byte> serialize_model(const SavedModel& model) {
  constexpr size_t kMaxStateBytes =
      (size_t{1} << 31) - (size_t{1} << 24);  // leaves room for texts and tables
  size_t state_bytes = 0;
  for (const SavedTensor& t : model.tensors) state_bytes += t.data.size();
  const std::string name = "model " + in_quotes(model.description.name);
  if (state_bytes > kMaxStateBytes)
    throw Error(fmt::format("{}: {} bytes of parameters and momentum; a file holds {}", name, state_bytes,
                            kMaxStateBytes));
  const flatbuffers::DetachedBuffer payload = build_payload(model);
  std::vector<std::byte> file = seal(std::as_bytes(std::span(payload.data(), payload.size())));
  parse_model(file, name + " cannot be saved");
  return file;
}

SavedModel parse_model(std::span<const std::byte> file, const std::string& name) {
  const std::span<const std::byte> payload = unseal(file, name);
  const stored::Model& from = verified(payload, name);
  SavedModel model;
  model.description = parse_description(text_of(*from.description()), name);
  model.recipe = parse_recipe(text_of(*from.recipe()), name, model.description);
  model.normalization = {floats_of(from.mean()), floats_of(from.inverse_std())};
  model.input_range = from.input_range();
  model.momentum = from.momentum();
  model.progress = {from.seed(), from.step(), from.calibrated()};
  check_settings(model, name);
  // Which state there is depends neither on the batch nor on the threads.
  const int batch = smallest_batch(model.description);
  const HostPlan made(model.description, model.recipe,
                      {.batch = batch, .micro_batch = batch, .momentum = model.momentum});
  check_size(made.view(), payload.size(), name);
  read_tensors(from, made.view(), name, model);
  read_scales(from, made.view(), name, model);
  return model;
}

void save_model(const std::filesystem::path& path, const SavedModel& model) {
  write_file_atomically(path, {serialize_model(model)});
}

SavedModel load_model(const std::filesystem::path& path) {
  return parse_model(read_file(path, "a saved model"), path.string());
}

}  // namespace mantissa::host
