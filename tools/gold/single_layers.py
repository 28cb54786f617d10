"""Single layers forward and backward, of random shapes: what each makes of codes, in exact integers.

A row begins with what it is. Lists are separated by commas, signals are [steps, channels], "-" is an empty list; a scale is
mantissa and exponent. R is rounding (0 half away, 1 half even, 2 floor, 3 stochastic), offset and tweak of the random key.

    conv     inputs, outputs, kernel, stride, dilation, groups, padding left and right, steps; bits of x, w, dy; whether y
             passes a ReLU, whether x has passed one; x, w, bias (sums), dy; scales of x, w, dy; y: sums, R, scale, bits,
             codes; dx: the same; sums of dw and db. A Linear is one with kernel 1 whose steps are samples.
    transposed  inputs, outputs, kernel, stride, padding, output_padding, steps; then as conv
    max      channels, kernel, stride, steps; bits of x, dy; whether x has passed a ReLU; x, dy; y, dx (sums if windows overlap)
    average  the same, but y are sums; then scale of x, and y's R, scale, bits, codes. A global one has all steps in a window.
    leaky    slope in 2^-15; bits of x, dy; x, dy; sums of y, dx
    six      bits of x, dy; scale of x; x, dy; six in codes; sums of y; codes of dx
    sigmoid  bits of x, y, dy; scale of x; x, dy; codes of y; sums of dx
    tanh     the same
    pointwise  0 L1, 1 Huber, 2 binary; outputs, divisor, bits of the errors; unit; delta and targets as bits of float32; sums; loss
             Q24, codes of the errors (Huber: sums)
    soft     classes, bits of the errors, label; smoothing and weights as bits of float32; unit; logits; loss Q24, code of the label's
             weight, its unit, codes of the errors
    dropout  key, number of the first element, how many of 2^16 are dropped; bits of x; x; what is left
    grouped  as transposed, with groups behind output_padding
    shares   1 adaptive (outputs, 0, 0) or 0 padded (kernel, stride, padding); channels, steps, bits of x, dy; x, dy; divisor and sums of
             y; divisor and sums of dx: an average over windows of several sizes
    softmax  steps, bits of x, y, dy; scale of x; x, dy; codes of y; sums of dx
    entropy  classes, bits of the errors, label, scale; logits; loss Q24, prediction, codes of the errors
"""
import numpy as np

import averages
from activations import dropped, leaky, sigmoid, sigmoid_slope, six_codes, tanh, tanh_slope
from draws import Draws
from exact import cross_entropy, nearest_scale, over, random_key, times
from formats import ROUNDINGS, dynamic_scale, requantize
from layer_sums import (Conv, Pool, Transposed, average_backward, average_forward, conv_backward, conv_forward, conv_gradients, masked,
                        max_backward, max_forward, relu, transposed_backward, transposed_forward, transposed_gradients)
from losses import ClassTargets, absolute_error, binary_entropy, huber_error, soft_cross_entropy

TARGET, VERSION, SEED = "tests/golden/single_layers.txt", 2, 41


def text(*parts):
    """Numbers, scales and lists of any depth as words."""
    def flat(rows):
        return [v for row in rows for v in flat(row)] if isinstance(rows, list) else [rows]

    def word(part):
        if isinstance(part, tuple):
            return " ".join(map(str, part))
        return ",".join(map(str, flat(part))) or "-" if isinstance(part, list) else str(int(part) if part is True or part is False else part)
    return " ".join(map(word, parts))


def codes(draws, bits, *shape, low=None):
    if shape:
        return [codes(draws, bits, *shape[1:], low=low) for _ in range(shape[0])]
    high = 2 ** (bits - 1) - 1
    least = -high if low is None else low
    return draws.one_of((least, high, 0, 1)) if draws.chance(20) else draws.between(least, high)


def few(draws, bits, *shape, low=None):
    """Codes of which many are equal, so that windows tie."""
    if shape:
        return [few(draws, bits, *shape[1:], low=low) for _ in range(shape[0])]
    return draws.between(-2 if low is None else low, 2) if draws.chance(70) else codes(draws, bits, low=low)


def rounded(draws, sums, unit):
    """R, scale, bits and codes; some scales are so small that codes saturate."""
    flat = [v for row in sums for v in row]
    bits, rule, key = draws.between(2, 16), draws.one_of(ROUNDINGS), random_key(SEED, draws.between(0, 1000), 7)
    scale = dynamic_scale(max(map(abs, flat)), times(unit, nearest_scale(1)), bits)
    if draws.chance(30):
        scale = scale[0], scale[1] - draws.between(1, 3)
    found, saturated = requantize(flat, unit, scale, bits, rule, key)
    return text(ROUNDINGS.index(rule), key, scale, bits, found, saturated)


