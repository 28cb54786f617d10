"""Averages over windows of several sizes, and the Softmax layer, in exact integers (SPEC 5).

A direction has its windows as ranges of steps, and how many of them may meet in a step.
"""
import itertools
import math
from fractions import Fraction
from typing import NamedTuple

from exact import exp2_negative, half_away, multiplier, nearest_scale, over, ratio, rescale, shifted, times
from layers import Moves
from network import ONE, Codes, Sums

ROOM = 2 ** 30


class Direction(NamedTuple):
    windows: list
    meeting: int


def adaptive(steps, outputs):
    windows = [range(i * steps // outputs, -(-(i + 1) * steps // outputs)) for i in range(outputs)]
    between = bool(steps % outputs and outputs % steps)
    return Direction(windows, -(-outputs // steps) + between)


def inside(steps, kernel, stride, pad):
    """Windows of a padded pool, and what of them lies inside."""
    count = (steps + 2 * pad - kernel) // stride + 1
    windows = [range(max(0, i * stride - pad), min(steps, i * stride - pad + kernel)) for i in range(count)]
    return Direction(windows, -(-kernel // stride))


def ignored(steps=1):
    return Direction([range(1)] * steps, 1)


class Averages(Moves):
    """Of an image: directions of rows and of columns, which has `width` pixels. Of a signal: one of steps."""

    def __init__(self, along, down=None, width=None):
        down, width = down or ignored(), width or 0
        self.windows = [[r * width + c for r, c in itertools.product(rows, columns)]
                        for rows, columns in itertools.product(down.windows, along.windows)]
        self.meeting = along.meeting * down.meeting
        sizes = [len(w) for w in self.windows]
        self.most, self.least = max(sizes), min(sizes)

    def are_equal(self):
        return self.most == self.least

    def finest(self, codes):
        """The largest window times the largest power of two up to 2^8 for which so many codes have room."""
        return max((self.most << bits for bits in range(9) if codes(self.most << bits) < ROOM))

    def forward_divisor(self, max_code):
        return self.most if self.are_equal() else self.finest(lambda u: u * max_code)

    def backward_divisor(self, max_code):
        return self.most if self.are_equal() else self.finest(lambda u: self.meeting * -(-u // self.least) * max_code)

    @staticmethod
    def share(number, divisor, size):
        return rescale(number, multiplier(ratio(divisor, size)), 2 ** 31)

    def forward(self, x):
        divisor = self.forward_divisor(x.max_code)
        rows = [[self.share(sum(x.rows[u][c] for u in window), divisor, len(window)) for c in range(len(x.rows[0]))]
                for window in self.windows]
        return Sums(rows, over(x.scale, nearest_scale(divisor)))

    def backward(self, x, dy):
        dx = [[0] * len(row) for row in x.rows]
        divisor = self.backward_divisor(dy.max_code)
        for window, errors in zip(self.windows, dy.rows):
            for u, (c, d) in itertools.product(window, enumerate(errors)):
                dx[u][c] += self.share(d, divisor, len(window))
        if self.meeting > 1 or not self.are_equal():
            return Sums(dx, over(dy.scale, nearest_scale(divisor)))
        return Codes(dx, times(dy.scale, over(ONE, nearest_scale(self.most))), dy.max_code)


def softmax_codes(row, scale, max_code):
    by, shift = multiplier(shifted(times(scale, (0x5C551D95, -30)), 26))
    powers = [exp2_negative(min(half_away(Fraction((max(row) - x) * by, 2 ** shift)), 31 << 26)) for x in row]
    return [math.floor(Fraction(max_code * e, sum(powers)) + Fraction(1, 2)) for e in powers]


def softmax_errors(y, dy, max_code):
    mean = sum(a * b for a, b in zip(y, dy))
    return [a * (max_code * d - mean) for a, d in zip(y, dy)]


class Softmax(Moves):
    """Codes with the scale 1 / max_code. As the last layer its codes are the outputs that the loss reads."""

    def __init__(self, bits=8, last=False):
        self.max_code, self.last = 2 ** (bits - 1) - 1, last
        self.y = None

    def forward(self, x):
        one = ratio(1, self.max_code)
        self.y = [softmax_codes(row, x.scale, self.max_code) for row in x.rows]
        return Sums(self.y, one) if self.last else Codes(self.y, one, self.max_code)

    def backward(self, x, dy):
        one = ratio(1, self.max_code)
        rows = [softmax_errors(y, d, self.max_code) for y, d in zip(self.y, dy.rows)]
        return Sums(rows, times(times(dy.scale, one), one))
