// The engine's memory on a host, and a measurement of how much of it a run really touches.
// "Memory is a number you know": the number is checked against the bytes, not against itself.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// Exactly the bytes of a plan, and guard bytes after them.
///
/// How the peak is measured: before a batch, bytes that hold nothing between batches are painted with a
/// pattern; after it, a byte that differs has been touched. What lasts from batch to batch (parameters,
/// momentum, sums, scales) cannot be painted and counts as touched. Several batches with changing patterns
/// make it unlikely that a byte is written with the very value that was painted. The guard bytes show for the
/// whole run that nothing beyond the arena was written.
class Arena {
 public:
  /// Throws Error if the system does not give so much memory. The plan must outlive the arena.
  explicit Arena(const PlanView& plan);

  std::span<std::byte> bytes() const { return bytes_; }

  /// Between batches: `round` chooses the pattern.
  void paint(unsigned round);
  /// After the next batch.
  void look(unsigned round);

  /// Bytes up to the last one that was touched, in whole units of the arena's alignment (tensors start on
  /// such units). More than the plan's arena_bytes means that a guard byte has changed.
  size_t peak_bytes() const;

 private:
  template <class F>
  void for_each_transient_byte(F f) const;

  PlanView plan_;
  std::unique_ptr<std::byte[]> memory_;
  std::span<std::byte> bytes_;
  size_t peak_ = 0;
};

}  // namespace mantissa::host
