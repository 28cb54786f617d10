// Opens the four files of a data set and checks that they fit each other and the model.
// A message says which file, which sample, what was found and what would do.
#include "host/data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr const char* kFileNames = "train_x.npy, train_y.npy, test_x.npy and test_y.npy";
constexpr int kMaxClasses = 65536;  // more is a mistaken label, not a classifier

void check_request(const InputShape& shape, int classes, const Normalization* given) {
  if (shape.steps < 1 || shape.channels < 1) {
    throw Error(fmt::format("input of {} steps and {} channels; both must be at least 1", shape.steps,
                            shape.channels));
  }
  if (classes < 0 || classes > kMaxClasses) {
    throw Error(fmt::format("{} classes; 1 to {} are possible, or 0 for as many as the labels say", classes,
                            kMaxClasses));
  }
  if (given == nullptr) return;
  if (classes == 0) throw Error("the number of classes must be given where the training labels are not read");
  if (given->mean.size() != static_cast<size_t>(shape.channels) ||
      given->inverse_std.size() != given->mean.size()) {
    throw Error(fmt::format("a normalisation of {} means and {} inverse deviations for {} channels",
                            given->mean.size(), given->inverse_std.size(), shape.channels));
  }
}

bool fits(std::span<const size_t> found, const InputShape& shape, SampleLayout layout) {
  const size_t steps = shape.steps, channels = shape.channels;
  if (found.empty()) return false;
  const std::span<const size_t> sample = found.subspan(1);
  if (sample.size() == 1 || steps == 1 || channels == 1) {
    size_t product = 1;
    for (const size_t dimension : sample) product *= dimension;
    return product == steps * channels;
  }
  const bool first = layout == SampleLayout::kChannelsFirst;
  if (shape.width > 0) {
    const size_t width = shape.width, height = steps / width;
    const size_t wanted[] = {first ? channels : height, first ? height : width, first ? width : channels};
    return std::ranges::equal(sample, wanted);
  }
  return sample.size() == 2 && sample[0] == (first ? channels : steps) &&
         sample[1] == (first ? steps : channels);
}

void check_sample_shape(const std::string& name, std::span<const size_t> found, const InputShape& shape) {
  if (!found.empty() && found[0] == 0)
    throw Error(fmt::format("{}: an empty set, shape {}", name, shape_text(found)));
  if (fits(found, shape, shape.layout)) return;
  const bool first = shape.layout == SampleLayout::kChannelsFirst;
  const SampleLayout other = first ? SampleLayout::kChannelsLast : SampleLayout::kChannelsFirst;
  const std::string steps = shape.width > 0 ? fmt::format("{}, {}", shape.steps / shape.width, shape.width)
                                            : fmt::to_string(shape.steps);
  throw Error(
      fmt::format("{}: shape {}; the model needs {} ({}) or [N, {}]{}", name, shape_text(found),
                  first ? fmt::format("[N, {}, {}]", shape.channels, steps)
                        : fmt::format("[N, {}, {}]", steps, shape.channels),
                  to_string(shape.layout), shape.size(),
                  fits(found, shape, other) ? fmt::format(", or the layout {}", to_string(other)) : ""));
}

template <class T>
std::vector<int64_t> widen(const NpyView& view) {
  const std::span<const T> values = view.values<T>();
  std::vector<int64_t> wide(values.size());
  // An unsigned value beyond int64 stays what it must be for the check that follows: too large.
  std::transform(values.begin(), values.end(), wide.begin(), [](T v) {
    return std::in_range<int64_t>(v) ? static_cast<int64_t>(v) : std::numeric_limits<int64_t>::max();
  });
  return wide;
}

std::vector<int64_t> integers(const NpyView& view, const std::string& name) {
  switch (view.type) {
    case NpyType::kUint8: return widen<uint8_t>(view);
    case NpyType::kInt8: return widen<int8_t>(view);
    case NpyType::kUint16: return widen<uint16_t>(view);
    case NpyType::kInt16: return widen<int16_t>(view);
    case NpyType::kUint32: return widen<uint32_t>(view);
    case NpyType::kInt32: return widen<int32_t>(view);
    case NpyType::kUint64: return widen<uint64_t>(view);
    case NpyType::kInt64: return widen<int64_t>(view);
    case NpyType::kFloat16:
    case NpyType::kFloat32:
    case NpyType::kFloat64: break;
  }
  throw Error(fmt::format("{}: labels of type {}; integers are needed: save y.astype(np.uint8)", name,
                          to_string(view.type)));
}

/// Labels in 0..classes-1; `classes` = 0 allows as many as there can be.
std::vector<int32_t> checked_labels(const std::vector<int64_t>& labels, int classes,
                                    const std::string& name) {
  const int64_t limit = classes == 0 ? kMaxClasses : classes;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= limit) {
      throw Error(
          fmt::format("{}: sample {} has label {}; with {} classes a label is 0 to {}", name, i, labels[i],
                      classes == 0 ? fmt::format("at most {}", limit) : fmt::to_string(limit), limit - 1));
    }
  }
  return {labels.begin(), labels.end()};
}

