// The model compiled for a recipe: tensors with offsets, steps in order, proofs. A value, made before anything runs.
// What a run needs to decide is decided here; the engine only executes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "mantissa/base/result.hpp"
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/model/model.hpp"
#include "mantissa/model/recipe.hpp"
#include "mantissa/num/scale.hpp"
#include "mantissa/tensor/format.hpp"

namespace mantissa {

enum class Role : uint8_t {
  kActivation,
  kError,
  kLogits,
  kWeight,
  kBias,
  kWeightMomentum,
  kBiasMomentum,
  kWeightGradient,
  kBiasGradient,
  kGradientScales,  ///< grids of gradients that are stored as codes
  kWeightScales,    ///< of weights with a scale per channel or group, zero points or shared exponents
  kKept,            ///< codes of a wire in a format that products do not read
  kKeptScales,      ///< their scales, zero points or exponents, of each sample
  kWeightOperand,   ///< weights as codes, where the stored form is another
  kBiasOperand,     ///< biases in the accumulator's scale
  kTile,            ///< accumulators between a product and its rounding
  kPacked,          ///< weights or windows as a kernel variant wants them
  kScales,          ///< states of all scales
  kCounters,        ///< what each thread has seen
  kSample,          ///< float32 samples before they are codes
  kMoments,         ///< statistics of norms, from forward to the gradient
  kRunning,         ///< running statistics: means of channels, then variances
};

/// How stored weights become operands.
enum class ParameterLayout : uint8_t {
  kFloat,     ///< float32; operands are made each batch, or are the floats themselves
  kOffset16,  ///< Sym<16> as code + 128 in 16 bits: the upper byte is the Sym<8> operand, without a copy
  kPacked,    ///< Sym<b> packed; operands are made each batch (or are the codes themselves, at 8 of 8 bits)
  kGranules,  ///< packed, with a scale, zero point or exponent for each granule; operands are made each batch
};

/// Bytes in the arena. A sample is halo_before + elements + halo_after elements; the halo holds zeros, the padding that
/// a convolution reads, so that its windows are plain rows.
struct Tensor {
  Role role = Role::kActivation;
  Element element = Element::kInt8;
  Format format;
  int16_t layer = -1;
  int16_t first_step = 0, last_step = 0;  ///< alive from first to last, both included
  int16_t first_again = INT16_MAX,
          last_again = -1;  ///< and once more: an operand that is read anew on the way back
  int32_t samples = 1;
  int32_t elements = 0;
  int32_t halo_before = 0, halo_after = 0;
  uint32_t bytes = 0;
  uint32_t offset = 0;

  constexpr int32_t sample_stride() const { return halo_before + elements + halo_after; }
  constexpr bool is_alive(int32_t step) const {
    return (first_step <= step && step <= last_step) || (first_again <= step && step <= last_again);
  }
};

/// Whether there is a step in which both are needed.
constexpr bool alive_together(const Tensor& a, const Tensor& b) {
  const auto meet = [](int32_t first, int32_t last, int32_t other_first, int32_t other_last) {
    return first <= other_last && other_first <= last;
  };
  return meet(a.first_step, a.last_step, b.first_step, b.last_step) ||
         meet(a.first_step, a.last_step, b.first_again, b.last_again) ||
         meet(a.first_again, a.last_again, b.first_step, b.last_step) ||
         meet(a.first_again, a.last_again, b.first_again, b.last_again);
}

/// A wire: an operand, that is codes in a tensor and the scale they share, which is the state `slot` times a constant. Where
/// its format is none that products read (Asym, Bfp, groups, packed), its codes are kept in that format, and the operand is
/// read from them for the layers that need it.
struct Wire {
  int16_t tensor = -1;
  int16_t slot = -1;
  Scale factor;
  Scale training_factor;                ///< of the scale in training only: what Dropout makes larger
  bool fixed = false;                   ///< the state keeps its initial value, one
  Scaling scaling = Scaling::kDelayed;  ///< of the operand's scale
  Rounding rounding = Rounding::kHalfAway;
  int16_t kept = -1;  ///< tensor
  int16_t kept_scales =
      -1;  ///< tensor: scales of granules, made of each sample's sums; -1: the slot has the scale
  int16_t below_slot =
      -1;  ///< Asym with the slot's scale: its state's scale is the magnitude of the lowest value
  int16_t zero_point = 0;  ///< of a fixed Asym
  Format format;           ///< in which it is kept; else the operand's
  bool shared = false;     ///< several layers read the tensor, so nothing is done in place

