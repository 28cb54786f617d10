// Every variant of the matrix product on every instruction set of this machine against the reference, bit for bit.
// Operands end where their heap block ends, so that a sanitizer sees a read behind them. The variants for small cores run
// here with portable definitions of their instructions.
#include "mantissa/kernels/gemm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mantissa/kernels/gemm_dsp.hpp"
#include "mantissa/kernels/gemm_hwy.hpp"
#include "mantissa/kernels/gemm_small.hpp"
#include "mantissa/kernels/host_targets.hpp"

namespace mantissa {
namespace {

enum class Fill { kRandom, kLargest };

struct Case {
  GemmShape shape;
  GemmOperand a, b;  // strides and elements; data is made here
  Element c = Element::kInt32;
  GemmStore store = GemmStore::kOverwrite;
  int32_t c_extra = 0;  // c_stride - n
  int32_t block_terms = 0;
  int32_t planned_m = 0;  // as prepare sees it; 0: m
  Fill fill = Fill::kRandom;

  std::string text() const {
    auto operand = [](const GemmOperand& o) {
      return std::to_string(int(o.element)) + ":" + std::to_string(o.stride) + "," +
             std::to_string(o.outer_stride) + "," + std::to_string(o.inner_stride);
    };
    return "m " + std::to_string(shape.m) + " n " + std::to_string(shape.n) + " k " +
           std::to_string(shape.outer) + "x" + std::to_string(shape.inner) + " a " + operand(a) + " b " +
           operand(b) + " c " + std::to_string(int(c)) + " add " + std::to_string(int(store)) + " block " +
           std::to_string(block_terms) + " planned " + std::to_string(planned_m);
  }
};

/// Exactly the elements between the lowest and the highest that an operand touches. Bytes with even strides are the upper
/// ones of int16 codes: the lower byte of the lowest is there, too.
class Data {
 public:
  Data(const GemmOperand& o, int32_t rows, const GemmShape& shape, Fill fill, int32_t largest,
       std::mt19937& random) {
    int64_t low = 0, high = 0;
    for (int64_t reach : {int64_t(rows - 1) * o.stride, int64_t(shape.outer - 1) * o.outer_stride,
                          int64_t(shape.inner - 1) * o.inner_stride})
      (reach < 0 ? low : high) += reach;
    const bool uppers = o.element == Element::kInt8 && (o.stride | o.outer_stride | o.inner_stride) % 2 == 0;
    const size_t count = size_t(high - low + (uppers ? 2 : 1));
    const size_t size = element_bytes(o.element);
    bytes_ = std::make_unique<uint8_t[]>(count * size);
    origin_ = bytes_.get() - low * int64_t(size) + (uppers ? 1 : 0);
    for (size_t i = 0; i < count; ++i) set(o.element, i, fill, largest, random);
  }
  const void* origin() const { return origin_; }

