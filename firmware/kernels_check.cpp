// A board's fast kernels against the reference, bit for bit: instructions that a host does not have run only here.
// Views as layers make them and views at random, of all sizes that fit, with the largest codes among them.
#include "firmware/console.hpp"
#include "mantissa/kernels/kernels_small.hpp"
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

int32_t random_sum(Draw& draw) {
  const int32_t sum = draw.below(65536) << draw.below(15) | draw.below(65536);
  return draw.below(20) == 0 ? INT32_MAX : draw.coin() ? sum : -sum;
}

/// Bias, ReLU or mask, then rounding, of sums at random, by both sets.
bool rounds_equal(Draw& draw, const Kernels& kernels) {
  constexpr int32_t kMostSums = 600;
  FinishSums f;
  f.rows = 1 + draw.below(4);
  f.columns = f.stride = f.mask_stride = 1 + draw.below(kMostSums / 4);
  int32_t* const sums[2] = {reinterpret_cast<int32_t*>(expected), reinterpret_cast<int32_t*>(actual)};
  int32_t* const bias = reinterpret_cast<int32_t*>(a_bytes);
  int8_t* const codes[2] = {reinterpret_cast<int8_t*>(a_bytes) + 4 * kMostSums,
                            reinterpret_cast<int8_t*>(a_bytes) + 8 * kMostSums};
  for (int32_t i = 0; i < kMostSums; ++i) {
    sums[0][i] = sums[1][i] = random_sum(draw) / 2;
    bias[i] = random_sum(draw) / 2;
    b_bytes[i] = uint8_t(draw.below(256));
    codes[0][i] = codes[1][i] = codes[0][i + kMostSums] = codes[1][i + kMostSums] = int8_t(kGuard);
  }
  const bool masked = draw.coin();
  if (masked) f.mask = b_bytes;
  if (!masked && draw.coin()) f.bias = bias;
  if (!masked && draw.coin()) f.activation = Activation::kRelu;
  RescaleSums r;
  r.rows = f.rows;
  r.columns = f.columns;
  r.code_element = draw.coin() ? Element::kInt8 : Element::kInt16;
  r.code_stride = f.columns;
  r.by = {draw.below(3) == 0 ? 1 << 30 : (1 << 30) + (draw.below(16384) << 16 | draw.below(65536)),
          31 + draw.below(20)};
  r.range = symmetric_range(r.code_element == Element::kInt8 ? 8 : 12);
  uint64_t largest[2], saturated[2];
  for (int32_t i = 0; i < 2; ++i) {
    const Kernels& k = i == 0 ? kernels_ref : kernels;
    f.sums = sums[i];
    largest[i] = k.finish_sums(f);
    r.sums = sums[i];
    r.codes = codes[i];
    saturated[i] = k.rescale_sums(r);
  }
  return largest[0] == largest[1] && saturated[0] == saturated[1] &&
         std::memcmp(expected, actual, 4 * kMostSums) == 0 &&
         std::memcmp(codes[0], codes[1], 2 * kMostSums) == 0;
}

/// Floats of all magnitudes, ties among them, to codes, by both sets.
bool quantizes_equal(Draw& draw, const Kernels& kernels) {
  constexpr int32_t kMostFloats = 100;
  float* const values = reinterpret_cast<float*>(a_bytes);
  for (int32_t i = 0; i < kMostFloats; ++i) {
    const uint32_t exponent =
        draw.below(20) == 0 ? uint32_t(draw.below(255)) : uint32_t(120 + draw.below(24));
    const uint32_t fraction =
        uint32_t(draw.below(128)) << 16 | (draw.coin() ? 0 : uint32_t(draw.below(65536)));
    values[i] = std::bit_cast<float>(uint32_t(draw.below(2)) << 31 | exponent << 23 | fraction);
  }
  QuantizeFloats q;
  q.values = values;
  q.inverse_scale = draw.coin() ? 1.0f : 0.37f;
  q.element = draw.coin() ? Element::kInt8 : Element::kInt16;
  q.range = symmetric_range(q.element == Element::kInt8 ? 8 : 16);
  q.count = 1 + draw.below(kMostFloats);
  q.codes = expected;
  const uint64_t saturated = kernels_ref.quantize_floats(q);
  q.codes = actual;
  return kernels.quantize_floats(q) == saturated &&
         std::memcmp(expected, actual, size_t(q.count) * element_bytes(q.element)) == 0;
}

