"""Gradients that wait as codes, and updates in float32: SPEC 6, each operation rounded to float32.

A row begins with what it is. Floats are written as the integers of their bits, lists are separated by commas.

    join  kind (1 sym, 3 asym), bits, elements, fixed margin (0: rescale), gain, sums (0 int32, 1 int64, 2 float32), offset and
          tweak of the random key; then three times: index of the first random number, sums; scale, zero point, codes, how many
          have saturated so far
    sgd   elements, bits of parameters (0: float32, 1: 16 bits stored as code + 128), scale of parameters, sums as above, gain,
          lr, momentum, weight decay, whether there is momentum, whether rounding is stochastic, offset and tweak, index of the
          first element; sums, parameters, momentum; parameters, momentum, largest |code|, how many saturated
"""
import math

import numpy as np

from draws import Draws
from exact import clamp, nearest_scale, over, random16, random_key, value
from single_layers import text

TARGET, VERSION, SEED = "tests/golden/updates.txt", 1, 42
F = np.float32
SYM, ASYM = 1, 3
INT32, INT64, FLOAT32 = 0, 1, 2


def bits_of(x):
    return int(F(x).view(np.uint32))


def float_bits(numbers):
    return [bits_of(x) for x in numbers]


def float_of(draws, low, high):
    """Either sign, a binary exponent in the range."""
    return F(draws.one_of((1, -1)) * draws.between(2 ** 23, 2 ** 24 - 1) * 2.0 ** (draws.between(low, high) - 23))


def positive(draws, low, high):
    return F(abs(float_of(draws, low, high)))


def any_sums(draws, kind, size, count):
    if kind == FLOAT32:
        return [F(0) if draws.chance(15) else float_of(draws, size - 6, size) for _ in range(count)]
    return [0 if draws.chance(15) else draws.integer(size) for _ in range(count)]


def stored(kind, sums):
    return float_bits(sums) if kind == FLOAT32 else sums


class Granule:
    """A row of the gradient: codes on a grid."""

    def __init__(self, kind, bits, count, margin):
        self.is_asym, self.margin = kind == ASYM, margin
        self.high = 2 ** (bits - 1) - 1
        self.low = -self.high - (1 if self.is_asym else 0)
        self.scale, self.zero_point, self.saturated, self.codes = F(0), 0, 0, [0] * count

    def regrid(self, least, most):
        """The scale and zero point for values from least to most, 0 among them."""
        if self.scale > 0 and (self.margin > 0 or least >= self.scale * F(self.low - self.zero_point)
                               and most <= self.scale * F(self.high - self.zero_point)):
            return
        if not self.is_asym:
            most = max(most, F(-least))
            least = F(-most)
        if self.margin > 1:
            more = F(F(self.margin - F(1)) * max(most, F(-least)))
            least, most = F(least - more), F(most + more)
        if most == least:
            return
        steps = self.high - self.low - (1 if self.is_asym else 0)
        self.scale = max(self.scale, F(F(most - least) / F(steps)), F(2.0 ** -100))
        if self.is_asym:
            self.zero_point = clamp(self.low - math.floor(F(least / self.scale)), self.low, self.high)

    def join(self, sums, gain, key, first):
        old_scale, old_zero = self.scale, self.zero_point
        values = [F(F(old_scale * F(code - old_zero)) + F(gain * F(s))) for code, s in zip(self.codes, sums)]
        self.regrid(min([F(0), *values]), max([F(0), *values]))
        if self.scale == 0:
            return
        inverse = F(F(1) / self.scale)
        for i, v in enumerate(values):
            x = F(clamp(F(v * inverse), F(-2.0 ** 17), F(2.0 ** 17)))
            whole = math.floor(x)
            up = F(F(x - F(whole)) + F((2 * random16(key, first + i) + 1) / 2 ** 17)) >= 1
            code = whole + self.zero_point + int(up)
            self.codes[i] = clamp(code, self.low, self.high)
            self.saturated += code != self.codes[i] and self.margin > 0


