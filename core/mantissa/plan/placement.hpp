// Where each tensor lies: tensors that are never alive together may share bytes.
#pragma once
#include "mantissa/plan/plan.hpp"

namespace mantissa {

/// Gives every tensor an offset and returns the bytes of all. Greedy: largest first, each at the lowest offset at which
/// it meets no tensor alive at the same time. `order` is scratch of the same length.
constexpr int64_t place_tensors(std::span<Tensor> tensors, std::span<int16_t> order, int32_t alignment) {
  const auto aligned = [alignment](int64_t n) { return (n + alignment - 1) & ~int64_t(alignment - 1); };
  const size_t count = tensors.size();
  for (size_t i = 0; i < count; ++i) {  // insertion sort: stable, constexpr, and the lists are short
    size_t k = i;
    for (; k > 0 && tensors[size_t(order[k - 1])].bytes < tensors[i].bytes; --k) order[k] = order[k - 1];
    order[k] = int16_t(i);
  }
  int64_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    Tensor& t = tensors[size_t(order[i])];
    int64_t offset = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t k = 0; k < i; ++k) {
        const Tensor& other = tensors[size_t(order[k])];
        const bool overlap = offset < int64_t(other.offset) + other.bytes && other.offset < offset + t.bytes;
        if (overlap && alive_together(t, other)) {
          offset = aligned(int64_t(other.offset) + other.bytes);
          moved = true;
        }
      }
    }
    t.offset = uint32_t(offset);
    if (offset + t.bytes > total) total = offset + t.bytes;
  }
  return aligned(total);
}

}  // namespace mantissa
