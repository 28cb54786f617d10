// What numbers of a saved model may be.
// The engine's proofs hold for codes in their range and normalised scales; nothing else may come near it.
#pragma once
#include <string>

#include "host/file/model_file.hpp"

namespace mantissa::host {

/// Each throws Error, beginning with `what` or `name`, at the first number that is not allowed.

/// Input range and normalisation. Classes must be known.
void check_settings(const SavedModel& model, const std::string& name);

/// The plan's durable tensors must fit in the payload, since no two share bytes.
void check_size(const PlanView& plan, size_t payload_bytes, const std::string& name);

/// Floats finite, codes in their range. Requires as many bytes as `elements` take.
void check_elements(const SavedTensor& tensor, const Tensor& planned, const std::string& what);

/// Of running statistics: none below 0.
void check_variances(const SavedTensor& tensor, const std::string& what);

/// Throws Error if a scale is not normalised, a zero point no code, or an exponent byte none.
void check_weight_scales(const SavedTensor& tensor, const LayerPlan& layer, const std::string& what);

/// A mantissa of 31 bits, and an exponent so small that products of a few scales keep theirs in 32 bits.
void check_scale(Scale scale, const std::string& what);

/// Of an integer momentum: from one update to the next its scale is halved at most, or grows by a power of two.
void check_momentum_scale(const SavedScale& scale, const std::string& what);

}  // namespace mantissa::host
