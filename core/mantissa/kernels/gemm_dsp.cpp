// The DSP product. One operand is packed, four vectors at a time, into pairs of halves (a panel); the other one is
// streamed, each word of it meeting four of the panel. Which is which follows from how k lies in memory:
//
// | product      | panel             | stream                                         |
// |--------------|-------------------|------------------------------------------------|
// | forward      | 4 windows of x    | rows of w                                      |
// | backward     | 4 columns of w    | windows of dy                                  |
// | gradient     | 4 channels of dy  | channels of x, packed too: its windows overlap |
// | one row of a | that row, alone   | rows of w                                      |
//
// Without a panel: one or two rows of a and columns of b side by side (backward of a Linear at one sample), and a
// single term per sum (its gradient).
#include "mantissa/kernels/gemm_dsp.hpp"

#include "mantissa/kernels/gemm_tile_dsp.hpp"

namespace mantissa {
namespace dsp {
namespace {

/// From so many rows on, a panel is faster than one row at a time.
constexpr int32_t kFewRows = 3;

int32_t slots_of(const Block& block) { return block.segments * whole_groups(block.terms); }

Order order_of(Codes codes) { return codes == Codes::kBytes ? Order::kEvenOdd : Order::kNatural; }

Stream stream_of(const Side& side, const Block& block) {
  const bool joins =
      is_one_line(side, block) && block.terms % 4 == 0;  // then so do the groups of what is packed
  return {vectors_of(side, 0, 0, block, 0).data,
          side.stride,
          side.segment_stride,
          0,
          side.count,
          1,
          joins ? 1 : block.segments,
          joins ? block.segments * block.terms : block.terms};
}

template <Codes kCodes>
void multiply_panel_of(const int32_t* panel, const Stream& s, const Sums& to) {
  s.segments == 1 && s.terms % 8 == 0 && to.is_plain() ? multiply_panel<kCodes, true>(panel, s, to)
                                                       : multiply_panel<kCodes, false>(panel, s, to);
}

[[gnu::noinline]] void multiply_panel_as(Codes codes, const int32_t* panel, const Stream& s, const Sums& to) {
  switch (codes) {
    case Codes::kBytes: return multiply_panel_of<Codes::kBytes>(panel, s, to);
    case Codes::kUppers: return multiply_panel_of<Codes::kUppers>(panel, s, to);
    case Codes::kHalves: return multiply_panel_of<Codes::kHalves>(panel, s, to);
    case Codes::kApart: return;
  }
}

template <Operands kOperands>
[[gnu::noinline]] void multiply_vector_as(Codes codes, const int32_t* packed, const Stream& s,
                                          const Sums& to) {
  const bool aligned = (reinterpret_cast<uintptr_t>(s.data - 1) | uintptr_t(s.stride)) % 4 == 0;
  switch (codes) {
    case Codes::kBytes: return multiply_vector<Codes::kBytes>(packed, s, to);
    case Codes::kUppers:
      return aligned && s.segments == 1 ? multiply_vector_pairs(packed, s, to)
                                        : multiply_vector<Codes::kUppers>(packed, s, to);
    case Codes::kHalves:
      if constexpr (has_halves<kOperands>) multiply_vector<Codes::kHalves>(packed, s, to);
      return;
    case Codes::kApart: return;
  }
}

template <Operands kOperands>
void multiply_across_as(const Vectors& one, const Vectors& four, Four& sums) {
  switch (four.across) {
    case Codes::kBytes: return multiply_across<Codes::kBytes>(one, four, sums);
    case Codes::kUppers: return multiply_across<Codes::kUppers>(one, four, sums);
    case Codes::kHalves:
      if constexpr (has_halves<kOperands>) multiply_across<Codes::kHalves>(one, four, sums);
      return;
    case Codes::kApart: return;
  }
}

template <Operands kOperands>
class Product {
 public:
  explicit Product(const Gemm& g)
      : g_(in_order_of_a(g)),
        words_(static_cast<int32_t*>(g.scratch)),
        k_(g_),
        a_(g_.a, g.shape.m),
        b_(g_.b, g.shape.n),
        slots_(int32_t(gemm_scratch_bytes(g.shape, g.a.element, g.b.element) / 8)) {}

  void run() const {
    const bool outer_product = k_.count * k_.terms == 1 && b_.across == Codes::kBytes &&
                               g_.c_element == Element::kInt32 && g_.store == GemmStore::kOverwrite;
    if (outer_product)
      store_multiples_of_b();
    else if (b_.along != Codes::kApart)
      multiply(a_.count < kFewRows ? 4 * slots_ : slots_, &Product::stream_b);
    else if (b_.across != Codes::kApart && a_.count < kFewRows)
      multiply(INT32_MAX / 4 * 4, &Product::multiply_across_b);
    else if (a_.along != Codes::kApart)
      multiply(slots_, &Product::stream_a);
    else
      multiply(slots_ >= 24 ? (slots_ - kMostTaps) / 16 * 8 : 4, &Product::pack_both);
  }

 private:
  void multiply(int32_t slots, void (Product::*way)(const Block&) const) const {
    in_blocks(g_, k_, slots, [this, way](const Block& block) { (this->*way)(block); });
  }

