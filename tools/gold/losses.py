"""Losses in exact integers. (CrossEntropy without attributes, which recipe int8 shares with others, is in exact.py.)"""
import math
from fractions import Fraction

import numpy as np

from exact import clamp, exp2_negative, half_away, log2_q24, multiplier, power, nearest_scale, over, rescale, shifted, times, whole


def target_sum(t, unit):
    """A float32 target in units of the sums, nearest."""
    bits = int(np.float32(t).view(np.uint32))
    field = bits >> 23 & 0xFF
    m = bits & 0x7FFFFF | (0x800000 if field else 0)
    magnitude = rescale(m, multiplier(over((2 ** 30, max(field, 1) - 150 - 30), unit)), 2 ** 30)
    return -magnitude if bits >> 31 else magnitude


def squared_error(sums, unit, targets, divisor=None):
    """Loss of a sample in Q24, and the sums of its errors with their unit."""
    outputs = nearest_scale(divisor or len(sums))
    errors = [clamp(z - target_sum(t, unit), -(2 ** 31 - 1), 2 ** 31 - 1) for z, t in zip(sums, targets)]
    drop = max(0, max(map(abs, errors)).bit_length() - 24)
    total = sum((abs(e) >> drop) ** 2 for e in errors)
    loss = over(shifted(times(nearest_scale(total), unit, unit), 2 * drop + 24), outputs) if total else None
    return whole(loss) if loss else 0, errors, over(shifted(unit, 1), outputs)


LN2_Q30 = 744261118


def differences(sums, unit, targets):
    return [clamp(z - target_sum(t, unit), -(2 ** 31 - 1), 2 ** 31 - 1) for z, t in zip(sums, targets)]


def mean_q24(total, unit, divisor):
    return whole(over(times(nearest_scale(total), unit), nearest_scale(divisor))) if total else 0


def absolute_error(sums, unit, targets, divisor):
    """Loss in Q24, and the signs of the errors."""
    errors = differences(sums, unit, targets)
    return mean_q24(sum(map(abs, errors)), shifted(unit, 24), divisor), [(e > 0) - (e < 0) for e in errors]


def huber_error(sums, unit, targets, delta, divisor):
    """Loss in Q24, bounded errors as sums, and their unit."""
    limit = max(1, target_sum(delta, unit))
    errors = differences(sums, unit, targets)
    bounded = [clamp(e, -limit, limit) for e in errors]
    drop = max(0, max(map(abs, errors)).bit_length() - 24)
    parts = [(abs(e) >> drop, abs(b) >> drop) for e, b in zip(errors, bounded)]
    total = sum(h * (2 * m - h) for m, h in parts)
    return mean_q24(total, times(unit, shifted(unit, 2 * drop + 23)), divisor), bounded, over(unit, nearest_scale(divisor))


def binary_entropy(sums, unit, targets, max_code, divisor):
    """Loss in Q24, and codes of s - t."""
    loss, codes = 0, []
    for z, target in zip(sums, targets):
        e, t = power(z, unit, False), clamp(target_sum(target, (2 ** 30, -60)), 0, 2 ** 30)
        s = (e if z < 0 else 2 ** 30) * 2 ** 30 // (2 ** 30 + e)
        codes.append(math.floor(Fraction(max_code * (s - t), 2 ** 30) + Fraction(1, 2)))
        apart = abs(z) * (t if z < 0 else 2 ** 30 - t)
        straight = whole(times(nearest_scale(apart), shifted(unit, -6))) if apart else 0
        loss += ((log2_q24(2 ** 30 + e) - (30 << 24)) * LN2_Q30 >> 30) + min(straight, 2 ** 40)
    return loss // divisor, codes


class ClassTargets:
    """Weights up to 2^15, what a label's target and its range are in integers."""

    def __init__(self, weights, smoothing):
        largest = nearest_scale(float(np.float32(max(weights))))
        self.codes = [target_sum(w, shifted(largest, -15)) for w in weights]
        self.smoothing, self.classes = target_sum(smoothing, (2 ** 30, -45)), len(weights)
        self.range = self.own(2 ** 15) + self.smoothing * sum(self.codes)
        self.unit = over(nearest_scale(self.classes << 15), nearest_scale(self.range))
        self.value = over(times(nearest_scale(self.range), shifted(largest, -30)), nearest_scale(self.classes))

    def own(self, code):
        return (2 ** 15 - self.smoothing) * code * self.classes

    def of(self, label):
        return [self.smoothing * g + (self.own(g) if c == label else 0) for c, g in enumerate(self.codes)]

    def q20(self, part):
        return whole(over(shifted(nearest_scale(part), 20), nearest_scale(self.range))) if part else 0


def soft_cross_entropy(logits, unit, label, targets, max_code):
    """Loss in Q24 and units of the largest weight, codes of the errors."""
    mantissa, shift = multiplier(shifted(times(unit, (0x5C551D95, -30)), 26))
    largest = max(logits)
    exponents = [min(half_away(Fraction((largest - x) * mantissa, 2 ** shift)), 31 << 26) for x in logits]
    powers = [exp2_negative(t) for t in exponents]
    total = sum(powers)
    parts = targets.of(label)
    each, every = [targets.q20(part) for part in parts], targets.q20(sum(parts))
    codes = [math.floor(Fraction(max_code * ((p * 2 ** 26 // total) * every - t * 2 ** 26), 2 ** 46) + Fraction(1, 2))
             for p, t in zip(powers, each)]
    drop = max(0, total.bit_length() - 32)
    log2_total = log2_q24(total >> drop) + ((drop - 30) << 24)
    bits = sum(t * (log2_total + (x >> 2)) for t, x in zip(each, exponents))
    loss = (bits >> 20) * LN2_Q30 >> 30
    return whole(over(nearest_scale(loss), shifted(targets.unit, 15))) if loss > 0 else 0, codes
