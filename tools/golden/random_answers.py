"""Known answers of the random bits: seed, step, stream, index, word, half word.

python3 tools/golden/random_answers.py > core/mantissa/num/random_answers.inc
"""
from exact import random16, random_key, random_word

for seed, step, stream in ((0, 0, 0), (1, 0, 0), (1, 2, 3), (0x123456789ABCDEF0, 1000000, 0x80000005),
                           (2 ** 64 - 1, 2 ** 32 - 1, 2 ** 32 - 1)):
    key = random_key(seed, step, stream)
    for index in (0, 1, 2, 77, 2 ** 31 + 1):
        print(f"    {{{seed}u, {step}u, {stream}u, {index}u, {random_word(key, index)}u, {random16(key, index)}u}},")