void check_lengths(const std::string& x_name, size_t samples, const std::string& y_name, size_t labels) {
  if (samples != labels) {
    throw Error(fmt::format("{} has {} samples, {} has {} labels; they must be equal in number", x_name,
                            samples, y_name, labels));
  }
}

Split load_split(const std::filesystem::path& folder, const std::string& which, const InputShape& shape,
                 int classes, bool has_labels) {
  const std::string x_name = (folder / (which + "_x.npy")).string();
  const std::string y_name = (folder / (which + "_y.npy")).string();
  for (const std::string& name : {x_name, y_name}) {
    std::error_code unknown;
    if (name == y_name && !has_labels) continue;
    if (!std::filesystem::exists(name, unknown)) {
      throw Error(fmt::format("{}: no such file; a data set is the files {}", name, kFileNames));
    }
  }
  NpyFile x(x_name);
  check_sample_shape(x_name, x.view().shape, shape);
  if (!has_labels) {
    std::vector<int32_t> none(x.view().shape[0]);
    return Split(x_name, std::move(x), std::move(none), shape);
  }
  const NpyFile y(y_name);
  const std::vector<size_t>& y_shape = y.view().shape;
  if (y_shape.empty() || y_shape.size() > 2 || (y_shape.size() == 2 && y_shape[1] != 1)) {
    throw Error(
        fmt::format("{}: shape {}; one label per sample is needed: [N]", y_name, shape_text(y_shape)));
  }
  check_lengths(x_name, x.view().shape[0], y_name, y_shape[0]);
  std::vector<int32_t> labels = checked_labels(integers(y.view(), y_name), classes, y_name);
  return Split(x_name, std::move(x), std::move(labels), shape);
}

Split make_split(const std::string& which, std::vector<float> x, const std::vector<int32_t>& y,
                 const InputShape& shape, int classes) {
  const std::string x_name = which + "_x", y_name = which + "_y";
  if (x.empty()) throw Error(fmt::format("{}: an empty set", x_name));
  if (x.size() % shape.size() != 0) {
    throw Error(
        fmt::format("{}: {} values; samples of {} values do not fill them", x_name, x.size(), shape.size()));
  }
  check_lengths(x_name, x.size() / shape.size(), y_name, y.size());
  std::vector<int32_t> labels = checked_labels({y.begin(), y.end()}, classes, y_name);
  return Split(x_name, std::move(x), std::move(labels), shape);
}

int count_classes(const Split& train) {
  int largest = 0;
  for (size_t i = 0; i < train.size(); ++i) largest = std::max<int>(largest, train.label(i));
  return largest + 1;
}

/// Normalises as `given`, or as measured on the training set, and checks all values.
void finish(Dataset& set, const Normalization* given) {
  if (given != nullptr) {
    set.normalization = *given;
  } else {
    set.train.absmax();  // a NaN would reach every sample through the mean; here it still has a place
    set.normalization = set.train.measure_normalization();
    set.train.set_normalization(set.normalization);
    set.input_absmax = set.train.absmax();
  }
  set.test.set_normalization(set.normalization);
  set.test.absmax();
}

void check_folder(const std::filesystem::path& folder) {
  std::error_code unknown;
  if (std::filesystem::is_directory(folder, unknown)) return;
  throw Error(fmt::format("{}: {}; a folder with {} is needed", folder.string(),
                          std::filesystem::exists(folder, unknown) ? "not a folder" : "no such folder",
                          kFileNames));
}

}  // namespace

Dataset load_dataset(const std::filesystem::path& folder, const InputShape& shape, int classes,
                     const Normalization* given, Labels labels) {
  check_request(shape, classes, given);
  check_folder(folder);
  Dataset set;
  set.shape = shape;
  std::error_code unknown;
  if (labels == Labels::kOptional)
    set.has_labels = std::filesystem::exists(folder / "train_y.npy", unknown) &&
                     std::filesystem::exists(folder / "test_y.npy", unknown);
  if (given == nullptr) set.train = load_split(folder, "train", shape, classes, set.has_labels);
  set.classes = classes != 0 ? classes : count_classes(set.train);
  set.test = load_split(folder, "test", shape, set.classes, set.has_labels);
  finish(set, given);
  return set;
}

Dataset make_dataset(ArraySet arrays) {
  check_request(arrays.shape, arrays.classes, nullptr);
  Dataset set;
  set.shape = arrays.shape;
  set.train = make_split("train", std::move(arrays.train_x), arrays.train_y, arrays.shape, arrays.classes);
  set.classes = arrays.classes != 0 ? arrays.classes : count_classes(set.train);
  set.test = make_split("test", std::move(arrays.test_x), arrays.test_y, arrays.shape, set.classes);
  finish(set, nullptr);
  return set;
}

}  // namespace mantissa::host
