// Single layers, forward and backward, against the independent model in tools/gold/single_layers.py, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "mantissa/kernels/host_targets.hpp"
#include "mantissa/kernels/kernels_small.hpp"
#include "mantissa/layers/conv1d.hpp"
#include "mantissa/losses/cross_entropy.hpp"
#include "mantissa/losses/pointwise.hpp"
#include "mantissa/losses/soft_cross_entropy.hpp"
#include "mantissa/num/requantize.hpp"
#include "mantissa/plan/shapes.hpp"
#include "mantissa/plan/window_shares.hpp"
#include "tests/golden_file.hpp"

namespace mantissa {
namespace {

template <class Body>
void on_every_target(Body body) {
  body(kernels_ref, "reference");
  body(kernels_dsp, "cores with DSP instructions");
  body(kernels_small, "small cores");
  for (size_t i = 0; host_target_name(i); ++i) {
    select_host_target(host_target_name(i));
    body(kernels_hwy, host_target_name(i));
  }
  select_host_target("best");
}

/// Codes of int8 or int16, as the bits need, with zeros around them.
struct Codes {
  Codes(int64_t bits, const std::vector<int32_t>& values, size_t before = 0, size_t behind = 0)
      : element(bits <= 8 ? Element::kInt8 : Element::kInt16),
        first(before),
        count(values.size()),
        narrow(before + count + behind),
        wide(before + count + behind) {
    for (size_t i = 0; i < count; ++i) narrow[first + i] = int8_t(wide[first + i] = int16_t(values[i]));
  }
  const void* data() const {
    return element == Element::kInt8 ? static_cast<const void*>(narrow.data() + first) : wide.data() + first;
  }
  void* data() { return const_cast<void*>(std::as_const(*this).data()); }
  GemmOperand operand() const { return {data(), element, 0, 0, 1}; }
  int32_t operator[](size_t i) const {
    return element == Element::kInt8 ? narrow[first + i] : wide[first + i];
  }
  std::vector<int32_t> values() const {
    std::vector<int32_t> all;
    for (size_t i = 0; i < count; ++i) all.push_back((*this)[i]);
    return all;
  }

  Element element;
  size_t first, count;
  std::vector<int8_t> narrow;
  std::vector<int16_t> wide;
};

/// How sums become codes.
struct GoldenCodes {
  explicit GoldenCodes(GoldenRow& row)
      : rounding(Rounding(row.number())),
        key{uint32_t(row.number()), uint32_t(row.number())},
        scale(row.scale()),
        bits(row.number()),
        codes(row.numbers<int32_t>()),
        saturated(row.number()) {}
  Rounding rounding;
  RandomKey key;
  Scale scale;
  int64_t bits;
  std::vector<int32_t> codes;
  int64_t saturated;
};

/// Sums of 32 or 64 bits.
struct Sums {
  Sums(size_t n, bool is_wide) : element(is_wide ? Element::kInt64 : Element::kInt32), narrow(n), wide(n) {}
  void* data() { return element == Element::kInt64 ? static_cast<void*>(wide.data()) : narrow.data(); }
  std::vector<int64_t> values() const {
    return element == Element::kInt64 ? wide : std::vector<int64_t>(narrow.begin(), narrow.end());
  }
  void expect_codes(const Kernels& kernels, Scale unit, int32_t columns, const GoldenCodes& expected) {
    Codes found(expected.bits, std::vector<int32_t>(expected.codes.size(), -1));
    const uint64_t saturated = kernels.rescale_sums({.sums = data(),
                                                     .element = element,
                                                     .rows = int32_t(found.count) / columns,
                                                     .columns = columns,
                                                     .by = multiplier(unit / expected.scale),
                                                     .rounding = expected.rounding,
                                                     .range = symmetric_range(int(expected.bits)),
                                                     .key = expected.key,
                                                     .codes = found.data(),
                                                     .code_element = found.element,
                                                     .code_stride = columns});
    EXPECT_EQ(found.values(), expected.codes);
    EXPECT_EQ(saturated, uint64_t(expected.saturated));
  }

