"""Numbers to make golden values from: the same in every version of Python."""

MASK64 = 2 ** 64 - 1


class Draws:
    """SplitMix64 (Steele, Lea, Flood 2014)."""

    def __init__(self, seed):
        self.state = seed

    def word(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK64
        return z ^ (z >> 31)

    def between(self, low, high):
        """An integer from low to high, both included."""
        return low + self.word() % (high - low + 1)

    def one_of(self, things):
        return things[self.word() % len(things)]

    def chance(self, percent):
        return self.word() % 100 < percent

    def integer(self, bits):
        """Of any size below 2^bits, of either sign, and often a power of two or beside one."""
        width = self.between(1, bits)
        x = self.between(2 ** (width - 1), 2 ** width - 1)
        if self.chance(25):
            x = min(2 ** (width - 1) + self.between(-1, 1), 2 ** bits - 1)
        return x * self.one_of((1, -1))

    def scale(self, lowest, highest):
        """Exponents as given; one of four a power of two."""
        return 2 ** 30 if self.chance(25) else self.between(2 ** 30, 2 ** 31 - 1), self.between(lowest, highest)
