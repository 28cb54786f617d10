"""Layers in exact integers: forward and backward of codes to sums, or to codes where they are only moved.

`forward(x)`, `backward(x, dy)` and `gradients(x, dy)`; the last one gives the Gradient of each of the layer's parameters.
"""
import math

from exact import multiplier, nearest_scale, over, rescale, shifted, times, whole
from granules import GranuleParameter
from network import BIAS, ONE, WEIGHT, Codes, Gradient, Parameter, Sums


def weights(settings, index, count, channels, fmt):
    """Sixteen bits in int8's own form, or a format with scales for granules, zero points or exponents."""
    return GranuleParameter(settings, index, count, fmt, channels) if fmt else Parameter(settings, index, WEIGHT, count)


class Conv1d:
    """Weights [O, K, C]; a Linear is one with kernel 1 and a single step."""

    def __init__(self, settings, index, channels, outputs, kernel=1, pad=0, fmt=None):
        self.channels, self.outputs, self.kernel, self.pad = channels, outputs, kernel, pad
        self.fan_in = kernel * channels
        self.weight = weights(settings, index, outputs * self.fan_in, outputs, fmt).uniform(self.fan_in)
        self.bias = Parameter(settings, index, BIAS, outputs).uniform(self.fan_in)
        self.parameters = self.weight, self.bias

    def windows(self, x):
        zeros = [[0] * self.channels] * self.pad
        rows = zeros + x.rows + zeros
        return [sum(rows[t:t + self.kernel], []) for t in range(len(rows) - self.kernel + 1)]

    def forward(self, x):
        w, w_scale = self.weight.operand()
        unit = times(x.scale, w_scale)
        bias = self.bias.in_units(unit, self.fan_in * x.max_code * self.weight.operand_bound)
        return Sums([[bias[o] + sum(a * b for a, b in zip(window, w[o * self.fan_in:])) for o in range(self.outputs)]
                     for window in self.windows(x)], unit)

    def backward(self, x, dy):
        w, w_scale = self.weight.operand()
        dx = [[0] * self.channels for _ in range(len(x.rows) + 2 * self.pad)]
        for t, row in enumerate(dy.rows):
            for o, d in enumerate(row):
                for i in range(self.fan_in):
                    dx[t + i // self.channels][i % self.channels] += d * w[o * self.fan_in + i]
        return Sums(dx[self.pad:len(dx) - self.pad], times(dy.scale, w_scale))

    def gradients(self, x, dy):
        windows = self.windows(x)
        weight = [sum(row[o] * window[i] for row, window in zip(dy.rows, windows))
                  for o in range(self.outputs) for i in range(self.fan_in)]
        largest = len(dy.rows) * dy.max_code
        return [Gradient(weight, times(dy.scale, x.scale), largest * x.max_code), bias_gradient(dy)]


class ConvTranspose1d:
    """Weights [I, K, O / groups]: each step of the input adds a window of K steps to the outputs of its group."""

    def __init__(self, settings, index, channels, outputs, kernel, stride=1, pad=0, more=0, fmt=None, bias=True, groups=1):
        self.channels, self.outputs, self.kernel, self.stride = channels, outputs, kernel, stride
        self.pad, self.more = pad, more  # steps that are dropped at both ends, that are added behind
        self.groups, self.row = groups, kernel * outputs // groups
        self.weight = weights(settings, index, channels * self.row, channels, fmt).uniform(self.row)
        self.bias = Parameter(settings, index, BIAS, outputs).uniform(self.row) if bias else None
        self.parameters = (self.weight, self.bias) if bias else (self.weight,)

    def products(self, in_steps):
        """(t, u, i, o, at) of each y[u][o] += x[t][i] * w[at]."""
        out_steps = (in_steps - 1) * self.stride + self.kernel + self.more - 2 * self.pad
        for t in range(in_steps):
            for k in range(self.kernel):
                u = t * self.stride + k - self.pad
                if 0 <= u < out_steps:
                    ins, outs = self.channels // self.groups, self.outputs // self.groups
                    for i in range(self.channels):
                        for o in range(outs):
                            yield t, u, i, i // ins * outs + o, i * self.row + k * outs + o

    def forward(self, x):
        w, w_scale = self.weight.operand()
        unit, most = times(x.scale, w_scale), -(-self.kernel // self.stride) * self.channels // self.groups  # that add up in an output
        bias = self.bias.in_units(unit, most * x.max_code * self.weight.operand_bound) if self.bias else [0] * self.outputs
        steps = (len(x.rows) - 1) * self.stride + self.kernel + self.more - 2 * self.pad
        y = [list(bias) for _ in range(steps)]
        for t, u, i, o, at in self.products(len(x.rows)):
            y[u][o] += x.rows[t][i] * w[at]
        return Sums(y, unit)

    def backward(self, x, dy):
        w, w_scale = self.weight.operand()
        dx = [[0] * self.channels for _ in x.rows]
        for t, u, i, o, at in self.products(len(x.rows)):
            dx[t][i] += dy.rows[u][o] * w[at]
        return Sums(dx, times(dy.scale, w_scale))

    def gradients(self, x, dy):
        dw = [0] * self.weight.count
        for t, u, i, o, at in self.products(len(x.rows)):
            dw[at] += dy.rows[u][o] * x.rows[t][i]
        weight = Gradient(dw, times(dy.scale, x.scale), len(x.rows) * dy.max_code * x.max_code)
        return [weight, bias_gradient(dy)] if self.bias else [weight]


def bias_gradient(dy):
    return Gradient([sum(d) for d in zip(*dy.rows)], dy.scale, len(dy.rows) * dy.max_code)


def normalize(x, x_scale, eps):
    """Codes of one step to h = (x - mean) / sqrt(variance + eps) in units of 2^-k, the reciprocal root and k."""
    n = len(x)
    k = 15 - ((n - 1).bit_length() + 1) // 2
    total = sum(x)
    spread = n * sum(v * v for v in x) - total * total
    r = max(1, spread + whole(over(times(eps, nearest_scale(n), nearest_scale(n)), times(x_scale, x_scale))))
    j = 0
    while r * 4 ** (j + 1) < 2 ** 62:
        j += 1
    inverse = over(ONE, (math.isqrt(r * 4 ** j), -j))
    by = multiplier(shifted(inverse, k))
    return [rescale(n * v - total, by, 32767) for v in x], inverse, k


def normalize_backward(g, h, k):
    """From g = dy * gamma: B = sum of g h, and the sums n g - sum of g - h B, where h has the unit 2^-k."""
    n, total, b = len(g), sum(g), sum(a * c for a, c in zip(g, h))
    return b, [n * a - total - (2 * c * b + 4 ** k) // (2 * 4 ** k) for a, c in zip(g, h)]


class LayerNorm:
    """Normalises each step's channels; weights are gamma, biases beta."""

    def __init__(self, settings, index, channels, eps, fmt=None):
        self.eps = eps
        self.gamma = weights(settings, index, channels, channels, fmt).constant(1)
        self.beta = Parameter(settings, index, BIAS, channels).constant(0)
        self.parameters = self.gamma, self.beta

    def forward(self, x):
        gamma, gamma_scale = self.gamma.operand()
        rows = []
        for row in x.rows:
            h, _, k = normalize(row, x.scale, self.eps)
            unit = shifted(gamma_scale, -k)
            beta = self.beta.in_units(unit, self.gamma.operand_bound * 32767)
            rows.append([a * b + c for a, b, c in zip(gamma, h, beta)])
        return Sums(rows, unit)

    def backward(self, x, dy):
        gamma, gamma_scale = self.gamma.operand()
        rows, inverses = [], []
        for row, d in zip(x.rows, dy.rows):
            h, inverse, k = normalize(row, x.scale, self.eps)
            rows.append(normalize_backward([a * b for a, b in zip(d, gamma)], h, k)[1])
            inverses.append(inverse)
        return Sums(rows, over(times(dy.scale, gamma_scale), x.scale), inverses)

    def gradients(self, x, dy):
        each = [normalize(row, x.scale, self.eps) for row in x.rows]
        gamma = [sum(products) for products in zip(*([a * b for a, b in zip(d, h)] for d, (h, _, _) in zip(dy.rows, each)))]
        largest = len(dy.rows) * dy.max_code * 32767
        return [Gradient(gamma, shifted(dy.scale, -each[0][2]), largest), bias_gradient(dy)]


class Moves:
    """A layer without parameters."""
    parameters = ()

    @staticmethod
    def gradients(x, dy):
        return []


class MaxPool1d(Moves):
    """Windows that do not overlap; the first of equals wins. A ReLU before masks the codes that come back."""

    def __init__(self, kernel):
        self.kernel = kernel

    def winners(self, x):
        return [[max(range(t * self.kernel, (t + 1) * self.kernel), key=lambda s: (x.rows[s][c], -s))
                 for c in range(len(x.rows[0]))] for t in range(len(x.rows) // self.kernel)]

    def forward(self, x):
        rows = [[x.rows[s][c] for c, s in enumerate(row)] for row in self.winners(x)]
        return x._replace(rows=rows, passed_relu=False)

    def backward(self, x, dy):
        dx = [[0] * len(row) for row in x.rows]
        for winners, row in zip(self.winners(x), dy.rows):
            for c, (s, d) in enumerate(zip(winners, row)):
                dx[s][c] = d
        return dy._replace(rows=dx)


class GlobalAvgPool1d(Moves):
    """The divisor goes into the unit; errors pass unchanged, with their scale times one over it."""

    def forward(self, x):
        return Sums([[sum(column) for column in zip(*x.rows)]], over(x.scale, nearest_scale(len(x.rows))))

    def backward(self, x, dy):
        return Codes([list(dy.rows[0]) for _ in x.rows], times(dy.scale, over(ONE, nearest_scale(len(x.rows)))), dy.max_code)


class Flatten(Moves):
    def forward(self, x):
        return x._replace(rows=[sum(x.rows, [])])

    def backward(self, x, dy):
        n = len(x.rows[0])
        return dy._replace(rows=[dy.rows[0][i:i + n] for i in range(0, len(dy.rows[0]), n)])


class Quantize(Moves):
    """Its stage's wires round codes anew: forward where no sums precede it, errors where they do not arrive as it wants them."""

    def __init__(self, forward=False, errors=False):
        self.rounds, self.rounds_errors = forward, errors

    def forward(self, x):
        return Sums(x.rows, x.scale) if self.rounds else x

    def backward(self, x, dy):
        return Sums(dy.rows, dy.scale) if self.rounds_errors else dy
