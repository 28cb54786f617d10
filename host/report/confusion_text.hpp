// A confusion matrix that a person can read, whether it has two classes or two hundred.
#pragma once
#include <string>
#include <vector>

#include "host/train/evaluate.hpp"

namespace mantissa::host {

/// Rows are labels, columns predictions, with recall and precision at the edges; names of columns become
/// numbers where they do not fit in `columns`, and a list of the most frequent confusions takes the place of
/// what still does not fit.
std::string confusion_text(const Evaluation& evaluation, const std::vector<std::string>& class_names,
                           size_t columns);

}  // namespace mantissa::host
