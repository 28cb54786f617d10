// Training that outlives a reset: the state of an engine in flash, and back.
// Two slots take turns, and a slot counts only once its header, written last, is whole. So power may fail at any byte of
// a save: the state before it is still there.
#pragma once
#include "mantissa/engine/engine.hpp"

namespace mantissa {

inline constexpr uint32_t kLargestFlashUnit = 256;

/// The caller's flash: two slots, numbered 0 and 1, that are erased on their own. The functions return whether they
/// succeeded; offsets count bytes from the start of a slot.
struct Flash {
  void* context = nullptr;  ///< handed to the functions
  uint32_t slot_bytes = 0;  ///< of one slot; at least checkpoint_bytes()
  uint32_t unit = 4;        ///< bytes that are programmed at once: a power of two up to kLargestFlashUnit
  bool (*erase)(void* context, int32_t slot) = nullptr;
  /// Offset and length are multiples of `unit`; each unit is programmed at most once between two erases, in order.
  bool (*program)(void* context, int32_t slot, uint32_t offset, std::span<const std::byte> bytes) = nullptr;
  /// Any offset and length. A part that cannot be read, for its power failed when it was written, is a failure.
  bool (*read)(void* context, int32_t slot, uint32_t offset, std::span<std::byte> bytes) = nullptr;
};

/// Where a state lies.
struct Checkpoint {
  int32_t slot = -1;
  uint32_t sequence = 0;  ///< counts saves
  uint32_t bytes = 0;     ///< of flash in use
};

/// Bytes of flash that a slot needs.  Source: SPEC 11.
constexpr uint32_t checkpoint_bytes(const PlanView& plan, uint32_t unit);

/// Tells plans apart whose states mean different things: model, recipe, momentum. Not batch, threads or memory, on which
/// the state does not depend.
constexpr uint64_t checkpoint_fingerprint(const PlanView& plan);

/// Writes parameters, momentum, scales and progress over the older of the two states, and reads them back. Requires that
/// no batch is open. Errors: kBadFlash, kFlashTooSmall; kFlashFailed, after which the newest state is as before.
Result<Checkpoint> save(const Engine& engine, const Flash& flash);

/// Brings the newest whole state into a bound engine, after which training goes on with the bits that it would have had.
/// Errors: kBadFlash, kFlashTooSmall; kNoCheckpoint and kOtherPlan, which leave the engine as it is; kFlashFailed, if a
/// state that was whole is no longer when it is read for the second time: bind or initialize again.
Result<Checkpoint> restore(Engine& engine, const Flash& flash);

// ----------------------------------------------------------------------------------------------------------------------

namespace checkpoint {

inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kHeaderBytes = 32;
inline constexpr uint32_t kProgressBytes = 16;

constexpr uint32_t rounded_up(uint32_t n, uint32_t unit) { return (n + unit - 1) & ~(unit - 1); }
/// Where the body begins: the header has programming units of its own.
constexpr uint32_t body_offset(uint32_t unit) { return rounded_up(kHeaderBytes, unit); }

/// Calls visit(tensor) for each tensor that outlives a batch, in the order of the body, while it returns true.
template <class Visit>
constexpr bool for_each_tensor(const PlanView& plan, Visit&& visit) {
  for (const LayerPlan& l : plan.layers)
    for (int16_t tensor : {l.weight, l.bias, l.weight_scales, l.weight_momentum, l.bias_momentum, l.running})
      if (tensor >= 0 && !visit(tensor)) return false;
  return visit(plan.summary.scales_tensor);
}

constexpr uint32_t body_bytes(const PlanView& plan) {
  uint32_t bytes = kProgressBytes;
  for_each_tensor(plan, [&](int16_t tensor) {
    bytes += plan.tensors[size_t(tensor)].bytes;
    return true;
  });
  return bytes;
}

constexpr void add_format(Hash& hash, Format format) {
  hash.add_byte(uint8_t(format.kind));
  hash.add_byte(format.bits);
  hash.add_u32(format.group);
}

// Taken apart by name, so that a new member does not compile until it is hashed.
constexpr void add_setting(Hash& hash, const WireSetting& setting) {
  const auto& [bits, kind, group, scale, zero_point, scaling, rounding] = setting;
  add_format(hash, {kind, bits, group});
  hash.add_u32(std::bit_cast<uint32_t>(scale));
  hash.add_u32(uint32_t(zero_point));
  hash.add_byte(scaling ? uint8_t(*scaling) : uint8_t(0xFF));
  hash.add_byte(rounding ? uint8_t(*rounding) : uint8_t(0xFF));
}

constexpr void add_node(Hash& hash, const Node& node) {
  const auto& [op, outputs, output_rows, kernel, stride, dilation, groups, padding, pad_left, pad_right,
               output_padding, vertical, divisor, bias, training, output, activation, error, epsilon, slope,
               drop, input, other, momentum] = node;
  for (int32_t field : {int32_t(op), outputs, kernel, stride, dilation, groups, int32_t(padding), pad_left,
                        pad_right, int32_t(bias), int32_t(training), int32_t(output)})
    hash.add_u32(uint32_t(field));
  if (op == Op::kConvTranspose1d) hash.add_u32(uint32_t(output_padding));
  if (op == Op::kAdaptiveAvgPool2d) hash.add_u32(uint32_t(output_rows));
  if (divisor != Divisor::kWindow) hash.add_byte(uint8_t(divisor));
  const auto& [rows, row_stride, row_dilation, pad_top, pad_bottom] = vertical;
  if (node.is_2d())
    for (int32_t field : {rows, row_stride, row_dilation, pad_top, pad_bottom}) hash.add_u32(uint32_t(field));
  hash.add_u32(std::bit_cast<uint32_t>(epsilon));
  if (op == Op::kLeakyRelu) hash.add_u32(std::bit_cast<uint32_t>(slope));
  if (op == Op::kDropout) hash.add_u32(std::bit_cast<uint32_t>(drop));
  if (input != kLayerBefore) hash.add_u32(uint32_t(input));
  if (node.takes_two()) hash.add_u32(uint32_t(other));
  if (op == Op::kBatchNorm) hash.add_u32(std::bit_cast<uint32_t>(momentum));
  for (const WireSetting& s : {activation, error}) add_setting(hash, s);
}

/// What differs from a mean loss without attributes.
constexpr void add_loss(Hash& hash, const PlanSummary& summary) {
  const LossSettings& s = summary.loss_settings;
  if (summary.loss == Loss::kHuber) hash.add_u32(std::bit_cast<uint32_t>(s.delta));
  if (s.reduction != LossReduction::kMean) hash.add_byte(uint8_t(s.reduction));
  if (!s.is_soft()) return;
  hash.add_u32(std::bit_cast<uint32_t>(s.smoothing));
  for (const float weight : s.class_weights) hash.add_u32(std::bit_cast<uint32_t>(weight));
}

constexpr void add_formats(Hash& hash, const LayerFormats& formats) {
  const auto& [activation, error, weight, parameter, gradient, momentum, bias_gradient, activation_rounding,
               error_rounding, parameter_rounding] = formats;
  for (Format format : {activation, error, weight, parameter, gradient, momentum, bias_gradient})
    add_format(hash, format);
  for (Rounding rounding : {activation_rounding, error_rounding, parameter_rounding})
    hash.add_byte(uint8_t(rounding));
}

}  // namespace checkpoint

constexpr uint32_t checkpoint_bytes(const PlanView& plan, uint32_t unit) {
  using namespace checkpoint;
  return body_offset(unit) + rounded_up(body_bytes(plan), unit);
}

constexpr uint64_t checkpoint_fingerprint(const PlanView& plan) {
  const PlanSummary& s = plan.summary;
  Hash hash;
  for (uint32_t field : {checkpoint::kVersion, uint32_t(s.input.steps), uint32_t(s.input.channels),
                         uint32_t(s.loss), uint32_t(s.layers), uint32_t(s.slots), uint32_t(s.momentum),
                         uint32_t(s.mode), uint32_t(s.scaling), uint32_t(s.gradient_accumulation),
                         std::bit_cast<uint32_t>(s.margin), std::bit_cast<uint32_t>(s.decay)})
    hash.add_u32(field);
  checkpoint::add_loss(hash, s);
  if (s.input.width > 0) hash.add_u32(uint32_t(s.input.width));
  for (const LayerPlan& l : plan.layers) {
    checkpoint::add_node(hash, l.node);
    checkpoint::add_formats(hash, l.formats);
  }
  checkpoint::for_each_tensor(plan, [&](int16_t tensor) {
    hash.add_u32(plan.tensors[size_t(tensor)].bytes);
    return true;
  });
  return hash.value();
}

}  // namespace mantissa
