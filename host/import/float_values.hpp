// Floats of other widths as float32.
// Readers of weights share it, so that all files mean the same numbers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mantissa::host {

enum class FloatType : uint8_t { kFloat16, kBfloat16, kFloat32, kFloat64 };

size_t element_bytes(FloatType type);

/// Little-endian, at any address. Throws Error, with `what` for the tensor, at the first that is not finite in float32.
std::vector<float> float_values(FloatType type, std::span<const std::byte> bytes, const std::string& what);

}  // namespace mantissa::host
