// Named tensors from files that PyTorch's users write: .npz and .safetensors.
// Both come from outside; everything is checked before an element is looked at.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace mantissa::host {

/// A tensor as the file has it, in float32; `values` is empty, and is_float false, where it holds other numbers.
struct WeightTensor {
  std::string name;
  std::vector<size_t> shape;
  std::vector<float> values;
  bool is_float = true;
};

/// The bytes of a whole .safetensors file, in the order of names, numbers in them by value. Safe on arbitrary bytes; `name`
/// stands for the file in messages. F64 and F32 become the nearest float32, F16 and BF16 exactly.
/// Throws Error unless the header is JSON of the format, each tensor lies within the file and has just the bytes that type and
/// shape promise, and all floats are finite in float32.  Source: github.com/huggingface/safetensors, Format.
std::vector<WeightTensor> parse_safetensors(std::span<const std::byte> file, const std::string& name);

/// The same from a .npz (float16, float32, float64), in the order of the archive. Throws Error as Npz and parse_npy() do.
std::vector<WeightTensor> parse_weights_npz(std::span<const std::byte> file, const std::string& name);

/// One or the other, by its first bytes. Throws Error if the file cannot be read, and as the two do.
std::vector<WeightTensor> read_weights(const std::filesystem::path& path);

}  // namespace mantissa::host
