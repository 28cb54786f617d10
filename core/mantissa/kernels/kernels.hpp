// A set of kernels: what the engine calls. A table of functions, so that a host chooses at run time and firmware links
// only what its constant table names. Every set gives the same bits as kernels_ref.
#pragma once
#include "mantissa/kernels/activation.hpp"
#include "mantissa/kernels/depthwise.hpp"
#include "mantissa/kernels/gemm.hpp"
#include "mantissa/kernels/gradient.hpp"
#include "mantissa/kernels/group_norm.hpp"
#include "mantissa/kernels/join.hpp"
#include "mantissa/kernels/kept.hpp"
#include "mantissa/kernels/layer_norm.hpp"
#include "mantissa/kernels/loss.hpp"
#include "mantissa/kernels/pool.hpp"
#include "mantissa/kernels/softmax.hpp"
#include "mantissa/kernels/sums.hpp"
#include "mantissa/kernels/update.hpp"
#include "mantissa/kernels/window_shares.hpp"

namespace mantissa {

struct Kernels {
  Operands operands = Operands::kAny;  ///< that the functions are ready for
  const GemmKernel* gemm = nullptr;
  void (*depthwise)(const Depthwise&) = nullptr;
  void (*depthwise_gradient)(const DepthwiseGradient&) = nullptr;
  uint64_t (*finish_sums)(const FinishSums&) = nullptr;
  uint64_t (*rescale_sums)(const RescaleSums&) = nullptr;
  void (*column_sums)(const ColumnSums&) = nullptr;
  void (*max_pool)(const MaxPool&) = nullptr;
  void (*max_pool_backward)(const MaxPoolBackward&) = nullptr;
  void (*window_sums)(const WindowSums&) = nullptr;
  void (*spread)(const Spread&) = nullptr;
  void (*overlap_sums)(const OverlapSums&) = nullptr;
  void (*share_sums)(const ShareSums&) = nullptr;
  void (*spread_shares)(const SpreadShares&) = nullptr;
  UpdateSeen (*update_integer)(const IntegerUpdate&) = nullptr;
  UpdateSeen (*update_float)(const FloatUpdate&) = nullptr;
  void (*join_gradient)(const JoinGradient&) = nullptr;
  void (*read_gradient)(const StoredGradient&, int32_t* out) = nullptr;
  uint64_t (*quantize_floats)(const QuantizeFloats&) = nullptr;
  void (*add_scaled)(const AddScaled&) = nullptr;
  float (*largest_magnitude)(const float* values, int32_t count) = nullptr;
  float (*softmax_float)(const FloatSoftmax&) = nullptr;
  MseResult (*pointwise_loss)(const PointwiseLoss&) = nullptr;
  SoftResult (*soft_cross_entropy)(const SoftCrossEntropy&) = nullptr;
  void (*norm_forward)(const NormForward&) = nullptr;
  NormSeen (*norm_backward)(const NormBackward&) = nullptr;
  void (*norm_gradient)(const NormGradient&) = nullptr;
  void (*group_moments)(const GroupMoments&) = nullptr;
  uint64_t (*group_forward)(const GroupForward&) = nullptr;
  void (*group_errors)(const GroupErrors&) = nullptr;
  uint64_t (*group_backward)(const GroupBackward&) = nullptr;
  void (*group_gradient)(const GroupGradient&) = nullptr;
  void (*update_running)(const RunningStatistics&) = nullptr;
  void (*read_running)(const RunningStatistics&) = nullptr;
  void (*activation_forward)(const ActivationForward&) = nullptr;
  void (*activation_backward)(const ActivationBackward&) = nullptr;
  void (*softmax_forward)(const SoftmaxForward&) = nullptr;
  void (*softmax_backward)(const SoftmaxBackward&) = nullptr;
  void (*drop_elements)(const DropElements&) = nullptr;
  void (*join_codes)(const JoinCodes&) = nullptr;
  KeptSeen (*keep_sums)(const KeepSums&) = nullptr;
  uint64_t (*read_kept)(const ReadKept&) = nullptr;
  void (*read_weights)(const ConstTensorView& weights, const TensorView& operand) = nullptr;
};

/// The normative reference, for every target. What other sets do not do in a way of their own, they do as this one.
template <Operands kOperands>
struct RefKernels {
  static constexpr Operands operands = kOperands;
  static constexpr const GemmKernel* gemm = &gemm_ref_for<kOperands>;
  static void depthwise(const Depthwise& d);
  static void depthwise_gradient(const DepthwiseGradient& d);
  static uint64_t finish_sums(const FinishSums& f);
  static uint64_t rescale_sums(const RescaleSums& r);
  static void column_sums(const ColumnSums& s);
  static void max_pool(const MaxPool& p);
  static void max_pool_backward(const MaxPoolBackward& p);
  static void window_sums(const WindowSums& p);
  static void spread(const Spread& p);
  static void overlap_sums(const OverlapSums& p);
  static void share_sums(const ShareSums& s);
  static void spread_shares(const SpreadShares& s);
  static UpdateSeen update_integer(const IntegerUpdate& u);
  static UpdateSeen update_float(const FloatUpdate& u);
  static constexpr auto join_gradient = &mantissa::join_gradient;
  static constexpr auto read_gradient = &mantissa::read_gradient;
  static uint64_t quantize_floats(const QuantizeFloats& q);
  static void add_scaled(const AddScaled& a);
  static float largest_magnitude(const float* values, int32_t count);
  static float softmax_float(const FloatSoftmax& s);
  static constexpr auto pointwise_loss = &mantissa::pointwise_loss;
  static constexpr auto soft_cross_entropy = &mantissa::soft_cross_entropy;
  static void norm_forward(const NormForward& f);
  static NormSeen norm_backward(const NormBackward& b);
  static void norm_gradient(const NormGradient& g);
  static void group_moments(const GroupMoments& p);
  static uint64_t group_forward(const GroupForward& f);
  static void group_errors(const GroupErrors& e);
  static uint64_t group_backward(const GroupBackward& b);
  static void group_gradient(const GroupGradient& g);
  static void update_running(const RunningStatistics& r);
  static void read_running(const RunningStatistics& r);
  static void activation_forward(const ActivationForward& f);
  static void activation_backward(const ActivationBackward& b);
  static void softmax_forward(const SoftmaxForward& s);
  static void softmax_backward(const SoftmaxBackward& s);
  static void drop_elements(const DropElements& d);
  static constexpr auto join_codes = &mantissa::join_codes;
  static constexpr auto keep_sums = &mantissa::keep_sums;
  static constexpr auto read_kept = &mantissa::read_kept;
  static constexpr auto read_weights = &mantissa::read_weights;
};

template <class Set>
inline constexpr Kernels kernels_of = {
    .operands = Set::operands,
    .gemm = Set::gemm,
    .depthwise = Set::depthwise,
    .depthwise_gradient = Set::depthwise_gradient,
    .finish_sums = Set::finish_sums,
    .rescale_sums = Set::rescale_sums,
    .column_sums = Set::column_sums,
    .max_pool = Set::max_pool,
    .max_pool_backward = Set::max_pool_backward,
    .window_sums = Set::window_sums,
    .spread = Set::spread,
    .overlap_sums = Set::overlap_sums,
    .share_sums = Set::share_sums,
    .spread_shares = Set::spread_shares,
    .update_integer = Set::update_integer,
    .update_float = Set::update_float,
    .join_gradient = Set::join_gradient,
    .read_gradient = Set::read_gradient,
    .quantize_floats = Set::quantize_floats,
    .add_scaled = Set::add_scaled,
    .largest_magnitude = Set::largest_magnitude,
    .softmax_float = Set::softmax_float,
    .pointwise_loss = Set::pointwise_loss,
    .soft_cross_entropy = Set::soft_cross_entropy,
    .norm_forward = Set::norm_forward,
    .norm_backward = Set::norm_backward,
    .norm_gradient = Set::norm_gradient,
    .group_moments = Set::group_moments,
    .group_forward = Set::group_forward,
    .group_errors = Set::group_errors,
    .group_backward = Set::group_backward,
    .group_gradient = Set::group_gradient,
    .update_running = Set::update_running,
    .read_running = Set::read_running,
    .activation_forward = Set::activation_forward,
    .activation_backward = Set::activation_backward,
    .softmax_forward = Set::softmax_forward,
    .softmax_backward = Set::softmax_backward,
    .drop_elements = Set::drop_elements,
    .join_codes = Set::join_codes,
    .keep_sums = Set::keep_sums,
    .read_kept = Set::read_kept,
    .read_weights = Set::read_weights,
};

inline constexpr const Kernels& kernels_ref = kernels_of<RefKernels<Operands::kAny>>;

/// Vectors by Highway, for hosts; chooses the best instructions of the machine at run time.
extern const Kernels kernels_hwy;

}  // namespace mantissa
