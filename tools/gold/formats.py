"""Formats, conversion and requantization of SPEC 1, 3 and 12 in unlimited integers and fractions.

A tensor is its elements' stored integers (of float32 the bit pattern) with the scales, zero points and exponent bytes of its
granules. Each function is the definition of its name in SPEC, not a translation.
"""
import math
from dataclasses import dataclass, field
from fractions import Fraction

from exact import clamp, half_away, multiplier, nearest_scale, over, random16, times, value

ROUNDINGS = ("half_away", "half_even", "floor", "stochastic")
ONE = (2 ** 30, -30)
CHANNEL = 65535


# Rounding

def rounded(product, shift, rule, bits=0):
    """product / 2^shift as an integer."""
    x = Fraction(product, 2 ** shift)
    if rule == "half_away":
        return half_away(x)
    if rule == "half_even":
        return round(x)
    if rule == "floor":
        return math.floor(x)
    return math.floor((product + math.floor(Fraction(2 * bits + 1, 2 ** 17) * 2 ** shift)) / Fraction(2 ** shift))


def rescaled(k, by, rule, low, high, bits=0):
    """The code, and whether it did not fit."""
    code = rounded(k * by[0], by[1], rule, bits)
    return clamp(code, low, high), not low <= code <= high


# Formats

@dataclass(frozen=True)
class Format:
    kind: str
    bits: int = 32
    group: int = 0

    def codes(self):
        half = 2 ** (self.bits - 1)
        return (-half if self.kind == "asym" else 1 - half), half - 1

    def granule(self, elements, channels):
        return elements // channels if self.group == CHANNEL else self.group or elements


@dataclass
class Tensor:
    format: Format
    channels: int
    codes: list
    scales: list = field(default_factory=list)
    zero_points: list = field(default_factory=list)
    exponents: list = field(default_factory=list)

    def granule_of(self, i):
        return i // self.format.granule(len(self.codes), self.channels)

    def granules(self):
        return self.granule_of(len(self.codes) - 1) + 1

    def unit(self, granule):
        if self.format.kind == "bfp":
            return 2 ** 30, self.exponents[granule] - 127 - (self.format.bits - 2) - 30
        return self.scales[granule]

    def zero_point(self, granule):
        return self.zero_points[granule] if self.format.kind == "asym" else 0

    def exact(self, i):
        """(k, unit) of element i, whose value is k * unit; None for NaN, the sign for infinities."""
        if self.format.kind == "float32":
            return parts(self.codes[i])
        granule = self.granule_of(i)
        return self.codes[i] - self.zero_point(granule), self.unit(granule)


