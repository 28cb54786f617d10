// The model by its definition: naive loops in double, beside each value a bound of how far integers may be from it.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "mantissa/engine/engine.hpp"
#include "tests/scale_value.hpp"

namespace mantissa::test {

/// A signal [steps, channels]; `error` bounds the distance of the integer signal, 0 where there is none.
struct Signal {
  std::vector<double> value, error;
};

/// What rounding adds behind one layer.
struct LayerError {
  double bias = 0;   ///< half a unit of the accumulator
  double value = 0;  ///< half a step of the wire, a whole one for stochastic rounding
};

struct RealLayer {
  LayerPlan plan;
  std::vector<double> weights, biases;
  LayerError error;
  std::vector<double> running = {};  ///< BatchNorm: means, then variances
};

inline void conv_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const Node& n = l.plan.node;
  const int32_t in = l.plan.in.channels, group_in = in / n.groups, group_out = n.outputs / n.groups;
  const int32_t width = l.plan.in_row(), height = l.plan.in.steps / width;
  for (int32_t t = 0; t < l.plan.out.steps; ++t)
    for (int32_t o = 0; o < n.outputs; ++o) {
      double sum = l.biases.empty() ? 0 : l.biases[size_t(o)], error = l.biases.empty() ? 0 : l.error.bias;
      for (int32_t r = 0; r < n.vertical.kernel; ++r)
        for (int32_t k = 0; k < n.kernel; ++k) {
          const int32_t column = t % l.plan.out_row() * n.stride + k * n.dilation - l.plan.pad_left;
          const int32_t row =
              t / l.plan.out_row() * n.vertical.stride + r * n.vertical.dilation - l.plan.pad_top;
          if (column < 0 || column >= width || row < 0 || row >= height) continue;
          for (int32_t c = 0; c < group_in; ++c) {
            const double w = l.weights[size_t(((o * n.vertical.kernel + r) * n.kernel + k) * group_in + c)];
            const size_t i = size_t((row * width + column) * in + o / group_out * group_in + c);
            sum += w * x.value[i];
            error += std::fabs(w) * x.error[i];
          }
        }
      y.value.push_back(sum);
      y.error.push_back(error + l.error.value);
    }
}

inline void conv_transpose_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const Node& n = l.plan.node;
  const int32_t in = l.plan.in.channels, out = n.outputs, ins = in / n.groups, outs = out / n.groups;
  y.value.assign(size_t(l.plan.out.size()), 0.0);
  y.error.assign(size_t(l.plan.out.size()), l.error.value + (l.biases.empty() ? 0 : l.error.bias));
  for (int32_t u = 0; u < l.plan.out.size(); ++u)
    y.value[size_t(u)] = l.biases.empty() ? 0 : l.biases[size_t(u % out)];
  for (int32_t t = 0; t < l.plan.in.steps; ++t)
    for (int32_t k = 0; k < n.kernel; ++k) {
      const int32_t to = t * n.stride + k - n.pad_left;
      if (to < 0 || to >= l.plan.out.steps) continue;
      for (int32_t i = 0; i < in; ++i)
        for (int32_t j = 0; j < outs; ++j) {
          const int32_t o = i / ins * outs + j;
          const double w = l.weights[size_t((i * n.kernel + k) * outs + j)];
          y.value[size_t(to * out + o)] += w * x.value[size_t(t * in + i)];
          y.error[size_t(to * out + o)] += std::fabs(w) * x.error[size_t(t * in + i)];
        }
    }
}

/// From the first to behind the last step of a window, which may lie outside.
struct Span {
  int32_t first = 0, end = 0;
};
inline Span adaptive_span(int32_t i, int32_t steps, int32_t outputs) {
  return {int32_t(std::floor(double(i) * steps / outputs)),
          int32_t(std::ceil(double(i + 1) * steps / outputs))};
}

