// A data set for a classifier: training and test samples with labels, checked and normalised.
// All that can be wrong with data is found here, when it enters; reading a sample later can not fail.
#pragma once
#include <filesystem>
#include <vector>

#include "host/data/split.hpp"

namespace mantissa::host {

struct Dataset {
  Split train;
  Split test;
  InputShape shape;
  int classes = 0;
  bool has_labels = true;  ///< else all are 0
  Normalization normalization;
  float input_absmax = 0;  ///< the largest |normalised value| of the training set; 0 if there is none
};

/// Samples and labels in memory. Samples are [N,C,T] or [N,T,C], as shape.layout says.
struct ArraySet {
  std::vector<float> train_x, test_x;
  std::vector<int32_t> train_y, test_y;
  InputShape shape;
  int classes = 0;  ///< 0: the largest training label + 1
};

enum class Labels { kNeeded, kOptional };

/// Opens train_x.npy, train_y.npy, test_x.npy and test_y.npy in `folder`.
/// x: float32, uint8, int8 or int16, of shape [N,C,T] or [N,T,C] as shape.layout says, or [N,T*C]; where T or
/// C is 1, any shape [N,...] of T * C elements per sample. y: integers of any width, [N] or [N,1].
/// `classes` = 0 means the largest training label + 1.
/// `given` (for example that of a saved model): samples are normalised with it, the training files are not
/// opened, `train` stays empty, and `classes` must be known.
/// Labels::kOptional: a folder without one of the y files has no labels.
/// Throws Error if a file is missing, damaged, empty or of the wrong type or shape, x and y differ in length,
/// a label is outside 0..classes-1, or a value is NaN or infinite, as stored or once normalised.
Dataset load_dataset(const std::filesystem::path& folder, const InputShape& shape, int classes = 0,
                     const Normalization* given = nullptr, Labels labels = Labels::kNeeded);

/// The same from memory, with the same checks.
Dataset make_dataset(ArraySet arrays);

}  // namespace mantissa::host