def join_row(draws, kind, bits):
    count, source = draws.between(1, 20), draws.one_of((INT32, INT64, FLOAT32))
    margin = F(0) if draws.chance(50) else F(draws.one_of((0.5, 1, 1.25, 2, 3.5)))
    gain = positive(draws, -30, -5) if draws.chance(80) else F(1)
    key, granule = random_key(SEED, draws.between(0, 1000), 6), Granule(kind, bits, count, margin)
    parts = ["join", kind, bits, count, bits_of(margin), bits_of(gain), source, key]
    for turn in range(3):
        size = draws.between(3, 50 if source == INT64 else 30)
        sums = [0] * count if draws.chance(15) else any_sums(draws, source, size, count)
        if draws.chance(20):  # all on one side of zero
            sums = [abs(s) for s in sums]
        first = draws.between(0, 10 ** 6)
        granule.join(sums, gain, key, first)
        parts += [first, stored(source, sums), bits_of(granule.scale), granule.zero_point, list(granule.codes), granule.saturated]
    return text(*parts)


def moved(code, move, random_bits, low, high):
    """A code less a real number of steps, rounded up with the probability of what is left."""
    offset = F((2 * random_bits + 1) / 2 ** 17)
    bound = F(2 * high)
    wanted = code + math.floor(F(offset - clamp(move, F(-bound), bound)))
    return clamp(wanted, low, high), wanted != clamp(wanted, low, high)


def sgd_row(draws, bits):
    count, source, first = draws.between(1, 24), draws.one_of((INT32, INT64, FLOAT32)), draws.between(0, 9)
    is_offset = bits == 1
    low, high = (-32896, 32639) if is_offset else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if bits else (0, 0)
    scale = draws.scale(-50, -40)
    unit, inverse = F(float(value(scale))), F(float(value(over(nearest_scale(1), scale))))
    lr, mu = positive(draws, -8, -2), F(draws.between(0, 99) / 100)
    decay = F(0) if draws.chance(40) else positive(draws, -14, -5)
    has_momentum, stochastic = draws.chance(60), draws.chance(75)
    gain = positive(draws, -28, -20)
    sums = any_sums(draws, source, 40 if source == INT64 else 20, count)
    key = random_key(SEED, draws.between(0, 1000), 2)
    p = [draws.one_of((low, high)) if draws.chance(15) else draws.between(low, high) for _ in range(count)]
    if not bits:
        p = [float_of(draws, -10, 0) for _ in range(count)]
    v = [float_of(draws, -12, -2) for _ in range(count)] if has_momentum else []
    new_p, new_v, saturated = [], [], 0
    for i, s in enumerate(sums):
        real = F(F(p[i]) * unit) if bits else p[i]
        g = F(F(F(s) * gain) + F(decay * real))
        if has_momentum:
            g = F(F(mu * v[i]) + g)
            new_v.append(g)
        if bits:
            random_bits = random16(key, first + i) if stochastic else 2 ** 15
            code, missed = moved(p[i], F(F(lr * g) * inverse), random_bits, low, high)
            new_p.append(code)
            saturated += missed
        else:
            new_p.append(F(p[i] - F(lr * g)))
    as_words = (lambda numbers: numbers) if bits else float_bits
    return text("sgd", count, bits, scale, source, bits_of(gain), bits_of(lr), bits_of(mu), bits_of(decay), has_momentum, stochastic,
                key, first, stored(source, sums), as_words(p), float_bits(v), as_words(new_p), float_bits(new_v),
                max(map(abs, new_p)) if bits else 0, saturated)


def lines():
    draws = Draws(SEED)
    for bits in range(2, 17):
        for kind in (SYM, ASYM):
            for _ in range(4):
                yield join_row(draws, kind, bits)
    for _ in range(40):
        yield sgd_row(draws, 0)
        yield sgd_row(draws, 1)
    for bits in range(2, 17):
        for _ in range(4):
            yield sgd_row(draws, bits)