inline void pool_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const Node& n = l.plan.node;
  const Vertical& v = n.vertical;
  const int32_t channels = l.plan.in.channels;
  const int32_t width = l.plan.in_row(), height = l.plan.in.steps / width;
  const bool is_max = n.op == Op::kMaxPool1d || n.op == Op::kMaxPool2d;
  for (int32_t t = 0; t < l.plan.out.steps; ++t) {
    const int32_t to_column = t % l.plan.out_row(), to_row = t / l.plan.out_row();
    Span columns = {to_column * n.stride - n.pad_left, to_column * n.stride - n.pad_left + n.kernel};
    Span rows = {to_row * v.stride - v.pad_top, to_row * v.stride - v.pad_top + v.kernel};
    if (n.op == Op::kAdaptiveAvgPool1d || n.op == Op::kAdaptiveAvgPool2d) {
      columns = adaptive_span(to_column, width, n.outputs);
      rows = adaptive_span(to_row, height, n.output_rows);
    }
    for (int32_t c = 0; c < channels; ++c) {
      double sum = 0, error_sum = 0, largest = -INFINITY, error_largest = 0;
      int32_t inside = 0;
      for (int32_t row = rows.first; row < rows.end; ++row)
        for (int32_t column = columns.first; column < columns.end; ++column) {
          if (column < 0 || column >= width || row < 0 || row >= height) continue;
          const size_t i = size_t((row * width + column) * channels + c);
          sum += x.value[i];
          error_sum += x.error[i];
          largest = std::max(largest, x.value[i]);
          error_largest = std::max(error_largest, x.error[i]);
          ++inside;
        }
      const int32_t all = (columns.end - columns.first) * (rows.end - rows.first);
      const int32_t divisor = n.divisor == Divisor::kInside ? inside : all;
      y.value.push_back(is_max ? largest : sum / divisor);
      y.error.push_back(is_max ? error_largest : error_sum / divisor + l.error.bias + l.error.value);
    }
  }
}

/// Errors of at most e in x change each power, and their sum, by factors of at most exp(e).
inline void softmax_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const size_t n = size_t(l.plan.in.channels);
  for (size_t first = 0; first < x.value.size(); first += n) {
    double largest = -INFINITY, sum = 0, e = 0;
    for (size_t c = 0; c < n; ++c) largest = std::max(largest, x.value[first + c]);
    for (size_t c = 0; c < n; ++c) {
      sum += std::exp(x.value[first + c] - largest);
      e = std::max(e, x.error[first + c]);
    }
    for (size_t c = 0; c < n; ++c) {
      const double p = std::exp(x.value[first + c] - largest) / sum;
      y.value.push_back(p);
      y.error.push_back(p * std::expm1(2 * e) + l.error.value +
                        (l.error.value > 0 ? 0x1p-20 * double(n) : 0));
    }
  }
}

/// What a LayerNorm makes of a step, a GroupNorm of a group.
inline std::vector<std::vector<size_t>> normalized_together(const LayerPlan& l) {
  const bool is_step = l.node.op == Op::kLayerNorm;
  const size_t channels = size_t(l.in.channels), width = channels / size_t(is_step ? 1 : l.node.groups);
  std::vector<std::vector<size_t>> all(size_t(is_step ? l.in.steps : l.node.groups));
  for (size_t i = 0; i < size_t(l.in.size()); ++i)
    all[is_step ? i / channels : i % channels / width].push_back(i);
  return all;
}

/// Errors of at most e move the deviations by 2 e and their root mean square by e; the normalized codes are rounded once.
inline void norm_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const double half = std::ldexp(0.5, -norm_bits(l.plan));
  y.value.resize(x.value.size());
  y.error.resize(x.value.size());
  for (const std::vector<size_t>& group : normalized_together(l.plan)) {
    const double n = double(group.size());
    double mean = 0, variance = 0, e = 0;
    for (size_t i : group) mean += x.value[i] / n;
    for (size_t i : group) {
      variance += (x.value[i] - mean) * (x.value[i] - mean) / n;
      e = std::max(e, x.error[i]);
    }
    const double deviation = std::sqrt(variance + double(l.plan.node.epsilon));
    for (size_t i : group) {
      const size_t c = i % size_t(l.plan.in.channels);
      const double h = (x.value[i] - mean) / deviation, gamma = l.weights[c];
      const double room = deviation - e;
      const double moved = e == 0     ? 0
                           : room > 0 ? (2 + std::fabs(h)) * e / room + half * (1 + 0x1p-10)
                                      : 1e30;  // no bound; finite, since a weight may be 0
      y.value[i] = gamma * h + (l.biases.empty() ? 0 : l.biases[c]);
      y.error[i] = std::fabs(gamma) * moved + (l.biases.empty() ? 0 : l.error.bias) + l.error.value;
    }
  }
}

