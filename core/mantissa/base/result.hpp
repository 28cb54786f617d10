// A value or the reason why there is none.
#pragma once
#include "mantissa/base/error.hpp"

namespace mantissa {

/// Holds `value` when `error.code` is kNone. T must be default-constructible: that keeps Result usable in constant
/// expressions without a union.
template <class T>
struct [[nodiscard]] Result {
  T value{};
  Error error{};

  constexpr Result() = default;
  constexpr Result(T v) : value(v) {}
  constexpr Result(Error e) : error(e) {}
  constexpr bool ok() const { return error.code == ErrorCode::kNone; }
};

}  // namespace mantissa
