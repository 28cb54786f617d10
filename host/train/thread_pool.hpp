// Threads for the engine: a fixed number of them, which wait between pieces of work.
// A piece takes microseconds, so a thread spins for a moment before it sleeps, and one that is late is not
// waited for.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "mantissa/base/executor.hpp"

namespace mantissa::host {

class ThreadPool {
 public:
  /// `threads` in all, at least 1; the caller of run() is one of them. Throws Error if the system gives no
  /// more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  using Body = void (*)(void* task, int32_t index, int32_t worker);

  /// Calls body(task, i, worker) once for each i in [0, count) and returns when all are done. The caller is
  /// worker 0. Allocates nothing. Not for several callers at once, nor from within a body; a body must not
  /// throw.
  void run(int32_t count, void* task, Body body) noexcept;

  /// For the engine; the pool must outlive it. Without a second thread there is nothing to lend.
  Executor executor();
  int threads() const { return static_cast<int>(workers_.size()) + 1; }

 private:
  void stop();
  void work(int32_t worker) noexcept;
  void take_indices(int32_t worker) noexcept;
  bool enter() noexcept;

  static constexpr uint32_t kOpen = 1u << 31;

  // The work at hand. Written only while no thread is inside, see entrance_.
  void* task_ = nullptr;
  Body body_ = nullptr;
  int32_t count_ = 0;
  alignas(64) std::atomic<int32_t> next_ = 0;       ///< index that is taken next
  alignas(64) std::atomic<uint32_t> entrance_ = 0;  ///< kOpen while there is work, plus the threads inside
  alignas(64) std::atomic<uint32_t> rounds_ = 0;    ///< counts pieces of work; sleepers wait for it to change
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace mantissa::host
