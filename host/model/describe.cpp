// One sentence per error code, and one per detail.
// A switch without default: a new code does not compile before someone has said what would do.
#include "host/model/describe.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/model/nearest.hpp"
#include "mantissa/plan/shapes.hpp"

namespace mantissa::host {
namespace {

/// What the sentences are about.
struct Subject {
  const mantissa::Error& error;
  const Description& description;
  std::string layer;   ///< "layer 3 'conv2' (conv1d)", or the model
  std::string recipe;  ///< "recipe 'int8'"
  const Node* node;    ///< null where no layer is meant
};

Subject subject_of(const mantissa::Error& error, const Description& d, std::string_view recipe) {
  const std::string recipe_words = recipe.empty() ? "the recipe" : "recipe " + in_quotes(recipe);
  if (error.layer < 0 || static_cast<size_t>(error.layer) >= d.nodes.size())
    return {error, d, "model " + in_quotes(d.name), recipe_words, nullptr};
  const auto index = static_cast<size_t>(error.layer);
  const Node& node = d.nodes[index];
  return {error, d,
          fmt::format("layer {} {} ({})", index + 1, in_quotes(d.layer_names[index]), type_name(node.op)),
          recipe_words, &node};
}

std::string bad_shape(const Subject& s) {
  if (s.node == nullptr)
    return fmt::format(
        "{} has an input of {} steps x {} channels, which no layer can take; both must be at least 1",
        s.layer, s.description.input.steps, s.description.input.channels);
  switch (s.node->op) {
    case Op::kLinear:
      return fmt::format(
          "{}: {} steps arrive, and it needs a vector, which is {} step; put flatten or "
          "global_avg_pool1d before it",
          s.layer, s.error.found, s.error.limit);
    case Op::kConv1d:
    case Op::kConvTranspose1d:
    case Op::kRelu:
    case Op::kConv2d:
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
    case Op::kMaxPool1d:
    case Op::kAvgPool1d:
    case Op::kGlobalAvgPool1d:
    case Op::kFlatten:
    case Op::kQuantize:
    case Op::kLayerNorm:
    case Op::kGroupNorm:
    case Op::kBatchNorm:
    case Op::kLeakyRelu:
    case Op::kRelu6:
    case Op::kSigmoid:
    case Op::kTanh:
    case Op::kAdd:
    case Op::kConcat:
    case Op::kAdaptiveAvgPool1d:
    case Op::kAdaptiveAvgPool2d:
    case Op::kSoftmax:
    case Op::kDropout: break;
  }
  return fmt::format("{}: {} arrive, and it takes {}; change the layers before it or the [input]", s.layer,
                     s.error.found, s.error.limit);
}

std::string bad_attribute(const Subject& s) {
  if (s.node != nullptr && s.node->is_adaptive())
    return fmt::format(
        "{}: {} steps or pixels are to come out in a direction, which must be at least 1, and times those "
        "that arrive in it below 2^31",
        s.layer, s.error.found);
  if (s.node != nullptr && s.node->op == Op::kConvTranspose1d)
    return fmt::format(
        "{}: an attribute is {}, which is out of its range or makes the layer too large; channels, kernel "
        "and "
        "stride are at least 1, padding is at least 0 and leaves a step to come out, and output_padding is "
        "less "
        "than stride",
        s.layer, s.error.found);
  return fmt::format(
      "{}: an attribute is {}, which is out of its range or makes the layer too large; features, channels, "
      "kernel, stride, dilation and groups are at least 1, padding at least 0, and fewer or smaller "
      "outputs make a smaller layer",
      s.layer, s.error.found);
}

std::string window_too_large(const Subject& s) {
  const bool is_conv = s.node != nullptr && (s.node->op == Op::kConv1d || s.node->op == Op::kConv2d);
  return fmt::format(
      "{}: its window is {} steps long, and only {} arrive{}; use a shorter kernel{}, or less pooling "
      "and stride before it",
      s.layer, s.error.found, s.error.limit, is_conv ? ", padding included" : "",
      is_conv ? ", less dilation, padding = \"same\"" : "");
}

/// Names the sizes nearest to the wanted one that divide the tensor.
std::string bad_group_size(const Subject& s) {
  if (s.error.found < 1 || s.error.found > kLargestGroup || s.error.limit < 1)
    return fmt::format(
        "{}: this format takes no such granularity; sym and asym share a scale per tensor, channel "
        "or group, bfp an exponent per group, the others have none",
        s.layer);
  const auto [below, above] =
      divisors_near(static_cast<size_t>(s.error.limit), static_cast<size_t>(s.error.found));
  return fmt::format(
      "{}: groups of {} elements do not divide its {}; {}", s.layer, s.error.found, s.error.limit,
      above > kLargestGroup ? fmt::format("{} do", below) : fmt::format("{} and {} do", below, above));
}

std::string bad_conversion(const Subject& s) {
  constexpr std::string_view kNames[] = {"float32", "sym", "SymInt32", "asym", "bfp", "int32", "bool"};
  const auto name = [&](int64_t kind) {
    return kind >= 0 && kind < std::ssize(kNames) ? kNames[static_cast<size_t>(kind)] : "an unknown format";
  };
  return fmt::format(
      "{}: {} does not become {}; float32, sym, asym and bfp convert among each other, and SymInt32 to "
      "any of them",
      s.layer, name(s.error.found), name(s.error.limit));
}

int64_t largest_divisor(int64_t n, int64_t at_most) {
  for (int64_t d = at_most; d > 1; --d)
    if (n % d == 0) return d;
  return 1;
}

std::string bad_groups(const Subject& s) {
  if (s.error.found < 1 || s.error.limit < 1)
    return fmt::format("{}: groups is {}; it must be at least 1", s.layer, s.error.found);
  const int64_t below = std::min({s.error.found, s.error.limit, int64_t{1} << 20});
  return fmt::format("{}: groups is {}, which does not divide {} channels; {} does", s.layer, s.error.found,
                     s.error.limit, largest_divisor(s.error.limit, below));
}

std::string detail_sentence(const Subject& s) {
  switch (s.error.detail) {
    case Detail::kNone:
      return "it is a combination without a meaning; a built-in recipe shows one that has one";
    case Detail::kStoredSymInt32:
      return "parameters, gradients and momentum are not stored as SymInt32, which is how sums are held "
             "while they are "
             "computed; store float32 or sym2 to sym16";
    case Detail::kGradientFormat:
      return "gradients are stored as float32, sym2 to sym16 or asym2 to asym16, with a scale for each "
             "output "
             "channel, or as exact integer sums";
    case Detail::kExactTogether:
      return "gradient = \"exact\" is for the integer update, which takes weights and biases alike; give "
             "'gradient' and 'bias_gradient' both \"exact\", or neither";
    case Detail::kExactNeedsConstant:
      return "gradient = \"exact\" sums integers over the batch, which needs scales that stay the same "
             "meanwhile; use "
             "scaling = \"delayed\", or gradient = \"float32\"";
    case Detail::kIntegerNeedsSym:
      return "the update is either in integers (gradient = \"exact\", parameter = \"sym<b>\", momentum = "
             "\"sym8\" or "
             "\"sym16\") or in floats (gradient and momentum = \"float32\"); make all of one kind";
    case Detail::kFloatWireMix:
      return "float32 and integers meet; activation, error and weight are sym<b> at every layer, or else all "
             "formats are "
             "float32 at every layer";
    case Detail::kWeightWiderThanParameter:
      return "its weights have more bits in products than as stored parameters; make 'parameter' at least as "
             "wide as "
             "'weight', or float32";
    case Detail::kThreads: return "from 1 to 1024 threads";
    case Detail::kTileBytes: return "at least 1 byte for a tile";
    case Detail::kFormat:
      return "products read weights, and updates momentum, as float32 or as sym with one scale; asym, bfp "
             "and groups are for "
             "'activation', 'error' and 'parameter'";
    case Detail::kWireChannels:
      return "a wire's channels lie side by side in each step, so they share no scale of their own; use a "
             "group, such "
             "as \"sym8/16\"";
    case Detail::kGroupScale:
      return "scales of groups are made of each sample; leave 'scale' out, and 'scaling' or make it "
             "\"dynamic\"";
    case Detail::kNormErrorGroups:
      return "errors behind a layer_norm are rounded step by step, so scales made of them must lie within a "
             "step; use a "
             "group that divides its channels, or a delayed scale";
    case Detail::kNeedsImage:
      return "an image is needed, and a signal arrives; give [input] a height and a width, or take the layer "
             "that ends in 1d";
    case Detail::kNeedsSignal:
      return "a signal is needed, and an image arrives; take the layer that ends in 2d, or give [input] "
             "steps";
    case Detail::kAlignment: return "an alignment of 8, 16, 32 or 64";
    case Detail::kRawAccumulator:
      return "output = \"accumulator\" passes on the sums themselves, which only a quantize can read; put "
             "one behind it, "
             "or leave 'output' out";
    case Detail::kNormTooWide: return "the sums of its channels do not fit";
    case Detail::kGroupTooWide: return "sums over that many do not fit";
    case Detail::kNormMomentum:
      return "the momentum of a batch_norm is the share of each batch in its running statistics, from 0 to 1";
    case Detail::kBatchInParts:
      return "statistics of a batch need all of its samples in memory at once, and no bit may depend on the "
             "micro-batch; make the "
             "micro-batch as large as the batch, take group_norm, which needs one sample, or freeze the "
             "layer "
             "(trainable = false)";
    case Detail::kBatchOfOne:
      return "each channel has a single value in a batch, which has no variance; use a batch of 2 samples or "
             "more, group_norm, or "
             "freeze the layer (trainable = false)";
    case Detail::kFixedScale:
      return "a fixed scale is positive and finite, or left out; zero_point goes with a fixed scale of an "
             "asym format, and is "
             "one of its codes";
    case Detail::kLossSettings:
      return "class weights (at least 0, one above it) and label smoothing (0 to 1) are for cross_entropy, "
             "and the delta of huber "
             "is above 0; give the loss attributes that it has";
    case Detail::kClassWeights: return "there is one class weight for each output";
    case Detail::kSlope: return "the slope of a leaky_relu is from 0 to 1";
    case Detail::kDropProbability:
      return "p is the share of elements that dropout sets to 0, from 0 to less than 1 (in steps of 2^-16)";
    case Detail::kNotEarlier: return "a layer reads earlier ones; name one of those before it";
    case Detail::kUnread:
      return "no layer reads its outputs; read them with 'input' or 'inputs' of a later layer, or leave it "
             "out";
    case Detail::kInputUnread: return "no layer reads the model's input; let one do so";
    case Detail::kJoinSteps: return "both inputs have equally many steps";
    case Detail::kJoinWidth: return "both inputs are signals, or images of equal size";
    case Detail::kAddChannels:
      return "both have equally many channels; a convolution with kernel 1 gives them, or take concat";
    case Detail::kLossNeedsLogits:
      return "the loss needs sums of any sign, so the last layer must be linear, a convolution, "
             "a norm "
             "or an average (mse, l1 and huber take sigmoid, tanh and softmax, too); end "
             "the model with one";
  }
  return "";
}

std::string bits_sentence(const Subject& s) {
  return fmt::format("{}: {} asks for {} bits; a sym or asym format has 2 to 16", s.layer, s.recipe,
                     s.error.found);
}

std::string unprovable(const Subject& s) {
  const std::string terms =
      s.error.b_bits > 0 ? fmt::format("products of {}-bit and {}-bit codes", s.error.a_bits, s.error.b_bits)
                         : fmt::format("{}-bit codes", s.error.a_bits);
  return fmt::format(
      "{}: under {} a sum of {} {} may overflow 32 bits, and at most {} are proved to fit; use fewer bits "
      "for this layer, accumulation = \"auto\", or fewer inputs, a shorter kernel or a smaller batch",
      s.layer, s.recipe, s.error.found, terms, s.error.limit);
}

std::string bad_batch(const Subject& s) {
  if (s.error.limit > 0)
    return fmt::format("the micro-batch is {}; it must be from 1 to the batch, which is {}", s.error.found,
                       s.error.limit);
  if (s.node != nullptr)
    return fmt::format("{}: a batch of {} sums more gradients than can be counted; use a smaller one",
                       s.layer, s.error.found);
  return fmt::format("the batch is {}; it must be from 1 to {}", s.error.found, shapes::kLargest);
}

std::string arena_too_small(const Subject& s) {
  if (s.error.found > s.error.limit)
    return fmt::format(
        "{}: training takes {} bytes, and at most {} can be addressed; use a smaller batch or fewer bits",
        s.layer, s.error.found, s.error.limit);
  return fmt::format(
      "{}: the arena has {} bytes, and {} are needed; give it more, or use a smaller batch or fewer bits",
      s.layer, s.error.found, s.error.limit);
}

std::string unsupported(const Subject& s) {
  if (s.error.detail == Detail::kClassWeights)
    return fmt::format("{}: it has {} class weights and {} outputs; {}", s.layer, s.error.found,
                       s.error.limit, detail_sentence(s));
  if (s.error.detail == Detail::kNormTooWide)
    return fmt::format("{}: it has {} channels; {}: under {} at most {} do", s.layer, s.error.found,
                       detail_sentence(s), s.recipe, s.error.limit);
  if (s.error.detail == Detail::kJoinSteps || s.error.detail == Detail::kJoinWidth ||
      s.error.detail == Detail::kAddChannels)
    return fmt::format("{}: {} {} arrive from its first input, and {} from the second; {}", s.layer,
                       s.error.limit,
                       s.error.detail == Detail::kJoinSteps     ? "steps"
                       : s.error.detail == Detail::kAddChannels ? "channels"
                                                                : "columns",
                       s.error.found, detail_sentence(s));
  if (s.error.detail == Detail::kGroupTooWide)
    return fmt::format(
        "{}: it makes statistics of {} elements; {}: under {} at most {} do; use {}, fewer "
        "bits or pooling before it",
        s.layer, s.error.found, detail_sentence(s), s.recipe, s.error.limit,
        s.node != nullptr && s.node->op == Op::kBatchNorm ? "a smaller batch" : "more groups");
  if (s.error.detail == Detail::kBatchInParts)
    return fmt::format("{}: the micro-batch is {} and the batch {}; {}", s.layer, s.error.found,
                       s.error.limit, detail_sentence(s));
  if (s.error.detail == Detail::kNormMomentum || s.error.detail == Detail::kBatchOfOne ||
      s.error.detail == Detail::kNotEarlier || s.error.detail == Detail::kUnread ||
      s.error.detail == Detail::kInputUnread || s.error.detail == Detail::kRawAccumulator ||
      s.error.detail == Detail::kFixedScale || s.error.detail == Detail::kGroupScale ||
      s.error.detail == Detail::kWireChannels || s.error.detail == Detail::kNormErrorGroups ||
      s.error.detail == Detail::kNeedsImage || s.error.detail == Detail::kNeedsSignal ||
      s.error.detail == Detail::kSlope || s.error.detail == Detail::kLossSettings ||
      s.error.detail == Detail::kDropProbability)
    return fmt::format("{}: {}", s.layer, detail_sentence(s));
  return fmt::format("{}: this version does not build it: {}", s.layer, detail_sentence(s));
}

std::string not_a_classifier(const Subject& s) {
  return fmt::format(
      "{}: it is the last, and gives {} steps where a classifier gives one vector per sample; end the "
      "model with global_avg_pool1d or flatten, then linear, or give it loss = \"mse\"",
      s.layer, s.error.found);
}

}  // namespace

std::string describe(const mantissa::Error& error, const Description& description, std::string_view recipe) {
  const Subject s = subject_of(error, description, recipe);
  switch (error.code) {
    case ErrorCode::kNone: return "no error";
    case ErrorCode::kNoLayers:
      return fmt::format("{} has no layers; give it at least one [[layer]]", s.layer);
    case ErrorCode::kTooManyLayers:
      return fmt::format("{} has {} layers; at most {} are built", s.layer, error.found, error.limit);
    case ErrorCode::kBadShape: return bad_shape(s);
    case ErrorCode::kBadAttribute: return bad_attribute(s);
    case ErrorCode::kWindowTooLarge: return window_too_large(s);
    case ErrorCode::kBadGroups: return bad_groups(s);
    case ErrorCode::kBadBits: return bits_sentence(s);
    case ErrorCode::kBadGroupSize: return bad_group_size(s);
    case ErrorCode::kBadConversion: return bad_conversion(s);
    case ErrorCode::kBadStorage:
      return fmt::format(
          "{}: a tensor comes with {} bytes, scales, zero points or exponents where it needs {}; give "
          "it as many",
          s.layer, error.found, error.limit);
    case ErrorCode::kBadRecipe:
      return fmt::format("{}: {} does not fit: {}", s.layer, s.recipe, detail_sentence(s));
    case ErrorCode::kUnprovable: return unprovable(s);
    case ErrorCode::kBadBatch: return bad_batch(s);
    case ErrorCode::kBadOption:
      return fmt::format("{}: an option of the plan is {}, and it must be {}", s.layer, error.found,
                         detail_sentence(s));
    case ErrorCode::kCapacity:
      return fmt::format(
          "{}: the plan needs room for {} entries in one of its arrays, and has less; give it a larger one",
          s.layer, error.found);
    case ErrorCode::kArenaTooSmall: return arena_too_small(s);
    case ErrorCode::kArenaMisaligned:
      return fmt::format(
          "{}: the arena starts {} bytes past the alignment that it needs; align it with "
          "alignas(kArenaAlignment)",
          s.layer, error.found);
    case ErrorCode::kKernelMismatch:
      return fmt::format(
          "{}: the plan has no scratch for these kernels; plan with theirs and an alignment of {}, or take "
          "kernels_ref",
          s.layer, error.limit);
    case ErrorCode::kKernelMissing:
      return fmt::format(
          "{}: the kernels were chosen for another plan, and some that this one needs are not among them; "
          "choose them by kernels_for() of this plan",
          s.layer);
    case ErrorCode::kNotAClassifier: return not_a_classifier(s);
    case ErrorCode::kUnsupported: return unsupported(s);
    case ErrorCode::kBadFlash:
      return fmt::format("the flash is programmed in units of {} bytes; they must be a power of two up to {}",
                         error.found, error.limit);
    case ErrorCode::kFlashTooSmall:
      return fmt::format(
          "{}: a slot of the flash has {} bytes, and its state takes {}; give each slot more pages", s.layer,
          error.found, error.limit);
    case ErrorCode::kFlashFailed:
      return fmt::format(
          "slot {} of the flash could not be erased, programmed or read back; the other slot is as it was",
          error.found);
    case ErrorCode::kNoCheckpoint:
      return fmt::format("{}: the flash holds no whole state; initialize the engine, train and save it first",
                         s.layer);
    case ErrorCode::kBatchOpen:
      return fmt::format("{}: {} of {} samples of a batch are in; a state is saved between batches", s.layer,
                         error.found, error.limit);
    case ErrorCode::kOtherPlan:
      return fmt::format(
          "{}: the state in the flash is of another model, recipe or momentum; initialize the engine instead",
          s.layer);
  }
  return "";
}

}  // namespace mantissa::host
