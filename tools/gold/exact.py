"""The arithmetic of Mantissa in Python's unlimited integers and fractions.

Independent of the C++: each function is the definition, not a translation. Golden values come from here.
A scale is a pair (mantissa, exponent) with 2^30 <= mantissa < 2^31.
"""
import math
from fractions import Fraction

MASK = 0xFFFFFFFF


# Scales

def value(scale):
    return Fraction(scale[0]) * Fraction(2) ** scale[1]


def nearest_scale(x):
    """The scale nearest to a positive number, ties away from zero."""
    x = Fraction(x)
    exponent = math.floor(math.log2(x)) - 30
    while x / Fraction(2) ** exponent >= 2 ** 31:
        exponent += 1
    while x / Fraction(2) ** exponent < 2 ** 30:
        exponent -= 1
    mantissa = math.floor(x / Fraction(2) ** exponent + Fraction(1, 2))
    return (2 ** 30, exponent + 1) if mantissa == 2 ** 31 else (mantissa, exponent)


def times(*scales):
    product = scales[0]
    for scale in scales[1:]:
        product = nearest_scale(value(product) * value(scale))
    return product


def over(a, b):
    """The quotient of the mantissas is floored at 32 bits below the point, then rounded to 31 bits."""
    quotient = a[0] * 2 ** 32 // b[0]
    return nearest_scale(quotient * Fraction(2) ** (a[1] - b[1] - 32))


def ratio(n, d):
    return over(nearest_scale(n), nearest_scale(d))


def shifted(scale, n):
    return (scale[0], scale[1] + n)


def multiplier(scale):
    """(mantissa, shift) with shift in 1..62."""
    mantissa, shift = scale[0], -scale[1]
    if shift < 1:
        return 2 ** 31 - 1, 1
    return (mantissa, shift) if shift <= 62 else (max(1, mantissa >> (shift - 62)), 62)


def whole(scale):
    """The nearest integer, at most 2^61."""
    return min(2 ** 61, math.floor(value(scale) + Fraction(1, 2)))


# Rounding

def clamp(x, low, high):
    return max(low, min(high, x))


def half_away(x):
    return math.floor(abs(x) + Fraction(1, 2)) * (1 if x >= 0 else -1)


def rescale(accumulator, by, high, random_bits=None, low=None):
    """Half away, or stochastic where random bits are given: the offset is the middle of one of 65536 parts, floored."""
    mantissa, shift = by
    if random_bits is None:
        code = half_away(Fraction(accumulator * mantissa, 2 ** shift))
    else:
        offset = math.floor(Fraction(2 * random_bits + 1, 2 ** 17) * 2 ** shift)
        code = (accumulator * mantissa + offset) // 2 ** shift
    return clamp(code, -high if low is None else low, high)


# Random bits

def mix32(x, tweak=0):
    x ^= x >> 16
    x = x * 0x21F0AAAD & MASK
    x ^= (x >> 15) ^ tweak
    x = x * 0xD35A2D97 & MASK
    return x ^ (x >> 15)


def random_key(seed, step, stream):
    a = mix32((seed & MASK) ^ 0x6A09E667)
    b = mix32(a ^ (seed >> 32), 0xBB67AE85)
    c = mix32((b + step) & MASK, 0x3C6EF372)
    d = mix32(c ^ (stream * 0x9E3779B9 & MASK), 0xA54FF53A)
    return d, mix32(d ^ b, 0x510E527F)


def random_word(key, j):
    return mix32((j * 0x9E3779B9 + key[0]) & MASK, key[1])


def random16(key, i):
    return random_word(key, i // 2) >> (16 * (i % 2)) & 0xFFFF


def rounding16(key, i):
    """16 bits from a word of half the mixing: its halves for elements 0 and 1 of four, those of it turned by a byte for 2, 3."""
    x = (i // 4 * 0x9E3779B9 + key[0]) & MASK
    x = (x ^ (x >> 16)) * 0x21F0AAAD & MASK
    x ^= x >> 15
    twice = x | x << 32
    return twice >> {0: 0, 1: 16, 2: 8, 3: 24}[i % 4] & 0xFFFF


# Softmax and cross entropy

def exp2_negative(t_q26):
    """2^-t in Q30: polynomial of degree 5 by Horner's rule, each product floored to Q30."""
    fraction = (t_q26 & 0x3FFFFFF) << 4
    p = -1016701
    for c in (9888282, -59375904, 257890191, -744256774, 1073741764):
        p = c + (p * fraction >> 30)
    return p >> (t_q26 >> 26) if t_q26 >> 26 < 31 else 0


def power(code, scale, doubled):
    """e^-|x|, or e^-2|x|, in Q30."""
    mantissa, shift = multiplier(shifted(times(scale, (0x5C551D95, -30)), 27 if doubled else 26))
    return exp2_negative(min(half_away(Fraction(abs(code) * mantissa, 2 ** shift)), 31 << 26))


def log2_q24(x):
    """Bits of the logarithm by squaring a 32-bit mantissa, floored."""
    whole = x.bit_length() - 1
    m, bits = x << (31 - whole), 0
    for _ in range(24):
        m = m * m >> 31
        bits *= 2
        if m >= 2 ** 32:
            bits, m = bits + 1, m >> 1
    return whole * 2 ** 24 + bits


def cross_entropy(logits, scale, label, max_code):
    """Loss in Q24 nats, and the codes of the errors, whose scale is 1 / max_code."""
    log2_e = (0x5C551D95, -30)
    mantissa, shift = multiplier(shifted(times(scale, log2_e), 26))
    largest = max(logits)
    exponents = [min(half_away(Fraction((largest - x) * mantissa, 2 ** shift)), 31 << 26) for x in logits]
    powers = [exp2_negative(t) for t in exponents]
    total = sum(powers)
    errors = [math.floor(Fraction(power * max_code, total) + Fraction(1, 2)) for power in powers]
    errors[label] -= max_code
    drop = max(0, total.bit_length() - 32)
    log2_total = log2_q24(total >> drop) + ((drop - 30) << 24)
    return (log2_total + (exponents[label] >> 2)) * 744261118 >> 30, errors


# The integer update

LARGEST_MOVE = 2 ** 30 - 2 ** 27  # in units of 2^-16 codes


def q32(scale, limit):
    """A positive factor times 2^32, nearest, at most the limit."""
    return min(limit, math.floor(value(scale) * 2 ** 32 + Fraction(1, 2)))


def gain_of(scale):
    """A positive factor as (q, shift): q / 2^shift / 2^16, with the smallest shift of 0, 8, 16, 24 that leaves q 17 bits."""
    for shift in (0, 8, 16, 24):
        q = value(scale) * 2 ** (16 + shift)
        if q >= 2 ** 16 or shift == 24:
            return min(2 ** 24 - 1, math.floor(q + Fraction(1, 2))), shift
