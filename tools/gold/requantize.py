"""Requantization of 32-bit and 64-bit sums to 2 to 16 bits: dynamic, given and delayed scales, all roundings.

A row: accumulator bits, code bits, rounding, mode (0 dynamic, 1 given, 2 delayed), offset and tweak of the random key, unit, scale
that was given, margin, decay, sums, scale used, codes, how many saturated, scale for the sums after these (delayed).
"""
from draws import Draws
from exact import nearest_scale, random_key
from formats import ROUNDINGS, delayed_scale, dynamic_scale, requantize

TARGET, VERSION, SEED = "tests/golden/requantize.txt", 1, 24
COUNT = 12


def row(draws, wide, bits, rule, mode):
    width = 62 if wide else 31
    size = draws.between(4, width)
    sums = [draws.integer(size) if draws.chance(90) else 0 for _ in range(COUNT)]
    if draws.chance(5):
        sums = [0] * COUNT
    elif not wide and draws.chance(10):
        sums[3] = -2 ** 31
    largest, unit = max(map(abs, sums)), draws.scale(-60, -20)
    margin, decay = nearest_scale(draws.one_of((1, 2, 3))), draws.scale(-31, -31)
    given = draws.scale(unit[1] + size - bits - 1, unit[1] + size - bits + 2)
    scale = dynamic_scale(largest, unit, bits) if mode == 0 else given
    key = random_key(SEED, draws.between(0, 1000), 2)
    codes, saturated = requantize(sums, unit, scale, bits, rule, key)
    following = delayed_scale(scale, largest, unit, bits, margin, decay)
    scales = [" ".join(map(str, s)) for s in (unit, given, margin, decay, scale, following)]
    lists = [",".join(map(str, numbers)) for numbers in (sums, codes)]
    return (f"{64 if wide else 32} {bits} {ROUNDINGS.index(rule)} {mode} {key[0]} {key[1]} {' '.join(scales[:4])} {lists[0]} "
            f"{scales[4]} {lists[1]} {saturated} {scales[5]}")


def lines():
    draws = Draws(SEED)
    for wide in (False, True):
        for bits in range(2, 17):
            for rule in ROUNDINGS:
                for mode in (0, 1, 2):
                    yield row(draws, wide, bits, rule, mode)
