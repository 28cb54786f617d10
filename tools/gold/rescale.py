"""rescale with all four roundings: ties at every shift, extremes, and random numbers; 32-bit and 64-bit accumulators.

A row: accumulator bits (32, 64), rounding, accumulator, mantissa, shift, random bits, lowest and highest code, code.
"""
from draws import Draws
from formats import ROUNDINGS, rescaled

TARGET, VERSION, SEED = "tests/golden/rescale.txt", 1, 21
WIDEST = -2 ** 30, 2 ** 30


def cases(draws, wide):
    """(accumulator, mantissa, shift), with mantissa < 2^31 and shift in 1..62."""
    limit = 2 ** 62 - 1 if wide else 2 ** 31 - 1
    for shift in range(1, 63):  # ties: the product is odd * 2^(shift - 1)
        for odd in (1, -1, 3, -3, 5, -5):
            low, high = max(0, shift - 31), min(shift - 1, 58 if wide else 28)
            power = draws.between(low, max(low, high))
            if power <= high:
                yield odd * 2 ** power, 2 ** (shift - 1 - power), shift
    for accumulator in (limit, -limit, 0, 1, -1, *(() if wide else (-2 ** 31,))):
        for mantissa, shift in ((2 ** 31 - 1, 1), (2 ** 31 - 1, 62), (2 ** 30, 30), (2 ** 30, 62), (1, 62), (1, 1)):
            yield accumulator, mantissa, shift
    for _ in range(300):
        yield draws.integer(62 if wide else 31), abs(draws.integer(31)) or 1, draws.between(1, 62)


def lines():
    draws = Draws(SEED)
    for wide in (False, True):
        for rule in ROUNDINGS:
            for accumulator, mantissa, shift in cases(draws, wide):
                bits = draws.one_of((0, 0x7FFF, 0x8000, 0xFFFF, draws.between(0, 0xFFFF))) if rule == "stochastic" else 0
                high = 2 ** (draws.between(2, 16) - 1) - 1
                low, high = WIDEST if draws.chance(75) else (-high - draws.between(0, 1), high)
                code = rescaled(accumulator, (mantissa, shift), rule, low, high, bits)[0]
                yield f"{64 if wide else 32} {ROUNDINGS.index(rule)} {accumulator} {mantissa} {shift} {bits} {low} {high} {code}"
