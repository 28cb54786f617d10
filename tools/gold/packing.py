"""Packed storage of every width. A row: bits, codes, bytes."""
from draws import Draws
from formats import packed

TARGET, VERSION, SEED = "tests/golden/packing.txt", 1, 22


def lines():
    draws = Draws(SEED)
    for bits in range(2, 17):
        half = 2 ** (bits - 1)
        for count in (1, 2, 7, 16, 33):
            codes = [draws.one_of((-half, half - 1, 0, -1, draws.between(-half, half - 1))) for _ in range(count)]
            yield f"{bits} {','.join(map(str, codes))} {packed(codes, bits).hex()}"
