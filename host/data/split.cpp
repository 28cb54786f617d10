// Converts samples from the order and type of their file to normalised [T,C] float32.
// It runs inside the training loop, so the loops are typed, contiguous and free of branches.
#include "host/data/split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kMinRun =
    64;  // elements of the normalisation pattern, at least: full vectors for few channels
constexpr int kTransposeSteps = 32;  // a block of a transposition stays in the first-level cache
// Below this a channel counts as constant: 1 / std must be a float32. Double sums 2^29 equal float32 values
// without an error, so that a channel that is constant has a variance of exactly 0.
constexpr double kConstantVariance = 1e-60;
constexpr int32_t kInfinityBits = 0x7f800000;

template <class T>
void normalize_run(const T* x, const float* mean, const float* inverse_std, size_t n, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = (static_cast<float>(x[i]) - mean[i]) * inverse_std[i];
}

/// out[T,C] = normalised x[T,C].
template <class T>
void normalize_copy(const T* x, std::span<const float> mean, std::span<const float> inverse_std, size_t size,
                    float* out) {
  for (size_t i = 0; i < size; i += mean.size()) {
    normalize_run(x + i, mean.data(), inverse_std.data(), std::min(mean.size(), size - i), out + i);
  }
}

/// out[T,C] = normalised x[C,T].
template <class T>
void normalize_transpose(const T* x, const float* mean, const float* inverse_std, const InputShape& shape,
                         float* out) {
  for (int begin = 0; begin < shape.steps; begin += kTransposeSteps) {
    const int end = std::min(begin + kTransposeSteps, shape.steps);
    for (int c = 0; c < shape.channels; ++c) {
      const T* row = x + static_cast<size_t>(c) * shape.steps;
      float* column = out + c;
      for (int t = begin; t < end; ++t) {
        column[static_cast<size_t>(t) * shape.channels] =
            (static_cast<float>(row[t]) - mean[c]) * inverse_std[c];
      }
    }
  }
}

/// max |x| as the bits of a float: they order like the values, and infinity and NaN are above all others.
int32_t largest_magnitude_bits(std::span<const float> x) {
  int32_t largest = 0;
  for (const float v : x) largest = std::max<int32_t>(largest, std::bit_cast<int32_t>(v) & 0x7fffffff);
  return largest;
}

/// The channel of each element of a stored sample.
std::vector<size_t> channel_of_elements(const InputShape& shape) {
  std::vector<size_t> channel(shape.size());
  for (size_t i = 0; i < channel.size(); ++i) {
    channel[i] = shape.layout == SampleLayout::kChannelsFirst ? i / shape.steps : i % shape.channels;
  }
  return channel;
}

/// Per channel, the mean over all samples and steps of f(x - center[c]). Sums each element position over the
/// samples first: those sums are independent of each other, so they vectorise without a change of order.
template <class T, class F>
std::vector<double> channel_mean(std::span<const T> values, const InputShape& shape,
                                 const std::vector<double>& center, F f) {
  const std::vector<size_t> channel = channel_of_elements(shape);
  std::vector<double> centers(shape.size()), sums(shape.size(), 0.0);
  for (size_t i = 0; i < centers.size(); ++i) centers[i] = center[channel[i]];
  for (size_t begin = 0; begin < values.size(); begin += sums.size()) {
    const T* x = values.data() + begin;
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += f(static_cast<double>(x[i]) - centers[i]);
  }
  std::vector<double> means(shape.channels, 0.0);
  for (size_t i = 0; i < sums.size(); ++i) means[channel[i]] += sums[i];
  const double count = static_cast<double>(values.size() / shape.channels);
  for (double& mean : means) mean /= count;
  return means;
}

template <class T>
Normalization measure(std::span<const T> values, const InputShape& shape) {
  const std::vector<double> zero(shape.channels, 0.0);
  const std::vector<double> mean = channel_mean(values, shape, zero, [](double d) { return d; });
  const std::vector<double> variance = channel_mean(values, shape, mean, [](double d) { return d * d; });
  Normalization result;
  for (size_t c = 0; c < mean.size(); ++c) {
    result.mean.push_back(static_cast<float>(mean[c]));
    result.inverse_std.push_back(
        variance[c] < kConstantVariance ? 1.0f : static_cast<float>(1 / std::sqrt(variance[c])));
  }
  return result;
}

