// Weights of a PyTorch network become a saved model: found by name or order, turned into our layouts.
// What does not fit is said, and not guessed.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/file/model_file.hpp"
#include "host/import/weights.hpp"

namespace mantissa::host {

struct ImportOptions {
  /// Layer, and its prefix in the file: {"conv1", "features.0"}.
  std::vector<std::pair<std::string, std::string>> map = {};
  /// Layers without weights begin at random, and what is left over is left.
  bool partial = false;
};

/// One layer, and the group of tensors that it took.
struct ImportedLayer {
  std::string layer, group;
  std::string how;  ///< "by name", "by order", "as mapped"; "" if it has none
  std::string shapes;
};

struct ImportReport {
  std::vector<ImportedLayer> layers;   ///< those with parameters, in the model's order
  std::vector<std::string> left_over;  ///< tensors of the file that no layer took, with their shape
};

/// Fills model.tensors, model.scales and the rest that capture() does; the description and the recipe are given, and so are
/// normalisation and input range if they are known. Momentum is 0 and progress at its start; integer parameters get a scale
/// by which the largest magnitude lies at three quarters of the range, and are rounded half away.
///
/// A tensor's name is GROUP.weight or GROUP.bias, and of a BatchNorm's running statistics GROUP.running_mean and GROUP.running_var. A layer takes the group that the map gives it, else the one of its name, else
/// the next one in order whose shapes fit. Shapes are PyTorch's: Conv1d [O, C / groups, K], which becomes [O, K, C / groups];
/// Linear [O, I]; norms [C]; bias [O]. Behind a Flatten of T steps and C channels PyTorch counts c * T + t and we t * C + c,
/// so columns of the Linear (and channels of a norm) that comes next are put into our order.
///
/// Throws Error if a shape differs, a layer gets nothing or something is left over, unless options.partial.
ImportReport import_weights(std::span<const WeightTensor> weights, const ImportOptions& options,
                            SavedModel& model);

}  // namespace mantissa::host
