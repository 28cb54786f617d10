// How a host lends threads to the core, which has none of its own: one function that runs a body for a range of indices.
#pragma once
#include <cstdint>

namespace mantissa {

/// run() calls body(task, index, worker) once for each index in [0, count), worker in [0, threads), and returns when all
/// are done. No order is promised; the core never lets a result depend on one. A null run means: one by one, here.
struct Executor {
  void* context = nullptr;
  void (*run)(void* context, int32_t count, void* task,
              void (*body)(void* task, int32_t index, int32_t worker)) = nullptr;
};

}  // namespace mantissa
