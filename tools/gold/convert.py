"""Every conversion that has a meaning: all widths, granularities and roundings, dynamic and given scales.

A row: channels of both, rounding, 1 if scales are dynamic, offset and tweak of the random key, the tensor before and the tensor
after, how many saturated, how many were NaN. A tensor: kind, bits, group, packed codes, scales (mantissa, exponent, ...),
zero points, exponent bytes; - for what it has not.
"""
from draws import Draws
from exact import random_key
from formats import CHANNEL, ROUNDINGS, Format, Tensor, convert, packed

TARGET, VERSION, SEED = "tests/golden/convert.txt", 1, 23
KINDS = ("float32", "sym", "symint32", "asym", "bfp")
ELEMENTS, CHANNELS, GROUPS = 24, (1, 2, 3, 4), (2, 3, 4, 6, 8, 12, 24)
SPECIAL_FLOATS = (0, 0x80000000, 1, 0x80000001, 0x7FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000)


def any_format(draws, kind, bits):
    if kind in ("float32", "symint32"):
        return Format(kind)
    return Format(kind, bits, draws.one_of(GROUPS if kind == "bfp" else (0, CHANNEL, *GROUPS)))


def any_code(draws, low, high):
    return draws.one_of((low, high, 0, *(draws.between(low, high) for _ in range(4))))


def any_float(draws, exponent):
    if draws.chance(4):
        return draws.one_of(SPECIAL_FLOATS)
    field = max(0, min(254, exponent + draws.between(-6, 6)))
    return draws.between(0, 1) << 31 | field << 23 | draws.one_of((draws.between(0, 2 ** 23 - 1), 0, 0x400000))


def set_units(draws, tensor, exponent):
    """Units near 2^exponent, and a zero point anywhere in the band."""
    for _ in range(tensor.granules()):
        if tensor.format.kind == "bfp":
            tensor.exponents.append(max(0, min(254, exponent + 127 + tensor.format.bits - 2 + draws.between(-2, 2))))
        elif tensor.format.kind != "float32":
            tensor.scales.append(draws.scale(exponent - 32, exponent - 29))
        if tensor.format.kind == "asym":
            tensor.zero_points.append(draws.between(*tensor.format.codes()))


def any_source(draws, fmt, channels):
    exponent = draws.one_of((0, draws.between(-20, 20), draws.between(-20, 20), draws.between(-190, 150), draws.between(95, 128)))
    tensor = Tensor(fmt, channels, [0] * ELEMENTS)
    if fmt.kind == "float32":
        tensor.codes = [any_float(draws, exponent + 127) for _ in range(ELEMENTS)]
    elif fmt.kind == "symint32":
        tensor.codes = [draws.integer(31) for _ in range(ELEMENTS)]
        tensor.codes[0] = draws.one_of((tensor.codes[0], -2 ** 31))
    else:
        tensor.codes = [any_code(draws, *fmt.codes()) for _ in range(ELEMENTS)]
    set_units(draws, tensor, exponent)
    each = draws.one_of(GROUPS)  # some stretches are all zeros, or on one side of zero
    for first in range(0, ELEMENTS, each):
        for i in range(first, first + each) if draws.chance(15) else ():
            tensor.codes[i] = tensor.zero_point(tensor.granule_of(i))
    return tensor, exponent


def text(tensor):
    fmt = tensor.format
    scales = ",".join(f"{m},{e}" for m, e in tensor.scales)
    numbers = (",".join(map(str, each)) for each in (tensor.zero_points, tensor.exponents))
    codes = packed(tensor.codes, fmt.bits).hex()
    return " ".join([str(KINDS.index(fmt.kind)), str(fmt.bits), str(fmt.group), codes, *(t or "-" for t in (scales, *numbers))])


def row(draws, kind, target_format, rule):
    channels = draws.one_of(CHANNELS)
    source, exponent = any_source(draws, any_format(draws, kind, draws.between(2, 16)), channels)
    if draws.chance(10) and kind == target_format.kind:
        target_format = source.format
    target, dynamic = Tensor(target_format, channels, [0] * ELEMENTS), draws.chance(65)
    if not dynamic:  # from far too fine to far too coarse, and now and then the source's own
        size = {"float32": 3, "symint32": 24}.get(kind, source.format.bits)
        set_units(draws, target, exponent + draws.between(-4, 4) + size - target_format.bits)
        if source.scales and len(source.scales) == len(target.scales) and draws.chance(30):
            target.scales = list(source.scales)
    key = random_key(SEED, draws.between(0, 1000), 1)
    before = text(source)
    saturated, nans = convert(source, target, rule, key, dynamic)
    return f"{channels} {ROUNDINGS.index(rule)} {int(dynamic)} {key[0]} {key[1]} {before} {text(target)} {saturated} {nans}"


def lines():
    draws = Draws(SEED)
    for kind in KINDS:
        for target in ("sym", "asym", "bfp"):
            for bits in range(2, 17):
                for rule in ROUNDINGS:
                    yield row(draws, kind, any_format(draws, target, bits), rule)
        for _ in range(20):
            yield row(draws, kind, Format("float32"), "half_away")