  Element element;
  std::vector<int32_t> narrow;
  std::vector<int64_t> wide;
};

int32_t largest_code(int64_t bits) { return symmetric_range(int(bits)).high; }

/// A product as the engine asks for it, with the scratch that the variant wants.
void run(const Kernels& kernels, Gemm g, Sums& sums, ptrdiff_t first, int32_t stride, int32_t block_terms) {
  g.c = at(sums.data(), sums.element, first);
  g.c_element = sums.element;
  g.c_stride = stride;
  g.store = GemmStore::kOverwrite;
  g.block_terms = block_terms;
  const GemmScratch& wants = kernels.gemm->scratch;
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> scratch(
      wants.use == ScratchUse::kNone ? 0 : wants.bytes(g.shape, g.a.element, g.b.element) / 64 + 1);
  g.scratch = scratch.data();
  if (wants.use == ScratchUse::kOperand) kernels.gemm->prepare(g);
  kernels.gemm->run(g);
}

struct GoldenConv {
  static GoldenConv read(GoldenRow& row) {
    GoldenConv t;
    ConvGeometry& c = t.c;
    for (int32_t* number : {&c.in_channels, &c.out_channels, &c.kernel, &c.stride, &c.dilation, &c.groups,
                            &c.pad_left, &t.pad_right, &t.in_steps})
      *number = int32_t(row.number());
    c.in_row = c.in_channels;
    c.out_row = c.out_channels;
    t.out_steps = (t.in_steps + c.pad_left + t.pad_right - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
    for (int64_t* number : {&t.x_bits, &t.w_bits, &t.dy_bits}) *number = row.number();
    return t;
  }
  /// Of a transposed layer: the Conv1d from its outputs to its inputs.
  static GoldenConv read_transposed(GoldenRow& row, bool has_groups = false) {
    GoldenConv t;
    ConvGeometry& c = t.c;
    int32_t output_padding = 0;
    for (int32_t* number :
         {&c.out_channels, &c.in_channels, &c.kernel, &c.stride, &c.pad_left, &output_padding})
      *number = int32_t(row.number());
    if (has_groups) c.groups = int32_t(row.number());
    t.out_steps = int32_t(row.number());
    c.in_row = c.in_channels;
    c.out_row = c.out_channels;
    t.in_steps = (t.out_steps - 1) * c.stride + c.kernel + output_padding - 2 * c.pad_left;
    t.pad_right = std::max(0, c.pad_left - output_padding);
    for (int64_t* number : {&t.dy_bits, &t.w_bits, &t.x_bits}) *number = row.number();
    return t;
  }
  size_t rows_before() const {
    const int32_t reach = (c.kernel - 1) * c.dilation - c.pad_left;
    return size_t(reach > 0 ? (reach + c.stride - 1) / c.stride : 0);
  }
  size_t rows_behind() const {
    return size_t(std::max<int32_t>(0, (in_steps - 1 + c.pad_left) / c.stride - out_steps + 1));
  }

  ConvGeometry c;
  int32_t pad_right = 0, in_steps = 0, out_steps = 0;
  int64_t x_bits = 0, w_bits = 0, dy_bits = 0;
};

/// Whether so many products may leave 32 bits, with room for a bias, and how many never do.
struct Width {
  Width(int64_t terms, int64_t a_bits, int64_t b_bits)
      : largest(int64_t(largest_code(a_bits)) * largest_code(b_bits)),
        is_wide(terms * largest >= INT32_MAX - (1 << 24)),
        block_terms(int32_t(INT32_MAX / largest)) {}
  int64_t largest;
  bool is_wide;
  int32_t block_terms;
};

Sums conv_forward(const Kernels& kernels, const GoldenConv& t, const Codes& x, const Codes& w) {
  const ConvGeometry& c = t.c;
  const Width width(c.fan_in(), t.x_bits, t.w_bits);
  Sums y(size_t(t.out_steps * c.out_channels), width.is_wide);
  for (int32_t g = 0; g < c.groups; ++g)
    run(kernels, forward_view(c, x.operand(), w.operand(), g, 0, t.out_steps), y, g * c.group_out(),
        c.out_channels, width.block_terms);
  return y;
}

Sums conv_backward(const Kernels& kernels, const GoldenConv& t, const Codes& dy, const Codes& w) {
  const ConvGeometry& c = t.c;
  const Width width(c.kernel * c.group_out(), t.dy_bits, t.w_bits);
  Sums dx(size_t(t.in_steps * c.in_channels), width.is_wide);
  for (int32_t phase = 0; phase < std::min(c.stride, t.in_steps); ++phase)
    for (int32_t g = 0; g < c.groups; ++g)
      run(kernels,
          backward_view(c, backward_phase(c, phase), dy.operand(), w.operand(), g, 0,
                        (t.in_steps - phase + c.stride - 1) / c.stride),
          dx, phase * c.in_channels + g * c.group_in(), c.stride * c.in_channels, width.block_terms);
  return dx;
}

Sums conv_gradient(const Kernels& kernels, const GoldenConv& t, const Codes& dy, const Codes& x) {
  const ConvGeometry& c = t.c;
  const Width width(t.out_steps, t.dy_bits, t.x_bits);
  Sums dw(size_t(c.out_channels * c.fan_in()), width.is_wide);
  for (int32_t o = 0; o < c.out_channels; ++o)
    for (int32_t tap = 0; tap < (c.flat() ? 1 : c.kernel); ++tap)
      run(kernels, gradient_view(c, dy.operand(), x.operand(), tap, o, 1, t.out_steps), dw,
          o * c.fan_in() + tap * c.group_in(), c.fan_in(), width.block_terms);
  return dw;
}

/// A layer from x to y: the Conv1d `conv`, or its transpose.
struct GoldenLayer {
  GoldenConv conv;
  bool is_transposed = false;

