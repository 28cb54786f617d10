"""Known answers of the random bits: seed, step, stream, index, word, half word, bits for a rounding."""
from exact import random16, random_key, random_word, rounding16

TARGET, VERSION, SEED = "core/mantissa/num/random_answers.inc", 2, "the first number of each row"


def lines():
    for seed, step, stream in ((0, 0, 0), (1, 0, 0), (1, 2, 3), (0x123456789ABCDEF0, 1000000, 0x80000005),
                               (2 ** 64 - 1, 2 ** 32 - 1, 2 ** 32 - 1)):
        key = random_key(seed, step, stream)
        for index in (0, 1, 2, 77, 2 ** 31 + 1):
            answers = random_word(key, index), random16(key, index), rounding16(key, index)
            yield f"    {{{seed}u, {step}u, {stream}u, {index}u, {', '.join(f'{a}u' for a in answers)}}},"
