"""Mean squared error in exact integers. (CrossEntropy, which recipe int8 shares with others, is in exact.py.)"""
import numpy as np

from exact import clamp, multiplier, nearest_scale, over, rescale, shifted, times, whole


def target_sum(t, unit):
    """A float32 target in units of the sums, nearest."""
    bits = int(np.float32(t).view(np.uint32))
    field = bits >> 23 & 0xFF
    m = bits & 0x7FFFFF | (0x800000 if field else 0)
    magnitude = rescale(m, multiplier(over((2 ** 30, max(field, 1) - 150 - 30), unit)), 2 ** 30)
    return -magnitude if bits >> 31 else magnitude


def squared_error(sums, unit, targets):
    """Loss of a sample in Q24, and the sums of its errors with their unit."""
    outputs = nearest_scale(len(sums))
    errors = [clamp(z - target_sum(t, unit), -(2 ** 31 - 1), 2 ** 31 - 1) for z, t in zip(sums, targets)]
    drop = max(0, max(map(abs, errors)).bit_length() - 24)
    total = sum((abs(e) >> drop) ** 2 for e in errors)
    loss = over(shifted(times(nearest_scale(total), unit, unit), 2 * drop + 24), outputs) if total else None
    return whole(loss) if loss else 0, errors, over(shifted(unit, 1), outputs)
