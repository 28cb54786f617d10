"""Training steps of networks with Conv2d and pools of images, in exact integers.

As chain.py, with its signals of 30 numbers as images of 5 x 3 pixels and 2 channels. C is Conv2d (outputs, kernel, stride, dilation, groups,
padding top, bottom, left, right), M and A pools (kernel, stride, padding); two numbers are rows and columns:

    squares    C 6 3x3 1x1 1x1 1 1 1 1 1, ReLU, M 2x2 2x2 1x1, C 4 2x3 2x1 1x1 1 1 0 1 1, global average, Linear
    depthwise  C 4 1x2 1x1 1x1 1 0 0 1 0, ReLU, C 4 3x3 1x1 2x1 4 2 2 1 1, C 5 1x1 ..., A 3x2 2x1 1x1, Flatten, Linear
    strided    C 6 2x2 3x2 1x1 2 2 1 0 3, LayerNorm, A 2x2 2x2 0x0, Flatten, Linear
    kept       squares, with activations asym8, weights sym5/channel
"""
import itertools
from typing import NamedTuple

from chain import CHANNELS, CLASSES, EPS, STEPS, Data, SEED as DATA_SEED, chain_lines
from exact import over, times, nearest_scale
from formats import CHANNEL, Format
from kept import kept, plain
from layers import Flatten, GlobalAvgPool1d, LayerNorm, Moves, bias_gradient, weights
from network import BIAS, ONE, Codes, CrossEntropy, Gradient, Network, Parameter, Stage, Sums
from layers import Conv1d as Linear

TARGET, VERSION, SEED = "tests/golden/images.inc", 1, 140
HEIGHT, WIDTH, DEPTH = 5, 3, 2

HEAD = """
// As chain.inc, for images; tools/gold/images.py says what the variants are.
""".strip()


class Windows(NamedTuple):
    """Places of a window over an image: rows, then columns."""
    height: int
    width: int
    kernel: tuple
    stride: tuple = (1, 1)
    dilation: tuple = (1, 1)
    before: tuple = (0, 0)
    after: tuple = (0, 0)

    def out(self):
        return tuple((n + b + a - (k - 1) * d - 1) // s + 1
                     for n, k, s, d, b, a in zip((self.height, self.width), *self[2:]))

    def places(self):
        """(pixel of y, place in the window, pixel of x) of all that lie inside."""
        rows, columns = self.out()
        for v, u in itertools.product(range(rows), range(columns)):
            for r, k in itertools.product(range(self.kernel[0]), range(self.kernel[1])):
                row = v * self.stride[0] + r * self.dilation[0] - self.before[0]
                column = u * self.stride[1] + k * self.dilation[1] - self.before[1]
                if 0 <= row < self.height and 0 <= column < self.width:
                    yield v * columns + u, r * self.kernel[1] + k, row * self.width + column

    def area(self):
        return self.kernel[0] * self.kernel[1]

    def pixels(self):
        return self.out()[0] * self.out()[1]


class Conv2d:
    """Weights [O, R, K, C / groups]."""

    def __init__(self, settings, index, windows, channels, outputs, groups=1, fmt=None):
        self.windows, self.channels, self.outputs, self.groups = windows, channels, outputs, groups
        self.fan_in = windows.area() * channels // groups
        self.weight = weights(settings, index, outputs * self.fan_in, outputs, fmt).uniform(self.fan_in)
        self.bias = Parameter(settings, index, BIAS, outputs).uniform(self.fan_in)
        self.parameters = self.weight, self.bias

    def products(self):
        """(pixel of y, output, pixel of x, input, weight)"""
        ins, outs = self.channels // self.groups, self.outputs // self.groups
        for to, place, at in self.windows.places():
            for o in range(self.outputs):
                for i in range(ins):
                    yield to, o, at, o // outs * ins + i, o * self.fan_in + place * ins + i

    def forward(self, x):
        w, w_scale = self.weight.operand()
        unit = times(x.scale, w_scale)
        bias = self.bias.in_units(unit, self.fan_in * x.max_code * self.weight.operand_bound)
        y = [list(bias) for _ in range(self.windows.pixels())]
        for to, o, at, c, of in self.products():
            y[to][o] += x.rows[at][c] * w[of]
        return Sums(y, unit)

    def backward(self, x, dy):
        w, w_scale = self.weight.operand()
        dx = [[0] * self.channels for _ in x.rows]
        for to, o, at, c, of in self.products():
            dx[at][c] += dy.rows[to][o] * w[of]
        return Sums(dx, times(dy.scale, w_scale))

    def gradients(self, x, dy):
        dw = [0] * self.weight.count
        for to, o, at, c, of in self.products():
            dw[of] += dy.rows[to][o] * x.rows[at][c]
        largest = len(dy.rows) * dy.max_code * x.max_code
        return [Gradient(dw, times(dy.scale, x.scale), largest), bias_gradient(dy)]


