// The Helium product: VMLADAVA adds sixteen products of bytes to a sum. A vector x meets four vectors y, so that each load
// of x serves four sums. Vectors are read where they lie, if their codes are side by side or the upper bytes of 16 bits
// (a gather of sixteen bytes); else they are packed first, by gathers too:
//
// | product      | x                                              | y                         |
// |--------------|------------------------------------------------|---------------------------|
// | forward      | rows of w                                      | 4 windows of x            |
// | one row of a | that row                                       | 4 rows of w               |
// | backward     | windows of dy                                  | 4 columns of w, packed    |
// | gradient     | channels of x, packed: their windows overlap   | 4 channels of dy, packed  |
#include "mantissa/kernels/gemm_mve.hpp"

#include <arm_mve.h>

namespace mantissa {
namespace mve {
namespace {

constexpr int32_t kLanes = 16;

template <Codes kCodes>
inline constexpr int32_t kCodeBytes = kCodes == Codes::kUppers ? 2 : 1;

template <Codes kCodes>
inline int8x16_t load(const int8_t* p, uint8x16_t gaps) {
  if constexpr (kCodes == Codes::kBytes) return vldrbq_s8(p);
  return vldrbq_gather_offset_s8(p, gaps);
}
/// The same; lanes that are not in the mask become 0.
template <Codes kCodes>
inline int8x16_t load(const int8_t* p, uint8x16_t gaps, mve_pred16_t mask) {
  if constexpr (kCodes == Codes::kBytes) return vldrbq_z_s8(p, mask);
  return vldrbq_gather_offset_z_s8(p, gaps, mask);
}

/// Vectors (tap, i, segment, k): data[tap * tap_stride + i * stride + segment * segment_stride + k * (size of a code)].
struct Stream {
  const int8_t* data;
  ptrdiff_t stride, segment_stride, tap_stride;
  int32_t count, taps;
  Codes codes;
  bool one_line;  ///< segments follow one another without a gap
};

struct Four {
  int32_t a = 0, b = 0, c = 0, d = 0;
};

/// Sixteen codes of four vectors, which move on, times those of x. In assembly because the compiler runs out of the even
/// registers that VMLADAVA needs.
[[gnu::always_inline]] inline void add_bytes(int8x16_t x, const int8_t*& y0, const int8_t*& y1,
                                             const int8_t*& y2, const int8_t*& y3, Four& s) {
  asm("vldrb.8 q0, [%[y0]], #16\n\t"
      "vmladava.s8 %[a], q0, %q[x]\n\t"
      "vldrb.8 q0, [%[y1]], #16\n\t"
      "vmladava.s8 %[b], q0, %q[x]\n\t"
      "vldrb.8 q0, [%[y2]], #16\n\t"
      "vmladava.s8 %[c], q0, %q[x]\n\t"
      "vldrb.8 q0, [%[y3]], #16\n\t"
      "vmladava.s8 %[d], q0, %q[x]"
      : [a] "+Te"(s.a), [b] "+Te"(s.b), [c] "+Te"(s.c), [d] "+Te"(s.d), [y0] "+r"(y0), [y1] "+r"(y1),
        [y2] "+r"(y2), [y3] "+r"(y3)
      : [x] "w"(x), "m"(*reinterpret_cast<const int8_t(*)[16]>(y0)),
        "m"(*reinterpret_cast<const int8_t(*)[16]>(y1)), "m"(*reinterpret_cast<const int8_t(*)[16]>(y2)),
        "m"(*reinterpret_cast<const int8_t(*)[16]>(y3))
      : "q0");
}

/// The same for upper bytes, which are `gaps` apart.
[[gnu::always_inline]] inline void add_uppers(int8x16_t x, uint8x16_t gaps, const int8_t*& y0,
                                              const int8_t*& y1, const int8_t*& y2, const int8_t*& y3,
                                              Four& s) {
  asm("vldrb.u8 q0, [%[y0], %q[gaps]]\n\t"
      "vmladava.s8 %[a], q0, %q[x]\n\t"
      "vldrb.u8 q0, [%[y1], %q[gaps]]\n\t"
      "vmladava.s8 %[b], q0, %q[x]\n\t"
      "vldrb.u8 q0, [%[y2], %q[gaps]]\n\t"
      "vmladava.s8 %[c], q0, %q[x]\n\t"
      "vldrb.u8 q0, [%[y3], %q[gaps]]\n\t"
      "vmladava.s8 %[d], q0, %q[x]"
      : [a] "+Te"(s.a), [b] "+Te"(s.b), [c] "+Te"(s.c), [d] "+Te"(s.d)
      : [y0] "r"(y0), [y1] "r"(y1), [y2] "r"(y2), [y3] "r"(y3), [x] "w"(x), [gaps] "w"(gaps),
        "m"(*reinterpret_cast<const int8_t(*)[31]>(y0)), "m"(*reinterpret_cast<const int8_t(*)[31]>(y1)),
        "m"(*reinterpret_cast<const int8_t(*)[31]>(y2)), "m"(*reinterpret_cast<const int8_t(*)[31]>(y3))
      : "q0");
  y0 += 2 * kLanes, y1 += 2 * kLanes, y2 += 2 * kLanes, y3 += 2 * kLanes;
}

/// y is at y0, and at y0 + each of the offsets.
struct Offsets {
  ptrdiff_t second, third, fourth;
};

template <Codes kX, Codes kY>
[[gnu::always_inline]] inline void add_segment(const int8_t* x, const int8_t* y0, const Offsets& offsets,
                                               int32_t terms, Four& s) {
  const uint8x16_t gaps = vidupq_n_u8(0, 2);  // between upper bytes
  const int8_t *y1 = y0 + offsets.second, *y2 = y0 + offsets.third, *y3 = y0 + offsets.fourth;
  for (uint32_t left = uint32_t(terms) / kLanes; left > 0; --left, x += kLanes * kCodeBytes<kX>) {
    const int8x16_t codes = load<kX>(x, gaps);
    if constexpr (kY == Codes::kBytes)
      add_bytes(codes, y0, y1, y2, y3, s);
    else
      add_uppers(codes, gaps, y0, y1, y2, y3, s);
  }
  if (const uint32_t rest = uint32_t(terms) % kLanes) {
    const mve_pred16_t mask = vctp8q(rest);
    const int8x16_t codes = load<kX>(x, gaps, mask);
    s.a = vmladavaq_s8(s.a, load<kY>(y0, gaps, mask), codes);
    s.b = vmladavaq_s8(s.b, load<kY>(y1, gaps, mask), codes);
    s.c = vmladavaq_s8(s.c, load<kY>(y2, gaps, mask), codes);
    s.d = vmladavaq_s8(s.d, load<kY>(y3, gaps, mask), codes);
  }
}

/// Each vector of x with `to.vectors` vectors of y, of which the first is at y.data. kPlain: k is one segment, and four
/// sums overwrite.
template <Codes kX, Codes kY, bool kPlain>
void multiply_vectors(const Stream& x, const Stream& y, int32_t segments, int32_t terms, const Sums& to) {
  const auto offset = [&](int32_t v) { return (v < to.vectors ? v : to.vectors - 1) * y.stride; };
  const Offsets offsets = {offset(1), offset(2), offset(3)};
  const int8_t* const first = y.data;
  const ptrdiff_t x_stride = x.stride, c_stride = to.stride, vector_stride = to.vector_stride;
  for (int32_t tap = 0; tap < x.taps; ++tap) {
    const int8_t* vector = x.data + tap * x.tap_stride;
    char* c = to.c + tap * to.tap_stride;
    for (int32_t i = x.count; i > 0; --i, vector += x_stride, c += c_stride) {
      Four s;
      add_segment<kX, kY>(vector, first, offsets, terms, s);
      if constexpr (kPlain) {
        Sums::put(c, vector_stride, s.a, s.b, s.c, s.d);
      } else {
        for (int32_t segment = 1; segment < segments; ++segment)
          add_segment<kX, kY>(vector + segment * x.segment_stride, first + segment * y.segment_stride,
                              offsets, terms, s);
        to.store(c, s.a, s.b, s.c, s.d);
      }
    }
  }
}

template <Codes kX, Codes kY>
void multiply_codes(const Stream& x, const Stream& y, const Block& block, const Sums& to) {
  const bool joins = x.one_line && y.one_line;
  const int32_t segments = joins ? 1 : block.segments,
                terms = joins ? block.segments * block.terms : block.terms;
  segments == 1 && to.is_plain() ? multiply_vectors<kX, kY, true>(x, y, segments, terms, to)
                                 : multiply_vectors<kX, kY, false>(x, y, segments, terms, to);
}

[[gnu::noinline]] void multiply_as(const Stream& x, const Stream& y, const Block& block, const Sums& to) {
  const bool x_bytes = x.codes == Codes::kBytes, y_bytes = y.codes == Codes::kBytes;
  if (x_bytes)
    y_bytes ? multiply_codes<Codes::kBytes, Codes::kBytes>(x, y, block, to)
            : multiply_codes<Codes::kBytes, Codes::kUppers>(x, y, block, to);
  else
    y_bytes ? multiply_codes<Codes::kUppers, Codes::kBytes>(x, y, block, to)
            : multiply_codes<Codes::kUppers, Codes::kUppers>(x, y, block, to);
}

/// Vectors of bytes, `pitch` apart.
[[gnu::noinline]] void pack(const Vectors& from, int8_t* to, int32_t pitch) {
  constexpr int32_t kHalfLanes = 8;
  const ptrdiff_t step = from.term_stride;
  const bool gathers = step > 0 && step * (kHalfLanes - 1) <= UINT16_MAX;
  const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), uint16_t(step));
  for (int32_t v = 0; v < from.count; ++v) {
    const int8_t* p = from.data + v * from.stride;
    int8_t* out = to + v * pitch;
    int32_t left = gathers ? from.terms : 0;
    for (; left >= kHalfLanes; left -= kHalfLanes, p += kHalfLanes * step, out += kHalfLanes)
      vstrbq_s16(out, vldrbq_gather_offset_s16(p, offsets));
    const mve_pred16_t mask = vctp16q(uint32_t(left));
    vstrbq_p_s16(out, vldrbq_gather_offset_z_s16(p, offsets, mask), mask);
    for (int32_t k = 0; k < from.terms && !gathers; ++k) out[k] = p[k * step];
  }
}

bool is_in_place(const Side& side) { return side.along != Codes::kApart; }

class Product {
 public:
  explicit Product(const Gemm& g)
      : g_(in_order_of_a(g)),
        bytes_(static_cast<int8_t*>(g.scratch)),
        k_(g_),
        a_(g_.a, g.shape.m),
        b_(g_.b, g.shape.n),
        slots_((int32_t(gemm_scratch_bytes(g.shape, Element::kInt8, Element::kInt8)) / 4 - kMostTaps) / 2) {}

