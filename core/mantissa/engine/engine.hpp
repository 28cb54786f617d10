// Runs a plan in the caller's memory. bind() is the last place that can fail: a step allocates nothing and decides nothing.
#pragma once
#include <cstddef>
#include <span>

#include "mantissa/base/executor.hpp"
#include "mantissa/base/hash.hpp"
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/losses/pointwise.hpp"
#include "mantissa/losses/soft_cross_entropy.hpp"
#include "mantissa/optim/sgd.hpp"
#include "mantissa/plan/planner.hpp"

namespace mantissa {

struct ConvGeometry;

/// Sums over the samples of a batch.
struct BatchResult {
  int64_t loss_q24 = 0;  ///< nats, Q24, summed
  int32_t correct = 0;
  int64_t weight =
      0;  ///< 2^15 for each sample, or the weight of its class, 2^15 being the largest: the mean loss is loss_q24 2^15 / weight
};

/// What the outputs of samples should be: labels, from 0, which MSE takes as onehot; or, for MSE, `outputs` values per sample.
struct Targets {
  const int32_t* labels = nullptr;
  const float* values = nullptr;

  constexpr Targets() = default;
  constexpr Targets(const int32_t* of_classes) : labels(of_classes) {}
  constexpr Targets(const float* of_outputs) : values(of_outputs) {}
};

/// Told when a step of the plan begins and ends, to measure it. kUpdate also within kGradient, where they are one.
struct Probe {
  void* context = nullptr;
  void (*begin)(void* context, StepKind kind, int32_t layer) = nullptr;
  void (*end)(void* context, StepKind kind, int32_t layer) = nullptr;
};

/// Everything about a run that is not in the arena: what to save beside it.
struct Progress {
  uint64_t seed = 1;
  uint32_t step = 0;        ///< batches so far
  bool calibrated = false;  ///< delayed scales have been set
};

/// A trainer bound to memory. Samples are float32 [steps, channels], channels fastest, already normalised.
///
///   begin_batch(n, settings, first sample);  accumulate(...) until n samples are in;  end_batch();
///
/// Where the plan's micro-batch is its batch, the update is part of accumulate(), which is then called once per batch.
/// The bits depend on model, recipe, seed and the samples of each batch in order; not on threads or kernels, and on micro-batches
/// only where gradients wait between them as Sym or Asym codes, rounded each time.
class Engine {
 public:
  /// Checks size and alignment of the memory; the plan, the kernels and the memory must outlive the engine.
  static Result<Engine> bind(const PlanView& plan, std::span<std::byte> arena, const Kernels& kernels,
                             Executor executor = {});

  /// Parameters uniform in +-1/sqrt(fan_in) from the seed, everything else 0.  Source: PyTorch's default for these layers.
  void initialize(uint64_t seed);
  /// The largest magnitude of the inputs, which sets the scale of their codes; not used with dynamic scales or float32.
  void set_input_range(float largest);

  /// Opens a batch of `samples` (at most the plan's). In the very first one, `x` and the target of its first sample set the
  /// delayed scales; sample() must then be filled again, since those scales take all steps.
  void begin_batch(int32_t samples, const SgdSettings& settings, const float* x, Targets first);
  void begin_batch(int32_t samples, const SgdSettings& settings, const float* x, int32_t label) {
    begin_batch(samples, settings, x, Targets(&label));
  }
  /// Forward and backward of the next `count` samples, at most the plan's micro-batch.
  BatchResult accumulate(const float* x, Targets targets, int32_t count);
  /// Updates the parameters (where a fused update has not) and the scales.
  void end_batch();

  /// Room for a micro-batch of float32 samples, to be given to the functions above and below; empty unless the plan stages its
  /// input. accumulate(), evaluate() and the very first begin_batch() leave other things there.
  std::span<float> sample() const;

  /// Forward only; changes no state but the counters of saturated codes. Predictions go to `predictions` if not null.
  BatchResult evaluate(const float* x, Targets targets, int32_t count, int32_t* predictions);

  void set_probe(const Probe& probe) { probe_ = probe; }

  const PlanView& plan() const { return plan_; }
  Progress& progress() { return progress_; }
  const Progress& progress() const { return progress_; }
  /// Of all parameters, momentum, scales: equal on every machine after the same run.
  uint64_t state_hash() const;
  uint64_t saturated() const;
  ScaleState& state(int16_t slot, int32_t sample = 0) const {
    return scales_[scales_per_slot_ == 1 ? slot : slot * scales_per_slot_ + sample];
  }
  std::span<std::byte> bytes(int16_t tensor) const;
  /// Value of weight or bias i of a layer, for reports and export.
  float parameter_value(const LayerPlan& layer, int16_t tensor, int32_t i) const;