  /// Vectors i .. i + 3 side by side, as far as there are any.
  [[gnu::noinline]] void pack_panel(const Side& side, int32_t i, const Block& block, Order order) const {
    const int32_t left = side.count - i, count = left < 4 ? left : 4;
    if (count < 4)
      for (int32_t at = 0; at < 2 * slots_of(block); ++at) words_[at] = 0;
    for (int32_t segment = 0; segment < block.segments; ++segment)
      pack<kOperands>(vectors_of(side, i, count, block, segment),
                      {words_ + 2 * segment * whole_groups(block.terms), 4, 1, order});
  }
  void pack_vector(const Side& side, int32_t i, const Block& block, Order order) const {
    for (int32_t segment = 0; segment < block.segments; ++segment)
      pack<kOperands>(vectors_of(side, i, 1, block, segment),
                      {words_ + segment * whole_groups(block.terms) / 2, 1, 0, order});
  }

  void stream_b(const Block& block) const {
    const Order order = order_of(b_.along);
    const Stream stream = stream_of(b_, block);
    int32_t m = 0;
    for (; a_.count - m >= kFewRows; m += 4) {
      pack_panel(a_, m, block, order);
      multiply_panel_as(b_.along, words_, stream,
                        sums_at(g_, m, 0, 1, g_.c_stride, a_.count - m, block.adds));
    }
    for (; m < a_.count; ++m) {
      pack_vector(a_, m, block, order);
      multiply_vector_as<kOperands>(b_.along, words_, stream, sums_at(g_, m, 0, 1, 0, 1, block.adds));
    }
  }

  void stream_a(const Block& block) const {
    const Stream stream = stream_of(a_, block);
    for (int32_t n = 0; n < b_.count; n += 4) {
      pack_panel(b_, n, block, order_of(a_.along));
      multiply_panel_as(a_.along, words_, stream,
                        sums_at(g_, 0, n, g_.c_stride, 1, b_.count - n, block.adds));
    }
  }

  void multiply_across_b(const Block& block) const {
    for (int32_t m = 0; m < a_.count; ++m) {
      const Vectors one = vectors_of(a_, m, 1, block, 0);
      Vectors four = vectors_of(b_, 0, 4, block, 0);
      Sums to = sums_at(g_, m, 0, 0, 1, 4, block.adds);
      for (int32_t left = b_.count; left > 0; left -= 4) {
        if (left < 4) to.vectors = four.count = left;
        Four s = {};
        Vectors x = one, y = four;
        for (int32_t segment = 0; segment < block.segments; ++segment) {
          multiply_across_as<kOperands>(x, y, s);
          x.data += a_.segment_stride;
          y.data += b_.segment_stride;
        }
        if (to.is_plain())
          Sums::put(to.c, to.vector_stride, s.a, s.b, s.c, s.d);
        else
          to.store(to.c, s.a, s.b, s.c, s.d);
        to.c += 4 * to.vector_stride;
        four.data += 4 * b_.stride;
      }
    }
  }

  /// Column n = tap * channels + channel of overlapping windows is the signal of a channel from step `tap` on: packed
  /// once, it serves all taps.
  void pack_both(const Block& block) const {
    const int32_t channels = signal_channels(g_, k_), taps = g_.shape.n / channels;
    for (int32_t m = 0; m < a_.count; m += 4) {
      pack_panel(a_, m, block, Order::kNatural);
      for (int32_t tap = 0; tap < taps; tap += kMostTaps)
        for (int32_t channel = 0; channel < channels; channel += 4)
          multiply_channels(block, m, tap * channels + channel,
                            taps - tap < kMostTaps ? taps - tap : kMostTaps, channels,
                            channels - channel < 4 ? channels - channel : 4);
    }
  }

  /// Up to four neighbouring columns from n on, and theirs `taps` times `channels` further on.
  void multiply_channels(const Block& block, int32_t m, int32_t n, int32_t taps, int32_t channels,
                         int32_t count) const {
    int32_t* columns = words_ + 2 * slots_of(block);
    const int32_t pitch = block.segments * whole_groups(block.terms + taps - 1) / 2;
    for (int32_t segment = 0; segment < block.segments; ++segment) {
      Vectors signal = vectors_of(b_, n, count, block, segment);
      signal.terms += taps - 1;
      pack<kOperands>(signal, {columns + segment * whole_groups(block.terms) / 2, 1, pitch, Order::kNatural,
                               Zeros::kBehind});
    }
    const Stream signals = {reinterpret_cast<const int8_t*>(columns),
                            ptrdiff_t(4) * pitch,
                            2 * whole_groups(block.terms),
                            2,
                            count,
                            taps,
                            block.segments,
                            block.terms};
    Sums to = sums_at(g_, m, n, 1, g_.c_stride, a_.count - m, block.adds);
    to.tap_stride = channels * to.stride;
    multiply_panel_as(Codes::kHalves, words_, signals, to);
  }

  void store_multiples_of_b() const {
    for (int32_t m = 0; m < a_.count; ++m)
      store_multiples(load_code(a_.data + m * a_.stride, a_.element), b_.data, b_.count,
                      static_cast<int32_t*>(g_.c) + ptrdiff_t(m) * g_.c_stride);
  }

  const Gemm g_;
  int32_t* words_;
  Segments k_;
  Side a_, b_;
  int32_t slots_;
};

}  // namespace

template <Operands kOperands>
void multiply(const Gemm& g) {
  if (is<kOperands>(g.a.element, Element::kFloat32)) return ref::multiply<Operands::kFloat32>(g);
  if (g.shape.outer * g.shape.inner == 0) return store_no_terms(g);
  Product<kOperands>(g).run();
}

template void multiply<Operands::kAny>(const Gemm&);
template void multiply<Operands::kFloat32>(const Gemm&);
template void multiply<Operands::kIntegers>(const Gemm&);
template void multiply<Operands::kInt8>(const Gemm&);

}  // namespace dsp
}  // namespace mantissa
