// Conv2d: rows of an image as sums of Conv1d, one for each row of the window.
#include "mantissa/engine/engine-inl.hpp"

namespace mantissa {

namespace {

/// The row of x that row `window_row` of the window above row `out` meets; -1 if it lies outside.
int32_t row_under(const LayerPlan& l, int32_t out, int32_t window_row) {
  const Vertical& v = l.node.vertical;
  const int32_t row = out * v.stride + window_row * v.dilation - l.pad_top;
  return row >= 0 && row < l.in.height() ? row : -1;
}

/// The row of y whose window meets row `in` of x with its row `window_row`; -1 if there is none.
int32_t row_above(const LayerPlan& l, int32_t in, int32_t window_row) {
  const Vertical& v = l.node.vertical;
  const int32_t reach = in + l.pad_top - window_row * v.dilation;
  if (reach < 0 || reach % v.stride != 0) return -1;
  return reach / v.stride < l.out.height() ? reach / v.stride : -1;
}

}  // namespace

/// A row of an image, with the zeros around it that a window reads.
GemmOperand Engine::image_row(const ProductPlan& product, GemmOperand image, Shape shape, int32_t row,
                              int32_t worker) const {
  const ptrdiff_t elements = ptrdiff_t(shape.row()) * shape.channels;
  image.data = at(image.data, image.element, row * elements);
  if (product.window < 0) return image;
  const std::byte* from = static_cast<const std::byte*>(image.data);
  std::byte* to = data<std::byte>(product.window, worker);
  clear_halo(product.window, worker);
  for (ptrdiff_t i = 0; i < elements * ptrdiff_t(element_bytes(image.element)); ++i) to[i] = from[i];
  image.data = to;
  return image;
}

/// Sums of a row of y from x, or of dx from dy.
void Engine::run_image_row(WeightProduct p, void* sums, int32_t stride, int32_t row, int32_t worker) const {
  const LayerPlan& l = p.layer;
  const Shape shape = p.spreads ? l.out : l.in;
  const int32_t width = p.spreads ? l.in.row() : l.out.row();
  const GemmOperand image = p.from;
  GemmStore store = GemmStore::kOverwrite;
  for (p.window_row = 0; p.window_row < p.geometry.window_rows; ++p.window_row) {
    const int32_t from = p.spreads ? row_above(l, row, p.window_row) : row_under(l, row, p.window_row);
    if (from < 0) continue;
    p.from = image_row(p.plan, image, shape, from, worker);
    run_signal(p, sums, stride, 0, width, store, worker);
    store = GemmStore::kAdd;
  }
  if (store == GemmStore::kOverwrite)
    for (int32_t i = 0; i < width; ++i)
      clear_elements(at(sums, p.plan.accumulator, ptrdiff_t(i) * stride), p.plan.accumulator, p.columns());
}

/// dw of some output channels over an image.
void Engine::image_gradient(const LayerPlan& l, const ConvGeometry& c, GemmOperand dy, GemmOperand x,
                            int32_t row, int32_t rows, void* sums, GemmStore store, int32_t worker) {
  const Element element = l.gradient.accumulator;
  if (store == GemmStore::kOverwrite) clear_elements(sums, element, ptrdiff_t(rows) * l.fan_in);
  for (int32_t out = 0; out < l.out.height(); ++out) {
    GemmOperand errors = dy;
    errors.data = at(dy.data, dy.element, ptrdiff_t(out) * l.out.row() * l.out.channels);
    for (int32_t window_row = 0; window_row < c.window_rows; ++window_row) {
      const int32_t in = row_under(l, out, window_row);
      if (in < 0) continue;
      signal_gradient(l, c, errors, image_row(l.gradient, x, l.in, in, worker), row, rows, l.out.row(),
                      at(sums, element, ptrdiff_t(window_row) * c.fan_in()), GemmStore::kAdd, worker);
    }
  }
}

}  // namespace mantissa