/// By running statistics: x and the mean are rounded with 8 bits more than what comes of them.
inline void batch_norm_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const size_t channels = size_t(l.plan.in.channels);
  const double half = std::ldexp(0.5, -norm_bits(l.plan));
  for (size_t i = 0; i < x.value.size(); ++i) {
    const size_t c = i % channels;
    const double inverse = 1 / std::sqrt(l.running[channels + c] + double(l.plan.node.epsilon));
    const double gamma = l.weights[c], e = x.error[i];
    y.value.push_back((x.value[i] - l.running[c]) * inverse * gamma + (l.biases.empty() ? 0 : l.biases[c]));
    const double moved = e == 0 ? 0 : e * inverse + half * (1 + 0x1p-6);
    y.error.push_back(std::fabs(gamma) * moved + (l.biases.empty() ? 0 : l.error.bias) + l.error.value);
  }
}

/// By statistics of a channel over all samples and steps; without bounds of errors.
inline void batch_norm_together(const RealLayer& l, std::vector<Signal>& xs) {
  const size_t channels = size_t(l.plan.in.channels), size = size_t(l.plan.in.size());
  const double n = double(xs.size() * size / channels);
  for (size_t c = 0; c < channels; ++c) {
    double mean = 0, variance = 0;
    for (const Signal& x : xs)
      for (size_t i = c; i < size; i += channels) mean += x.value[i] / n;
    for (const Signal& x : xs)
      for (size_t i = c; i < size; i += channels) variance += (x.value[i] - mean) * (x.value[i] - mean) / n;
    const double inverse = 1 / std::sqrt(variance + double(l.plan.node.epsilon));
    for (Signal& x : xs)
      for (size_t i = c; i < size; i += channels)
        x.value[i] = (x.value[i] - mean) * inverse * l.weights[c] + (l.biases.empty() ? 0 : l.biases[c]);
  }
}

/// Curves that change by at most what x does, and by a quarter of it for a Sigmoid. In integers the slope of a LeakyReLU is off by
/// half of 2^-15, the six of a ReLU6 by half a code of x, Sigmoid and Tanh by 2^-20 before they are rounded.
inline void activation_forward(const RealLayer& l, const Signal& x, Signal& y) {
  const Op op = l.plan.node.op;
  const double slope = double(l.plan.node.slope);
  for (size_t i = 0; i < x.value.size(); ++i) {
    const double v = x.value[i], e = x.error[i], rounded = l.error.value;
    const double off = rounded > 0 ? rounded + 0x1p-20 : 0;
    if (op == Op::kLeakyRelu) {
      y.value.push_back(v > 0 ? v : slope * v);
      y.error.push_back(e + rounded + (rounded > 0 ? 0x1p-16 * (std::fabs(v) + e) : 0));
    } else if (op == Op::kRelu6) {
      y.value.push_back(std::clamp(v, 0.0, 6.0));
      y.error.push_back(e + l.error.bias + rounded);
    } else {
      y.value.push_back(op == Op::kTanh ? std::tanh(v) : 1 / (1 + std::exp(-v)));
      y.error.push_back((op == Op::kTanh ? e : e / 4) + off);
    }
  }
}