class MaxPool2d(Moves):
    """Windows that do not overlap; the first of equals wins, row by row."""

    def __init__(self, windows):
        self.windows = windows

    def winners(self, x):
        inside = [[] for _ in range(self.windows.pixels())]
        for to, _, at in self.windows.places():
            inside[to].append(at)
        return [[max(pixels, key=lambda p: (x.rows[p][c], -p)) for c in range(len(x.rows[0]))] for pixels in inside]

    def forward(self, x):
        rows = [[x.rows[p][c] for c, p in enumerate(row)] for row in self.winners(x)]
        return x._replace(rows=rows, passed_relu=False)

    def backward(self, x, dy):
        dx = [[0] * len(row) for row in x.rows]
        for winners, errors in zip(self.winners(x), dy.rows):
            for c, (p, d) in enumerate(zip(winners, errors)):
                dx[p][c] = d
        return dy._replace(rows=dx)


class AvgPool2d(Moves):
    """Zeros of the padding count. Errors of windows that overlap are sums; others keep their codes."""

    def __init__(self, windows):
        self.windows = windows

    def forward(self, x):
        y = [[0] * len(x.rows[0]) for _ in range(self.windows.pixels())]
        for to, _, at in self.windows.places():
            y[to] = [a + b for a, b in zip(y[to], x.rows[at])]
        return Sums(y, over(x.scale, nearest_scale(self.windows.area())))

    def backward(self, x, dy):
        dx = [[0] * len(row) for row in x.rows]
        for to, _, at in self.windows.places():
            dx[at] = [a + b for a, b in zip(dx[at], dy.rows[to])]
        if any(s < k for s, k in zip(self.windows.stride, self.windows.kernel)):
            return Sums(dx, over(dy.scale, nearest_scale(self.windows.area())))
        return Codes(dx, times(dy.scale, over(ONE, nearest_scale(self.windows.area()))), dy.max_code)


class Pictures(Data):
    """The signals as images: [pixels, channels]."""
    array = "kStepped"

    def __init__(self):
        super().__init__(DATA_SEED + 1, STEPS, CHANNELS)
        self.x = self.x.reshape(len(self.x), HEIGHT * WIDTH, DEPTH)


def squares(y=plain, dx=plain, fmt=None):
    def build(settings, input_range):
        first = Windows(HEIGHT, WIDTH, (3, 3), before=(1, 1), after=(1, 1))
        pool = Windows(HEIGHT, WIDTH, (2, 2), (2, 2), before=(1, 1), after=(1, 1))
        second = Windows(*pool.out(), (2, 3), (2, 1), before=(1, 1), after=(0, 1))
        return Network([
            Stage(0, Conv2d(settings, 0, first, DEPTH, 6, fmt=fmt), relu=True, y=y(settings)),
            Stage(2, MaxPool2d(pool)),
            Stage(3, Conv2d(settings, 3, second, 6, 4, fmt=fmt), y=y(settings), dx=dx(settings)),
            Stage(4, GlobalAvgPool1d(), y=y(settings)),
            Stage(5, Linear(settings, 5, 4, CLASSES, fmt=fmt), dx=dx(settings)),
        ], CrossEntropy(6), input_range)
    return build


def depthwise(settings, input_range):
    first = Windows(HEIGHT, WIDTH, (1, 2), before=(0, 1))
    each = Windows(*first.out(), (3, 3), dilation=(2, 1), before=(2, 1), after=(2, 1))
    mix = Windows(*each.out(), (1, 1))
    pool = Windows(*mix.out(), (3, 2), (2, 1), before=(1, 1), after=(1, 1))
    return Network([
        Stage(0, Conv2d(settings, 0, first, DEPTH, 4), relu=True, y=plain(settings)),
        Stage(2, Conv2d(settings, 2, each, 4, 4, 4), y=plain(settings), dx=plain(settings)),
        Stage(3, Conv2d(settings, 3, mix, 4, 5), y=plain(settings), dx=plain(settings)),
        Stage(4, AvgPool2d(pool), y=plain(settings), dx=plain(settings)),
        Stage(5, Flatten()),
        Stage(6, Linear(settings, 6, 5 * pool.pixels(), CLASSES), dx=plain(settings)),
    ], CrossEntropy(7), input_range)


def strided(settings, input_range):
    first = Windows(HEIGHT, WIDTH, (2, 2), (3, 2), before=(2, 0), after=(1, 3))
    pool = Windows(*first.out(), (2, 2), (2, 2))
    return Network([
        Stage(0, Conv2d(settings, 0, first, DEPTH, 6, 2), y=plain(settings)),
        Stage(1, LayerNorm(settings, 1, 6, EPS), y=plain(settings), dx=plain(settings)),
        Stage(2, AvgPool2d(pool), y=plain(settings)),
        Stage(3, Flatten()),
        Stage(4, Linear(settings, 4, 6 * pool.pixels(), CLASSES), dx=plain(settings)),
    ], CrossEntropy(5), input_range)


PICTURES = Pictures()
VARIANTS = {  # how it is built, data, whether targets are values, weight decay
    "squares": (squares(), PICTURES, False, 0),
    "depthwise": (depthwise, PICTURES, False, 0),
    "strided": (strided, PICTURES, False, 0.01),
    "kept": (squares(kept("asym", 8), fmt=Format("sym", 5, CHANNEL)), PICTURES, False, 0),
}


def lines():
    yield HEAD
    yield from chain_lines(VARIANTS, SEED, "kImageChains", meets_refits=any)
