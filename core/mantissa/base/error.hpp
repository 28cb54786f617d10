// What can go wrong, as a value: the core has no exceptions and makes no text.
// The host turns an Error into a sentence that names the layer, what was found and what would do (host/error.hpp).
#pragma once
#include <cstdint>

namespace mantissa {

enum class ErrorCode : uint8_t {
  kNone,
  kNoLayers,        // a model without layers
  kTooManyLayers,   // found: layers, limit: capacity
  kBadShape,        // a layer's input does not fit; found: what arrives, limit: what it needs
  kBadAttribute,    // an attribute outside its range; found: value
  kWindowTooLarge,  // a window does not fit in its input; found: window, limit: input with padding
  kBadGroups,       // found: groups, limit: channels that they must divide
  kBadBits,         // found: bits; allowed is 2..16
  kBadGroupSize,  // found: elements that share a scale, limit: elements of the tensor, which they must divide
  kBadConversion,  // found: FormatKind to convert from, limit: FormatKind to convert to, a pair without a meaning
  kBadStorage,  // found: bytes or entries that a view has, limit: what it needs
  kBadRecipe,   // a combination of settings that has no meaning; detail says which
  kUnprovable,  // a sum that may overflow; found: terms, limit: the largest number of terms that fits; a_bits, b_bits
  kBadBatch,         // found: batch
  kBadOption,        // an option of the plan outside its range; detail says which, found: value
  kCapacity,         // a plan's own arrays are too small; found: needed
  kArenaTooSmall,    // found: bytes given, limit: bytes needed
  kArenaMisaligned,  // found: address modulo alignment, limit: the alignment
  kKernelMismatch,   // the plan has no scratch for these kernels; see PlanOptions::scratch and alignment
  kKernelMissing,    // the kernels were chosen for another plan: this one needs more of them
  kNotAClassifier,   // last layer must give one vector per sample; found: steps
  kUnsupported,      // valid, but not built in this version; detail says what
  kBadFlash,         // a programming unit that is no power of two up to the limit; found: unit
  kFlashTooSmall,    // found: bytes of a slot, limit: bytes needed
  kFlashFailed,      // could not be erased, programmed or read back; found: slot
  kNoCheckpoint,     // neither slot holds a whole state of this version
  kBatchOpen,        // nothing is saved in the middle of a batch; found: samples so far, limit: the batch
  kOtherPlan,        // the state is of another model, recipe or momentum
};

/// Why a BadRecipe or Unsupported was given.
enum class Detail : uint8_t {
  kNone,
  kStoredSymInt32,      // parameters, gradients and state can not be stored as SYM_INT32
  kExactNeedsConstant,  // exact integer gradients need scales that are constant over a batch
  kIntegerNeedsSym,     // the integer update needs integer parameters and integer momentum
  kFloatWireMix,        // wires are all float32 or all integer
  kWeightWiderThanParameter,
  kLossNeedsLogits,  // the last layer must be Linear or a pool
  kThreads,          // 1 to 1024
  kTileBytes,        // at least 1
  kAlignment,        // 8, 16, 32 or 64
  kRawAccumulator,   // sums that are passed on as they are must be read by a Quantize
  kNormTooWide,      // found: channels of a LayerNorm; limit: the most that its sums allow
  kFixedScale,       // the scale of a Quantize must be positive and finite
  kGradientFormat,   // gradients are stored as Float32, Sym, Asym or exactly; found: FormatKind
  kExactTogether,    // gradients of weights and biases are exact together, or neither
  kFormat,           // products read Float32, or Sym with one scale; found: FormatKind
  kWireChannels,     // a channel of a wire is no run of elements
  kGroupScale,       // scales of groups come from the sample: neither constant nor delayed
  kNeedsImage,       // a 2-D layer on a signal
  kNeedsSignal,      // a 1-D layer on an image
  kNormErrorGroups,  // errors behind a LayerNorm are rounded step by step: a group must lie in one
  kLossSettings,     // attributes that the loss does not have, or values that it does not know
  kClassWeights,     // found: weights of classes, limit: outputs
  kSlope,            // of a LeakyReLU, 0 to 1
  kDropProbability,  // of a Dropout, from 0 to less than 1, in steps of 2^-16
  kNotEarlier,       // found: a layer that is not before the one that reads it
  kUnread,           // no layer reads its outputs, and it is not the last
  kInputUnread,      // no layer reads the model's input
  kJoinSteps,        // of Add and Concat; found: steps of the second input, limit: of the first
  kJoinWidth,        // found: width of the second input's image, limit: of the first
  kAddChannels,      // found: channels of the second input, limit: of the first
  kGroupTooWide,     // found: elements of which a norm makes statistics; limit: the most that its sums allow
  kNormMomentum,     // of a BatchNorm, 0 to 1
  kBatchInParts,     // statistics of a batch need all of it; found: micro-batch, limit: batch
  kBatchOfOne,       // one element has no variance: a batch of one sample of one step
};

struct Error {
  ErrorCode code = ErrorCode::kNone;
  Detail detail = Detail::kNone;
  int16_t layer = -1;  ///< index of the layer, -1 where none is meant
  int64_t found = 0;
  int64_t limit = 0;
  uint8_t a_bits = 0,
          b_bits = 0;  ///< widths of the codes that a sum multiplies; b_bits 0: of values that it adds

  constexpr explicit operator bool() const { return code != ErrorCode::kNone; }
};

}  // namespace mantissa