/// Each code comes to the common unit by one rounding, which `error.bias` bounds for both.
inline void join_forward(const RealLayer& l, const Signal& x, const Signal& z, Signal& y) {
  const bool is_add = l.plan.node.op == Op::kAdd;
  const size_t from_x = size_t(l.plan.in.channels), from_z = size_t(l.plan.in_other.channels);
  for (size_t t = 0; t < size_t(l.plan.out.steps); ++t)
    for (size_t c = 0; c < size_t(l.plan.out.channels); ++c) {
      const size_t i = t * from_x + c, k = t * from_z + (is_add ? c : c - from_x);
      const bool has_x = c < from_x, has_z = is_add || c >= from_x;
      y.value.push_back((has_x ? x.value[i] : 0) + (has_z ? z.value[k] : 0));
      y.error.push_back((has_x ? x.error[i] : 0) + (has_z ? z.error[k] : 0) + l.error.bias + l.error.value);
    }
}

/// The elements that a Dropout drops of a sample in the first batch of training; none in evaluation, where there is no sample.
inline void dropout_forward(const RealLayer& l, size_t layer, uint64_t seed, int32_t sample, Signal& x) {
  if (sample < 0) return;
  const RandomKey key = random_key(seed, 0, uint32_t(layer) * 8);
  const double dropped = std::round(double(l.plan.node.drop) * 65536);
  for (size_t i = 0; i < x.value.size(); ++i) {
    const double bits = random16(key, uint32_t(sample) * uint32_t(x.value.size()) + uint32_t(i));
    x.value[i] *= bits < dropped ? 0.0 : 65536 / (65536 - dropped);
  }
}

/// A model in double. Its parameters are set by the test.
struct RealNetwork {
  explicit RealNetwork(const PlanView& plan) : kind(plan.summary.loss), settings(plan.summary.loss_settings) {
    for (const LayerPlan& l : plan.layers)
      layers.push_back({l,
                        std::vector<double>(size_t(l.weights)),
                        std::vector<double>(l.bias >= 0 ? size_t(l.node.outputs) : 0),
                        {}});
  }

  /// `sample`: its number in the first batch of training, or -1 in evaluation.
  Signal forward(const Signal& input, int32_t sample = -1) const {
    std::vector<Signal> made;
    for (const RealLayer& l : layers)
      made.push_back(
          layer_output(l, made_by(made, input, l.plan.source), made_by(made, input, l.plan.other), sample));
    return made.back();
  }
  static const Signal& made_by(const std::vector<Signal>& made, const Signal& input, int32_t layer) {
    return layer < 0 ? input : made[size_t(layer)];
  }

  /// Of the first batch of training, in which statistics are those of the batch.
  std::vector<Signal> forward_batch(const std::vector<Signal>& inputs) const {
    std::vector<std::vector<Signal>> made(inputs.size());  // of each sample
    for (const RealLayer& l : layers) {
      std::vector<Signal> xs;
      for (size_t s = 0; s < inputs.size(); ++s) xs.push_back(made_by(made[s], inputs[s], l.plan.source));
      if (l.plan.follows_batch)
        batch_norm_together(l, xs);
      else
        for (size_t s = 0; s < xs.size(); ++s)
          xs[s] = layer_output(l, xs[s], made_by(made[s], inputs[s], l.plan.other), int32_t(s));
      for (size_t s = 0; s < xs.size(); ++s) made[s].push_back(std::move(xs[s]));
    }
    std::vector<Signal> outputs;
    for (std::vector<Signal>& of_sample : made) outputs.push_back(std::move(of_sample.back()));
    return outputs;
  }

