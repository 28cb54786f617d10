"""Training steps of networks with averages over windows of several sizes, Softmax and grouped transposed convolutions, in exact integers.

As chain.py and images.py. P is AdaptiveAvgPool (outputs), A AvgPool (kernel, stride, padding) that divides by what lies inside, S
Softmax, T ConvTranspose1d (outputs, kernel, stride, padding, groups), C a convolution (outputs, kernel):

    adaptive   C 8 1, ReLU, P 3, C 8 2, P 3, Flatten, Linear     windows of 2 and 3 steps; of 1 and 2, more than arrive
    tiles      an image: C 6 1x1, ReLU, P 3x2, C 4 1x1, P 2x2, Flatten, Linear      the second: equal windows that meet
    even       C 8 2, P 2, Flatten, Linear                      windows of 2 steps: an AvgPool1d
    inside     C 8 1, ReLU, A 3 2 1, C 8 1, A 2 2 1, Flatten, Linear     windows of the second do not meet
    framed     an image: C 6 1x1, A 3x2 2x1 1x1, Flatten, Linear
    pooled_kept  adaptive, with activations asym8, errors asym7, stochastic
    shares     C 8 3, ReLU, S, Flatten, Linear 4, S; mean squared error against labels
    grouped    C 8 3, ReLU, T 6 4 2 1 2, ReLU, T 6 2 1 1 6; reproduces its input
"""
from averages import Averages, Softmax, adaptive, inside
from chain import CHANNELS, CLASSES, FILTERS, REPRODUCED, STEPPED, chain_lines
from images import DEPTH, HEIGHT, PICTURES, WIDTH, Conv2d, Windows
from kept import kept, plain
from layers import Conv1d, ConvTranspose1d, Flatten
from network import CrossEntropy, MeanSquaredError, Network, Stage

TARGET, VERSION, SEED = "tests/golden/pools.inc", 1, 170

HEAD = """
// As chain.inc, for averages over windows of several sizes, Softmax and groups of transposed convolutions; tools/gold/pools.py says what
// the variants are.
""".strip()


def adaptive_chain(y=plain, dx=plain):
    def build(settings, input_range):
        return Network([
            Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS), relu=True, y=y(settings)),
            Stage(2, Averages(adaptive(5, 3)), y=y(settings), dx=dx(settings)),
            Stage(3, Conv1d(settings, 3, FILTERS, FILTERS, 2), y=y(settings), dx=dx(settings)),
            Stage(4, Averages(adaptive(2, 3)), y=y(settings), dx=dx(settings)),
            Stage(5, Flatten()),
            Stage(6, Conv1d(settings, 6, 3 * FILTERS, CLASSES), dx=dx(settings)),
        ], CrossEntropy(7, bits=8 if dx is plain else 7), input_range)
    return build


def pixel_conv(settings, index, height, width, channels, outputs):
    return Conv2d(settings, index, Windows(height, width, (1, 1)), channels, outputs)


def tiles(settings, input_range):
    return Network([
        Stage(0, pixel_conv(settings, 0, HEIGHT, WIDTH, DEPTH, 6), relu=True, y=plain(settings)),
        Stage(2, Averages(adaptive(WIDTH, 2), adaptive(HEIGHT, 3), WIDTH), y=plain(settings), dx=plain(settings)),
        Stage(3, pixel_conv(settings, 3, 3, 2, 6, 4), y=plain(settings), dx=plain(settings)),
        Stage(4, Averages(adaptive(2, 2), adaptive(3, 2), 2), y=plain(settings), dx=plain(settings)),
        Stage(5, Flatten()),
        Stage(6, Conv1d(settings, 6, 16, CLASSES), dx=plain(settings)),
    ], CrossEntropy(7), input_range)


def even(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, 2), y=plain(settings)),
        Stage(1, Averages(adaptive(4, 2)), y=plain(settings)),
        Stage(2, Flatten()),
        Stage(3, Conv1d(settings, 3, 2 * FILTERS, CLASSES), dx=plain(settings)),
    ], CrossEntropy(4), input_range)


def inside_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS), relu=True, y=plain(settings)),
        Stage(2, Averages(inside(5, 3, 2, 1)), y=plain(settings), dx=plain(settings)),
        Stage(3, Conv1d(settings, 3, FILTERS, FILTERS), y=plain(settings), dx=plain(settings)),
        Stage(4, Averages(inside(3, 2, 2, 1)), y=plain(settings), dx=plain(settings)),
        Stage(5, Flatten()),
        Stage(6, Conv1d(settings, 6, 2 * FILTERS, CLASSES), dx=plain(settings)),
    ], CrossEntropy(7), input_range)


def framed(settings, input_range):
    down, along = inside(HEIGHT, 3, 2, 1), inside(WIDTH, 2, 1, 1)
    return Network([
        Stage(0, pixel_conv(settings, 0, HEIGHT, WIDTH, DEPTH, 6), y=plain(settings)),
        Stage(1, Averages(along, down, WIDTH), y=plain(settings), dx=plain(settings)),
        Stage(2, Flatten()),
        Stage(3, Conv1d(settings, 3, 6 * len(down.windows) * len(along.windows), CLASSES), dx=plain(settings)),
    ], CrossEntropy(4), input_range)


def shares(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, 3), relu=True, y=plain(settings)),
        Stage(2, Softmax(), dx=plain(settings)),
        Stage(3, Flatten()),
        Stage(4, Conv1d(settings, 4, 3 * FILTERS, CLASSES), y=plain(settings), dx=plain(settings)),
        Stage(5, Softmax(last=True), dx=plain(settings)),
    ], MeanSquaredError(6), input_range)


def grouped(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, 3), relu=True, y=plain(settings)),
        Stage(2, ConvTranspose1d(settings, 2, FILTERS, 6, 4, 2, 1, groups=2), relu=True, y=plain(settings), dx=plain(settings)),
        Stage(4, ConvTranspose1d(settings, 4, 6, 6, 2, 1, 1, groups=6), dx=plain(settings)),
    ], MeanSquaredError(5), input_range)


VARIANTS = {  # how it is built, data, whether targets are values, weight decay
    "adaptive": (adaptive_chain(), STEPPED, False, 0),
    "tiles": (tiles, PICTURES, False, 0),
    "even": (even, STEPPED, False, 0),
    "inside": (inside_chain, STEPPED, False, 0.01),
    "framed": (framed, PICTURES, False, 0),
    "pooled_kept": (adaptive_chain(kept("asym", 8), kept("asym", 7, rule="stochastic")), STEPPED, False, 0),
    "shares": (shares, STEPPED, False, 0),
    "grouped": (grouped, REPRODUCED, True, 0),
}


def lines():
    yield HEAD
    yield from chain_lines(VARIANTS, SEED, "kPoolChains", meets_refits=any)