  int32_t inputs() const { return is_transposed ? conv.c.out_channels : conv.c.in_channels; }
  int32_t outputs() const { return is_transposed ? conv.c.in_channels : conv.c.out_channels; }
  int32_t in_steps() const { return is_transposed ? conv.out_steps : conv.in_steps; }
  int32_t out_steps() const { return is_transposed ? conv.in_steps : conv.out_steps; }
  Codes read_x(GoldenRow& row) const { return is_transposed ? read_spread(row) : read_window(row); }
  Codes read_dy(GoldenRow& row) const { return is_transposed ? read_window(row) : read_spread(row); }
  Sums forward(const Kernels& kernels, const Codes& x, const Codes& w) const {
    return is_transposed ? conv_backward(kernels, conv, x, w) : conv_forward(kernels, conv, x, w);
  }
  Sums backward(const Kernels& kernels, const Codes& dy, const Codes& w) const {
    return is_transposed ? conv_forward(kernels, conv, dy, w) : conv_backward(kernels, conv, dy, w);
  }
  Sums gradient(const Kernels& kernels, const Codes& dy, const Codes& x) const {
    return is_transposed ? conv_gradient(kernels, conv, x, dy) : conv_gradient(kernels, conv, dy, x);
  }

 private:
  /// What windows slide over, with its padding.
  Codes read_window(GoldenRow& row) const {
    const size_t channels = size_t(conv.c.in_channels);
    return {conv.x_bits, row.numbers<int32_t>(), size_t(conv.c.pad_left) * channels,
            size_t(conv.pad_right) * channels};
  }
  Codes read_spread(GoldenRow& row) const {
    const size_t channels = size_t(conv.c.out_channels);
    return {conv.dy_bits, row.numbers<int32_t>(), conv.rows_before() * channels,
            conv.rows_behind() * channels};
  }
};

void check_layer(GoldenRow& row, const GoldenLayer& t) {
  const bool has_relu = row.number() == 1, passed_relu = row.number() == 1;
  const Codes x = t.read_x(row);
  const Codes w(t.conv.w_bits, row.numbers<int32_t>());
  const auto bias = row.numbers<int32_t>();
  const Codes dy = t.read_dy(row);
  const Scale x_scale = row.scale(), w_scale = row.scale(), dy_scale = row.scale();
  const auto y_sums = row.numbers<int64_t>();
  const GoldenCodes y_codes(row);
  const auto dx_sums = row.numbers<int64_t>();
  const GoldenCodes dx_codes(row);
  const auto dw = row.numbers<int64_t>(), db = row.numbers<int64_t>();
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Sums y = t.forward(kernels, x, w);
    kernels.finish_sums({.sums = y.data(),
                         .element = y.element,
                         .rows = t.out_steps(),
                         .columns = t.outputs(),
                         .stride = t.outputs(),
                         .bias = bias.data(),
                         .activation = has_relu ? Activation::kRelu : Activation::kNone});
    EXPECT_EQ(y.values(), y_sums);
    y.expect_codes(kernels, x_scale * w_scale, t.outputs(), y_codes);
    Sums dx = t.backward(kernels, dy, w);
    kernels.finish_sums({.sums = dx.data(),
                         .element = dx.element,
                         .rows = t.in_steps(),
                         .columns = t.inputs(),
                         .stride = t.inputs(),
                         .mask = passed_relu ? x.data() : nullptr,
                         .mask_element = x.element,
                         .mask_stride = t.inputs()});
    EXPECT_EQ(dx.values(), dx_sums);
    dx.expect_codes(kernels, dy_scale * w_scale, t.inputs(), dx_codes);
    EXPECT_EQ(t.gradient(kernels, dy, x).values(), dw);
    Sums of_bias(size_t(t.outputs()), false);
    kernels.column_sums({.codes = dy.data(),
                         .element = dy.element,
                         .rows = t.out_steps(),
                         .columns = t.outputs(),
                         .stride = t.outputs(),
                         .sums = of_bias.data(),
                         .sum_element = of_bias.element});
    EXPECT_EQ(of_bias.values(), db);
  });
}

struct GoldenPool {
  explicit GoldenPool(GoldenRow& row) {
    for (int32_t* number : {&shape.channels, &shape.kernel, &shape.stride, &shape.in_steps})
      *number = int32_t(row.number());
    shape.out_steps = (shape.in_steps - shape.kernel) / shape.stride + 1;
    const int64_t x_bits = row.number();
    dy_bits = row.number();
    passed_relu = row.number() == 1;
    x = Codes(x_bits, row.numbers<int32_t>());
    dy = Codes(dy_bits, row.numbers<int32_t>());
    y = row.numbers<int64_t>();
    dx = row.numbers<int64_t>();
  }
  bool overlaps() const { return shape.stride < shape.kernel; }

