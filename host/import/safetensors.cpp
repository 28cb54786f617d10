// Eight bytes of length, a header in JSON, then the elements.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "host/data/npy.hpp"
#include "host/error.hpp"
#include "host/import/float_values.hpp"
#include "host/import/weights.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::host {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8, kLongestHeader = 100'000'000;  // the format's own limit
constexpr size_t kMostDimensions = 32;
constexpr const char* kMetadata = "__metadata__";

/// Types and their bits; those that are no float are named only to check sizes.
struct Type {
  const char* name;
  size_t bytes;
  std::optional<FloatType> as_float;
};
constexpr Type kTypes[] = {{"F64", 8, FloatType::kFloat64},
                           {"F32", 4, FloatType::kFloat32},
                           {"F16", 2, FloatType::kFloat16},
                           {"BF16", 2, FloatType::kBfloat16},
                           {"I64", 8, {}},
                           {"I32", 4, {}},
                           {"I16", 2, {}},
                           {"I8", 1, {}},
                           {"U64", 8, {}},
                           {"U32", 4, {}},
                           {"U16", 2, {}},
                           {"U8", 1, {}},
                           {"BOOL", 1, {}}};

class SafetensorsReader {
 public:
  SafetensorsReader(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  std::vector<WeightTensor> read() {
    const Json header = read_header();
    std::vector<WeightTensor> tensors;
    for (const auto& [key, entry] : header.items())
      if (key != kMetadata) tensors.push_back(read_tensor(key, entry));
    std::ranges::stable_sort(tensors, [](const WeightTensor& a, const WeightTensor& b) {
      return natural_key(a.name) < natural_key(b.name);
    });
    return tensors;
  }

 private:
  /// Numbers padded, so that layer 10 comes after layer 9.
  static std::string natural_key(const std::string& name) {
    std::string key;
    for (size_t i = 0; i < name.size();) {
      size_t end = i;
      while (end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
      if (end > i && end - i < 20) key.append(20 - (end - i), '0');
      if (end == i) ++end;
      key.append(name, i, end - i);
      i = end;
    }
    return key;
  }

  Json read_header() {
    if (file_.size() < kLengthBytes)
      fail(fmt::format("{} bytes, too few for a .safetensors or .npz file", file_.size()));
    uint64_t length = 0;
    for (size_t i = 0; i < kLengthBytes; ++i) length |= std::to_integer<uint64_t>(file_[i]) << (8 * i);
    if (length > kLongestHeader || length > file_.size() - kLengthBytes)
      fail(fmt::format("neither .npz nor .safetensors: a header of {} bytes in a file of {}", length,
                       file_.size()));
    const char* text = reinterpret_cast<const char*>(file_.data()) + kLengthBytes;
    data_ = file_.subspan(kLengthBytes + length);
    Json header = Json::parse(text, text + length, nullptr, false);
    if (!header.is_object()) fail("damaged: the header is not a JSON object");
    return header;
  }

  WeightTensor read_tensor(const std::string& key, const Json& entry) const {
    const std::string what = fmt::format("tensor {}", in_quotes(key));
    const auto member = [&entry](const char* name) {
      return entry.is_object() ? entry.find(name) : entry.end();
    };
    const auto dtype = member("dtype"), shape = member("shape"), offsets = member("data_offsets");
    if (!entry.is_object() || dtype == entry.end() || shape == entry.end() || offsets == entry.end() ||
        !dtype->is_string() || !shape->is_array() || !offsets->is_array() || offsets->size() != 2)
      fail(fmt::format("damaged: {} lacks dtype, shape or data_offsets", what));
    const std::string word = dtype->get<std::string>();
    const auto* type = std::ranges::find(kTypes, word, [](const Type& t) { return std::string(t.name); });
    if (type == std::end(kTypes))
      fail(fmt::format("{} is of type {}, which is not read", what, in_quotes(word)));

    WeightTensor tensor{key, {}, {}, type->as_float.has_value()};
    size_t bytes = type->bytes;
    if (shape->size() > kMostDimensions) fail(fmt::format("{} has {} dimensions", what, shape->size()));
    for (const Json& dimension : *shape) {
      tensor.shape.push_back(size_of(dimension, what));
      if (__builtin_mul_overflow(bytes, tensor.shape.back(), &bytes))
        fail(fmt::format("{} has more bytes than any memory", what));
    }
    const size_t begin = size_of((*offsets)[0], what), end = size_of((*offsets)[1], what);
    if (begin > end || end > data_.size())
      fail(fmt::format("damaged: {} lies at bytes {} to {} of {}", what, begin, end, data_.size()));
    if (end - begin != bytes)
      fail(fmt::format("damaged: {} has {} bytes, and {} of shape {} takes {}", what, end - begin, type->name,
                       shape_text(tensor.shape), bytes));
    if (type->as_float)
      tensor.values =
          float_values(*type->as_float, data_.subspan(begin, bytes), fmt::format("{}: {}", name_, what));
    return tensor;
  }

  size_t size_of(const Json& number, const std::string& what) const {
    if (!number.is_number_unsigned())
      fail(fmt::format("damaged: {} has a size that is no whole number", what));
    return number.get<size_t>();
  }

  [[noreturn]] void fail(const std::string& what) const { throw Error(fmt::format("{}: {}", name_, what)); }

  std::span<const std::byte> file_, data_;
  const std::string& name_;
};

}  // namespace

std::vector<WeightTensor> parse_safetensors(std::span<const std::byte> file, const std::string& name) {
  return SafetensorsReader(file, name).read();
}

}  // namespace mantissa::host
