// How well a model that reproduces its input does, and how well its error tells one class from the others.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/data/dataset.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// Samples whose error is large are taken for anomalies: those that are not of the usual class.
struct Detection {
  double auc =
      0;  ///< share of pairs (anomaly, usual sample) in which the anomaly has the larger error; ties count half
  double threshold = 0;  ///< mean + 2 standard deviations of the training errors
  double f1 = 0;         ///< of "above the threshold is an anomaly"
};

struct Reconstruction {
  int usual_class = 0;
  double train_error = 0, test_error = 0;  ///< means; the test samples are of all classes
  std::optional<Detection> detection;      ///< where there are labels, and test samples of both kinds
};

/// Requires errors and labels in equal number.
std::optional<Detection> detect(std::span<const double> training, std::span<const double> errors,
                                std::span<const int32_t> labels, int usual_class);

/// Runs the model forward over all samples; requires that it has as many outputs as inputs, and MSE. `data.train` holds what the
/// threshold is made of.
Reconstruction evaluate_reconstruction(Engine& engine, const Dataset& data, int usual_class);

/// What the model makes of a sample: its outputs, step by step. Requires MSE. Throws Error if the last layer is none that multiplies by
/// weights.
std::vector<float> outputs_of(Engine& engine, std::span<const float> sample);

/// One line per sample of a split: label, error, the normalised sample, the outputs; before them a line that names the columns.
std::string reconstructions_csv(Engine& engine, const Split& split);

}  // namespace mantissa::host
