// The three products of Conv1d as views, against its definition in six loops, for every combination of its attributes.
#include "mantissa/layers/conv1d.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace mantissa {
namespace {

struct Case {
  ConvGeometry c;
  int32_t pad_right = 0, in_steps = 0, out_steps = 0;

  std::string text() const {
    return "kernel " + std::to_string(c.kernel) + " stride " + std::to_string(c.stride) + " dilation " +
           std::to_string(c.dilation) + " groups " + std::to_string(c.groups) + " padding " +
           std::to_string(c.pad_left) + ", " + std::to_string(pad_right) + " steps " +
           std::to_string(in_steps);
  }
};

/// A signal with zeros on both sides and, further out, numbers that no product may read.
struct Signal {
  Signal(int32_t n, int32_t before, int32_t after, std::mt19937& random)
      : elements(size_t(before + n + after)), first(before), count(n) {
    for (int32_t i = 0; i < n; ++i) at(i) = int16_t(int32_t(random() % 201) - 100);
  }
  int16_t& at(int32_t i) { return elements[size_t(first + i)]; }
  GemmOperand operand() const { return {elements.data() + first, Element::kInt16, 0, 0, 1}; }
  std::vector<int16_t> elements;  // as long as what may be read: a sanitizer sees more
  int32_t first, count;
};

/// Rows of zeros that backward reads before and behind dy.
int32_t rows_before(const Case& t) {
  const int32_t reach = (t.c.kernel - 1) * t.c.dilation - t.c.pad_left;
  return reach > 0 ? (reach + t.c.stride - 1) / t.c.stride : 0;
}
int32_t rows_behind(const Case& t) {
  return std::max<int32_t>(0, (t.in_steps - 1 + t.c.pad_left) / t.c.stride - t.out_steps + 1);
}

/// body(output step, output channel, input step, input channel, index of the weight) for each product of the definition.
template <class Body>
void for_each_term(const Case& t, Body body) {
  const ConvGeometry& c = t.c;
  for (int32_t step = 0; step < t.out_steps; ++step)
    for (int32_t o = 0; o < c.out_channels; ++o)
      for (int32_t k = 0; k < c.kernel; ++k)
        for (int32_t i = 0; i < c.group_in(); ++i) {
          const int32_t from = step * c.stride + k * c.dilation - c.pad_left;
          if (from >= 0 && from < t.in_steps)
            body(step, o, from, o / c.group_out() * c.group_in() + i, (o * c.kernel + k) * c.group_in() + i);
        }
}

void run(Gemm g, int32_t* c, int32_t stride, GemmStore store) {
  g.c = c;
  g.c_stride = stride;
  g.store = store;
  gemm_ref.run(g);
}

std::vector<int32_t> forward(const Case& t, GemmOperand x, GemmOperand w, int32_t tile) {
  std::vector<int32_t> y(size_t(t.out_steps) * size_t(t.c.out_channels), -1);
  for (int32_t group = 0; group < t.c.groups; ++group)
    for (int32_t row = 0; row < t.out_steps; row += tile)
      run(forward_view(t.c, x, w, group, row, std::min(tile, t.out_steps - row)),
          y.data() + row * t.c.out_channels + group * t.c.group_out(), t.c.out_channels,
          GemmStore::kOverwrite);
  return y;
}

std::vector<int32_t> backward(const Case& t, GemmOperand dy, GemmOperand w) {
  std::vector<int32_t> dx(size_t(t.in_steps) * size_t(t.c.in_channels), -1);
  for (int32_t phase = 0; phase < std::min(t.c.stride, t.in_steps); ++phase)
    for (int32_t group = 0; group < t.c.groups; ++group)
      run(backward_view(t.c, backward_phase(t.c, phase), dy, w, group, 0,
                        (t.in_steps - phase + t.c.stride - 1) / t.c.stride),
          dx.data() + phase * t.c.in_channels + group * t.c.group_in(), t.c.stride * t.c.in_channels,
          GemmStore::kOverwrite);
  return dx;
}

std::vector<int32_t> gradient(const Case& t, GemmOperand dy, GemmOperand x) {
  std::vector<int32_t> dw(size_t(t.c.out_channels) * size_t(t.c.fan_in()), 0);
  for (int32_t o = 0; o < t.c.out_channels; ++o)
    for (int32_t tap = 0; tap < (t.c.flat() ? 1 : t.c.kernel); ++tap)
      run(gradient_view(t.c, dy, x, tap, o, 1, t.out_steps),
          dw.data() + o * t.c.fan_in() + tap * t.c.group_in(), t.c.fan_in(), GemmStore::kAdd);
  return dw;
}

void check(const Case& t, std::mt19937& random) {
  const ConvGeometry& c = t.c;
  Signal x(t.in_steps * c.in_channels, c.pad_left * c.in_channels, t.pad_right * c.in_channels, random);
  Signal dy(t.out_steps * c.out_channels, rows_before(t) * c.out_channels, rows_behind(t) * c.out_channels,
            random);
  Signal w(c.out_channels * c.fan_in(), 0, 0, random);
  std::vector<int32_t> y(size_t(dy.count)), dx(size_t(x.count)), dw(size_t(w.count));
  for_each_term(t, [&](int32_t step, int32_t o, int32_t from, int32_t channel, int32_t weight) {
    const int32_t i = from * c.in_channels + channel, j = step * c.out_channels + o;
    y[size_t(j)] += x.at(i) * w.at(weight);
    dx[size_t(i)] += dy.at(j) * w.at(weight);
    dw[size_t(weight)] += dy.at(j) * x.at(i);
  });
  ASSERT_EQ(forward(t, x.operand(), w.operand(), t.out_steps), y) << t.text();
  ASSERT_EQ(forward(t, x.operand(), w.operand(), 2), y) << t.text();
  ASSERT_EQ(backward(t, dy.operand(), w.operand()), dx) << t.text();
  ASSERT_EQ(gradient(t, dy.operand(), x.operand()), dw) << t.text();
}

TEST(Conv1d, EqualsItsDefinition) {
  std::mt19937 random(1);
  struct Channels {
    int32_t in, out, groups;
  };
  for (int32_t kernel = 1; kernel <= 5; ++kernel)
    for (int32_t stride = 1; stride <= 4; ++stride)
      for (int32_t dilation = 1; dilation <= 3; ++dilation)
        for (Channels channels : {Channels{2, 3, 1}, Channels{4, 6, 2}, Channels{3, 3, 3}})
          for (int32_t left : {0, 1, 5})
            for (int32_t right : {0, 2})
              for (int32_t steps : {1, 7, 14}) {
                const int32_t span = (kernel - 1) * dilation + 1, padded = steps + left + right;
                if (span > padded) continue;
                const Case t{{channels.in, channels.out, kernel, stride, dilation, channels.groups, left,
                              channels.in, channels.out},
                             right,
                             steps,
                             (padded - span) / stride + 1};
                ASSERT_NO_FATAL_FAILURE(check(t, random));
              }
}

/// Linear is a convolution of one tap whose steps are samples; rows may lie further apart than they are long.
TEST(Conv1d, LinearOnSpacedRows) {
  std::mt19937 random(2);
  const ConvGeometry c{5, 3, 1, 1, 1, 1, 0, 7, 4};
  Signal x(4 * 7, 0, 0, random), w(15, 0, 0, random);
  std::vector<int32_t> y(4 * 4, -1);
  run(forward_view(c, x.operand(), w.operand(), 0, 0, 4), y.data(), 4, GemmStore::kOverwrite);
  for (int32_t s = 0; s < 4; ++s)
    for (int32_t o = 0; o < 3; ++o) {
      int32_t sum = 0;
      for (int32_t i = 0; i < 5; ++i) sum += x.at(s * 7 + i) * w.at(o * 5 + i);
      ASSERT_EQ(y[size_t(s * 4 + o)], sum);
    }
}

}  // namespace
}  // namespace mantissa