 private:
  template <class Body>
  void parallel(int32_t count, int64_t work, Body&& body);
  template <class T = void>
  T* data(int16_t tensor, int32_t sample = 0) const;
  void clear_halo(int16_t tensor, int32_t sample) const;
  void copy_sample(const Wire& from, const Wire& to, int32_t sample) const;

  Scale wire_scale(const Wire& wire, int32_t sample) const;
  Scale weight_scale(const LayerPlan& l) const;
  Scale forward_unit(const LayerPlan& l, int32_t sample) const;
  Scale backward_unit(const LayerPlan& l, int32_t sample) const;
  /// Of a product: its operand's own, or the thread's.
  void* scratch(const ProductPlan& product, int32_t operand, int32_t worker) const;
  GemmOperand weight_operand(const LayerPlan& l) const;
  CodeView code_view(const LayerPlan& l, int16_t tensor) const;
  void set_dynamic_scale(const Wire& wire, int32_t sample, uint64_t seen, Scale unit) const;
  /// Whether the wire's scale is made of the sample that it carries.
  bool is_dynamic(const Wire& wire) const { return wire.scaling == Scaling::kDynamic && !wire.fixed; }
  Scale seen_unit(const Wire& wire, Scale unit) const;
  void collect(const Wire& wire, Scale unit);
  void roll(const Wire& wire);
  void roll_asym(const Wire& wire);

  struct SumRows;
  struct KeptView;
  void view_kept(const Wire& wire, int32_t sample, KeptView& out) const;
  Scale kept_scale(const Wire& wire, int32_t sample) const;
  int32_t zero_point(const Wire& wire, int32_t sample) const;
  Seen keep_rows(const Wire& wire, const RescaleSums& r, const SumRows& s);
  uint64_t read_rows(const Wire& wire, int32_t sample, int32_t first, int32_t count) const;
  void keep_operand(const Wire& wire, int32_t sample);
  void run_read(const Wire& wire);

  struct JoinedRows;
  const Wire& wire_of(int16_t layer) const {
    return layer < 0 ? plan_.summary.input_wire : plan_.layers[size_t(layer)].y;
  }
  Scale joined_unit(const ProductPlan& product, Scale largest) const;
  void put_wire(const Wire& wire, const JoinedRows& rows) const;
  Scale join_unit(const LayerPlan& l, int32_t sample) const;
  void forward_join(const LayerPlan& l, int32_t sample, int32_t worker);
  void backward_join(const LayerPlan& l, int32_t sample);
  Scale error_sum_unit(int16_t layer, int32_t sample) const;
  void sum_errors(int16_t layer, int32_t sample, int32_t worker);
  void run_error_sum(int16_t layer);

  TensorView weight_view(const LayerPlan& l) const;
  CodeView granule_codes(const LayerPlan& l, const TensorView& weights, size_t granule) const;
  void initialize_granules(const LayerPlan& l, Scale bound, RandomKey key);
  void refit_granules(const LayerPlan& l);

