// How the codes of a tensor are stored and what they mean: as types, and as the value that a plan holds.
// SymInt32 is how integers compute. It cannot be stored nor multiplied, and the compiler says so.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "mantissa/num/rescale.hpp"

namespace mantissa {

enum class FormatKind : uint8_t { kFloat32, kSym, kSymInt32 };

/// A format as a value. bits: 32 for float32 and SymInt32, 2..16 for Sym.
struct Format {
  FormatKind kind = FormatKind::kFloat32;
  uint8_t bits = 32;

  constexpr bool operator==(const Format&) const = default;
  constexpr bool is_float() const { return kind == FormatKind::kFloat32; }
  /// Largest code. Requires a Sym format.
  constexpr int32_t max_code() const { return symmetric_range(bits).high; }
};

constexpr Format float32_format() { return {FormatKind::kFloat32, 32}; }
constexpr Format sym_format(int bits) { return {FormatKind::kSym, uint8_t(bits)}; }
constexpr Format sym_int32_format() { return {FormatKind::kSymInt32, 32}; }

/// value = the float itself.
struct Float32 {
  static constexpr Format kFormat = float32_format();
};

/// value = scale * code, code in +-(2^(b-1) - 1), stored in b bits.
template <int b>
struct Sym {
  static_assert(b >= 2 && b <= 16, "Sym has 2 to 16 bits");
  static constexpr Format kFormat = sym_format(b);
};

/// value = scale * code with 32-bit codes: an exact sum of products, on its way to a rounding.
struct SymInt32 {
  static constexpr Format kFormat = sym_int32_format();
};

template <class F>
concept AnyFormat = std::same_as<decltype(F::kFormat), const Format>;

template <AnyFormat F>
inline constexpr bool kStorable = F::kFormat.kind != FormatKind::kSymInt32;

/// Bytes of n packed codes: ceil(n * bits / 8).
constexpr size_t packed_bytes(size_t n, int bits) { return (n * size_t(bits) + 7) / 8; }

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
  static_assert(A::kFormat.is_float() == B::kFormat.is_float(),
                "a product of Float32 and codes has no meaning");
  using Accumulator = SymInt32;
};

}  // namespace mantissa
