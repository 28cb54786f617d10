"""Training steps of networks with ConvTranspose1d that reproduce a signal, in exact integers.

As chain.py, with its signals of 5 steps x 6 channels, which are the targets, too: 30 outputs, whatever their shape, mean squared
error. C is Conv1d (outputs, kernel), T ConvTranspose1d (outputs, kernel, stride, padding, output_padding):

    longer     C 8 3, ReLU, T 4 4 2 1 0, ReLU, T 5 3 1 1 0      kernels longer than the stride: windows add up
    gaps       T 4 2 3 0 1, T 2 1 1 0 0                         a shorter kernel: steps that nothing reaches; no ReLU, no conv
    fives      C 8 5, ReLU, T 4 5 5 0 0, ReLU, T 3 2 2 0 0      kernel = stride; the second T has no bias; weight decay
    threes     C 8 3, ReLU, T 5 5 3 2 2, ReLU, C 5 4            padding beside output_padding, and a Conv1d behind
    bands      longer, with activations asym8 and errors of groups sym6/4, stochastic
    rows       longer, with weights sym5/channel: a scale for each input channel
"""
from chain import CHANNELS, FILTERS, REPRODUCED, chain_lines
from formats import CHANNEL, Format
from kept import kept, plain
from layers import Conv1d, ConvTranspose1d
from network import MeanSquaredError, Network, Stage

TARGET, VERSION, SEED = "tests/golden/transposed.inc", 1, 90

HEAD = """
// As chain.inc, for transposed convolutions whose targets are their inputs; tools/gold/transposed.py says what the variants are.
""".strip()


def longer(y=plain, dx=plain, fmt=None, errors=plain):
    def build(settings, input_range):
        return Network([
            Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, 3, fmt=fmt), relu=True, y=y(settings)),
            Stage(2, ConvTranspose1d(settings, 2, FILTERS, 4, 4, 2, 1, fmt=fmt), relu=True, y=y(settings), dx=dx(settings)),
            Stage(4, ConvTranspose1d(settings, 4, 4, 5, 3, 1, 1, fmt=fmt), dx=dx(settings)),
        ], MeanSquaredError(5, errors(settings)), input_range)
    return build


def gaps(settings, input_range):
    return Network([
        Stage(0, ConvTranspose1d(settings, 0, CHANNELS, 4, 2, 3, more=1), y=plain(settings)),
        Stage(1, ConvTranspose1d(settings, 1, 4, 2, 1), dx=plain(settings)),
    ], MeanSquaredError(2), input_range)


def fives(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, 5), relu=True, y=plain(settings)),
        Stage(2, ConvTranspose1d(settings, 2, FILTERS, 4, 5, 5), relu=True, y=plain(settings), dx=plain(settings)),
        Stage(4, ConvTranspose1d(settings, 4, 4, 3, 2, 2, bias=False), dx=plain(settings)),
    ], MeanSquaredError(5), input_range)


def threes(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, 3), relu=True, y=plain(settings)),
        Stage(2, ConvTranspose1d(settings, 2, FILTERS, 5, 5, 3, 2, 2), relu=True, y=plain(settings), dx=plain(settings)),
        Stage(4, Conv1d(settings, 4, 5, 5, 4), dx=plain(settings)),
    ], MeanSquaredError(5), input_range)


VARIANTS = {  # how it is built, data, whether targets are values, weight decay
    "longer": (longer(), REPRODUCED, True, 0),
    "gaps": (gaps, REPRODUCED, True, 0),
    "fives": (fives, REPRODUCED, True, 0.01),
    "threes": (threes, REPRODUCED, True, 0),
    "bands": (longer(kept("asym", 8), kept("sym", 6, 4, rule="stochastic"), errors=kept("sym", 6, rule="stochastic")), REPRODUCED, True, 0),
    "rows": (longer(fmt=Format("sym", 5, CHANNEL)), REPRODUCED, True, 0),
}


def lines():
    yield HEAD
    yield from chain_lines(VARIANTS, SEED, "kTransposedChains", meets_refits=any)