  void run_step(const Step& step);
  void execute(const Step& step);
  template <class Body>
  void probed(StepKind kind, int32_t layer, Body&& body) const;
  void make_operands(const LayerPlan& l);
  uint32_t make_bias_operand(const LayerPlan& l, int32_t sample, int32_t* out) const;
  uint32_t& bias_saturated(int32_t worker) const;
  void collect_bias(const LayerPlan& l) const;
  void load_input(int32_t sample);
  void run_forward(const LayerPlan& l);
  void forward_rows(const LayerPlan& l, int32_t sample, int32_t row, int32_t rows, int32_t worker);
  void forward_relu(const LayerPlan& l, int32_t sample);
  void forward_pool(const LayerPlan& l, int32_t sample, int32_t worker);
  struct WeightProduct;
  Gemm product_view(const WeightProduct& p, int32_t phase, int32_t group, int32_t row, int32_t rows) const;
  void prepare_product(WeightProduct p) const;
  void run_signal(const WeightProduct& p, void* sums, int32_t stride, int32_t row, int32_t rows,
                  GemmStore store, int32_t worker) const;
  GemmOperand image_row(const ProductPlan& product, GemmOperand image, Shape shape, int32_t row,
                        int32_t worker) const;
  void run_image_row(WeightProduct p, void* sums, int32_t stride, int32_t row, int32_t worker) const;
  void run_product(const WeightProduct& p, void* sums, int32_t stride, int32_t row, int32_t rows,
                   int32_t worker) const;
  const void* bias_row(const LayerPlan& l, int32_t sample, int32_t worker) const;
  void forward_norm(const LayerPlan& l, int32_t sample, int32_t worker);
  void backward_norm(const LayerPlan& l, int32_t sample, int32_t worker);
  void norm_gradient_rows(const LayerPlan& l, int32_t worker);
  NormStep norm_step(const LayerPlan& l, int32_t sample, int32_t step, int32_t worker) const;
  GroupRows group_rows(const LayerPlan& l, int32_t sample) const;
  NormCodes group_errors_of(const LayerPlan& l, int32_t sample) const;
  void forward_group_norm(const LayerPlan& l, int32_t sample, int32_t worker);
  void backward_group_norm(const LayerPlan& l, int32_t sample, int32_t worker);
  void group_gradient_rows(const LayerPlan& l, int32_t sample, void* sums) const;
  Scale group_backward_unit(const LayerPlan& l, int32_t sample) const;
  bool makes_batch_statistics(const LayerPlan& l) const { return l.follows_batch && training_; }
  Scale batch_unit(const Wire& wire, int32_t bits) const;
  NormCodes batch_codes(const Wire& wire, int32_t sample, int32_t bits) const;
  int32_t common_bits(const LayerPlan& l, const Wire& wire) const;
  RunningStatistics running_statistics(const LayerPlan& l) const;
  template <class Body>
  void each_channel_range(const LayerPlan& l, Body&& body);
  void begin_batch_norm(const LayerPlan& l);
  void sum_batch_errors(const LayerPlan& l);
  class TileMaker;
  struct ForwardRows;
  void round_forward(const LayerPlan& l, const ForwardRows& f, const TileMaker& make);
  struct Elements;
  void round_elements(const Elements& e, const TileMaker& make);
  void pass_elements(const LayerPlan& l, int32_t sample, int32_t worker, const TileMaker& make);
  void requantize(const Wire& from, const Wire& to, const ProductPlan& product, Shape shape, int32_t sample,
                  int32_t worker);
  void forward_activation(const LayerPlan& l, int32_t sample, int32_t worker);
  void backward_activation(const LayerPlan& l, int32_t sample, int32_t worker);
  void mask_floats(const LayerPlan& l, float* dx, int32_t sample) const;
  void forward_softmax(const LayerPlan& l, int32_t sample);
  void backward_softmax(const LayerPlan& l, int32_t sample, int32_t worker);
  void drop(const LayerPlan& l, const Wire& from, const Wire& to, int32_t sample) const;
  SumRows sum_rows(const ProductPlan& product, Scale unit, SumRows rows) const;
  void round_sums(const Wire& wire, const SumRows& s);
  void round_wire(const Wire& wire, const SumRows& s);
  void run_loss(const LayerPlan& l);
  LossResult sample_loss(const LayerPlan& l, int32_t sample, bool with_errors);
  LossErrors errors_of_loss(const LayerPlan& l, int32_t sample) const;
  LossResult sample_soft(const LayerPlan& l, int32_t sample, bool with_errors);
  LossResult sample_mse(const LayerPlan& l, int32_t sample, bool with_errors);
  LossResult sample_pointwise(const LayerPlan& l, int32_t sample, bool with_errors);
  MseTargets sample_targets(int32_t sample) const;
  Scale error_unit(const LayerPlan& l, int32_t sample) const;
  void round_errors(const LayerPlan& l, int32_t sample, uint64_t largest);
  Scale batch_divisor() const;
  float per_sample() const;
  Scale gradient_unit(const LayerPlan& l, int32_t sample) const;
  void run_backward(const LayerPlan& l);
  void backward_rows(const LayerPlan& l, int32_t sample, int32_t row, int32_t rows, int32_t worker);
  int32_t forward_divisor(const LayerPlan& l) const;
  int32_t backward_divisor(const LayerPlan& l) const;
  void load_logits(const LayerPlan& l, int32_t sample);
  void backward_overlapping_pool(const LayerPlan& l, int32_t sample, int32_t worker);
  void backward_pool(const LayerPlan& l, int32_t sample, int32_t worker);
  void run_gradient(const LayerPlan& l);
  void* gradient_sums(const LayerPlan& l, int32_t row, int32_t worker) const;
  bool updates_from_operands(const LayerPlan& l) const;
  struct Share;
  static Share share_of(const LayerPlan& l, int32_t row, int32_t rows);
  void gradient_rows(const LayerPlan& l, const Share& share, int32_t worker);
  void gradient_product(const LayerPlan& l, int32_t sample, int32_t samples, int32_t row, int32_t rows,
                        void* sums, GemmStore store, int32_t worker);
  void signal_gradient(const LayerPlan& l, const ConvGeometry& c, GemmOperand dy, GemmOperand x, int32_t row,
                       int32_t rows, int32_t steps, void* sums, GemmStore store, int32_t worker);
  void image_gradient(const LayerPlan& l, const ConvGeometry& c, GemmOperand dy, GemmOperand x, int32_t row,
                      int32_t rows, void* sums, GemmStore store, int32_t worker);
  void gradient_of_sample(const LayerPlan& l, int32_t sample, const Share& share, float* weight_sums,
                          int32_t worker);
  bool sums_in_tile(const LayerPlan& l) const {
    return plan_.summary.fused_update || l.coded_weight_gradient;
  }
  float fixed_margin() const;
  GradientGrid& bias_grid(const LayerPlan& l) const;
  void join_weight_gradient(const LayerPlan& l, const void* sums, int32_t row, int32_t rows);
  void join_bias_gradient(const LayerPlan& l);
  void observe_gradient(const LayerPlan& l, const void* sums, const Share& share, int32_t worker);
  void clear_gradients();

