// Follows a batch through the plan, from the samples to the stored parameters.
// What each row says is what the engine does at that place; SPEC has the formulas.
#include "host/report/roundings.hpp"

#include <fmt/format.h>

#include "host/model/recipe_file.hpp"
#include "host/report/proof_text.hpp"
#include "mantissa/plan/formats.hpp"
#include "mantissa/plan/norm_proofs.hpp"
#include "mantissa/plan/window_shares.hpp"

namespace mantissa::host {
namespace {

constexpr char kHalfUp[] = "half_up", kHalfAway[] = "half_away", kHalfEven[] = "half_even";

class RoundingWalk {
 public:
  RoundingWalk(const PlanView& plan, const Description& description) : plan_(plan), d_(description) {}

  std::vector<RoundingPlace> places() {
    add("forward", "input", "float32", format_of(plan_.summary.input_wire), kHalfAway,
        dynamic() ? "dynamic, of each sample" : "fixed, from the largest input");
    for (size_t i = 0; i < plan_.layers.size(); ++i) add_forward(i);
    if (plan_.summary.mode == PlanMode::kInfer) return places_;
    add_loss();
    for (size_t i = plan_.layers.size(); i-- > 0;) {
      if (plan_.layers[i].sums_errors)
        add_wire("backward", name(i, "sum of errors"), sums(i, Reduction::kJoin, true), plan_.layers[i].dy);
      if (plan_.layers[i].passes_error) add_backward(i);
      if (plan_.layers[i].trains) add_gradient(i);
    }
    for (size_t i = 0; i < plan_.layers.size(); ++i)
      if (plan_.layers[i].trains) add_update(i);
    return places_;
  }

 private:
  bool dynamic() const { return plan_.summary.scaling == Scaling::kDynamic; }
  bool is_logits(const Wire& w) const {
    return plan_.tensors[static_cast<size_t>(w.tensor)].role == Role::kLogits;
  }
  std::string format_of(const Wire& w) const {
    return format_name(plan_.tensors[static_cast<size_t>(w.tensor)].format);
  }
  int32_t max_code(const Wire& w) const {
    return plan_.tensors[static_cast<size_t>(w.tensor)].format.max_code();
  }
  std::string name(size_t i, std::string_view what) const {
    return fmt::format("{} {}", d_.layer_names[i], what);
  }

  /// "22-bit sums in int32", of the first such sum of a layer, or the last.
  std::string sums(size_t layer, Reduction reduction, bool last = false) const {
    const Proof* found = nullptr;
    for (const Proof& p : plan_.proofs)
      if (p.layer == static_cast<int>(layer) && p.reduction == reduction && (found == nullptr || last))
        found = &p;
    return found == nullptr ? "sums" : fmt::format("{}-bit sums in int{}", needed_bits(*found), found->bits);
  }

  std::string scaling_of(const Wire& w) const {
    if (w.fixed) return fmt::format("fixed at {:g}", w.factor.to_float());
    if (w.kept_scales >= 0)
      return w.format.group == 0 ? "dynamic, of each sample"
                                 : fmt::format("dynamic, of each {} elements", w.format.group);
    if (w.scaling == Scaling::kDynamic) return "dynamic, of each sample";
    return fmt::format("delayed, margin {:g}, decay {:g}", plan_.summary.margin, plan_.summary.decay);
  }