  /// Overlapping windows add errors, which a ReLU before then masks.
  std::vector<int64_t> overlapping_errors(const Kernels& kernels, bool is_max) const {
    Sums sums(x.count, false);
    kernels.overlap_sums({shape, x.element, dy.element, is_max ? x.data() : nullptr, dy.data(), sums.data()});
    kernels.finish_sums({.sums = sums.data(),
                         .element = sums.element,
                         .rows = shape.in_steps,
                         .columns = shape.channels,
                         .stride = shape.channels,
                         .mask = passed_relu ? x.data() : nullptr,
                         .mask_element = x.element,
                         .mask_stride = shape.channels});
    return sums.values();
  }

  PoolShape shape;
  int64_t dy_bits = 0;
  bool passed_relu = false;
  Codes x{8, {}}, dy{8, {}};
  std::vector<int64_t> y, dx;
};

std::vector<int64_t> as_wide(const std::vector<int32_t>& codes) { return {codes.begin(), codes.end()}; }

void check_max_pool(GoldenRow& row) {
  const GoldenPool p(row);
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Codes y(p.x.element == Element::kInt8 ? 8 : 16, std::vector<int32_t>(p.y.size(), 99));
    kernels.max_pool({p.shape, p.x.element, p.x.data(), y.data()});
    EXPECT_EQ(as_wide(y.values()), p.y);
    if (p.overlaps()) {
      EXPECT_EQ(p.overlapping_errors(kernels, true), p.dx);
      return;
    }
    Codes dx(p.dy_bits, std::vector<int32_t>(p.dx.size(), 99));
    kernels.max_pool_backward({p.shape, p.x.element, dx.element, p.x.data(), p.dy.data(), dx.data(),
                               p.passed_relu ? Activation::kRelu : Activation::kNone});
    EXPECT_EQ(as_wide(dx.values()), p.dx);
  });
}

void check_average_pool(GoldenRow& row) {
  const GoldenPool p(row);
  const Scale unit = row.scale() / Scale::normalized(uint64_t(p.shape.kernel), 0);
  const GoldenCodes y_codes(row);
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Sums y(p.y.size(), false);
    kernels.window_sums({p.shape, p.x.element, p.x.data(), y.data()});
    EXPECT_EQ(y.values(), p.y);
    y.expect_codes(kernels, unit, p.shape.channels, y_codes);
    if (p.overlaps()) {
      EXPECT_EQ(p.overlapping_errors(kernels, false), p.dx);
      return;
    }
    Codes dx(p.dy_bits, std::vector<int32_t>(p.dx.size(), 99));
    kernels.spread(
        {p.shape, p.x.element, dx.element, p.passed_relu ? p.x.data() : nullptr, p.dy.data(), dx.data()});
    EXPECT_EQ(as_wide(dx.values()), p.dx);
  });
}

