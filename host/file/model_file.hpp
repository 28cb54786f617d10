// Saved models: all that evaluation needs, and all that training needs to go on with the same bits.
// A file outlives the program that wrote it, so it refers to layers and roles, never to places in an arena.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "host/data/split.hpp"
#include "host/model/description.hpp"
#include "host/model/recipe_file.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// What a tensor or a scale belongs to; as in model.fbs.
enum class StateRole : uint8_t {
  kWeight,
  kBias,
  kWeightMomentum,
  kBiasMomentum,
  kActivation,
  kError,
  kInput,
  kWeightScales,
  kActivationBelow,
  kErrorBelow,
  kRunning,  ///< statistics of a BatchNorm: means, then variances
  kErrorSum,
  kErrorSumBelow
};

/// How elements lie in the bytes of a tensor; as in model.fbs.
enum class Encoding : uint8_t { kFloat32, kPacked, kOffset, kScales };

struct SavedTensor {
  int layer = -1;
  StateRole role = StateRole::kWeight;
  Encoding encoding = Encoding::kFloat32;
  int bits = 32;  ///< of an element
  std::vector<std::byte> data = {};
};

struct SavedScale {
  int layer = -1;  ///< -1: the input
  StateRole role = StateRole::kInput;
  Scale scale = {};
  Scale unit = {};
  uint64_t seen = 0;
};

struct SavedModel {
  Description description = {};  ///< with the training settings that were in force
  NamedRecipe recipe = {};
  Normalization normalization = {};  ///< empty, or one value per channel
  float input_range = 0;             ///< largest magnitude of a normalised input

  // What capture() takes from an engine.
  bool momentum = true;  ///< whether the optimizer has some
  Progress progress = {};
  std::vector<SavedTensor> tensors = {};
  std::vector<SavedScale> scales = {};
};

/// Adds the state of an engine to what is known of its model; the description gets its class count and batch.
/// Requires that no batch is open. Throws Error unless the engine trains this model with this recipe.
void capture(const Engine& engine, SavedModel& model);

/// The reverse: parameters, momentum, scales and progress, after which training goes on as if it had not been
/// interrupted and state_hash() is what it was. A plan for inference, or without momentum, takes what it
/// needs. Throws Error, and leaves the engine alone, unless it was planned for the same model and recipe, and
/// without a momentum that the model lacks. Requires a model from capture() or load_model().
void restore(const SavedModel& model, Engine& engine);

/// The parameters alone, for a run of its own from `seed`: no momentum, no updates yet, scales of wires that its first batch sets.
/// Layers may be frozen now that were not. Throws Error, and leaves the engine alone, as restore().
void adopt(const SavedModel& model, Engine& engine, uint64_t seed);

/// The bytes of a whole file. Throws Error if load_model() would refuse them: for weights that are NaN, say.
std::vector<std::byte> serialize_model(const SavedModel& model);

/// `name` stands for the file in messages. Safe on arbitrary bytes. Throws Error unless the file is whole,
/// undamaged and of this version, the recipe goes with the model, and there is exactly the state that both
/// ask for, with codes in their range, finite floats and normalised scales.
SavedModel parse_model(std::span<const std::byte> file, const std::string& name);

/// Replaces the file as a whole; see write_file_atomically(). Throws Error as that and serialize_model().
void save_model(const std::filesystem::path& path, const SavedModel& model);

/// Throws Error if the file cannot be read, and as parse_model().
SavedModel load_model(const std::filesystem::path& path);

}  // namespace mantissa::host
