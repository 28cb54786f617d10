// Vectors for pools of 8-bit codes over windows of two steps, the usual ones; others go to the plain loops.
// 16 lanes, since that is what rows of channels come in multiples of. Included once for each instruction set.
namespace mantissa {
namespace HWY_NAMESPACE {

using Int8x16 = hn::CappedTag<int8_t, 16>;

inline void FastMaxPool(const MaxPool& p) {
  if (p.element != Element::kInt8 || p.shape.kernel != 2 || !p.shape.is_plain()) return max_pool(p);
  const Int8x16 d;
  const int32_t channels = p.shape.channels, lanes = int32_t(hn::Lanes(d));
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    int8_t* HWY_RESTRICT y = static_cast<int8_t*>(p.y) + ptrdiff_t(t) * channels;
    const int8_t* HWY_RESTRICT a = static_cast<const int8_t*>(p.x) + ptrdiff_t(t) * p.shape.stride * channels;
    const int8_t* HWY_RESTRICT b = a + channels;
    int32_t c = 0;
    for (; c + lanes <= channels; c += lanes)
      hn::StoreU(hn::Max(hn::LoadU(d, a + c), hn::LoadU(d, b + c)), d, y + c);
    for (; c < channels; ++c) y[c] = b[c] > a[c] ? b[c] : a[c];
  }
}

inline void FastMaxPoolBackward(const MaxPoolBackward& p) {
  if (p.element != Element::kInt8 || p.error_element != Element::kInt8 || p.shape.kernel != 2 ||
      !p.shape.is_plain())
    return max_pool_backward(p);
  const Int8x16 d;
  const int32_t channels = p.shape.channels, lanes = int32_t(hn::Lanes(d));
  const bool relu = p.input == Activation::kRelu;
  const auto least = hn::Set(d, relu ? int8_t(0) : int8_t(-128));  // codes are greater than -128
  int8_t* dx = static_cast<int8_t*>(p.dx);
  clear_uncovered(p.shape, dx);
  for (int32_t t = 0; t < p.shape.out_steps; ++t) {
    const ptrdiff_t first = ptrdiff_t(t) * p.shape.stride * channels;
    const int8_t* a = static_cast<const int8_t*>(p.x) + first;
    const int8_t* dy = static_cast<const int8_t*>(p.dy) + ptrdiff_t(t) * channels;
    int8_t* da = dx + first;
    int32_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      const auto va = hn::LoadU(d, a + c), vb = hn::LoadU(d, a + channels + c);
      const auto error = hn::IfThenElseZero(hn::Gt(hn::Max(va, vb), least), hn::LoadU(d, dy + c));
      const auto later = hn::Gt(vb, va);
      hn::StoreU(hn::IfThenZeroElse(later, error), d, da + c);
      hn::StoreU(hn::IfThenElseZero(later, error), d, da + channels + c);
    }
    route_pair(a + c, a + channels + c, dy + c, da + c, da + channels + c, channels - c, relu);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mantissa