  void add(std::string path, std::string where, std::string from, std::string to, std::string_view rule,
           std::string scaling) {
    places_.push_back({std::move(path), std::move(where), std::move(from), std::move(to), std::string(rule),
                       std::move(scaling)});
  }
  void add_wire(const char* path, std::string where, std::string from, const Wire& w) {
    const std::string operand = format_of(w);
    if (w.kept < 0)
      return add(path, std::move(where), std::move(from), operand, rounding_name(w.rounding), scaling_of(w));
    add(path, where, std::move(from), format_name(w.format), rounding_name(w.rounding), scaling_of(w));
    const bool is_exact = w.kept_scales < 0 && !(w.format.kind == FormatKind::kAsym && w.format.bits == 16);
    if (!is_exact)
      add(path, where + " as operand", format_name(w.format), operand, kHalfAway, operand_scaling(w));
  }
  std::string operand_scaling(const Wire& w) const {
    if (w.kept_scales < 0) return "twice that of the codes";
    return w.scaling == Scaling::kDynamic
               ? "dynamic, of each sample"
               : fmt::format("delayed, margin {:g}, decay {:g}", plan_.summary.margin, plan_.summary.decay);
  }

  void add_parameters(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const Format stored = l.formats.parameter, weight = l.formats.weight;
    if (stored.is_float())
      add("forward", name(i, "weights"), "float32", format_name(weight), kHalfAway, "dynamic, of each batch");
    else if (l.layout == ParameterLayout::kGranules)
      add("forward", name(i, "weights"), format_name(stored), format_name(weight), kHalfAway,
          "dynamic, of each batch");
    else if (stored.bits > weight.bits)
      add("forward", name(i, "weights"), format_name(stored), format_name(weight), kHalfUp,
          fmt::format("2^{} of the stored", stored.bits - weight.bits));
    if (l.bias >= 0)
      add("forward", name(i, "biases"), format_name(bias_format(stored)), "int32", kHalfAway,
          "of the sums that they join");
    if (l.node.is_norm())
      add("forward", name(i, "normalized"), sums(i, Reduction::kNorm), "sym16", kHalfAway,
          fmt::format("fixed at 2^-{}", norm_bits(l)));
    if (l.follows_batch)
      for (const char* what : {"running mean", "running variance"})
        add("forward", name(i, what), "31-bit products", "float32", kHalfEven, "-");
  }

  void add_forward(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    if (l.node.has_parameters()) add_parameters(i);
    const Reduction reduction = l.node.is_average()  ? Reduction::kPool
                                : l.node.takes_two() ? Reduction::kJoin
                                                     : Reduction::kForward;
    if (l.node.takes_two())
      add("forward", name(i, "inputs"), "codes", "int32", kHalfAway,
          fmt::format("2^-{} of the larger scale", l.forward.unit_bits));
    if (l.node.is_average() && !l.windows.are_equal())
      add("forward", name(i, "averages"), sums(i, Reduction::kPool), "int32", kHalfAway,
          fmt::format("1/{} of the codes", average_divisor(l.windows, max_code(l.x))));
    if (l.node.makes_sums() && is_logits(l.y) && l.logits_shift > 0)
      add("forward", name(i, "logits"), sums(i, reduction), "int32", kHalfUp,
          fmt::format("2^{} of the sums", l.logits_shift));
    if (l.node.makes_sums() && !is_logits(l.y))
      add_wire("forward", name(i, "output"), sums(i, reduction), l.y);
    if (l.node.op == Op::kLeakyRelu) add_wire("forward", name(i, "output"), sums(i, Reduction::kSlope), l.y);
    const bool rounds_codes = (l.node.op == Op::kQuantize && !l.fused) || l.node.op == Op::kRelu6;
    if (rounds_codes) add_wire("forward", name(i, "output"), format_of(l.x), l.y);
    if (l.node.is_bounded())
      add("forward", name(i, "output"), "powers of two", format_of(l.y), kHalfUp, scaling_of(l.y));
  }

