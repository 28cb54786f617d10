// CrossEntropy with a weight for each class, and with targets that are smoothed: of label y
//
//     loss = (1 - s) w[y] (-ln p[y]) + s / C sum over c of w[c] (-ln p[c])
//
// It is a kernel, so that plans with another loss do not link it.  Source: SPEC 5; PyTorch's CrossEntropyLoss.
#pragma once
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/losses/mse.hpp"

namespace mantissa {

/// Integers of the targets. Weights are codes up to 2^15, which is the largest weight. A target of label y is
///     T[c] = s w[c] + (c is y ? (1 - s) w[y] C : 0)      in units of the largest weight 2^-30 / C
/// with s in 2^-15; the errors of a label have the range sum over c of T[c], the largest of which is `range`.
struct ClassTargets {
  const float* weights = nullptr;  ///< null: all are 1
  int32_t classes = 0;
  int32_t smoothing = 0;  ///< in 2^-15
  Scale largest = {};     ///< weight
  uint64_t total = 0;     ///< of the weights' codes

  constexpr ClassTargets(const float* of_classes, int32_t count, float smooth)
      : weights(of_classes), classes(count), smoothing(in_units(smooth, {1u << 30, -45})) {
    float most = weights == nullptr ? 1.0f : 0.0f;
    for (int32_t c = 0; weights != nullptr && c < classes; ++c) most = weights[c] > most ? weights[c] : most;
    largest = Scale::from_float(most);
    for (int32_t c = 0; c < classes; ++c) total += weight(c);
  }
  constexpr uint64_t weight(int32_t c) const {
    return weights == nullptr ? 1 << 15 : uint64_t(in_units(weights[c], largest.shifted(-15)));
  }
  constexpr uint64_t of_label(uint64_t code) const {
    return uint64_t((1 << 15) - smoothing) * code * uint64_t(classes);
  }
  constexpr uint64_t range() const { return of_label(1 << 15) + uint64_t(smoothing) * total; }
  /// The largest range of an error, as a number.
  constexpr Scale range_value() const {
    return Scale::normalized(range(), 0) * largest.shifted(-30) / Scale::normalized(uint32_t(classes), 0);
  }
  /// One code of a weight, in units of that range.
  constexpr Scale weight_unit() const {
    return Scale::normalized(uint64_t(classes) << 15, 0) / Scale::normalized(range(), 0);
  }
};

/// Of one sample. Integers: errors[c] = round(max_code (p[c] sum T - T[c]) / range); the loss is in units of the largest weight.
struct SoftCrossEntropy {
  const float* weights = nullptr;
  float smoothing = 0.0f;
  int32_t classes = 0, label = 0;
  int32_t* logits = nullptr;  ///< or null
  Scale unit = {};
  const float* values = nullptr;  ///< or null
  LossErrors errors = {};
  float (*softmax)(const FloatSoftmax&) = nullptr;  ///< of float32
  float* weight_sum = nullptr;  ///< of float32: gets the weight of the label; null if not wanted
};

struct SoftResult {
  LossResult loss;
  int32_t weight = 1 << 15;  ///< code of the label's
  Scale weight_unit = {};    ///< of it, in the range of the errors
};

SoftResult soft_cross_entropy(const SoftCrossEntropy& s);

}  // namespace mantissa