def conv_row(draws, conv, steps, bits):
    x_bits, w_bits, dy_bits = bits
    has_relu, passed_relu = draws.chance(50), draws.chance(50)
    x = codes(draws, x_bits, steps, conv.inputs, low=0 if passed_relu else None)
    w = codes(draws, w_bits, conv.outputs, conv.kernel, conv.inputs // conv.groups)
    bias = [draws.integer(20) if draws.chance(80) else 0 for _ in range(conv.outputs)]
    dy = codes(draws, dy_bits, conv.steps(steps), conv.outputs)
    scales = [draws.scale(-45, -35) for _ in range(3)]
    y, dx = conv_forward(conv, x, w, bias), conv_backward(conv, x, w, dy)
    y, dx = relu(y) if has_relu else y, masked(dx, x) if passed_relu else dx
    dw, db = conv_gradients(conv, x, dy)
    return text("conv", *conv, steps, *bits, has_relu, passed_relu, x, w, bias, dy, *scales,
                y, rounded(draws, y, times(scales[0], scales[1])), dx, rounded(draws, dx, times(scales[2], scales[1])), dw, db)


def transposed_row(draws, layer, steps, bits):
    x_bits, w_bits, dy_bits = bits
    has_relu, passed_relu = draws.chance(50), draws.chance(50)
    x = codes(draws, x_bits, steps, layer.inputs, low=0 if passed_relu else None)
    w = codes(draws, w_bits, layer.inputs, layer.kernel, layer.outputs // layer.groups)
    bias = [draws.integer(20) if draws.chance(80) else 0 for _ in range(layer.outputs)]
    dy = codes(draws, dy_bits, layer.steps(steps), layer.outputs)
    scales = [draws.scale(-45, -35) for _ in range(3)]
    y, dx = transposed_forward(layer, x, w, bias), transposed_backward(layer, x, w, dy)
    y, dx = relu(y) if has_relu else y, masked(dx, x) if passed_relu else dx
    dw, db = transposed_gradients(layer, x, dy)
    name, attributes = ("transposed", layer[:-1]) if layer.groups == 1 else ("grouped", layer)
    return text(name, *attributes, steps, *bits, has_relu, passed_relu, x, w, bias, dy, *scales,
                y, rounded(draws, y, times(scales[0], scales[1])), dx, rounded(draws, dx, times(scales[2], scales[1])), dw, db)


def random_transposed(draws):
    """Kernels shorter than the stride, as long, and longer; something is left of the outputs."""
    stride, more = draws.one_of((1, 2, 3, 5)), 0
    kernel = draws.one_of((max(1, stride - 1), stride, stride + 1, stride + 3))
    if draws.chance(40):
        more = draws.between(0, stride - 1)
    steps = draws.between(1, 7)
    left = min(draws.one_of((0, 1, 2, kernel - 1, kernel)), ((steps - 1) * stride + kernel + more - 1) // 2)
    return Transposed(draws.between(1, 6), draws.between(1, 6), kernel, stride, left, more), steps


def random_conv(draws, is_linear):
    if is_linear:
        return Conv(draws.between(1, 24), draws.between(1, 12)), draws.between(1, 5)
    groups = draws.one_of((1, 1, 2, 3))
    conv = Conv(groups * draws.between(1, 4), groups * draws.between(1, 4), draws.between(1, 5), draws.between(1, 3),
                draws.between(1, 3), groups, draws.between(0, 4), draws.between(0, 4))
    least = max(1, (conv.kernel - 1) * conv.dilation + 1 - conv.left - conv.right)
    return conv, least + draws.between(0, 8)


def pool_input(draws, is_global):
    bits, dy_bits = draws.one_of((4, 8, 12, 16)), draws.one_of((4, 8, 12, 16))
    kernel = draws.between(1, 6)
    pool = Pool(kernel, draws.between(1, kernel + 1))
    steps = pool.kernel + draws.between(0, 10)
    if is_global:
        pool = Pool(steps, steps)
    channels, passed_relu = draws.between(1, 9), draws.chance(50)
    x = few(draws, bits, steps, channels, low=0 if passed_relu else None)
    dy = codes(draws, dy_bits, pool.steps(steps), channels)
    return pool, text(channels, *pool, steps, bits, dy_bits, passed_relu, x, dy), x, dy, passed_relu


def max_row(draws):
    pool, given, x, dy, passed_relu = pool_input(draws, False)
    dx = max_backward(pool, x, dy)
    return text("max", given, max_forward(pool, x), masked(dx, x) if passed_relu else dx)


def average_row(draws, is_global):
    pool, given, x, dy, passed_relu = pool_input(draws, is_global)
    dx, y, scale = average_backward(pool, len(x), dy), average_forward(pool, x), draws.scale(-45, -20)
    return text("average", given, y, masked(dx, x) if passed_relu else dx, scale,
                rounded(draws, y, over(scale, nearest_scale(pool.kernel))))


def entropy_row(draws, bits):
    classes, max_code = draws.between(1, 12), 2 ** (bits - 1) - 1
    size = draws.between(4, 31)
    logits, scale = [draws.integer(size) for _ in range(classes)], draws.scale(-30 - size, -26 - size)
    if draws.chance(20):
        logits = [logits[0]] * classes
    if draws.chance(10):
        logits[0], logits[-1] = -2 ** 31, 2 ** 31 - 1
    label = draws.between(0, classes - 1)
    loss, errors = cross_entropy(logits, scale, label, max_code)
    return text("entropy", classes, bits, label, scale, logits, loss, logits.index(max(logits)), errors)


def leaky_row(draws, bits, dy_bits, n):
    x, dy, slope = codes(draws, bits, n), codes(draws, dy_bits, n), draws.one_of((0, 1, 328, 2 ** 15, draws.between(0, 2 ** 15)))
    return text("leaky", slope, bits, dy_bits, x, dy, [leaky(c, c, slope) for c in x], [leaky(c, d, slope) for c, d in zip(x, dy)])


def six_row(draws, bits, dy_bits, n):
    x, dy = codes(draws, bits, n), codes(draws, dy_bits, n)
    scale = draws.scale(-30 - bits, -24)
    six = six_codes(scale)
    return text("six", bits, dy_bits, scale, x, dy, six, [min(max(c, 0), six) for c in x],
                [d if 0 < c < six else 0 for c, d in zip(x, dy)])


def curve_row(draws, bits, dy_bits, n):
    name, curve, slope = draws.one_of((("sigmoid", sigmoid, sigmoid_slope), ("tanh", tanh, tanh_slope)))
    x, dy, y_bits = codes(draws, bits, n), codes(draws, dy_bits, n), draws.between(2, 16)
    scale, high = draws.scale(-32 - bits, -20), 2 ** (y_bits - 1) - 1
    y = [curve(c, scale, high) for c in x]
    return text(name, bits, y_bits, dy_bits, scale, x, dy, y, [d * slope(c, high) for c, d in zip(y, dy)])


def dropout_row(draws, bits, dy_bits, n):
    key, first = random_key(SEED, draws.between(0, 1000), 8 * draws.between(0, 9)), draws.between(0, 99)
    x, threshold = codes(draws, bits, n), draws.one_of((0, 1, 2 ** 15, 2 ** 16 - 1, draws.between(0, 2 ** 16 - 1)))
    return text("dropout", key, first, threshold, bits, x, dropped(key, first, threshold, x))


def pointwise_row(draws, bits, _, n):
    kind, high = draws.between(0, 2), 2 ** (bits - 1) - 1
    divisor, unit = draws.one_of((1, n)), draws.scale(-50, -40)
    reach = 2.0 ** (draws.between(8, 31) + unit[1] + 30)
    targets = [np.float32(draws.between(-2 ** 20, 2 ** 20) / 2 ** 20 * reach) for _ in range(n)]
    if kind == 2:
        targets = [np.float32(draws.one_of((0, 1, draws.between(0, 2 ** 20) / 2 ** 20))) for _ in range(n)]
    delta = np.float32(draws.between(1, 2 ** 12) / 2 ** 10 * 2.0 ** (draws.between(8, 31) + unit[1] + 30))
    sums = [draws.integer(31) for _ in range(n)]
    if draws.chance(50):  # an output that meets its target
        sums[0], targets[0] = 0, np.float32(0)
    if kind == 0:
        loss, errors = absolute_error(sums, unit, targets, divisor)
    elif kind == 1:
        loss, errors, _ = huber_error(sums, unit, targets, delta, divisor)
    else:
        loss, errors = binary_entropy(sums, unit, targets, high, divisor)
    return text("pointwise", kind, n, divisor, bits, unit, float_bits([delta])[0], float_bits(targets), sums, loss, errors)


def float_bits(values):
    return [int(v) for v in np.asarray(values, np.float32).view(np.uint32)]


def soft_row(draws, bits, _, n):
    weights = [np.float32(draws.one_of((1, 0.5, draws.between(0, 2 ** 12) / 100))) for _ in range(n)]
    weights[draws.between(0, n - 1)] = np.float32(draws.between(1, 2 ** 12) / 100)
    smoothing = np.float32(draws.one_of((0, 0.1, 1, draws.between(0, 100) / 100)))
    size, label = draws.between(4, 31), draws.between(0, n - 1)
    logits, unit = [draws.integer(size) for _ in range(n)], draws.scale(-30 - size, -26 - size)
    targets = ClassTargets(weights, smoothing)
    loss, errors = soft_cross_entropy(logits, unit, label, targets, 2 ** (bits - 1) - 1)
    return text("soft", n, bits, label, float_bits([smoothing])[0], float_bits(weights), unit, logits, loss, targets.codes[label],
                targets.unit, errors)


def random_grouped(draws):
    """As many groups as channels, too, whose products have a kernel of their own."""
    layer, steps = random_transposed(draws)
    groups = draws.between(2, 4)
    ins, outs = (1, 1) if draws.chance(30) else (draws.between(1, 3), draws.between(1, 3))
    return layer._replace(inputs=groups * ins, outputs=groups * outs, groups=groups), steps


def shares_row(draws):
    """Windows whose sizes differ."""
    bits, dy_bits, channels = draws.one_of((4, 8, 12, 16)), draws.one_of((4, 8, 12, 16)), draws.between(1, 5)
    while True:
        is_adaptive, steps, kernel, stride = draws.between(0, 1), draws.between(1, 40), draws.between(2, 9), draws.between(1, 9)
        outputs, pad = draws.between(1, 12), draws.between(1, kernel // 2)
        if not is_adaptive and steps + 2 * pad < kernel:
            continue
        layer = averages.Averages(averages.adaptive(steps, outputs) if is_adaptive else averages.inside(steps, kernel, stride, pad))
        if not layer.are_equal():
            break
    high, dy_high = 2 ** (bits - 1) - 1, 2 ** (dy_bits - 1) - 1
    x = few(draws, bits, steps, channels)
    dy = few(draws, dy_bits, len(layer.windows), channels)
    y = layer.forward(averages.Codes(x, averages.ONE, high)).rows
    dx = layer.backward(averages.Codes(x, averages.ONE, high), averages.Codes(dy, averages.ONE, dy_high)).rows
    shape = (1, outputs, 0, 0) if is_adaptive else (0, kernel, stride, pad)
    return text("shares", *shape, channels, steps, bits, dy_bits, x, dy, layer.forward_divisor(high), y,
                layer.backward_divisor(dy_high), dx)


def softmax_row(draws):
    bits, y_bits, dy_bits = (draws.between(2, 16) for _ in range(3))
    steps, channels, high = draws.between(1, 4), draws.between(1, 20), 2 ** (y_bits - 1) - 1
    x, dy = codes(draws, bits, steps, channels), codes(draws, dy_bits, steps, channels)
    scale = draws.scale(-32 - bits, -24)
    y = [averages.softmax_codes(row, scale, high) for row in x]
    return text("softmax", steps, bits, y_bits, dy_bits, scale, x, dy, y, [averages.softmax_errors(a, d, high) for a, d in zip(y, dy)])


def lines():
    yield from layer_lines(Draws(SEED))
    draws = Draws(SEED + 1)  # of its own, so that the rows above stay
    for make in (leaky_row, six_row, curve_row, curve_row, dropout_row, pointwise_row, pointwise_row, soft_row):
        for _ in range(40):
            yield make(draws, draws.between(2, 16), draws.between(2, 16), draws.between(1, 40))
    draws = Draws(SEED + 2)
    for number in range(40):
        layer, steps = random_grouped(draws)
        yield transposed_row(draws, layer, steps, [(8, 8, 8), (16, 16, 16), tuple(draws.between(2, 12) for _ in range(3))][number % 3])
        yield shares_row(draws)
        yield softmax_row(draws)


def layer_lines(draws):
    for number in range(120):
        conv, steps = random_conv(draws, number % 4 == 0)
        kind = number % 3  # 8-bit operands, operands of 16 bits, whose sums have 64, and a mixture
        bits = [(8, 8, 8), (16, 16, 16), tuple(draws.between(2, 12) for _ in range(3))][kind]
        yield conv_row(draws, conv, steps, bits)
    for number in range(80):
        yield max_row(draws)
        yield average_row(draws, number % 4 == 0)
    for bits in range(2, 17):
        for _ in range(8):
            yield entropy_row(draws, bits)
    for number in range(96):
        layer, steps = random_transposed(draws)
        bits = [(8, 8, 8), (16, 16, 16), tuple(draws.between(2, 12) for _ in range(3))][number % 3]
        yield transposed_row(draws, layer, steps, bits)
