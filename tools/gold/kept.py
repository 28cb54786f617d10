"""Training steps with wires and weights in formats that products do not read, in exact integers.

As chain.py, whose inputs these are, recipe int8 but for what is said. F is its chain on 12 features (Linear 16, Quantize,
LayerNorm, Quantize, Linear 4), S its steps (Conv1d 8, ReLU, LayerNorm, GlobalAvgPool1d, Linear 4).

    asym_steps      S; activations and errors asym8
    asym_wide       F; activations asym16
    bfp             F; activations bfp8/4, errors bfp6/4
    groups          F; activations sym5/8 and errors sym6/4, both stochastic
    dynamic         F; activations and errors of 8 bits with scales of each sample
    fixed_band      F; activations asym8 with the scale 0.05f and the zero point -20, then 0.04f and 31
    channel_weights S; weights sym4/channel
    band_weights    F; weights asym6, weight decay
    bfp_weights     F; weights bfp8/4
    packed          Conv1d 8, ReLU, MaxPool1d 3, LayerNorm, Linear 4; activations sym5, packed
    dynamic_band    F; activations asym7 with scales of each sample, stochastic; errors asym5, half even
    alone           Conv1d 8, MaxPool1d 3, ReLU, LayerNorm, Linear 4; activations asym6, errors bfp7/4, floor
    mixed_kinds     F with MSE; activations asym9/4, half even, weights asym5/8, errors asym10, stochastic
"""
import numpy as np

from chain import (CHANNELS, CLASSES, EPS, FEATURES, FILTERS, FLAT, HIDDEN, KERNEL, STEPPED, STEPS, chain_lines, scale_of)
from formats import CHANNEL, Format
from granules import KeptWire
from layers import Conv1d, GlobalAvgPool1d, LayerNorm, MaxPool1d, Quantize
from network import CrossEntropy, MeanSquaredError, Network, Stage, Wire

TARGET, VERSION, SEED = "tests/golden/kept.inc", 1, 60

HEAD = """
// As chain.inc, for wires and weights in other formats; tools/gold/kept.py says what the variants are.
""".strip()


def plain(settings):
    return Wire()


def kept(kind, bits, group=0, **how):
    return lambda settings: KeptWire(settings, Format(kind, bits, group), **how)


def fixed(bits, scale, zero_point):
    return kept("asym", bits, fixed=(scale_of(np.float32(scale)), zero_point))


def flat(y, dx=plain, second=None, weights=None, loss=CrossEntropy):
    def build(settings, input_range):
        return Network([
            Stage(0, Conv1d(settings, 0, FEATURES, HIDDEN, fmt=weights), y=y(settings)),
            Stage(2, LayerNorm(settings, 2, HIDDEN, EPS, weights), y=(second or y)(settings), dx=dx(settings)),
            Stage(4, Conv1d(settings, 4, HIDDEN, CLASSES, fmt=weights), dx=dx(settings)),
        ], loss(5), input_range)
    return build


def steps(y=plain, dx=plain, weights=None):
    def build(settings, input_range):
        return Network([
            Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL, fmt=weights), relu=True, y=y(settings)),
            Stage(2, LayerNorm(settings, 2, FILTERS, EPS, weights), y=y(settings), dx=dx(settings)),
            Stage(3, GlobalAvgPool1d(), y=y(settings)),
            Stage(4, Conv1d(settings, 4, FILTERS, CLASSES, fmt=weights), dx=dx(settings)),
        ], CrossEntropy(5), input_range)
    return build


def packed_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), relu=True, y=Wire(5)),
        Stage(2, MaxPool1d(STEPS - KERNEL + 1)),
        Stage(3, LayerNorm(settings, 3, FILTERS, EPS), y=Wire(5), dx=Wire()),
        Stage(4, Conv1d(settings, 4, FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(5), input_range, input_bits=5)


def alone_chain(settings, input_range):
    y, dx = kept("asym", 6), kept("bfp", 7, 4, rule="floor")
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), y=y(settings)),
        Stage(1, MaxPool1d(STEPS - KERNEL + 1), relu=True),
        Stage(3, LayerNorm(settings, 3, FILTERS, EPS), y=y(settings), dx=dx(settings)),
        Stage(4, Conv1d(settings, 4, FILTERS, CLASSES), dx=dx(settings)),
    ], CrossEntropy(5, bits=7), input_range, input_bits=6)


VARIANTS = {  # how it is built, data, whether targets are values, weight decay
    "asym_steps": (steps(kept("asym", 8), kept("asym", 8)), STEPPED, False, 0),
    "asym_wide": (flat(kept("asym", 16)), FLAT, False, 0),
    "bfp": (flat(kept("bfp", 8, 4), kept("bfp", 6, 4)), FLAT, False, 0),
    "groups": (flat(kept("sym", 5, 8, rule="stochastic"), kept("sym", 6, 4, rule="stochastic")), FLAT, False, 0),
    "dynamic": (flat(kept("sym", 8, dynamic=True), kept("sym", 8, dynamic=True)), FLAT, False, 0),
    "fixed_band": (flat(fixed(8, 0.05, -20), second=fixed(8, 0.04, 31)), FLAT, False, 0),
    "channel_weights": (steps(weights=Format("sym", 4, CHANNEL)), STEPPED, False, 0),
    "band_weights": (flat(plain, weights=Format("asym", 6)), FLAT, False, 0.01),
    "bfp_weights": (flat(plain, weights=Format("bfp", 8, 4)), FLAT, False, 0),
    "packed": (packed_chain, STEPPED, False, 0),
    "dynamic_band": (flat(kept("asym", 7, rule="stochastic", dynamic=True), kept("asym", 5, rule="half_even")), FLAT, False, 0),
    "alone": (alone_chain, STEPPED, False, 0),
    "mixed_kinds": (flat(kept("asym", 9, 4, rule="half_even"), kept("asym", 10, rule="stochastic"),
                         weights=Format("asym", 5, 8), loss=MeanSquaredError), FLAT, True, 0),
}


def lines():
    yield HEAD
    yield from chain_lines(VARIANTS, SEED, "kKeptChains")
