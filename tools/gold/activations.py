"""Functions of one element in exact integers: LeakyReLU, ReLU6, Sigmoid, Tanh and Dropout, forward and backward."""
import math
from fractions import Fraction

import numpy as np

from exact import multiplier, nearest_scale, over, power, random16, random_key, ratio, rescale, shifted, times
from layers import Moves
from network import ONE, Codes, Sums


def each(function, *tables):
    """Of the elements at each place of some tables."""
    return [[function(*elements) for elements in zip(*rows)] for rows in zip(*tables)]


def in_steps(x, bits):
    """A float32 in steps of 2^-bits, ties up."""
    return math.floor(np.float32(x) * np.float32(2 ** bits) + np.float32(0.5))


def leaky(code, by, slope):
    """`by` times 1 or the slope, in units of 2^-15: of an output by = code, of an error that meets it by = dy."""
    return by * (2 ** 15 if code > 0 else slope)


def six_codes(scale):
    return rescale(6, multiplier(over(ONE, scale)), 2 ** 15)


def share(numerator, e, max_code):
    return math.floor(Fraction(max_code * numerator, 2 ** 30 + e) + Fraction(1, 2))


def sigmoid(code, scale, max_code):
    e = power(code, scale, False)
    return share(e, e, max_code) if code < 0 else max_code - share(e, e, max_code)


def tanh(code, scale, max_code):
    e = power(code, scale, True)
    return share(2 ** 30 - e, e, max_code) * (-1 if code < 0 else 1)


def sigmoid_slope(y, max_code):
    return y * (max_code - y)


def tanh_slope(y, max_code):
    return max_code ** 2 - y * y


class LeakyRelu(Moves):
    def __init__(self, slope):
        self.slope = in_steps(slope, 15)

    def forward(self, x):
        return Sums(each(lambda c: leaky(c, c, self.slope), x.rows), shifted(x.scale, -15))

    def backward(self, x, dy):
        return Sums(each(lambda c, d: leaky(c, d, self.slope), x.rows, dy.rows), shifted(dy.scale, -15))


class Relu6(Moves):
    """Errors pass with their scale."""

    def forward(self, x):
        six = six_codes(x.scale)
        return Sums(each(lambda c: min(max(c, 0), six), x.rows), x.scale)

    def backward(self, x, dy):
        six = six_codes(x.scale)
        return dy._replace(rows=each(lambda c, d: d if 0 < c < six else 0, x.rows, dy.rows))


class Curve(Moves):
    """Sigmoid or Tanh: codes with the scale 1 / max_code; the slope is that at the codes that came out."""

    def __init__(self, curve, slope, bits=8):
        self.curve, self.slope, self.max_code = curve, slope, 2 ** (bits - 1) - 1
        self.y = None

    def forward(self, x):
        self.y = each(lambda c: self.curve(c, x.scale, self.max_code), x.rows)
        return Codes(self.y, ratio(1, self.max_code), self.max_code)

    def backward(self, x, dy):
        one = ratio(1, self.max_code)
        return Sums(each(lambda y, d: d * self.slope(y, self.max_code), self.y, dy.rows), times(times(dy.scale, one), one))


def dropped(key, first, threshold, values):
    return [0 if random16(key, first + i) < threshold else v for i, v in enumerate(values)]


class Dropout(Moves):
    """Draws by layer, step, sample in the batch and element; what is left grows by its scale."""

    def __init__(self, settings, index, p):
        self.settings, self.index, self.threshold = settings, index, in_steps(p, 16)
        self.factor = over(nearest_scale(2 ** 16), nearest_scale(2 ** 16 - self.threshold))

    def begin(self, step, sample):
        self.key, self.sample = random_key(self.settings.seed, step, self.index * 8), sample

    def drop(self, codes):
        columns, flat = len(codes.rows[0]), sum(codes.rows, [])
        flat = dropped(self.key, self.sample * len(flat), self.threshold, flat)
        rows = [flat[i:i + columns] for i in range(0, len(flat), columns)]
        return codes._replace(rows=rows, scale=times(codes.scale, self.factor))

    def forward(self, x):
        return self.drop(x)

    def backward(self, x, dy):
        return self.drop(dy)
