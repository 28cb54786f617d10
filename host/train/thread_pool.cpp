// Indices are handed out one by one by an atomic counter; an entrance keeps late threads away from the next
// piece's data.
#include "host/train/thread_pool.hpp"

#include <fmt/format.h>

#include <system_error>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr int kSpins =
    2000;  // some 20 to 50 microseconds, longer than the engine's pauses between pieces of work

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  try {
    for (int32_t worker = 1; worker < threads; ++worker)
      workers_.emplace_back([this, worker] { work(worker); });
  } catch (const std::system_error& e) {
    const int started = this->threads();
    stop();
    throw Error(fmt::format("{} threads can not be started ({}); {} can", threads, e.what(), started));
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_ = true;
  rounds_.fetch_add(1);
  rounds_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Executor ThreadPool::executor() {
  if (workers_.empty()) return {};
  return {this, [](void* self, int32_t count, void* task, Body body) {
            static_cast<ThreadPool*>(self)->run(count, task, body);
          }};
}

void ThreadPool::run(int32_t count, void* task, Body body) noexcept {
  task_ = task;
  body_ = body;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  entrance_.store(kOpen, std::memory_order_release);
  rounds_.fetch_add(1, std::memory_order_release);
  rounds_.notify_all();
  take_indices(0);
  // Nobody enters from here on; those inside finish what they have taken.
  uint32_t inside = entrance_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  for (int spins = 0; inside != 0; inside = entrance_.load(std::memory_order_acquire)) {
    if (++spins < kSpins)
      pause();
    else
      entrance_.wait(inside, std::memory_order_acquire);
  }
}

void ThreadPool::take_indices(int32_t worker) noexcept {
  for (int32_t i = next_.fetch_add(1, std::memory_order_relaxed); i < count_;
       i = next_.fetch_add(1, std::memory_order_relaxed))
    body_(task_, i, worker);
}

bool ThreadPool::enter() noexcept {
  uint32_t seen = entrance_.load(std::memory_order_relaxed);
  while (seen & kOpen)
    if (entrance_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) return true;
  return false;
}

void ThreadPool::work(int32_t worker) noexcept {
  for (uint32_t round = 0;;) {
    for (int spins = 0; rounds_.load(std::memory_order_acquire) == round;) {
      if (++spins < kSpins)
        pause();
      else
        rounds_.wait(round, std::memory_order_acquire);
    }
    round = rounds_.load(std::memory_order_acquire);
    if (stopping_) return;
    if (!enter()) continue;
    take_indices(worker);
    if (entrance_.fetch_sub(1, std::memory_order_release) == 1) entrance_.notify_one();
  }
}

}  // namespace mantissa::host