SampleValues sample_values(const NpyView& view, const std::string& name) {
  if (view.type == NpyType::kFloat32) return view.values<float>();
  if (view.type == NpyType::kUint8) return view.values<uint8_t>();
  if (view.type == NpyType::kInt8) return view.values<int8_t>();
  if (view.type == NpyType::kInt16) return view.values<int16_t>();
  throw Error(fmt::format(
      "{}: samples of type {}; float32, uint8, int8 or int16 is needed: save x.astype(np.float32)", name,
      to_string(view.type)));
}

}  // namespace

const char* to_string(SampleLayout layout) {
  return layout == SampleLayout::kChannelsFirst ? "channels_first" : "channels_last";
}

Split::Split(std::string name, NpyFile file, std::vector<int32_t> labels, const InputShape& shape)
    : name_(std::move(name)),
      owner_(std::move(file)),
      values_(sample_values(std::get<NpyFile>(owner_).view(), name_)),
      labels_(std::move(labels)),
      shape_(shape) {
  set_normalization({std::vector<float>(shape.channels, 0.0f), std::vector<float>(shape.channels, 1.0f)});
}

Split::Split(std::string name, std::vector<float> samples, std::vector<int32_t> labels,
             const InputShape& shape)
    : name_(std::move(name)),
      owner_(std::move(samples)),
      values_(std::span<const float>(std::get<std::vector<float>>(owner_))),
      labels_(std::move(labels)),
      shape_(shape) {
  set_normalization({std::vector<float>(shape.channels, 0.0f), std::vector<float>(shape.channels, 1.0f)});
}

void Split::set_normalization(const Normalization& normalization) {
  const size_t channels = normalization.mean.size();
  assert(channels == static_cast<size_t>(shape_.channels) && channels == normalization.inverse_std.size());
  const size_t run = channels * ((kMinRun + channels - 1) / channels);
  mean_.resize(run);
  inverse_std_.resize(run);
  for (size_t i = 0; i < run; ++i) {
    mean_[i] = normalization.mean[i % channels];
    inverse_std_[i] = normalization.inverse_std[i % channels];
  }
}

void Split::read(size_t index, float* out) const {
  assert(index < size());
  const size_t place = places_.empty() ? index : places_[index];
  const bool transposed =
      shape_.layout == SampleLayout::kChannelsFirst && shape_.channels > 1 && shape_.steps > 1;
  std::visit(
      [&](auto values) {
        const auto* x = values.data() + place * shape_.size();
        if (transposed) {
          normalize_transpose(x, mean_.data(), inverse_std_.data(), shape_, out);
        } else {
          normalize_copy(x, mean_, inverse_std_, shape_.size(), out);
        }
      },
      values_);
}

void Split::keep_label(int label) {
  std::vector<size_t> places;
  for (size_t i = 0; i < size(); ++i)
    if (labels_[i] == label) places.push_back(places_.empty() ? i : places_[i]);
  labels_.assign(places.size(), label);
  places_ = std::move(places);
}

Normalization Split::measure_normalization() const {
  return std::visit([&](auto values) { return measure(values, shape_); }, values_);
}

float Split::absmax() const {
  std::vector<float> sample(shape_.size());
  int32_t largest = 0;
  for (size_t i = 0; i < size(); ++i) {
    read(i, sample.data());
    largest = std::max<int32_t>(largest, largest_magnitude_bits(sample));
    if (largest >= kInfinityBits) fail_not_finite(i, sample);
  }
  return std::bit_cast<float>(largest);
}

void Split::fail_not_finite(size_t index, const std::vector<float>& sample) const {
  const auto bad = std::find_if_not(sample.begin(), sample.end(), [](float v) { return std::isfinite(v); });
  const auto element = bad - sample.begin();
  throw Error(fmt::format(
      "{}: sample {} gives {} at step {}, channel {}; values must be finite, also once normalised: remove "
      "or repair the sample",
      name_, index, *bad, element / shape_.channels, element % shape_.channels));
}

}  // namespace mantissa::host
