// A recipe: the formats, scaling and rounding of a training run, as data. The model does not know it, nor it the model.
#pragma once
#include <cstdint>
#include <span>

#include "mantissa/model/node.hpp"

namespace mantissa {

/// What sums of products may be held in.
enum class Accumulation : uint8_t {
  kAuto,   ///< 32 bits where proved, else blocks folded into 64
  kInt32,  ///< 32 bits or refuse the model
};

/// How the range of gradients that are stored as codes follows their sums.
enum class GradientAccumulation : uint8_t {
  kRescale,  ///< it grows where sums do not fit, and codes are rounded again
  kFixed,  ///< from the batch's first micro-batch, with a margin: what does not fit saturates and is counted
};

/// What wires that products can read as they are (Sym with one scale) look like between the steps that use them.
enum class WireMemory : uint8_t {
  kOperands,  ///< as products read them: a byte, or two, per code
  kPacked,    ///< packed to their bits until the way back; read anew there
};

/// Formats and roundings at one layer. Float32 wires want every format to be Float32.
struct LayerFormats {
  Format activation = float32_format();  ///< the wire that leaves the layer: Sym, Asym or Bfp
  Format error = float32_format();       ///< the gradient of that wire
  Format weight = float32_format();      ///< the weights as operands of products
  Format parameter =
      float32_format();  ///< weights as stored between steps; biases too where it is Sym with one scale
  /// SymInt32: exact sums over the batch, consumed by the integer update. Sym, Asym: codes between micro-batches, with a
  /// scale for each row of the weights, or one for the biases, consumed by the float update.
  Format gradient = float32_format();
  Format momentum = float32_format();       ///< Float32, Sym<8> or Sym<16>
  Format bias_gradient = float32_format();  ///< SymInt32 where `gradient` is
  Rounding activation_rounding = Rounding::kHalfAway;
  Rounding error_rounding = Rounding::kHalfAway;
  Rounding parameter_rounding = Rounding::kStochastic;  ///< write-back of parameters and momentum

  constexpr bool operator==(const LayerFormats&) const = default;
};

struct LayerOverride {
  int32_t layer = -1;
  LayerFormats formats;
};

struct Recipe {
  LayerFormats formats;
  std::span<const LayerOverride> overrides = {};
  Scaling scaling = Scaling::kDelayed;
  float margin = 2.0f;  ///< delayed: range = margin * largest magnitude seen
  float decay = 0.9f;   ///< delayed: a range shrinks to no less than decay of itself per batch
  WireMemory wire_memory = WireMemory::kOperands;
  Accumulation accumulation = Accumulation::kAuto;
  GradientAccumulation gradient_accumulation = GradientAccumulation::kRescale;

  constexpr LayerFormats at(int32_t layer) const {
    for (const LayerOverride& o : overrides)
      if (o.layer == layer) return o.formats;
    return formats;
  }
};

/// The float twin.
constexpr Recipe float32_recipe() { return {}; }

/// 12-bit wires and weights with dynamic scales; gradients, parameters and update in float32.
constexpr Recipe sym12_recipe() {
  Recipe r;
  r.formats = {sym_format(12),   sym_format(12),   sym_format(12),
               float32_format(), float32_format(), float32_format()};
  r.scaling = Scaling::kDynamic;
  return r;
}

/// 8-bit activations, weights and errors with delayed scales; 16-bit parameters; gradients and momentum in float32.
constexpr Recipe sym8_recipe() {
  Recipe r;
  r.formats = {sym_format(8),  sym_format(8),    sym_format(8),
               sym_format(16), float32_format(), float32_format()};
  return r;
}

/// All-integer: as sym8, with exact gradients, 16-bit momentum and an integer update.
constexpr Recipe int8_recipe() {
  Recipe r;
  r.formats = {sym_format(8),      sym_format(8),  sym_format(8),     sym_format(16),
               sym_int32_format(), sym_format(16), sym_int32_format()};
  return r;
}

}  // namespace mantissa
