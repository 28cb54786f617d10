// A board's fast products against the reference, bit for bit: instructions that a host does not have run only here.
// Views as layers make them and views at random, of all sizes that fit, with the largest codes among them.
#include "firmware/console.hpp"
#include "mantissa/kernels/kernels.hpp"
#include "mantissa/num/random.hpp"

namespace mantissa::firmware {
namespace {

constexpr int32_t kRounds = 2500;
constexpr size_t kOperandBytes = 24 * 1024, kSumBytes = 16 * 1024, kScratchBytes = 4096;
constexpr uint8_t kGuard = 0xA5;

alignas(8) uint8_t a_bytes[kOperandBytes], b_bytes[kOperandBytes], expected[kSumBytes], actual[kSumBytes],
    scratch[kScratchBytes];

class Draw {
 public:
  /// 0 to limit - 1.
  int32_t below(int32_t limit) { return int32_t(random16(key_, next_++) % uint32_t(limit)); }
  bool coin() { return below(2) != 0; }

 private:
  RandomKey key_ = random_key(1, 2, 3);
  uint32_t next_ = 0;
};

struct Range {
  int32_t low = 0, high = 0;  // offsets of the first and the last element, from the origin
};
Range range_of(const GemmOperand& o, int32_t count, const GemmShape& s) {
  Range r;
  for (int32_t reach :
       {(count - 1) * o.stride, (s.outer - 1) * o.outer_stride, (s.inner - 1) * o.inner_stride})
    (reach < 0 ? r.low : r.high) += reach;
  return r;
}

GemmOperand random_view(Draw& draw, int32_t count, const GemmShape& s) {
  const Element e = draw.below(4) != 0 ? Element::kInt8 : Element::kInt16;
  const int32_t gap = draw.below(3);
  switch (draw.below(9)) {
    case 0: return {nullptr, e, s.outer * s.inner + gap, s.inner, 1};            // matrix, k contiguous
    case 1: return {nullptr, e, s.inner / 2 + 1, s.inner, 1};                    // overlapping windows
    case 2: return {nullptr, e, 1, s.inner * (count + gap), count + gap};        // transposed
    case 3: return {nullptr, e, s.inner, -(s.inner + gap), 1};                   // taps reversed
    case 4: return {nullptr, e, 1, -(s.inner * count + gap), count};             // weights, taps reversed
    case 5: return {nullptr, e, 2 * (s.outer * s.inner + gap), 2 * s.inner, 2};  // upper bytes of codes
    case 6: return {nullptr, e, 2, -2 * (s.inner * count + gap), 2 * count};     // the same, transposed
    case 7: return {nullptr, e, 1, 0, count / (1 + gap) + 1};                    // overlapping signals
    default: return {nullptr, e, draw.below(9) - 4, draw.below(9) - 4, draw.below(9) - 4};
  }
}

/// Random codes, or all of them the most negative int8; false if the view is too large.
bool fill(Draw& draw, GemmOperand& o, int32_t count, const GemmShape& s, uint8_t* bytes, bool extreme) {
  const Range r = range_of(o, count, s);
  const int32_t size = int32_t(element_bytes(o.element));
  const bool uppers = size == 1 && (o.stride | o.outer_stride | o.inner_stride) % 2 == 0;
  if ((r.high - r.low + 3) * size > int32_t(kOperandBytes)) return false;
  const int32_t begin = uppers ? 1 : draw.below(2) * size;
  for (int32_t i = 0; i < r.high - r.low + 1; ++i) {
    uint8_t* at = bytes + (begin + i) * size;
    const int32_t code = extreme ? -128 : draw.below(size == 1 ? 256 : 2048) - (size == 1 ? 128 : 1024);
    at[0] = uint8_t(code);
    if (size == 2) at[1] = uint8_t(code >> 8);
  }
  o.data = bytes + (begin - r.low) * size;
  return true;
}

/// False if the draw was of no use.
bool random_product(Draw& draw, Gemm& g) {
  const int32_t side = draw.below(3) == 0 ? 200 : 40;
  GemmShape& s = g.shape;
  s.m = 1 + draw.below(draw.coin() ? 6 : 40);
  s.n = 1 + draw.below(side);
  s.outer = draw.coin() ? 1 : 1 + draw.below(6);
  s.inner = 1 + draw.below(side) / s.outer;
  g.a = random_view(draw, s.m, s);
  g.b = random_view(draw, s.n, s);
  const bool wide = draw.below(4) == 0, extreme = draw.below(8) == 0;
  if (!fill(draw, g.a, s.m, s, a_bytes, extreme) || !fill(draw, g.b, s.n, s, b_bytes, extreme)) return false;
  g.c_element = wide ? Element::kInt64 : Element::kInt32;
  g.c_stride = s.n + draw.below(3);
  g.store = draw.coin() ? GemmStore::kAdd : GemmStore::kOverwrite;
  g.block_terms = 1 + draw.below(300);
  g.scratch = scratch;
  return size_t(s.m * g.c_stride) * element_bytes(g.c_element) <= kSumBytes;
}

bool is_equal(const GemmKernel& kernel, Gemm g) {
  const bool has_scratch = kernel.scratch.use != ScratchUse::kNone;
  const size_t scratch_bytes = has_scratch ? kernel.scratch.bytes(g.shape, g.a.element, g.b.element) : 0;
  for (size_t i = 0; i < kSumBytes; ++i) expected[i] = actual[i] = uint8_t(i);
  for (size_t i = 0; i < kScratchBytes; ++i) scratch[i] = kGuard;
  g.c = expected;
  gemm_ref.run(g);
  g.c = actual;
  kernel.prepare(g);
  kernel.run(g);
  for (size_t i = scratch_bytes; i < kScratchBytes; ++i)
    if (scratch[i] != kGuard) return false;
  return std::memcmp(expected, actual, kSumBytes) == 0;
}

void print(Console& out, const char* name, const GemmOperand& o) {
  out << name << (o.element == Element::kInt8 ? " int8 " : " int16 ") << o.stride << " " << o.outer_stride
      << " " << o.inner_stride;
}

void print(Console& out, const Gemm& g) {
  out << "m " << g.shape.m << " n " << g.shape.n << " k " << g.shape.outer << " x " << g.shape.inner;
  print(out, ", a", g.a);
  print(out, ", b", g.b);
  out << (g.c_element == Element::kInt64 ? ", int64" : ", int32") << ", blocks of " << g.block_terms
      << (g.store == GemmStore::kAdd ? ", added\n" : "\n");
}

}  // namespace
}  // namespace mantissa::firmware

int main() {
  using namespace mantissa;
  using namespace mantissa::firmware;
  Console out;
  Draw draw;
  Gemm g;
  uint32_t products = 0, wrong = 0;
  for (int32_t round = 0; round < kRounds; ++round) {
    if (!random_product(draw, g)) continue;
    ++products;
    if (is_equal(*MANTISSA_KERNELS.gemm, g)) continue;
    if (++wrong <= 5) print(out << "differs from the reference: ", g);
  }
  out << products << " products, " << wrong << " wrong\n";
  return wrong == 0 && products > kRounds / 2 ? 0 : 1;
}