void check_cross_entropy(GoldenRow& row) {
  const int64_t classes = row.number(), bits = row.number(), label = row.number();
  const Multiplier exponent = exponent_multiplier(row.scale());
  auto logits = row.numbers<int32_t>();
  const int64_t loss = row.number(), prediction = row.number();
  std::vector<int16_t> errors(size_t(classes), -1);
  const LossResult found = cross_entropy(logits.data(), int32_t(classes), exponent, int32_t(label),
                                         largest_code(bits), errors.data());
  EXPECT_EQ(found.loss_q24, loss);
  EXPECT_EQ(found.prediction, prediction);
  EXPECT_EQ(errors, row.numbers<int16_t>());
}

/// Codes of an error, or of what is at an element, on all targets: sums of dx in the width that they may need.
void check_slopes(ActivationBackward b, const Codes& of, const Codes& dy,
                  const std::vector<int64_t>& expected) {
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    std::vector<int64_t> dx(expected.size(), 99);
    b.count = int32_t(dx.size());
    b.of = of.data();
    b.of_element = of.element;
    b.dy = dy.data();
    b.dy_element = dy.element;
    b.dx = dx.data();
    b.dx_element = Element::kInt64;
    kernels.activation_backward(b);
    EXPECT_EQ(dx, expected);
    std::vector<int32_t> narrow(expected.size(), 99);
    b.dx = narrow.data();
    b.dx_element = Element::kInt32;
    if (std::ranges::any_of(expected, [](int64_t sum) { return sum != int32_t(sum); })) return;
    kernels.activation_backward(b);
    EXPECT_EQ(as_wide(narrow), expected);
  });
}

void check_sums(ActivationForward f, const Codes& x, const std::vector<int32_t>& expected) {
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    std::vector<int32_t> sums(expected.size(), 99);
    f.count = int32_t(sums.size());
    f.x = x.data();
    f.x_element = x.element;
    f.y = sums.data();
    kernels.activation_forward(f);
    EXPECT_EQ(sums, expected);
  });
}

void check_leaky_relu(GoldenRow& row) {
  const auto slope = int32_t(row.number());
  const int64_t bits = row.number(), dy_bits = row.number();
  const Codes x(bits, row.numbers<int32_t>()), dy(dy_bits, row.numbers<int32_t>());
  check_sums({.curve = Curve::kLeakyRelu, .parameter = slope}, x, row.numbers<int32_t>());
  check_slopes({.curve = Curve::kLeakyRelu, .parameter = slope}, x, dy, row.numbers<int64_t>());
}

void check_relu6(GoldenRow& row) {
  const int64_t bits = row.number(), dy_bits = row.number();
  const int32_t six = six_in_codes(row.scale());
  const Codes x(bits, row.numbers<int32_t>()), dy(dy_bits, row.numbers<int32_t>());
  EXPECT_EQ(six, row.number());
  check_sums({.curve = Curve::kRelu6, .parameter = six}, x, row.numbers<int32_t>());
  const auto expected = row.numbers<int32_t>();
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Codes dx(dy_bits, std::vector<int32_t>(expected.size(), 99));
    kernels.activation_backward({.curve = Curve::kRelu6,
                                 .count = int32_t(expected.size()),
                                 .of = x.data(),
                                 .of_element = x.element,
                                 .dy = dy.data(),
                                 .dy_element = dy.element,
                                 .dx = dx.data(),
                                 .dx_element = dx.element,
                                 .parameter = six});
    EXPECT_EQ(dx.values(), expected);
  });
}

