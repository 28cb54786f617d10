// Painted bytes and guard bytes around the engine's memory.
#include "host/train/arena.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kGuardBytes = 4096;
constexpr std::byte kGuard{0xC5};

std::byte pattern(size_t offset, unsigned round) {
  return static_cast<std::byte>(offset * 167 + (round + 1) * 89);
}

bool is_durable(const Tensor& t, const PlanSummary& plan) {
  return t.first_step == 0 && t.last_step == plan.steps - 1;
}

}  // namespace

Arena::Arena(const PlanView& plan) : plan_(plan) {
  const size_t size = plan.summary.arena_bytes;
  memory_.reset(new (std::nothrow) std::byte[size + kGuardBytes + kArenaAlignment]);
  if (!memory_)
    throw Error(
        fmt::format("training takes {} bytes, and the system does not give so many; use a smaller "
                    "batch or micro-batch",
                    size));
  const auto address = reinterpret_cast<uintptr_t>(memory_.get());
  bytes_ = {memory_.get() + (kArenaAlignment - address % kArenaAlignment) % kArenaAlignment, size};
  std::fill_n(bytes_.data() + size, kGuardBytes, kGuard);
  for (const Tensor& t : plan.tensors)
    if (is_durable(t, plan.summary)) peak_ = std::max<size_t>(peak_, t.offset + t.bytes);
}

/// Calls f(offset) for the bytes that belong to no durable tensor.
template <class F>
void Arena::for_each_transient_byte(F f) const {
  std::vector<std::pair<size_t, size_t>> durable;
  for (const Tensor& t : plan_.tensors)
    if (is_durable(t, plan_.summary)) durable.emplace_back(t.offset, t.offset + t.bytes);
  std::sort(durable.begin(), durable.end());
  size_t at = 0;
  for (const auto& [begin, end] : durable) {
    for (; at < begin; ++at) f(at);
    at = std::max(at, end);
  }
  for (; at < bytes_.size(); ++at) f(at);
}

void Arena::paint(unsigned round) {
  for_each_transient_byte([&](size_t at) { bytes_[at] = pattern(at, round); });
}

void Arena::look(unsigned round) {
  for_each_transient_byte([&](size_t at) {
    if (bytes_[at] != pattern(at, round)) peak_ = std::max(peak_, at + 1);
  });
}

size_t Arena::peak_bytes() const {
  const std::byte* guard = bytes_.data() + bytes_.size();
  for (size_t i = kGuardBytes; i > 0; --i)
    if (guard[i - 1] != kGuard) return bytes_.size() + i;
  return (peak_ + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

}  // namespace mantissa::host