 private:
  void set(Element e, size_t i, Fill fill, int32_t largest, std::mt19937& random) {
    uint8_t* at = bytes_.get() + i * element_bytes(e);
    if (e == Element::kFloat32) {
      const float x = std::ldexp(float(int32_t(random())), -int(random() % 20) - 20);
      std::memcpy(at, &x, 4);
      return;
    }
    const int32_t x =
        fill == Fill::kLargest ? largest : int32_t(random() % uint32_t(2 * largest + 1)) - largest;
    std::memcpy(at, &x, element_bytes(e));  // little-endian hosts
  }
  std::unique_ptr<uint8_t[]> bytes_;
  const uint8_t* origin_;
};

int32_t largest_code(Element e) { return e == Element::kInt8 ? 127 : 32767; }

/// Largest magnitudes of a and b whose sums are proved for the case.
std::pair<int32_t, int32_t> provable_codes(const Case& c) {
  const int64_t terms = c.c == Element::kInt64 ? c.block_terms : int64_t(c.shape.outer) * c.shape.inner;
  int64_t a = largest_code(c.a.element), b = largest_code(c.b.element);
  while (terms * a * b > (c.c == Element::kInt64 ? INT32_MAX : INT32_MAX - 1000)) (a > b ? a : b) -= 1;
  return {int32_t(a), int32_t(b)};
}

void expect_equal(const Case& test, uint32_t seed, const GemmKernel& kernel, const char* name) {
  std::mt19937 random(seed);
  const auto [a_largest, b_largest] = provable_codes(test);
  const int32_t sign = seed % 2 ? 1 : -1;
  const Data a(test.a, test.shape.m, test.shape, test.fill,
               test.fill == Fill::kLargest ? sign * a_largest : a_largest, random);
  const Data b(test.b, test.shape.n, test.shape, test.fill, b_largest, random);
  Gemm g{test.shape, test.a, test.b};
  g.a.data = a.origin();
  g.b.data = b.origin();
  g.c_element = test.c;
  g.c_stride = test.shape.n + test.c_extra;
  g.store = test.store;
  g.block_terms = test.block_terms;

  const uint32_t count = uint32_t(test.shape.m - 1) * uint32_t(g.c_stride) + uint32_t(test.shape.n);
  const size_t bytes = count * element_bytes(test.c);
  auto expected = std::make_unique<uint8_t[]>(bytes), actual = std::make_unique<uint8_t[]>(bytes);
  for (size_t i = 0; i < count; ++i) {
    const int64_t code = int64_t(random() % 2001) - 1000;
    const float real = float(code) / 7;
    std::memcpy(expected.get() + i * element_bytes(test.c),
                test.c == Element::kFloat32 ? static_cast<const void*>(&real) : &code, element_bytes(test.c));
  }
  std::memcpy(actual.get(), expected.get(), bytes);
  g.c = expected.get();
  gemm_ref.run(g);

  GemmShape planned = test.shape;
  if (test.planned_m > 0) planned.m = test.planned_m;
  if (kernel.scratch.use == ScratchUse::kWorkspace) planned.m = std::max(planned.m, test.shape.m);
  const size_t scratch_bytes = kernel.scratch.bytes(planned, test.a.element, test.b.element);
  std::unique_ptr<uint8_t[], void (*)(uint8_t*)> scratch(
      static_cast<uint8_t*>(std::aligned_alloc(64, (scratch_bytes + 63) / 64 * 64)),
      [](uint8_t* p) { std::free(p); });
  g.c = actual.get();
  g.scratch = scratch.get();
  g.shape = planned;
  kernel.prepare(g);
  g.shape = test.shape;
  kernel.run(g);
  ASSERT_EQ(std::memcmp(expected.get(), actual.get(), bytes), 0)
      << test.text() << " seed " << seed << " on " << name;
}

void expect_equal_everywhere(const Case& test, uint32_t seed) {
  for (size_t i = 0; host_target_name(i); ++i) {
    ASSERT_TRUE(select_host_target(host_target_name(i)));
    ASSERT_NO_FATAL_FAILURE(expect_equal(test, seed, gemm_hwy, host_target_name(i)));
  }
  select_host_target("best");
  ASSERT_NO_FATAL_FAILURE(expect_equal(test, seed, gemm_dsp, "dsp"));
  expect_equal(test, seed, gemm_small, "small");
}

struct Types {
  Element a, b, c;
};
constexpr Types kTypes[] = {
    {Element::kInt8, Element::kInt8, Element::kInt32},
    {Element::kInt8, Element::kInt16, Element::kInt32},
    {Element::kInt16, Element::kInt8, Element::kInt32},
    {Element::kInt16, Element::kInt16, Element::kInt32},
    {Element::kInt8, Element::kInt8, Element::kInt64},
    {Element::kInt8, Element::kInt16, Element::kInt64},
    {Element::kInt16, Element::kInt8, Element::kInt64},
    {Element::kInt16, Element::kInt16, Element::kInt64},
    {Element::kFloat32, Element::kFloat32, Element::kFloat32},
};

/// Strides of one of the views that layers make, or of none.
GemmOperand random_view(Element e, int32_t rows, const GemmShape& s, std::mt19937& random) {
  const int32_t kind = int32_t(random() % 9), gap = int32_t(random() % 3);
  switch (kind) {
    case 0: return {nullptr, e, s.outer * s.inner + gap, s.inner, 1};            // matrix, k contiguous
    case 1: return {nullptr, e, std::max<int32_t>(1, s.inner / 2), s.inner, 1};  // overlapping windows
    case 2: return {nullptr, e, 1, s.inner * (rows + gap), rows + gap};          // transposed
    case 3: return {nullptr, e, s.inner, -(s.inner + gap), 1};                   // taps reversed
    case 4: return {nullptr, e, 1, -(s.inner * rows + gap), rows};               // weights, taps reversed
    case 5: return {nullptr, e, 2 * (s.outer * s.inner + gap), 2 * s.inner, 2};  // upper bytes of codes
    case 6: return {nullptr, e, 2, -2 * (s.inner * rows + gap), 2 * rows};       // the same, transposed
    case 7: return {nullptr, e, 1, 0, std::max<int32_t>(1, rows / (1 + gap))};   // overlapping signals
    default:
      return {nullptr, e, int32_t(random() % 9) - 4, int32_t(random() % 9) - 4, int32_t(random() % 9) - 4};
  }
}

Case random_case(const Types& types, int32_t largest_side, std::mt19937& random) {
  auto side = [&] { return 1 + int32_t(random() % uint32_t(largest_side)); };
  Case c;
  c.shape.m = random() % 3 ? side() : 1 + int32_t(random() % 4);
  c.shape.n = side();
  c.shape.outer = random() % 2 ? 1 : 1 + int32_t(random() % 7);
  c.shape.inner = std::max<int32_t>(1, side() / c.shape.outer);
  c.a = random_view(types.a, c.shape.m, c.shape, random);
  c.b = random_view(types.b, c.shape.n, c.shape, random);
  c.c = types.c;
  c.store = random() % 2 ? GemmStore::kAdd : GemmStore::kOverwrite;
  c.c_extra = int32_t(random() % 3);
  c.planned_m = random() % 2 ? 0 : side();
  c.block_terms = types.c == Element::kInt64 ? 1 + int32_t(random() % 200) : 0;
  return c;
}

TEST(Gemm, EqualsReferenceOnRandomViews) {
  std::mt19937 random(1);
  for (const Types& types : kTypes)
    for (int i = 0; i < 600; ++i)
      ASSERT_NO_FATAL_FAILURE(expect_equal_everywhere(random_case(types, 70, random), uint32_t(random())));
}

TEST(Gemm, EqualsReferenceOnLargeViews) {
  std::mt19937 random(2);
  for (const Types& types : kTypes)
    for (int i = 0; i < 4; ++i) {
      Case c = random_case(types, 300, random);
      c.shape = {40, 150, 1 + i % 2, 1100};
      if (types.c != Element::kInt64) c.store = i < 2 ? GemmStore::kAdd : GemmStore::kOverwrite;
      c.a = {nullptr, types.a, 2200, 1100, 1};
      c.b = i % 2 ? GemmOperand{nullptr, types.b, 1, 150 * 1100, 150}
                  : GemmOperand{nullptr, types.b, 2200, 1100, 1};
      ASSERT_NO_FATAL_FAILURE(expect_equal_everywhere(c, uint32_t(i)));
    }
}

/// Every code at its largest and k at the largest that plan() would accept.
TEST(Gemm, LargestSumsAreExact) {
  for (const Types& types : kTypes) {
    if (types.c == Element::kFloat32) continue;
    const int64_t product = int64_t(largest_code(types.a)) * largest_code(types.b);
    const int32_t terms = int32_t((INT32_MAX - 1000) / product);
    for (int32_t m : {1, 5})
      for (uint32_t seed : {0u, 1u}) {
        Case c;
        c.c = types.c;
        c.block_terms = std::max<int32_t>(1, int32_t(INT32_MAX / product));
        c.shape = {m, 17, 1, types.c == Element::kInt64 ? 3 * c.block_terms + 1 : std::max(terms, 1)};
        c.a = {nullptr, types.a, 0, 0, 1};
        c.b = {nullptr, types.b, 0, 0, 1};
        c.store = GemmStore::kAdd;
        c.fill = Fill::kLargest;
        ASSERT_NO_FATAL_FAILURE(expect_equal_everywhere(c, seed));
      }
  }
}

/// y[B,O] = x[B,I] w[O,I]^T of 12-bit codes, all +-2047: 32 bits hold 512 of these products, and I is 4,096.
void expect_exact_linear(const GemmKernel& kernel, int32_t samples, int16_t x_code, const char* name) {
  constexpr int32_t kInputs = 4096, kOutputs = 19, kLargest = 2047;
  const std::vector<int16_t> x(size_t(samples) * kInputs, x_code), w(size_t(kOutputs) * kInputs, kLargest);
  std::vector<int64_t> y(size_t(samples) * kOutputs, -1);
  Gemm g{.shape = {samples, kOutputs, 1, kInputs},
         .a = {x.data(), Element::kInt16, kInputs, 0, 1},
         .b = {w.data(), Element::kInt16, kInputs, 0, 1},
         .c = y.data(),
         .c_element = Element::kInt64,
         .c_stride = kOutputs,
         .block_terms = INT32_MAX / (kLargest * kLargest)};
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> scratch;
  if (kernel.scratch.use != ScratchUse::kNone)
    scratch.resize(kernel.scratch.bytes(g.shape, g.a.element, g.b.element) / sizeof(Line) + 1);
  g.scratch = scratch.data();
  kernel.prepare(g);
  kernel.run(g);
  constexpr int64_t kSum = 17'163'096'064;  // 4,096 * 2,047 * 2,047
  for (const int64_t sum : y) ASSERT_EQ(sum, x_code > 0 ? kSum : -kSum) << name;
}

TEST(Gemm, ALinearOf4096ExtremeInputsOf12BitsIsExact) {
  for (const int16_t x_code : {int16_t(2047), int16_t(-2047)}) {
    for (const int32_t samples : {1, 5}) {
      expect_exact_linear(gemm_ref, samples, x_code, "ref");
      expect_exact_linear(gemm_small, samples, x_code, "small");
      expect_exact_linear(gemm_dsp, samples, x_code, "dsp");
      for (size_t i = 0; host_target_name(i); ++i) {
        ASSERT_TRUE(select_host_target(host_target_name(i)));
        expect_exact_linear(gemm_hwy, samples, x_code, host_target_name(i));
      }
      select_host_target("best");
    }
  }
}

/// Steps that no tap of a convolution reaches.
TEST(Gemm, NoTermsGiveZero) {
  for (const Types& types : kTypes)
    for (const GemmStore store : {GemmStore::kOverwrite, GemmStore::kAdd}) {
      Case c;
      c.c = types.c;
      c.block_terms = 1;
      c.shape = {5, 7, 0, 3};
      c.a = {nullptr, types.a, 3, 0, 1};
      c.b = {nullptr, types.b, 3, 0, 1};
      c.store = store;
      ASSERT_NO_FATAL_FAILURE(expect_equal_everywhere(c, 1));
      c.b = {nullptr, types.b, 1, 21, 7};  // columns side by side
      ASSERT_NO_FATAL_FAILURE(expect_equal_everywhere(c, 1));
    }
}

TEST(Gemm, OneTermPerSumAndOneOutput) {
  for (const Types& types : kTypes)
    for (int32_t m : {1, 7, 16, 33})
      for (int32_t n : {1, 15, 16, 17, 31, 32, 33, 100})
        for (int32_t k : {1, 2, 3, 4, 5}) {
          Case c;
          c.c = types.c;
          c.block_terms = types.c == Element::kInt64 ? 2 : 0;
          c.shape = {m, n, 1, k};
          c.a = {nullptr, types.a, 1, 0, m};
          c.b = {nullptr, types.b, 1, 0, n};
          ASSERT_NO_FATAL_FAILURE(expect_equal_everywhere(c, uint32_t(m * n * k)));
        }
}

TEST(HostTargets, AreSelectedByName) {
  ASSERT_GT(host_target_count(), 0u);
  for (size_t i = 0; i < host_target_count(); ++i) {
    EXPECT_TRUE(select_host_target(host_target_name(i)));
    EXPECT_STREQ(host_target_in_use(), host_target_name(i));
  }
  EXPECT_FALSE(select_host_target("avx9"));
  EXPECT_STREQ(host_target_in_use(), host_target_name(host_target_count() - 1))
      << "an unknown name changes nothing";
  EXPECT_TRUE(select_host_target("best"));
  EXPECT_STREQ(host_target_in_use(), host_target_name(0));
}

}  // namespace
}  // namespace mantissa