  /// Whether each sample has a scale of its own.
  constexpr bool has_scales_of_samples() const { return scaling == Scaling::kDynamic && !fixed && slot >= 0; }
  /// Whether its scale follows what the wire carries, apart from the wire it comes from.
  constexpr bool has_own_scale(const Wire& source) const {
    return slot >= 0 && slot != source.slot && !fixed;
  }
};

/// How the sums of one product are held.
struct ProductPlan {
  Element accumulator = Element::kInt32;
  int32_t block_terms = 0;  ///< kInt64: terms that are summed in 32 bits before they are folded
  int32_t tile_rows = 0;    ///< rows computed before they are rounded
  int16_t tile = -1;        ///< tensor
  int16_t packed = -1;      ///< tensor, -1 if the kernel reads in place
  int16_t window = -1;      ///< tensor: a row of an image with zeros around; -1 if it is read where it lies
  int32_t unit_bits = 0;    ///< of sums of wires: how far their unit is below the largest scale
};

/// Windows of a pool: how many elements the largest and the smallest one divide by, and how many may share a step.
struct Windows {
  int32_t most = 1, least = 1, meeting = 1;

  constexpr bool are_equal() const { return most == least; }
  /// Whether errors that come back are sums: windows meet, or each has a share of its own.
  constexpr bool add_errors() const { return meeting > 1 || !are_equal(); }
};

struct LayerPlan {
  Node node;
  int16_t source = -1;  ///< the layer that makes x; -1: the model's input
  int16_t other = -1;   ///< Add, Concat: that makes z, the second input
  Shape in, out;
  Shape in_other;  ///< of z
  int32_t pad_left = 0, pad_right = 0, pad_top = 0, pad_bottom = 0;
  LayerFormats formats;
  bool fused = false;         ///< done by the layer before: ReLU and Quantize after sums, Flatten
  bool relu_output = false;   ///< the output wire has passed a ReLU
  bool relu_input = false;    ///< the input wire has: its error is zero where it is zero
  bool trains = false;        ///< has parameters that are updated
  bool passes_error = false;  ///< a layer that leads to x trains
  bool relu_other = false, passes_other = false;  ///< as relu_input and passes_error, of z
  bool positive = false;                          ///< what leaves has passed a ReLU
  bool sums_errors = false;                       ///< dy is the sum of what several readers pass back
  Wire x, y, dx, dy;
  Wire dz;  ///< the error of z
  ParameterLayout layout = ParameterLayout::kFloat;
  int32_t weights = 0;  ///< number of them
  int32_t fan_in = 0;   ///< weights in a row: of an output, or of an input channel of ConvTranspose1d
  int16_t weight = -1, bias = -1, weight_operand = -1, bias_operand = -1;
  int16_t weight_scales = -1;  ///< kGranules: scales, zero points or exponents
  int16_t weight_momentum = -1, bias_momentum = -1, weight_gradient = -1, bias_gradient = -1;
  int16_t bias_sums = -1;  ///< where sums of the bias gradient are made: bias_gradient, unless that is codes
  int16_t gradient_scales =
      -1;  ///< a grid for each row of coded weight gradients, then one of coded bias gradients
  bool coded_weight_gradient = false, coded_bias_gradient = false;  ///< codes between micro-batches
  int16_t weight_slot = -1, bias_slot = -1, weight_momentum_slot = -1, bias_momentum_slot = -1;
  int16_t weight_gradient_slot = -1,
          bias_gradient_slot = -1;  ///< of codes on fixed grids: to count what saturates
  int16_t normalized = -1;          ///< LayerNorm: a step's normalized codes
  int16_t moments = -1;             ///< of groups of each sample, or of channels
  int16_t running = -1;             ///< BatchNorm
  bool follows_batch = false;       ///< BatchNorm: trains with statistics of the batch
  int16_t float_tile = -1;          ///< float sums beside integer ones: a fused update with dynamic scales
  int32_t logits_shift = 0;         ///< bits dropped from 64-bit logits
  int32_t gradient_shift = 0;       ///< bits dropped from 64-bit gradient sums before the update
  int32_t share = 0;                ///< LeakyReLU: slope in 2^-15; Dropout: elements dropped of 2^16
  Windows windows;                  ///< of a pool
  ProductPlan forward, backward, gradient;
  ProductPlan error_sum;   ///< of dy
  int32_t bias_limit = 0;  ///< largest |bias| in accumulator units

