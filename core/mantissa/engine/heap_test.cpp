// Between bind and the end of training nothing is allocated: the global operator new counts.
// Sanitizers bring their own operator new, so there the test is left out.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "tests/training_run.hpp"

#if !defined(__SANITIZE_ADDRESS__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#endif

#ifndef __SANITIZE_ADDRESS__
namespace {
int64_t allocations = 0;
}

// Not inlined: GCC would see free() beside new and warn.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace mantissa {
namespace {

using namespace test;

TEST(EngineHeap, IsNeverUsed) {
  for (const Kernels* kernels : {&kernels_ref, &kernels_hwy})
    for (const NamedModel& m : odd_models())
      for (const NamedRecipe& r : all_recipes()) {
        const RunOptions o = {.batch = 4, .micro_batch = 2, .kernels = kernels};
        const HeapPlan plan(m.model(), r.recipe, o.plan_options());
        const Toy toy(m.input, plan.summary.classes, 8, 3);
        GuardedArena arena(plan.summary.arena_bytes);
        int32_t predictions[2];
        const int64_t before = allocations;
        const size_t used_before = mallinfo2().uordblks;
        Engine engine = Engine::bind(plan.view(), arena.bytes(), *kernels).value;
        engine.initialize(1);
        engine.set_input_range(1.5f);
        train_batch(engine, o, toy, 0, 4);
        train_batch(engine, o, toy, 4, 3);
        engine.evaluate(toy.x.data(), toy.labels.data(), 2, predictions);
        ASSERT_EQ(allocations, before) << m.name << ", " << r.name;
        ASSERT_EQ(mallinfo2().uordblks, used_before) << m.name << ", " << r.name;
      }
}

TEST(EngineHeap, TheCounterCounts) {
  const int64_t before = allocations;
  // A compiler may leave out a new with its delete, but not calls of the functions by name.
  ::operator delete(::operator new(10));
  EXPECT_EQ(allocations, before + 1);
}

}  // namespace
}  // namespace mantissa
#endif
