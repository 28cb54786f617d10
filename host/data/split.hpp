// The samples and labels of one half of a data set, as the training loop reads them.
// Samples stay in the type and order of their file and are converted when read: no second copy in memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/data/npy.hpp"

namespace mantissa::host {

enum class SampleLayout { kChannelsFirst, kChannelsLast };

/// "channels_first".
const char* to_string(SampleLayout layout);

/// One sample: T steps of C channels, stored as [C,T] (channels first, as PyTorch has it) or [T,C].
struct InputShape {
  int steps = 0;
  int channels = 0;
  SampleLayout layout = SampleLayout::kChannelsFirst;
  int width = 0;  ///< of an image, whose rows are its steps one after the other; 0: a signal

  size_t size() const { return static_cast<size_t>(steps) * static_cast<size_t>(channels); }
};

/// x_norm = (x - mean[c]) * inverse_std[c], in float32.
struct Normalization {
  std::vector<float> mean;
  std::vector<float> inverse_std;  ///< 1 for a channel that is constant
};

/// One contiguous array [N,C,T] or [N,T,C] of any type that samples may have.
using SampleValues = std::variant<std::span<const float>, std::span<const uint8_t>, std::span<const int8_t>,
                                  std::span<const int16_t>>;

class Split {
 public:
  Split() = default;

  /// `name` stands for the samples in messages. Requires shape.size() > 0 elements for each label.
  /// Throws Error if the type of `file` is not one of SampleValues.
  Split(std::string name, NpyFile file, std::vector<int32_t> labels, const InputShape& shape);
  Split(std::string name, std::vector<float> samples, std::vector<int32_t> labels, const InputShape& shape);

  size_t size() const { return labels_.size(); }
  int label(size_t index) const { return labels_[index]; }

  /// Writes sample `index`, normalised, as [T,C]. Requires index < size() and T * C floats at `out`.
  /// Several threads may read at once.
  void read(size_t index, float* out) const;

  /// Drops the samples from `count` on; nothing where there are no more.
  void keep_first(size_t count) { labels_.resize(std::min(count, labels_.size())); }

  /// Drops the samples of other labels.
  void keep_label(int label);

  /// Without this, read() gives the values as they are. Requires one mean and one inverse_std per channel.
  void set_normalization(const Normalization& normalization);

  /// Mean and 1 / population standard deviation of each channel over all steps and samples, summed in double.
  Normalization measure_normalization() const;

  /// The largest |value| that read() gives. Throws Error if one is NaN or infinite, with the sample's number.
  float absmax() const;

 private:
  [[noreturn]] void fail_not_finite(size_t index, const std::vector<float>& sample) const;

  std::string name_;
  std::variant<std::vector<float>, NpyFile>
      owner_;  // of the elements that values_ looks at; moving keeps their address
  SampleValues values_;
  std::vector<int32_t> labels_;
  std::vector<size_t> places_;  ///< of the samples that were kept by label; empty: all, in order
  InputShape shape_;
  // For consecutive elements of [T,C]: the channels, repeated to a length that vectorises.
  std::vector<float> mean_;
  std::vector<float> inverse_std_;
};

}  // namespace mantissa::host