  /// Steps of a window's row: of an image's row, or of the signal.
  constexpr int32_t in_row() const { return node.is_2d() ? in.row() : in.steps; }
  constexpr int32_t out_row() const { return node.is_2d() ? out.row() : out.steps; }
  constexpr int32_t weight_rows() const { return node.is_transposed() ? in.channels : node.outputs; }
  /// Products in the longest sum of the output: of a ConvTranspose1d the taps that meet in a step, times input channels.
  constexpr int32_t forward_terms() const {
    return node.is_transposed() ? (node.kernel + node.stride - 1) / node.stride * (in.channels / node.groups)
                                : fan_in;
  }
  /// Weights of one row of the window.
  constexpr int32_t row_fan_in() const { return fan_in / node.vertical.kernel; }
  /// Whether a step makes dx from dy: in a tensor of its own, or in place.
  constexpr bool has_backward() const {
    return (passes_error && (dx.tensor != dy.tensor || node.op == Op::kDropout)) ||
           (passes_other && dz.tensor != dy.tensor);
  }
  /// Steps over which a sample's weight gradient is summed.
  constexpr int32_t gradient_steps() const { return node.is_transposed() ? in.steps : out.steps; }
  /// Whether channels do not mix, one output for each input.
  constexpr bool is_depthwise() const {
    return node.is_product() && node.groups > 1 && node.groups == in.channels && node.groups == node.outputs;
  }
  /// Whether the taps of a window are one run of memory.
  constexpr bool flat_window() const { return node.dilation == 1 && node.groups == 1; }
};

/// Calls body(wire) for the errors that the readers of layer i pass back, in the order of the layers.
template <class Body>
constexpr void for_each_error(std::span<const LayerPlan> layers, int32_t i, Body body) {
  for (size_t k = size_t(i) + 1; k < layers.size(); ++k) {
    const LayerPlan& reader = layers[k];
    if (reader.source == i && reader.passes_error) body(reader.dx);
    if (reader.node.takes_two() && reader.other == i && reader.passes_other) body(reader.dz);
  }
}

enum class StepKind : uint8_t {
  kOperands,  ///< once per batch: weights become operands
  kInput,     ///< samples become codes
  kForward,
  kLoss,
  kRead,      ///< on the way back: x as an operand from the codes that were kept
  kBackward,  ///< dx from dy
  kGradient,  ///< dw and db from dy and x; with `fused_update` the update too
  kUpdate,
  kReadOther,  ///< as kRead, of z
  kSumErrors,  ///< dy from what several readers pass back
};

struct Step {
  StepKind kind = StepKind::kForward;
  int16_t layer = -1;
};

enum class Reduction : uint8_t {
  kForward,
  kBackward,
  kGradient,
  kBiasGradient,
  kPool,
  kNorm,          ///< elements less their mean, times their number
  kNormSquares,   ///< what the deviation is the root of
  kNormBackward,  ///< errors less what mean and deviation take of them
  kSlope,         ///< a code, or an error, times the slope of an activation
  kJoin,          ///< codes of several wires in a common unit
  kWindowShare,   ///< codes in the unit that windows of several sizes share
  kSoftmax,       ///< an error less the mean of its step, times a probability
};

/// Why a sum cannot overflow: terms * a_max * b_max + extra < 2^(bits - 1), or the same for each block of it.
struct Proof {
  Reduction reduction = Reduction::kForward;
  int16_t layer = -1;
  int32_t terms = 0;
  int32_t a_max = 0, b_max = 0;
  int64_t extra = 0;        ///< room kept for a bias, or for what LayerNorm subtracts
  int64_t worst = 0;        ///< the largest possible magnitude
  int32_t bits = 32;        ///< of the accumulator
  int32_t block_terms = 0;  ///< 64 bits: terms summed in 32 bits before folding
};

enum class PlanMode : uint8_t { kTrain, kInfer };

/// Where float32 samples lie until they are codes.
enum class InputMemory : uint8_t {
  kBorrowed,  ///< in the caller's own memory
  kStaged,    ///< in the arena, in bytes that later steps use for other things: Engine::sample()
};

struct PlanOptions {
  int32_t batch = 1;        ///< samples per update
  int32_t micro_batch = 1;  ///< samples in memory at once; bits do not depend on it
  int32_t threads = 1;      ///< accumulator tiles; bits do not depend on it
  PlanMode mode = PlanMode::kTrain;
  bool momentum = true;  ///< keep momentum
  InputMemory input = InputMemory::kBorrowed;
  int32_t tile_bytes = 2048;  ///< accumulators per thread between a product and its rounding
  int32_t alignment = 8;      ///< of tensors in the arena, a power of two up to 64
  GemmScratch scratch = {};   ///< of the kernel variant
};

/// Whether the loss compares outputs with targets one by one, and is no MSE.
constexpr bool is_pointwise(Loss loss) {
  return loss == Loss::kL1 || loss == Loss::kHuber || loss == Loss::kBce;
}

/// What a plan says at a glance.
struct PlanSummary {
  Shape input;
  int32_t classes = 0;
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};
  int32_t layers = 0, tensors = 0, steps = 0, proofs = 0, slots = 0;
  int16_t input_tensor = -1, logits_tensor = -1, scales_tensor = -1, counters_tensor = -1;
  int16_t sample_tensor = -1;  ///< -1 if the caller has the samples
  Wire input_wire;
  Wire loss_wire;  ///< the error of the outputs
  int32_t batch = 1, micro_batch = 1, threads = 1;
  int32_t first_step = 0;     ///< of those repeated for each micro-batch
  bool fused_update = false;  ///< a gradient is consumed where it is made: batch == micro_batch
  bool momentum = true;
  PlanMode mode = PlanMode::kTrain;
  Scaling scaling = Scaling::kDelayed;
  bool calibrates = false;  ///< some scale is delayed: the first batch sets it
  GradientAccumulation gradient_accumulation = GradientAccumulation::kRescale;
  float margin = 2.0f, decay = 0.0f;
  int64_t parameters = 0;
  uint32_t arena_bytes = 0;
  int32_t alignment = 8;  ///< of the arena, bytes
  ScratchUse scratch_use = ScratchUse::kNone;
  bool is_float = true;

  /// Whether the loss is a CrossEntropy with class weights or smoothed targets.
  constexpr bool is_soft() const { return loss == Loss::kCrossEntropy && loss_settings.is_soft(); }
  /// By which a loss of single outputs is divided.
  constexpr int32_t loss_divisor() const {
    return loss_settings.reduction == LossReduction::kSum ? 1 : classes;
  }
};

inline constexpr size_t kArenaAlignment = 64;

/// Arrays that the planner fills: the caller's, as all memory.
struct PlanBuffers {
  std::span<LayerPlan> layers;
  std::span<Tensor> tensors;
  std::span<Step> steps;
  std::span<Proof> proofs;
};

/// What the engine reads.
struct PlanView {
  PlanSummary summary;
  std::span<const LayerPlan> layers;
  std::span<const Tensor> tensors;
  std::span<const Step> steps;
  std::span<const Proof> proofs;
};

constexpr size_t max_tensors(size_t layers) { return 33 * layers + 5; }
constexpr size_t max_steps(size_t layers) { return 8 * layers + 2; }
constexpr size_t max_proofs(size_t layers) { return 7 * layers; }

}  // namespace mantissa