  /// z: the second input of a layer that takes two.
  Signal layer_output(const RealLayer& l, const Signal& x, const Signal& z, int32_t sample) const {
    Signal y;
    switch (l.plan.node.op) {
      case Op::kLinear:
      case Op::kConv2d:
      case Op::kConv1d: conv_forward(l, x, y); break;
      case Op::kConvTranspose1d: conv_transpose_forward(l, x, y); break;
      case Op::kMaxPool1d:
      case Op::kAvgPool1d:
      case Op::kMaxPool2d:
      case Op::kAvgPool2d:
      case Op::kAdaptiveAvgPool1d:
      case Op::kAdaptiveAvgPool2d:
      case Op::kGlobalAvgPool1d: pool_forward(l, x, y); break;
      case Op::kSoftmax: softmax_forward(l, x, y); break;
      case Op::kRelu:
        y = x;
        for (double& v : y.value) v = std::max(v, 0.0);
        break;
      case Op::kLayerNorm:
      case Op::kGroupNorm: norm_forward(l, x, y); break;
      case Op::kBatchNorm: batch_norm_forward(l, x, y); break;
      case Op::kFlatten: y = x; break;
      case Op::kLeakyRelu:
      case Op::kRelu6:
      case Op::kSigmoid:
      case Op::kTanh: activation_forward(l, x, y); break;
      case Op::kDropout:
        y = x;
        dropout_forward(l, size_t(&l - layers.data()), seed, sample, y);
        break;
      case Op::kAdd:
      case Op::kConcat: join_forward(l, x, z, y); break;
      case Op::kQuantize:
        y = x;
        for (double& e : y.error) e += l.plan.fused ? 0 : l.error.value;
        break;
    }
    return y;
  }

  /// Of one output of a loss that compares outputs one by one.
  double output_loss(double y, double t) const {
    const double e = y - t, m = std::fabs(e), delta = double(settings.delta);
    switch (kind) {
      case Loss::kCrossEntropy: break;
      case Loss::kMse: return e * e;
      case Loss::kL1: return m;
      case Loss::kHuber: return m <= delta ? e * e / 2 : delta * (m - delta / 2);
      case Loss::kBce: return std::log1p(std::exp(-std::fabs(y))) + std::max(y, 0.0) - y * t;
    }
    return 0;
  }
  double class_weight(size_t c) const {
    return settings.class_weights.empty() ? 1.0 : double(settings.class_weights[c]);
  }
  /// By which the losses of a batch are divided.
  double divisor(const int32_t* labels, int32_t samples) const {
    if (settings.reduction == LossReduction::kSum) return 1;
    double sum = 0;
    for (int32_t s = 0; s < samples; ++s) sum += class_weight(size_t(labels[s]));
    return sum;
  }

  /// Of one sample, against its label or the label's onehot.
  double loss(const float* x, int32_t label, int32_t number = -1) const {
    return loss_of(forward(sample_at(x), number).value, label);
  }

  Signal sample_at(const float* x) const {
    const size_t size = size_t(layers[0].plan.in.size());
    return {{x, x + size}, std::vector<double>(size)};
  }

  /// Sum over a batch.
  double batch_loss(const float* x, const int32_t* labels, int32_t samples) const {
    double sum = 0;
    std::vector<Signal> xs;
    for (int32_t s = 0; s < samples; ++s)
      xs.push_back(sample_at(x + ptrdiff_t(s) * layers[0].plan.in.size()));
    const std::vector<Signal> logits = forward_batch(xs);
    for (int32_t s = 0; s < samples; ++s) sum += loss_of(logits[size_t(s)].value, labels[s]);
    return sum;
  }

  double loss_of(const std::vector<double>& logits, int32_t label) const {
    const double count = double(logits.size());
    double sum = 0;
    if (kind != Loss::kCrossEntropy) {
      for (size_t i = 0; i < logits.size(); ++i)
        sum += output_loss(logits[i], i == size_t(label) ? 1.0 : 0.0);
      return settings.reduction == LossReduction::kSum ? sum : sum / count;
    }
    for (double v : logits) sum += std::exp(v - logits[size_t(label)]);
    const double smoothing = double(settings.smoothing);
    double total = (1 - smoothing) * class_weight(size_t(label)) * std::log(sum);
    for (size_t c = 0; c < logits.size(); ++c)
      total += smoothing / count * class_weight(c) * (std::log(sum) + logits[size_t(label)] - logits[c]);
    return total;
  }

