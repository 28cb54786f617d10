#include "host/train/thread_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace mantissa::host {
namespace {

/// Counts what happens to each index.
struct Counts {
  explicit Counts(int32_t count, int threads) : of_index(count), of_worker(threads) {}
  std::vector<std::atomic<int>> of_index, of_worker;

  static void body(void* self, int32_t index, int32_t worker) {
    auto* counts = static_cast<Counts*>(self);
    ++counts->of_index.at(static_cast<size_t>(index));
    ++counts->of_worker.at(static_cast<size_t>(worker));
  }
  bool all(int wanted) const {
    return std::all_of(of_index.begin(), of_index.end(), [wanted](const auto& n) { return n == wanted; });
  }
};

TEST(ThreadPool, EachIndexRunsOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int32_t count : {0, 1, 2, 7, 1000}) {
      Counts counts(count, threads);
      pool.run(count, &counts, Counts::body);
      EXPECT_TRUE(counts.all(1)) << threads << " threads, " << count << " indices";
    }
  }
}

/// Pieces so short that threads are late for most of them, with data that is gone afterwards.
TEST(ThreadPool, ManyShortPiecesInARow) {
  ThreadPool pool(4);
  for (int round = 0; round < 20000; ++round) {
    const int32_t count = 1 + round % 5;
    Counts counts(count, 4);
    pool.run(count, &counts, Counts::body);
    ASSERT_TRUE(counts.all(1)) << "round " << round;
  }
}

TEST(ThreadPool, SleepingThreadsWakeUp) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than threads spin
    Counts counts(2, 2);
    // Each index waits for the other one to begin, so one thread alone would never return.
    pool.run(2, &counts, [](void* self, int32_t index, int32_t worker) {
      Counts::body(self, index, worker);
      while (static_cast<Counts*>(self)->of_index[static_cast<size_t>(1 - index)] == 0)
        std::this_thread::yield();
    });
    EXPECT_EQ(counts.of_worker[0], 1);
    EXPECT_EQ(counts.of_worker[1], 1);
  }
}

TEST(ThreadPool, LendsItselfToTheEngine) {
  ThreadPool one(1), two(2);
  EXPECT_EQ(one.executor().run, nullptr);
  const Executor executor = two.executor();
  Counts counts(9, 2);
  executor.run(executor.context, 9, &counts, Counts::body);
  EXPECT_TRUE(counts.all(1));
}

}  // namespace
}  // namespace mantissa::host
