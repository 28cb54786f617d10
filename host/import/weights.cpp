// The format of a file shows in its first bytes, whatever its name is.
#include "host/import/weights.hpp"

#include <algorithm>
#include <cstring>

#include "host/data/npz.hpp"
#include "host/file/read_file.hpp"
#include "host/import/float_values.hpp"

namespace mantissa::host {

std::vector<WeightTensor> parse_weights_npz(std::span<const std::byte> file, const std::string& name) {
  const Npz archive(file, name);
  std::vector<WeightTensor> tensors;
  for (const std::string& array : archive.names()) {
    const NpzArray read = archive.read(array);
    const NpyType type = read.view.type;
    const bool is_float = type == NpyType::kFloat16 || type == NpyType::kFloat32 || type == NpyType::kFloat64;
    tensors.push_back({array, read.view.shape, {}, is_float});
    if (!is_float) continue;
    const FloatType from = type == NpyType::kFloat16   ? FloatType::kFloat16
                           : type == NpyType::kFloat32 ? FloatType::kFloat32
                                                       : FloatType::kFloat64;
    tensors.back().values = float_values(from, read.view.bytes, name + ": " + array);
  }
  return tensors;
}

std::vector<WeightTensor> read_weights(const std::filesystem::path& path) {
  const std::vector<std::byte> file = read_file(path, "a file of weights");
  const bool is_zip = file.size() >= 4 && std::memcmp(file.data(), "PK\3\4", 4) == 0;
  return is_zip ? parse_weights_npz(file, path.string()) : parse_safetensors(file, path.string());
}

}  // namespace mantissa::host