def packed(codes, bits):
    stream = sum((code % 2 ** bits) << (i * bits) for i, code in enumerate(codes))
    return stream.to_bytes((len(codes) * bits + 7) // 8, "little")


# Float32

def parts(bits):
    sign, field_, fraction = (-1 if bits >> 31 else 1), bits >> 23 & 255, bits & 0x7FFFFF
    if field_ == 255:
        return None if fraction else sign
    k = fraction + (0x800000 if field_ else 0)
    return sign * k, (2 ** 30, max(field_, 1) - 150 - 30)


def nearest_float(x):
    """Bits of the nearest float32, ties to even; beyond the range the largest finite one, which is said."""
    if x == 0:
        return 0, False
    size = abs(x)
    leading = size.numerator.bit_length() - size.denominator.bit_length()
    leading -= Fraction(2) ** leading > size
    last = max(leading, -126) - 23
    n = round(size / Fraction(2) ** last)
    if n == 2 ** 24:
        n, last = 2 ** 23, last + 1
    fits = last <= 104
    bits = 0x7F7FFFFF if not fits else n if n < 2 ** 23 else (last + 150 << 23) + n - 2 ** 23
    return bits | (0x80000000 if x < 0 else 0), not fits


# Scales from values

def sum_of(a, b):
    if a[1] < b[1]:
        a, b = b, a
    return nearest_scale((a[0] * 2 ** 32 + b[0] * 2 ** 32 // 2 ** (a[1] - b[1])) * Fraction(2) ** (a[1] - 32))


def ends(source, first, last):
    """The largest value above zero and the largest magnitude below, None where there is none."""
    found = {1: None, -1: None}
    for i in range(first, last):
        x = source.exact(i)
        if x is None or x == 1 or x == -1 or x[0] == 0:
            continue
        sign, size = (1 if x[0] > 0 else -1), times(nearest_scale(abs(x[0])), x[1])
        if found[sign] is None or value(size) > value(found[sign]):
            found[sign] = size
    return found[1], found[-1]


def larger(above, below):
    return max((s for s in (above, below) if s is not None), key=value)


def exponent_byte(size, bits, rule):
    top, e = 2 ** (bits - 1) - 1, -1000
    whole = rule in ("floor", "stochastic")
    e = size[1]  # far too small; the first that fits is the smallest
    while not (value(size) <= top * Fraction(2) ** e if whole else value(size) < (top + Fraction(1, 2)) * Fraction(2) ** e):
        e += 1
    return clamp(e + 127 + bits - 2, 0, 254)


def set_scales(source, target, rule):
    """The dynamic scales of each granule of the target."""
    kind, bits = target.format.kind, target.format.bits
    each = target.format.granule(len(target.codes), target.channels)
    for first in range(0, len(target.codes), each):
        above, below = ends(source, first, first + each)
        is_zero = above is None and below is None
        unit = ONE if source.format.kind == "float32" else source.exact(first)[1]
        if kind == "bfp":
            target.exponents.append(0 if is_zero else exponent_byte(larger(above, below), bits, rule))
        elif kind == "sym":
            target.scales.append(unit if is_zero else over(larger(above, below), nearest_scale(2 ** (bits - 1) - 1)))
        else:
            width = sum_of(above, below) if above and below else above or below
            scale = unit if is_zero else over(width, nearest_scale(2 ** bits - 1))
            steps = rescaled(1, multiplier(over(below, scale)), "half_away", 0, 2 ** bits - 1)[0] if below else 0
            target.scales.append(scale)
            target.zero_points.append(steps - 2 ** (bits - 1))


# Conversion

def convert(source, target, rule, key, dynamic):
    """Fills the target's codes (a list of its length); returns how many did not fit and how many were NaN."""
    fmt, saturated, nans = target.format, 0, 0
    elements = len(source.codes)
    same = source.format == fmt and source.format.granule(elements, source.channels) == fmt.granule(elements, target.channels)
    if same and (dynamic or fmt.kind == "float32"):
        target.codes, target.scales = list(source.codes), list(source.scales)
        target.zero_points, target.exponents = list(source.zero_points), list(source.exponents)
        return 0, 0
    if dynamic and fmt.kind != "float32":
        set_scales(source, target, rule)
    for i in range(elements):
        x = source.exact(i)
        if fmt.kind == "float32":
            target.codes[i], missed = nearest_float(x[0] * value(x[1]))
            saturated += missed
            continue
        granule = target.granule_of(i)
        zero_point, (low, high) = target.zero_point(granule), fmt.codes()
        if x is None:
            nans += 1
            target.codes[i] = zero_point
        elif x == 1 or x == -1:
            saturated += 1
            target.codes[i] = high if x == 1 else low
        else:
            by = multiplier(over(x[1], target.unit(granule)))
            code, missed = rescaled(x[0], by, rule, low - zero_point, high - zero_point, random16(key, i))
            saturated += missed
            target.codes[i] = code + zero_point
    return saturated, nans


# Requantization

def dynamic_scale(largest, unit, bits):
    return over(times(nearest_scale(largest), unit), nearest_scale(2 ** (bits - 1) - 1)) if largest else unit


def delayed_scale(scale, largest, unit, bits, margin, decay):
    if largest == 0:
        return scale
    wanted = over(times(nearest_scale(largest), unit, margin), nearest_scale(2 ** (bits - 1) - 1))
    return max(wanted, times(scale, decay), key=value)


def requantize(sums, unit, scale, bits, rule, key):
    high = 2 ** (bits - 1) - 1
    found = [rescaled(s, multiplier(over(unit, scale)), rule, -high, high, random16(key, i)) for i, s in enumerate(sums)]
    return [code for code, _ in found], sum(missed for _, missed in found)
