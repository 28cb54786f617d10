// Speed of the matrix product on the shapes of small networks, in billions of multiply-adds per second.
// One window is one product, as a microcontroller does it; packing both operands is part of the time where training does it.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "mantissa/kernels/gemm_hwy.hpp"
#include "mantissa/kernels/host_targets.hpp"

namespace mantissa {
namespace {

struct Product {
  const char* name;
  GemmShape shape;
  int32_t a[3], b[3];  // stride, outer_stride, inner_stride
  bool prepare_each;   // b changes with every product
};

constexpr Product kProducts[] = {
    {"conv1_y", {128, 16, 7, 9}, {9, 9, 1}, {63, 9, 1}, false},
    {"conv2_y", {64, 32, 5, 16}, {16, 16, 1}, {80, 16, 1}, false},
    {"conv3_y", {32, 64, 3, 32}, {32, 32, 1}, {96, 32, 1}, false},
    {"conv2_dx", {64, 16, 5, 32}, {32, -32, 1}, {1, 16, 80}, false},
    {"conv3_dx", {32, 32, 3, 64}, {64, -64, 1}, {1, 32, 96}, false},
    {"conv1_dw", {16, 63, 1, 128}, {1, 0, 16}, {1, 0, 9}, true},
    {"conv2_dw", {32, 80, 1, 64}, {1, 0, 32}, {1, 0, 16}, true},
    {"conv3_dw", {64, 96, 1, 32}, {1, 0, 64}, {1, 0, 32}, true},
    {"linear32_y", {32, 128, 1, 784}, {784, 0, 1}, {784, 0, 1}, true},
    {"linear32_dx", {32, 784, 1, 128}, {128, 0, 1}, {1, 0, 784}, true},
    {"linear32_dw", {128, 784, 1, 32}, {1, 0, 128}, {1, 0, 784}, true},
    {"linear1_y", {1, 128, 1, 784}, {784, 0, 1}, {784, 0, 1}, true},
    {"linear1_dx", {1, 784, 1, 128}, {128, 0, 1}, {1, 0, 784}, true},
    {"linear1_dw", {128, 784, 1, 1}, {1, 0, 128}, {1, 0, 784}, true},
};

void run(benchmark::State& state, const GemmKernel& kernel, const char* target, const Product& p,
         Element element) {
  select_host_target(target);
  constexpr size_t kBytes = size_t(1) << 20, kMiddle = size_t(1) << 18;  // outer strides go below the origin
  std::vector<uint8_t> a(kBytes, 1), b(kBytes, 2), c(kBytes);
  if (element == Element::kFloat32) a.assign(kBytes, 0), b.assign(kBytes, 0);
  Gemm g;
  g.shape = p.shape;
  g.a = {a.data() + kMiddle, element, p.a[0], p.a[1], p.a[2]};
  g.b = {b.data() + kMiddle, element, p.b[0], p.b[1], p.b[2]};
  g.c = c.data();
  g.c_element = element == Element::kFloat32 ? Element::kFloat32 : Element::kInt32;
  g.c_stride = p.shape.n;
  const bool has_scratch = kernel.scratch.use != ScratchUse::kNone;
  const size_t scratch_bytes =
      has_scratch ? (kernel.scratch.bytes(g.shape, element, element) + 63) / 64 * 64 : 0;
  g.scratch = std::aligned_alloc(64, scratch_bytes + 64);
  kernel.prepare(g);
  for (auto _ : state) {
    if (p.prepare_each) kernel.prepare(g);
    kernel.run(g);
    benchmark::ClobberMemory();
  }
  std::free(g.scratch);
  const double terms = double(p.shape.m) * p.shape.n * p.shape.outer * p.shape.inner;
  state.counters["GMAC/s"] = benchmark::Counter(terms * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void add(const char* variant, const GemmKernel& kernel, const char* target) {
  struct Type {
    const char* name;
    Element element;
  };
  for (const Type& type :
       {Type{"int8", Element::kInt8}, {"int16", Element::kInt16}, {"float32", Element::kFloat32}})
    for (const Product& p : kProducts)
      benchmark::RegisterBenchmark((std::string(variant) + "/" + type.name + "/" + p.name).c_str(),
                                   [&kernel, target, &p, element = type.element](benchmark::State& s) {
                                     run(s, kernel, target, p, element);
                                   });
}

[[maybe_unused]] const bool registered = [] {
  add("ref", gemm_ref, "best");
  for (size_t i = 0; i < host_target_count(); ++i) add(host_target_name(i), gemm_hwy, host_target_name(i));
  return true;
}();

}  // namespace
}  // namespace mantissa