  void run() const {
    constexpr int32_t kAllTerms = INT32_MAX / 4 * 4;
    if (is_in_place(a_) && is_in_place(b_))
      in_blocks(g_, k_, kAllTerms,
                [this](const Block& block) { a_.count < 4 ? rows_with_b(block) : b_with_rows(block); });
    else if (is_in_place(b_))
      in_blocks(g_, k_, slots_, [this](const Block& block) { b_with_rows(block); });
    else if (is_in_place(a_))
      in_blocks(g_, k_, slots_, [this](const Block& block) { rows_with_b(block); });
    else
      in_blocks(g_, k_, slots_, [this](const Block& block) { signals_with_rows(block); });
  }

 private:
  static Stream in_place(const Side& side, int32_t i, const Block& block) {
    const Vectors first = vectors_of(side, i, 0, block, 0);
    return {first.data, side.stride, side.segment_stride, 0,
            side.count, 1,           side.along,          is_one_line(side, block)};
  }
  /// Up to four vectors, `extra` terms longer than the block says.
  Stream packed(const Side& side, int32_t i, int32_t count, const Block& block, int8_t* to,
                int32_t extra) const {
    const int32_t pitch = block.segments * block.terms + extra;
    for (int32_t segment = 0; segment < block.segments; ++segment) {
      Vectors vectors = vectors_of(side, i, count, block, segment);
      vectors.terms += extra;
      pack(vectors, to + segment * block.terms, pitch);
    }
    return {to, pitch, block.terms, 1, count, extra + 1, Codes::kBytes, true};
  }
  /// Vectors i to i + 3 of y.
  Stream four(const Side& side, int32_t i, const Block& block) const {
    const int32_t left = side.count - i;
    return is_in_place(side) ? in_place(side, i, block)
                             : packed(side, i, left < 4 ? left : 4, block, bytes_, 0);
  }

