// A trained model without the batch norms that need not be there: what they do to the outputs of the layer before is a matter of its
// weights and biases. For inference, and for boards, which have no room for statistics of a batch.
#pragma once
#include <string>
#include <vector>

#include "host/file/model_file.hpp"

namespace mantissa::host {

struct FoldReport {
  std::vector<std::string> folded;  ///< batch norms that are gone
  std::vector<std::string>
      frozen;  ///< those that stay, since no layer with weights is directly before them; with running statistics
};

/// Folds each batch_norm directly behind a linear or convolution into it:
///   w' = w gamma / sqrt(variance + epsilon),   b' = (b - mean) gamma / sqrt(variance + epsilon) + beta,
/// in double, rounded once into the layer's parameters; b = 0 where the layer has no bias, and it has one then. Other batch_norms are
/// frozen. Wires keep their scales; momentum of what has changed is 0. Float32 models predict the same but for roundings; weights of
/// integers are rounded anew, with one scale for channels that may differ more than before.
/// Throws Error if the model has not been trained, has no batch_norm, or a layer to fold into has weights with several scales.
FoldReport fold_batch_norms(SavedModel& model);

}  // namespace mantissa::host