void check_curve(GoldenRow& row, Curve curve) {
  const int64_t bits = row.number(), y_bits = row.number(), dy_bits = row.number();
  const Multiplier exponent = curve_exponent(curve, row.scale());
  const Codes x(bits, row.numbers<int32_t>()), dy(dy_bits, row.numbers<int32_t>());
  const Codes y(y_bits, row.numbers<int32_t>());
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Codes found(y_bits, std::vector<int32_t>(y.count, 99));
    kernels.activation_forward({.curve = curve,
                                .count = int32_t(y.count),
                                .x = x.data(),
                                .x_element = x.element,
                                .y = found.data(),
                                .y_element = found.element,
                                .exponent = exponent,
                                .max_code = largest_code(y_bits)});
    EXPECT_EQ(found.values(), y.values());
  });
  check_slopes({.curve = curve, .max_code = largest_code(y_bits)}, y, dy, row.numbers<int64_t>());
}

void check_dropout(GoldenRow& row) {
  DropElements d;
  d.key.offset = uint32_t(row.number());
  d.key.tweak = uint32_t(row.number());
  d.first_index = uint32_t(row.number());
  d.dropped = uint32_t(row.number());
  const int64_t bits = row.number();
  const auto x = row.numbers<int32_t>(), left = row.numbers<int32_t>();
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Codes codes(bits, x);
    d.x = codes.data();
    d.element = codes.element;
    d.count = int32_t(x.size());
    kernels.drop_elements(d);
    EXPECT_EQ(codes.values(), left);
  });
}

template <class T>
std::vector<float> floats(const std::vector<T>& bits) {
  std::vector<float> values;
  for (const T b : bits) values.push_back(std::bit_cast<float>(uint32_t(b)));
  return values;
}

void check_pointwise(GoldenRow& row) {
  PointwiseLoss p;
  p.kind = Pointwise(row.number());
  p.count = int32_t(row.number());
  p.divisor = int32_t(row.number());
  const int64_t bits = row.number();
  p.unit = row.scale();
  p.delta = std::bit_cast<float>(uint32_t(row.number()));
  const std::vector<float> targets = floats(row.numbers<int64_t>());
  p.targets.values = targets.data();
  auto sums = row.numbers<int32_t>();
  const auto prediction = int32_t(std::ranges::max_element(sums) - sums.begin());
  const int64_t loss = row.number();
  const auto expected = row.numbers<int32_t>();
  Codes errors(bits, std::vector<int32_t>(sums.size(), 99));
  p.sums = sums.data();
  p.errors = {errors.data(), errors.element, largest_code(bits)};
  const MseResult found = pointwise_loss(p);
  EXPECT_EQ(found.loss.loss_q24, loss);
  EXPECT_EQ(found.loss.prediction, prediction);
  EXPECT_EQ(p.kind == Pointwise::kHuber ? sums : errors.values(), expected);
  if (p.kind == Pointwise::kHuber) {
    EXPECT_EQ(found.largest, mantissa::largest_magnitude(std::span<const int32_t>(expected)));
  }
}

void check_soft_cross_entropy(GoldenRow& row) {
  SoftCrossEntropy s;
  s.classes = int32_t(row.number());
  const int64_t bits = row.number();
  s.label = int32_t(row.number());
  s.smoothing = std::bit_cast<float>(uint32_t(row.number()));
  const std::vector<float> weights = floats(row.numbers<int64_t>());
  s.weights = weights.data();
  s.unit = row.scale();
  auto logits = row.numbers<int32_t>();
  s.logits = logits.data();
  Codes errors(bits, std::vector<int32_t>(logits.size(), 99));
  s.errors = {errors.data(), errors.element, largest_code(bits)};
  const SoftResult found = soft_cross_entropy(s);
  EXPECT_EQ(found.loss.loss_q24, row.number());
  EXPECT_EQ(found.weight, row.number());
  EXPECT_EQ(found.weight_unit, row.scale());
  EXPECT_EQ(errors.values(), row.numbers<int32_t>());
}

