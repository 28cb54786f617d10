// Halves have the bits of float32 with fewer of each kind.
#include "host/import/float_values.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Exact: float32 holds each of them.
float from_float16(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float magnitude = exponent == 31  ? (fraction == 0 ? INFINITY : NAN)
                          : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                          : std::ldexp(static_cast<float>(fraction | 1024), exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

float load_float(FloatType type, const std::byte* from) {
  switch (type) {
    case FloatType::kFloat16: return from_float16(load<uint16_t>(from));
    case FloatType::kBfloat16: return std::bit_cast<float>(uint32_t{load<uint16_t>(from)} << 16);
    case FloatType::kFloat32: return load<float>(from);
    case FloatType::kFloat64: {
      const double value = load<double>(from);
      return std::fabs(value) < 0x1.ffffffp127 ? static_cast<float>(value) : NAN;  // beyond, float32 has none
    }
  }
  return NAN;
}

}  // namespace

size_t element_bytes(FloatType type) {
  switch (type) {
    case FloatType::kFloat16:
    case FloatType::kBfloat16: return 2;
    case FloatType::kFloat32: return 4;
    case FloatType::kFloat64: return 8;
  }
  return 1;
}

std::vector<float> float_values(FloatType type, std::span<const std::byte> bytes, const std::string& what) {
  const size_t size = element_bytes(type);
  std::vector<float> values(bytes.size() / size);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = load_float(type, bytes.data() + i * size);
    if (!std::isfinite(values[i]))
      throw Error(fmt::format("{}: value {} is not finite in float32; weights must be numbers", what, i));
  }
  return values;
}

}  // namespace mantissa::host