  void add_loss() {
    const Wire& w = plan_.summary.loss_wire;
    const Loss loss = plan_.summary.loss;
    if (loss != Loss::kCrossEntropy)
      add("forward", "targets", "float32", "int32", kHalfAway,
          loss == Loss::kBce ? "fixed at 2^-30" : "of the outputs");
    if (loss == Loss::kMse || loss == Loss::kHuber)
      return add_wire("backward", "error of the loss", "int32", w);
    if (loss == Loss::kL1)
      return add("backward", "error of the loss", "sign", format_of(w), "-",
                 fmt::format("fixed at {:g}", w.factor.to_float()));
    const bool is_plain = loss == Loss::kCrossEntropy && w.factor == Scale::ratio(1, uint32_t(max_code(w)));
    add("backward", "error of the loss", "probabilities", format_of(w), kHalfUp,
        is_plain ? fmt::format("fixed at 1/{}", max_code(w))
                 : fmt::format("fixed at {:g}", w.factor.to_float()));
  }

  void add_backward(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const std::string where = name(i, "error to the layer before");
    if (l.dx.slot == l.dy.slot) return;
    if (l.node.op == Op::kLayerNorm) {
      add("backward", name(i, "share of the deviation"), "78-bit products", "int64", kHalfUp, "of the sums");
      return add_wire("backward", where, sums(i, Reduction::kNormBackward), l.dx);
    }
    if (l.node.has_groups_of_norms()) {
      add("backward", name(i, "share of the deviation"), "78-bit products", "int64", kHalfUp, "of the sums");
      add("backward", name(i, "errors by the deviation"), "64-bit sums", "31 bits", kHalfUp, "-");
      return add_wire("backward", where, sums(i, Reduction::kNormBackward), l.dx);
    }
    if (l.node.op == Op::kQuantize) return add_wire("backward", where, format_of(l.dy), l.dx);
    if (!l.windows.are_equal())
      add("backward", name(i, "shares of errors"), format_of(l.dy), "int32", kHalfAway,
          fmt::format("1/{} of the codes", spread_divisor(l.windows, max_code(l.dy))));
    const Reduction reduction = l.node.has_parameters()     ? Reduction::kBackward
                                : l.node.op == Op::kSoftmax ? Reduction::kSoftmax
                                : l.node.is_activation()    ? Reduction::kSlope
                                                            : Reduction::kPool;
    add_wire("backward", where, sums(i, reduction, true), l.dx);
  }

  void add_gradient(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const Format gradient = l.formats.gradient;
    const bool stored = gradient.kind != FormatKind::kSymInt32;
    if (gradient.is_float() || (stored && plan_.summary.fused_update))
      add("gradient", name(i, "gradient"), sums(i, Reduction::kGradient), "float32", kHalfEven,
          dynamic() ? "each sample's sums are added" : "the batch's sums, once");
    else if (stored)
      add("gradient", name(i, "gradient"), sums(i, Reduction::kGradient), format_name(gradient),
          rounding_name(Rounding::kStochastic), "a grid for each row");
    else if (l.gradient_shift > 0)
      add("gradient", name(i, "gradient"), sums(i, Reduction::kGradient), "int32", kHalfUp,
          fmt::format("2^{} of the sums", l.gradient_shift));
  }

  void add_update(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const std::string_view rule = rounding_name(l.formats.parameter_rounding);
    const bool integer = l.formats.gradient.kind == FormatKind::kSymInt32;
    const std::string from = integer ? "32-bit sums, 2^-16 of a code" : "float32";
    if (l.weight_momentum >= 0)
      add("update", name(i, "momentum"), from, format_name(l.formats.momentum), integer ? rule : kHalfEven,
          integer ? "doubled or halved as its codes ask for" : "-");
    const bool is_float = l.formats.parameter.is_float();
    add("update", name(i, l.bias >= 0 ? "weights and biases" : "weights"), from,
        format_name(l.formats.parameter), is_float ? kHalfEven : rule,
        is_float ? "-" : "refitted when codes outgrow or underuse it");
  }

  const PlanView& plan_;
  const Description& d_;
  std::vector<RoundingPlace> places_;
};

}  // namespace

std::vector<RoundingPlace> roundings(const PlanView& plan, const Description& description) {
  if (plan.summary.is_float) return {};
  return RoundingWalk(plan, description).places();
}

}  // namespace mantissa::host