/// Windows of several sizes: what plan() finds out about them, and the kernels.
void check_shares(GoldenRow& row) {
  const bool is_adaptive = row.number() == 1;
  const auto kernel = int32_t(row.number()), stride = int32_t(row.number()), pad = int32_t(row.number());
  LayerPlan l;
  l.in.channels = int32_t(row.number());
  l.in.steps = int32_t(row.number());
  l.node = is_adaptive ? adaptive_avg_pool1d({.steps = kernel})
                       : avg_pool1d({kernel, stride, pad, Divisor::kInside});
  ASSERT_FALSE(infer_shape(l));
  const int64_t bits = row.number(), dy_bits = row.number();
  const Codes x(bits, row.numbers<int32_t>()), dy(dy_bits, row.numbers<int32_t>());
  const int32_t divisor = average_divisor(l.windows, largest_code(bits));
  EXPECT_EQ(divisor, row.number());
  const auto y = row.numbers<int64_t>();
  const int32_t error_divisor = spread_divisor(l.windows, largest_code(dy_bits));
  EXPECT_EQ(error_divisor, row.number());
  const auto dx = row.numbers<int64_t>();
  const PoolShape shape = {.in_steps = l.in.steps,
                           .out_steps = l.out.steps,
                           .channels = l.in.channels,
                           .kernel = kernel,
                           .stride = stride,
                           .pad = pad,
                           .adaptive = is_adaptive ? kernel : 0};
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Sums sums(y.size(), false);
    kernels.window_sums({shape, x.element, x.data(), sums.data()});
    kernels.share_sums({shape, sums.element, sums.data(), divisor});
    EXPECT_EQ(sums.values(), y);
    Sums errors(dx.size(), false);
    kernels.spread_shares({shape, dy.element, dy.data(), errors.data(), error_divisor});
    EXPECT_EQ(errors.values(), dx);
  });
}

void check_softmax(GoldenRow& row) {
  SoftmaxForward f;
  f.steps = int32_t(row.number());
  const int64_t bits = row.number(), y_bits = row.number(), dy_bits = row.number();
  f.exponent = exponent_multiplier(row.scale());
  const Codes x(bits, row.numbers<int32_t>()), dy(dy_bits, row.numbers<int32_t>());
  const auto y = row.numbers<int32_t>();
  const auto dx = row.numbers<int64_t>();
  f.channels = int32_t(y.size()) / f.steps;
  f.x = x.data();
  f.x_element = x.element;
  f.max_code = largest_code(y_bits);
  const int64_t terms = 2 * f.max_code + (f.channels + 1) / 2;
  const bool is_wide = terms * f.max_code * largest_code(dy_bits) > INT32_MAX;
  on_every_target([&](const Kernels& kernels, const char* name) {
    SCOPED_TRACE(name);
    Codes found(y_bits, std::vector<int32_t>(y.size(), 99));
    f.y = found.data();
    f.y_element = found.element;
    kernels.softmax_forward(f);
    EXPECT_EQ(found.values(), y);
    Sums errors(dx.size(), is_wide);
    kernels.softmax_backward({.steps = f.steps,
                              .channels = f.channels,
                              .y = found.data(),
                              .y_element = found.element,
                              .dy = dy.data(),
                              .dy_element = dy.element,
                              .dx = errors.data(),
                              .dx_element = errors.element,
                              .max_code = f.max_code});
    EXPECT_EQ(errors.values(), dx);
  });
}

TEST(Golden, SingleLayers) {
  for_each_golden_row("single_layers.txt", [](GoldenRow& row, const std::string& text) {
    SCOPED_TRACE(text);
    const std::string layer = row.word();
    if (layer == "conv")
      check_layer(row, {GoldenConv::read(row)});
    else if (layer == "transposed")
      check_layer(row, {GoldenConv::read_transposed(row), true});
    else if (layer == "grouped")
      check_layer(row, {GoldenConv::read_transposed(row, true), true});
    else if (layer == "shares")
      check_shares(row);
    else if (layer == "softmax")
      check_softmax(row);
    else if (layer == "max")
      check_max_pool(row);
    else if (layer == "average")
      check_average_pool(row);
    else if (layer == "entropy")
      check_cross_entropy(row);
    else if (layer == "leaky")
      check_leaky_relu(row);
    else if (layer == "six")
      check_relu6(row);
    else if (layer == "sigmoid")
      check_curve(row, Curve::kSigmoid);
    else if (layer == "tanh")
      check_curve(row, Curve::kTanh);
    else if (layer == "pointwise")
      check_pointwise(row);
    else if (layer == "soft")
      check_soft_cross_entropy(row);
    else if (layer == "dropout")
      check_dropout(row);
    else
      ADD_FAILURE() << "there is no layer " << layer;
  });
}

}  // namespace
}  // namespace mantissa