int32_t random_factor(Draw& draw, int32_t bits) {
  const int32_t size = (draw.below(65536) << 16 | draw.below(65536)) & INT32_MAX;
  const int32_t factor = size >> (31 - bits);
  return draw.below(6) == 0 ? 0 : draw.coin() ? factor : -factor;
}

/// Updates of parameters with code + 128 and momentum of 16 bits, as dense layers have them, by both sets.
bool updates_equal(Draw& draw, const Kernels& kernels) {
  constexpr int32_t kMost = 600, kRows = 6;
  int16_t* const codes[2] = {reinterpret_cast<int16_t*>(expected), reinterpret_cast<int16_t*>(actual)};
  int32_t* const sums = reinterpret_cast<int32_t*>(a_bytes);
  IntegerUpdate u;
  u.outer.columns = 1 + draw.below(kMost / kRows);
  if (draw.below(4) != 0) u.outer.columns = (u.outer.columns + 3) & ~3;
  u.outer.dy = reinterpret_cast<const int8_t*>(b_bytes);
  u.outer.x = reinterpret_cast<const int8_t*>(b_bytes) + kRows;
  u.count = u.outer.columns * (1 + draw.below(kRows));
  if (draw.coin()) u.sums = sums;
  for (int32_t i = 0; i < kMost; ++i) {
    sums[i] = random_sum(draw) / 4;
    b_bytes[i] = uint8_t(draw.below(255) - 127);
    codes[0][i] = codes[1][i] = int16_t(draw.below(65536));                          // parameters
    codes[0][i + kMost] = codes[1][i + kMost] = int16_t(draw.below(32768) - 16384);  // momentum
  }
  const int32_t shift = 8 * draw.below(4);
  u.gain = {shift == 24 ? random_factor(draw, 16) : random_factor(draw, 24), shift};
  const bool momentum = draw.below(3) != 0;
  u.momentum_range = {-16384, 16383};
  u.base = draw.below(3);
  u.decay = random_factor(draw, 31);
  u.rate = random_factor(draw, 31);
  if (draw.below(4) == 0) u.pull = random_factor(draw, 27);
  u.key = {uint32_t(draw.below(65536)) << 16, 0};
  u.looks = draw.coin();
  UpdateSeen seen[2];
  for (int32_t i = 0; i < 2; ++i) {
    u.parameters = {CodeLayout::kOffset16, codes[i], 16, kOffsetRange};
    u.momentum = momentum ? codes[i] + kMost : nullptr;
    seen[i] = (i == 0 ? kernels_ref : kernels).update_integer(u);
  }
  return std::memcmp(expected, actual, 4 * kMost) == 0 && seen[0].gradient == seen[1].gradient &&
         seen[0].momentum == seen[1].momentum && seen[0].parameter == seen[1].parameter &&
         seen[0].momentum_saturated == seen[1].momentum_saturated &&
         seen[0].parameter_saturated == seen[1].parameter_saturated;
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
  uint32_t wrong_sums = 0, wrong_floats = 0, wrong_updates = 0;
  for (int32_t round = 0; round < kRounds; ++round) {
    if (!rounds_equal(draw, MANTISSA_KERNELS)) ++wrong_sums;
    if (!quantizes_equal(draw, MANTISSA_KERNELS)) ++wrong_floats;
    if (!updates_equal(draw, MANTISSA_KERNELS)) ++wrong_updates;
  }
  if (wrong_sums > 0) out << wrong_sums << " of " << kRounds << " tiles of sums differ after rounding\n";
  if (wrong_floats > 0) out << wrong_floats << " of " << kRounds << " rows of floats differ as codes\n";
  if (wrong_updates > 0) out << wrong_updates << " of " << kRounds << " updates differ\n";
  wrong += wrong_sums + wrong_floats + wrong_updates;
  out << products << " products, " << kRounds << " tiles of sums and updates, " << wrong << " wrong\n";
  return wrong == 0 && products > kRounds / 2 ? 0 : 1;
}
