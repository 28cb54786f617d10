// Goes through the layers and says what stands between neighbours, between weights and products, and before the update.
#include "host/report/meetings.hpp"

#include <fmt/format.h>

#include "host/model/recipe_file.hpp"
#include "host/report/text.hpp"
#include "mantissa/plan/formats.hpp"

namespace mantissa::host {
namespace {

std::string loss_words(Loss loss) {
  switch (loss) {
    case Loss::kCrossEntropy: return "softmax and cross-entropy";
    case Loss::kMse: return "mean squared error";
    case Loss::kL1: return "absolute error";
    case Loss::kHuber: return "Huber's loss";
    case Loss::kBce: return "binary cross-entropy";
  }
  return "";
}

class MeetingWalk {
 public:
  MeetingWalk(const PlanView& plan, const Description& description) : plan_(plan), d_(description) {}

  std::vector<Meeting> all() {
    add("input", "float32 samples", format_of(plan_.summary.input_wire) + " codes",
        "one rounding, as samples enter");
    for (size_t i = 0; i < plan_.layers.size(); ++i) add_layer(i);
    return all_;
  }

 private:
  const Tensor& tensor(const Wire& w) const { return plan_.tensors[static_cast<size_t>(w.tensor)]; }
  std::string format_of(const Wire& w) const { return format_name(tensor(w).format); }
  /// Of the codes that stay of a wire, where those are others than its operand's.
  std::string kept_format(const Wire& w) const { return w.kept >= 0 ? format_name(w.format) : format_of(w); }
  bool is_logits(const Wire& w) const { return tensor(w).role == Role::kLogits; }
  void add(std::string where, std::string arrives, std::string wanted, std::string inserted) {
    all_.push_back({std::move(where), std::move(arrives), std::move(wanted), std::move(inserted)});
  }

  /// The layer whose sums a fused one meets.
  const std::string& producer(size_t i) const {
    auto at = static_cast<size_t>(plan_.layers[i].source);
    while (plan_.layers[at].fused && plan_.layers[at].node.op != Op::kQuantize &&
           plan_.layers[at].source >= 0)
      at = static_cast<size_t>(plan_.layers[at].source);
    return d_.layer_names[at];
  }

  int logits_layer() const { return plan_.tensors[static_cast<size_t>(plan_.summary.logits_tensor)].layer; }

  void add_layer(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const std::string& name = d_.layer_names[i];
    if (l.node.op == Op::kRelu)
      add(name, l.fused ? fmt::format("sums of {}", producer(i)) : format_of(l.x), format_of(l.y),
          l.fused ? "fused: done on the sums, before they are rounded"
                  : "nothing: codes below zero become zero");
    if (l.y.kept >= 0 && l.y.kept != l.x.kept)
      add(name, kept_format(l.y), format_of(l.y),
          l.passes_error || l.trains || plan_.summary.mode == PlanMode::kInfer
              ? "kept packed; read into the operand, forward and again on the way back"
              : "kept packed; read into the operand");
    if (l.node.op == Op::kQuantize) add_quantize(i);
    if (l.node.is_activation())
      add(name, format_of(l.x), kept_format(l.y), "a step of its own: one more rounding");
    if (l.node.op == Op::kDropout)
      add(name, format_of(l.x), format_of(l.y),
          "nothing: in training codes become zero, and the scale grows instead of those that stay");
    if (l.node.takes_two()) {
      const Wire& other =
          l.other < 0 ? plan_.summary.input_wire : plan_.layers[static_cast<size_t>(l.other)].y;
      add(name, fmt::format("{} and {}", format_of(l.x), format_of(other)), "one unit",
          fmt::format("2^-{} of the larger scale, in 32 bits", l.forward.unit_bits));
    }
    if (l.sums_errors)
      add(name + ", backward", "errors of several readers", "one unit",
          fmt::format("2^-{} of the largest scale, in 32 bits", l.error_sum.unit_bits));
    if (l.node.has_parameters()) add_parameters(i);
    if (l.node.makes_sums() && is_logits(l.y))
      add(name, "sums", loss_words(plan_.summary.loss),
          l.logits_shift > 0 ? fmt::format("{} bits are dropped, to fit int32", l.logits_shift)
                             : "nothing: the loss reads sums");
    if (l.node.is_bounded() && static_cast<int>(i) == logits_layer())
      add(name, format_of(l.y), loss_words(plan_.summary.loss),
          "nothing: the loss reads a copy of the codes");
    if (l.trains) add_training(i);
  }

  void add_quantize(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const std::string& name = d_.layer_names[i];
    if (l.fused)
      add(name, fmt::format("sums of {}", producer(i)), kept_format(l.y),
          is_logits(l.y) ? "nothing: the loss reads sums" : "fused: the sums are rounded into it, once");
    else
      add(name, format_of(l.x), kept_format(l.y), "a step of its own: one more rounding");
    if (!l.passes_error) return;
    add(name + ", backward", kept_format(l.dy), kept_format(l.dx),
        l.dx.tensor == l.dy.tensor ? "nothing: the error arrives so"
                                   : "a step of its own: one more rounding");
  }

  void add_parameters(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const std::string& name = d_.layer_names[i];
    const std::string stored = format_name(l.formats.parameter), weight = format_name(l.formats.weight);
    add(name + " weights", stored, weight + " codes",
        l.weight_operand >= 0 ? fmt::format("{} codes, made once per batch", grouped(l.weights))
        : l.layout == ParameterLayout::kOffset16 ? "nothing: products read the upper bytes where they lie"
                                                 : "nothing: products read them where they lie");
    if (l.bias >= 0)
      add(name + " biases", format_name(bias_format(l.formats.parameter)), "the scale of the sums",
          fmt::format("int32 biases, made {}", plan_.summary.scaling == Scaling::kDynamic
                                                   ? "for each sample"
                                                   : "with each micro-batch"));
    const Element x = tensor(l.x).element, w = l.formats.weight.bits <= 8 ? Element::kInt8 : Element::kInt16;
    if (l.node.is_product() && format_of(l.x) != weight)
      add(name, fmt::format("{} x {}", format_of(l.x), weight), "one product",
          x == w ? "nothing: both are the same integers"
                 : "nothing: products of int8 and int16 are summed as they are");
  }

  void add_training(size_t i) {
    const LayerPlan& l = plan_.layers[i];
    const std::string& name = d_.layer_names[i];
    const Format gradient = l.formats.gradient, stored = l.formats.parameter;
    const bool exact = gradient.kind == FormatKind::kSymInt32;
    const bool dynamic = plan_.summary.scaling == Scaling::kDynamic;
    const bool coded = !exact && !gradient.is_float() && !plan_.summary.fused_update;
    add(name + " gradient", "integer sums", exact || coded ? format_name(gradient) : "float32",
        exact     ? "nothing: the update reads the sums"
        : coded   ? "sums join the stored codes, rounded"
        : dynamic ? "each sample's sums are added, with its scales"
                  : "the batch's sums are converted once");
    if (!exact && !stored.is_float())
      add(name + " update", "float32", format_name(stored),
          "parameters are rounded as they are written back");
  }

  const PlanView& plan_;
  const Description& d_;
  std::vector<Meeting> all_;
};

}  // namespace

std::vector<Meeting> meetings(const PlanView& plan, const Description& description) {
  if (plan.summary.is_float) return {};
  return MeetingWalk(plan, description).all();
}

}  // namespace mantissa::host