  /// Gradient of the batch's loss by central differences, for one parameter.
  double slope(double& parameter, const float* x, const int32_t* labels, int32_t samples) const {
    constexpr double kStep = 1e-6;
    const double at = parameter;
    parameter = at + kStep;
    double sum = batch_loss(x, labels, samples);
    parameter = at - kStep;
    sum -= batch_loss(x, labels, samples);
    parameter = at;
    return sum / (2 * kStep * divisor(labels, samples));
  }

  Loss kind;
  LossSettings settings;
  uint64_t seed = 0;  ///< of Dropout
  std::vector<RealLayer> layers;
};

/// Of one step of the operand.
inline double operand_scale(const Engine& engine, const LayerPlan& l) {
  const bool is_plain = l.layout == ParameterLayout::kPacked || l.layout == ParameterLayout::kOffset16;
  const int drop = is_plain ? l.formats.parameter.bits - l.formats.weight.bits : 0;
  return std::ldexp(value_of(engine.state(l.weight_slot).scale), drop);
}

/// Weight i as products read it: the stored one in steps of the operand. A tie goes up for codes, away from 0 for floats.
inline double operand_value(const Engine& engine, const LayerPlan& l, int32_t i) {
  const double step = operand_scale(engine, l), stored_scale = value_of(engine.state(l.weight_slot).scale);
  const double value = engine.parameter_value(l, l.weight, i), largest = l.formats.weight.max_code();
  const double code = l.layout == ParameterLayout::kGranules ? std::round(value / step)
                      : l.formats.parameter.is_float()
                          ? std::round(double(float(value) * float(1 / step)))
                          : std::floor(std::round(value / stored_scale) * (stored_scale / step) + 0.5);
  return std::clamp(code, double(-largest_weight(l.formats)), largest) * step;  // upper bytes reach -128
}

inline double wire_step(const Engine& engine, const Wire& wire, int32_t sample) {
  return (wire.slot < 0
              ? 1.0
              : value_of(engine.state(wire.slot, wire.scaling == Scaling::kDynamic ? sample : 0).scale)) *
         value_of(wire.factor);
}

/// Value of one unit of a layer's sums.
inline double sum_unit(const Engine& engine, const LayerPlan& l, int32_t sample) {
  if (l.node.is_norm()) return operand_scale(engine, l) * std::ldexp(1.0, -norm_bits(l));
  if (l.node.takes_two()) {
    const PlanView& plan = engine.plan();
    const Wire& z = l.other < 0 ? plan.summary.input_wire : plan.layers[size_t(l.other)].y;
    return std::ldexp(std::max(wire_step(engine, l.x, sample), wire_step(engine, z, sample)),
                      -l.forward.unit_bits);
  }
  if (l.node.is_bounded()) return wire_step(engine, l.y, sample);
  const double x = wire_step(engine, l.x, sample);
  if (l.node.has_parameters()) return x * operand_scale(engine, l);
  const bool is_average = l.node.is_average() && !engine.plan().summary.is_float;
  const Format format = engine.plan().tensors[size_t(l.x.tensor)].format;
  return is_average ? x / average_divisor(l.windows, format.max_code()) : x;
}

/// The engine's network with the weights that its products read and the biases as stored. Call it after a forward
/// pass, which makes the scales of operands.
inline RealNetwork real_network(const Engine& engine) {
  RealNetwork net(engine.plan());
  net.seed = engine.progress().seed;
  for (RealLayer& l : net.layers) {
    if (!l.plan.node.has_parameters()) continue;
    for (int32_t i = 0; i < l.plan.weights; ++i)
      l.weights[size_t(i)] = engine.plan().summary.is_float ? engine.parameter_value(l.plan, l.plan.weight, i)
                                                            : operand_value(engine, l.plan, i);
    for (size_t i = 0; i < l.biases.size(); ++i)
      l.biases[i] = engine.parameter_value(l.plan, l.plan.bias, int32_t(i));
    for (int32_t i = 0; l.plan.running >= 0 && i < 2 * l.plan.in.channels; ++i)
      l.running.push_back(double(reinterpret_cast<const float*>(engine.bytes(l.plan.running).data())[i]));
  }
  return net;
}

}  // namespace mantissa::test