  void b_with_rows(const Block& block) const {
    const Stream x = in_place(b_, 0, block);
    for (int32_t m = 0; m < a_.count; m += 4)
      multiply_as(x, four(a_, m, block), block, sums_at(g_, m, 0, 1, g_.c_stride, a_.count - m, block.adds));
  }

  void rows_with_b(const Block& block) const {
    const Stream x = in_place(a_, 0, block);
    for (int32_t n = 0; n < b_.count; n += 4)
      multiply_as(x, four(b_, n, block), block, sums_at(g_, 0, n, g_.c_stride, 1, b_.count - n, block.adds));
  }

  void signals_with_rows(const Block& block) const {
    const int32_t channels = signal_channels(g_, k_), taps = g_.shape.n / channels;
    int8_t* const signals = bytes_ + 4 * slots_;
    for (int32_t m = 0; m < a_.count; m += 4) {
      const Stream y = four(a_, m, block);
      for (int32_t tap = 0; tap < taps; tap += kMostTaps)
        for (int32_t channel = 0; channel < channels; channel += 4) {
          const int32_t n = tap * channels + channel, count = channels - channel < 4 ? channels - channel : 4;
          const Stream x =
              packed(b_, n, count, block, signals, (taps - tap < kMostTaps ? taps - tap : kMostTaps) - 1);
          Sums to = sums_at(g_, m, n, 1, g_.c_stride, a_.count - m, block.adds);
          to.tap_stride = channels * to.stride;
          multiply_as(x, y, block, to);
        }
    }
  }

  const Gemm g_;
  int8_t* bytes_;
  Segments k_;
  Side a_, b_;
  int32_t slots_;
};

}  // namespace

template <Operands kOperands>
void multiply(const Gemm& g) {
  const bool bytes = is<kOperands>(g.a.element, Element::kInt8) && is<kOperands>(g.b.element, Element::kInt8);
  if (!bytes) return dsp::multiply<kOperands>(g);
  if (g.shape.outer * g.shape.inner == 0) return store_no_terms(g);
  Product(g).run();
}

template void multiply<Operands::kAny>(const Gemm&);
template void multiply<Operands::kFloat32>(const Gemm&);
template void multiply<Operands::kIntegers>(const Gemm&);
template void multiply<Operands::kInt8>(const Gemm&);

}  // namespace mve
}  // namespace mantissa