  struct ParameterUpdate;
  struct LayerUpdate;
  LayerUpdate prepare_update(const LayerPlan& l) const;
  void prepare_integer(const LayerPlan& l, ParameterUpdate& u) const;
  void prepare_float(const LayerPlan& l, ParameterUpdate& u) const;
  RandomKey update_key(const ParameterUpdate& u) const;
  UpdateSeen apply_update(const LayerPlan& l, const ParameterUpdate& u, const void* sums, int32_t first,
                          int32_t count);
  UpdateSeen apply_part(const LayerPlan& l, const ParameterUpdate& u, const void* sums, int32_t first,
                        int32_t count);
  UpdateSeen update_granules(const LayerPlan& l, const ParameterUpdate& u, const void* sums, int32_t first,
                             int32_t count);
  bool has_granules(const LayerPlan& l, const ParameterUpdate& u) const;
  void set_factors(const LayerPlan& l, ParameterUpdate& u, const CodeView& codes, Scale scale) const;
  UpdateSeen update_from_codes(const LayerPlan& l, const ParameterUpdate& u, int16_t gradient,
                               GradientGrid* grids, int32_t channels, int16_t slot);
  void update_rows(const LayerPlan& l, const LayerUpdate& update, const void* sums, const Share& share,
                   int32_t worker);
  void run_update(const LayerPlan& l);
  void commit_update(const LayerPlan& l, const LayerUpdate& update);
  void commit_parameter(const LayerPlan& l, const ParameterUpdate& u, const UpdateSeen& seen);
  static Scale first_momentum_scale(const LayerPlan& l, Scale unit, uint64_t largest);
  Scale next_momentum_scale(const LayerPlan& l, const ParameterUpdate& u, const UpdateSeen& seen) const;
  void refit_parameters(const LayerPlan& l, int16_t tensor, int16_t slot, const UpdateSeen& seen);
  void calibrate(const float* x, Targets first);

  PlanView plan_;
  std::byte* arena_ = nullptr;
  ScaleState* scales_ = nullptr;  // in the arena
  int32_t scales_per_slot_ = 1;   // one for all samples, or one each
  const Kernels* kernels_ = nullptr;
  Executor executor_;
  Probe probe_;
  Progress progress_;
  SgdSettings settings_;
  const float* x_ = nullptr;
  Targets targets_;
  int32_t count_ = 0;          // samples in this micro-batch
  int32_t batch_samples_ = 1;  // samples in this batch
  int32_t batch_offset_ = 0;   // samples of this batch before this micro-batch
  int64_t weight_ = 0;         // codes of class weights of this batch so far
  Scale weight_unit_ = {};     // one of them
  float float_weight_ = 0.0f;  // their sum in float32
  int32_t* predictions_ = nullptr;
  BatchResult result_;
  bool training_ = false;
  bool observing_ = false;  // calibrating: gradients are looked at, not applied
};

}  // namespace mantissa
