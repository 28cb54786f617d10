// What files call the values of a model's enumerations, for the reader and the writer alike.
// One list each, so that what is written can be read again.
#pragma once
#include "host/data/split.hpp"
#include "host/model/description.hpp"
#include "host/model/toml_reader.hpp"
#include "mantissa/model/model.hpp"
#include "mantissa/train/schedule.hpp"

namespace mantissa::host {

inline constexpr Named<Op> kOps[] = {
    {"linear", Op::kLinear},
    {"conv1d", Op::kConv1d},
    {"conv_transpose1d", Op::kConvTranspose1d},
    {"conv2d", Op::kConv2d},
    {"relu", Op::kRelu},
    {"max_pool1d", Op::kMaxPool1d},
    {"avg_pool1d", Op::kAvgPool1d},
    {"max_pool2d", Op::kMaxPool2d},
    {"avg_pool2d", Op::kAvgPool2d},
    {"global_avg_pool1d", Op::kGlobalAvgPool1d},
    {"flatten", Op::kFlatten},
    {"quantize", Op::kQuantize},
    {"layer_norm", Op::kLayerNorm},
    {"group_norm", Op::kGroupNorm},
    {"batch_norm", Op::kBatchNorm},
    {"leaky_relu", Op::kLeakyRelu},
    {"relu6", Op::kRelu6},
    {"sigmoid", Op::kSigmoid},
    {"tanh", Op::kTanh},
    {"dropout", Op::kDropout},
    {"add", Op::kAdd},
    {"concat", Op::kConcat},
    {"adaptive_avg_pool1d", Op::kAdaptiveAvgPool1d},
    {"adaptive_avg_pool2d", Op::kAdaptiveAvgPool2d},
    {"softmax", Op::kSoftmax},
};

/// kExplicit is written as numbers.
inline constexpr Named<Padding> kPaddings[] = {{"valid", Padding::kValid}, {"same", Padding::kSame}};

inline constexpr Named<SampleLayout> kLayouts[] = {{"channels_first", SampleLayout::kChannelsFirst},
                                                   {"channels_last", SampleLayout::kChannelsLast}};

inline constexpr Named<Schedule> kSchedules[] = {{"constant", Schedule::kConstant},
                                                 {"linear", Schedule::kLinear}};

inline constexpr Named<Loss> kLosses[] = {{"cross_entropy", Loss::kCrossEntropy},
                                          {"mse", Loss::kMse},
                                          {"l1", Loss::kL1},
                                          {"huber", Loss::kHuber},
                                          {"bce", Loss::kBce}};

inline constexpr Named<LossReduction> kLossReductions[] = {{"mean", LossReduction::kMean},
                                                           {"sum", LossReduction::kSum}};

inline constexpr Named<Target> kTargets[] = {{"label", Target::kLabel}, {"input", Target::kInput}};

inline constexpr Named<Scaling> kScalings[] = {{"dynamic", Scaling::kDynamic},
                                               {"delayed", Scaling::kDelayed}};

inline constexpr Named<Rounding> kRoundings[] = {{"half_away", Rounding::kHalfAway},
                                                 {"half_even", Rounding::kHalfEven},
                                                 {"floor", Rounding::kFloor},
                                                 {"stochastic", Rounding::kStochastic}};

inline constexpr Named<Output> kOutputs[] = {{"codes", Output::kCodes},
                                             {"accumulator", Output::kAccumulator}};

}  // namespace mantissa::host
