// How the codes of a tensor are stored and what they mean: as types, and as the value that a plan holds.
// SymInt32 is how integers compute. It cannot be stored nor multiplied, and the compiler says so.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "mantissa/base/error.hpp"
#include "mantissa/num/rescale.hpp"

namespace mantissa {

/// The numbers are part of saved states: new kinds go last.
enum class FormatKind : uint8_t { kFloat32, kSym, kSymInt32, kAsym, kBfp, kInt32, kBool };

/// Who shares a scale (and a zero point, or an exponent).
enum class Granularity : uint8_t { kTensor, kChannel, kGroup };

/// `group` of a format whose scales belong to channels: to the slices of the leading dimension.
inline constexpr uint16_t kPerChannel = 0xFFFF;
inline constexpr uint16_t kLargestGroup = kPerChannel - 1;

/// A format as a value. bits: 32 for Float32, SymInt32 and Int32, 1 for Bool, 2..16 for Sym, Asym and Bfp.
struct Format {
  FormatKind kind = FormatKind::kFloat32;
  uint8_t bits = 32;
  uint16_t group = 0;  ///< consecutive elements that share a scale; 0: all of the tensor

  constexpr bool operator==(const Format&) const = default;
  constexpr bool is_float() const { return kind == FormatKind::kFloat32; }
  /// Largest code. Requires Sym, Asym or Bfp.
  constexpr int32_t max_code() const { return symmetric_range(bits).high; }
  constexpr Granularity granularity() const {
    return group == 0             ? Granularity::kTensor
           : group == kPerChannel ? Granularity::kChannel
                                  : Granularity::kGroup;
  }
  /// Codes of at most 16 bits: what can be an operand.
  constexpr bool is_narrow() const {
    return kind == FormatKind::kSym || kind == FormatKind::kAsym || kind == FormatKind::kBfp;
  }
  /// Whether elements are real numbers, rather than labels or masks.
  constexpr bool is_quantity() const { return kind != FormatKind::kInt32 && kind != FormatKind::kBool; }
  constexpr bool has_scale() const { return is_narrow() || kind == FormatKind::kSymInt32; }
};
static_assert(sizeof(Format) == 4);

constexpr Format float32_format() { return {FormatKind::kFloat32, 32}; }
constexpr Format sym_format(int bits, uint16_t group = 0) { return {FormatKind::kSym, uint8_t(bits), group}; }
constexpr Format asym_format(int bits, uint16_t group = 0) {
  return {FormatKind::kAsym, uint8_t(bits), group};
}
constexpr Format bfp_format(int bits, uint16_t group = 32) {
  return {FormatKind::kBfp, uint8_t(bits), group};
}
constexpr Format sym_int32_format() { return {FormatKind::kSymInt32, 32}; }
constexpr Format int32_format() { return {FormatKind::kInt32, 32}; }
constexpr Format bool_format() { return {FormatKind::kBool, 1}; }

/// The codes of a narrow format: symmetric for Sym and Bfp, all of two's complement for Asym.
constexpr CodeRange code_range(Format f) {
  const CodeRange symmetric = symmetric_range(f.bits);
  return {f.kind == FormatKind::kAsym ? symmetric.low - 1 : symmetric.low, symmetric.high};
}

/// Bfp<b> with the exponent byte X has value = code * 2^(X - bias); X = 0..254.  b = 8: Microscaling's MXINT8.
constexpr int32_t bfp_bias(int bits) { return 127 + bits - 2; }
inline constexpr int32_t kLargestExponentByte = 254;

// --- Formats as types ---

struct PerTensor {
  static constexpr uint16_t kGroup = 0;
};
struct PerChannel {
  static constexpr uint16_t kGroup = kPerChannel;
};
template <int n>
struct PerGroup {
  static_assert(n >= 1 && n <= kLargestGroup, "a group has 1 to 65534 elements");
  static constexpr uint16_t kGroup = n;
};

/// value = the float itself.
struct Float32 {
  static constexpr Format kFormat = float32_format();
};

/// value = scale * code, code in +-(2^(b-1) - 1), stored in b bits.
template <int b, class G = PerTensor>
struct Sym {
  static_assert(b >= 2 && b <= 16, "Sym has 2 to 16 bits");
  static constexpr Format kFormat = sym_format(b, G::kGroup);
};

/// value = scale * (code - zero_point), code in -2^(b-1)..2^(b-1) - 1: 2^b - 1 steps from the smallest to the largest.
template <int b, class G = PerTensor>
struct Asym {
  static_assert(b >= 2 && b <= 16, "Asym has 2 to 16 bits");
  static constexpr Format kFormat = asym_format(b, G::kGroup);
};

/// value = 2^e * code, code in +-(2^(b-1) - 1), one e for n elements: block floating point.
template <int b, int n = 32>
struct Bfp {
  static_assert(b >= 2 && b <= 16, "Bfp has 2 to 16 bits");
  static constexpr Format kFormat = bfp_format(b, PerGroup<n>::kGroup);
};

/// value = scale * code with 32-bit codes: an exact sum of products, on its way to a rounding.
struct SymInt32 {
  static constexpr Format kFormat = sym_int32_format();
};

/// Class labels.
struct Int32 {
  static constexpr Format kFormat = int32_format();
};

/// Masks, one bit per element.
struct Bool {
  static constexpr Format kFormat = bool_format();
};

template <class F>
concept AnyFormat = std::same_as<decltype(F::kFormat), const Format>;

template <AnyFormat F>
inline constexpr bool kStorable = F::kFormat.kind != FormatKind::kSymInt32;

// --- Sizes ---

/// Bytes of n packed codes: ceil(n * bits / 8).
constexpr size_t packed_bytes(size_t n, int bits) { return (n * size_t(bits) + 7) / 8; }

/// Elements that share a scale. Requires a format that check_format accepts.
constexpr size_t granule_elements(Format f, size_t elements, size_t channels = 1) {
  switch (f.granularity()) {
    case Granularity::kTensor: return elements;
    case Granularity::kChannel: return elements / channels;
    case Granularity::kGroup: return f.group;
  }
  return elements;
}

/// Scales (zero points, exponents) of a tensor; 0 if its format has none.
constexpr size_t granules(Format f, size_t elements, size_t channels = 1) {
  const size_t each = granule_elements(f, elements, channels);
  return f.has_scale() && each > 0 ? elements / each : 0;
}

/// Bytes beside the codes: 8 for a Scale, 2 for a zero point, 1 for a shared exponent.
constexpr size_t metadata_bytes(Format f, size_t elements, size_t channels = 1) {
  const size_t count = granules(f, elements, channels);
  switch (f.kind) {
    case FormatKind::kSym:
    case FormatKind::kSymInt32: return 8 * count;
    case FormatKind::kAsym: return 10 * count;
    case FormatKind::kBfp: return count;
    case FormatKind::kFloat32:
    case FormatKind::kInt32:
    case FormatKind::kBool: return 0;
  }
  return 0;
}

constexpr size_t stored_bytes(Format f, size_t elements, size_t channels = 1) {
  return packed_bytes(elements, f.bits) + metadata_bytes(f, elements, channels);
}

/// Largest divisor of `elements` up to `wanted`, and smallest from there on: the sizes of a group that would do. Requires
/// elements, wanted >= 1.
struct Divisors {
  size_t below = 1;
  size_t above = 1;
};
constexpr Divisors divisors_near(size_t elements, size_t wanted) {
  Divisors found{wanted < elements ? wanted : elements, wanted < elements ? wanted : elements};
  while (elements % found.below != 0) --found.below;
  while (elements % found.above != 0) ++found.above;
  return found;
}

/// Whether a tensor of so many elements in so many channels can have the format.
/// Errors: kBadBits (found: bits), kBadGroupSize (found: group, limit: elements), kBadShape (found: elements that channels,
/// the limit, do not divide).
constexpr Error check_format(Format f, size_t elements, size_t channels = 1) {
  const bool bits_fit =
      f.is_narrow() ? f.bits >= 2 && f.bits <= 16 : f.bits == (f.kind == FormatKind::kBool ? 1 : 32);
  if (!bits_fit) return {.code = ErrorCode::kBadBits, .found = f.bits};
  const bool granularity_fits =
      f.kind == FormatKind::kBfp ? f.granularity() == Granularity::kGroup : f.group == 0 || f.is_narrow();
  const bool divides = f.granularity() != Granularity::kGroup || elements % f.group == 0;
  if (!granularity_fits || !divides)
    return {.code = ErrorCode::kBadGroupSize, .found = f.group, .limit = int64_t(elements)};
  if (channels == 0 || elements % channels != 0)
    return {.code = ErrorCode::kBadShape, .found = int64_t(elements), .limit = int64_t(channels)};
  return {};
}

// --- What formats may do ---

/// The durable storage of a parameter, a gradient between batches or optimizer state.
template <AnyFormat F>
struct Stored {
  static_assert(kStorable<F>,
                "SymInt32 is an accumulator: store Float32 or Sym<b>, which take no more bytes");
  static constexpr Format kFormat = F::kFormat;
  static constexpr size_t bytes(size_t n) { return packed_bytes(n, kFormat.bits); }
};

/// The exact product of two operands: codes of at most 16 bits each, or float32 with float32.
template <AnyFormat A, AnyFormat B>
struct Product {
  static_assert(kStorable<A> && kStorable<B>,
                "an operand has at most 16 bits: rescale the SymInt32 accumulator first");
  static_assert(A::kFormat.is_quantity() && B::kFormat.is_quantity(), "labels and masks are not multiplied");
  static_assert(A::kFormat.is_float() == B::kFormat.is_float(),
                "a product of Float32 and codes has no meaning");
  using Accumulator = SymInt32;
};

}  // namespace mantissa
