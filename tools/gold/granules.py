"""Wires and weights in formats that products do not read: SPEC 5 (kept wires), 6 (several scales), 7 (Asym with one scale).

A KeptWire rounds sums into its own format, and what is kept into the operand that layers read. A GranuleParameter is updated
granule by granule, as p = code - zero_point, and becomes a Sym<8> operand with one scale.
"""
import math
from fractions import Fraction
from types import SimpleNamespace

from exact import (clamp, multiplier, nearest_scale, over, random16, random_key, ratio, rescale, shifted, times, value,
                   whole)
from formats import Format, Tensor, convert, exponent_byte, rescaled, set_scales, sum_of
from network import (DECAY, INIT, MARGIN, ONE, REFIT, WEIGHT, Codes, Parameter, Wire, fit)

OPERAND_BITS = 8
STOCHASTIC_WIRES = 2 ** 31  # streams of random bits, from here on by slot


def above(s):
    return max(0, s)


def below(s):
    return max(0, -s)


def largest_on(side, sums):
    """What the scale of a band is made from, above or below zero. Sums with units of their own come to a finer one by their value."""
    if sums.factors is None:
        return sums.largest(side)[0]
    fine = shifted(sums.unit, -24)
    each = [(max(map(side, row)), unit) for row, unit in zip(sums.rows, sums.units())]
    return max(whole(over(times(nearest_scale(m), unit), fine)) if m else 0 for m, unit in each)


class KeptWire(Wire):
    """In any format. `dynamic`: with scales of each sample, as groups always have; `fixed`: (scale, zero point)."""

    def __init__(self, settings, fmt, rule="half_away", dynamic=False, fixed=None):
        self.settings, self.format, self.rule, self.fixed = settings, fmt, rule, fixed is not None
        self.has_granules = dynamic or fmt.group != 0
        self.is_band = fmt.kind == "asym" and not self.has_granules
        bits = 16 if self.has_granules else min(16, fmt.bits + 1) if self.is_band else fmt.bits
        self.max_code = 2 ** (bits - 1) - 1
        self.halves = self.is_band and fmt.bits == 16  # the operand has no bit more, so its steps are twice as long
        self.scale, self.zero_point = fixed or (ONE, 0)
        self.below = ONE
        self.slots = 2 if self.is_band and not fixed else 1
        self.forget()

    def forget(self):
        self.seen, self.seen_above, self.seen_below = 0, 0, 0

    def begin(self, step, sample):
        self.key, self.sample = random_key(self.settings.seed, step, STOCHASTIC_WIRES + self.slot), sample

    def lowest(self):
        return self.below if self.slots == 2 else (0, 0)

    def own_scale(self):
        return shifted(self.scale, -1) if self.halves else self.scale

    def follow(self, seen, seen_above, seen_below, is_first):
        """The delayed scale from the sums of a batch, or of the sample that sets it."""
        if self.fixed or not seen:
            return
        if not self.is_band:
            self.scale = fit(seen, self.unit, self.max_code, None if is_first else self.scale)
            return
        unit = times(self.unit, MARGIN)
        up, down = (times(nearest_scale(m), unit) if m else shifted(unit, -40) for m in (seen_above, seen_below))
        steps = nearest_scale(2 ** self.format.bits - 1)
        if not is_first:
            down = max(down, times(self.below, DECAY), key=value)
        width = sum_of(up, down)
        if not is_first:
            width = max(width, times(self.own_scale(), steps, DECAY), key=value)
        self.below, self.scale = down, shifted(over(width, steps), int(self.halves))

    def zero(self):
        """The zero point of a band with one scale."""
        if self.fixed:
            return self.zero_point
        n = 2 ** self.format.bits - 1
        return -2 ** (self.format.bits - 1) + rescale(1, multiplier(over(self.below, self.own_scale())), n, low=0)

    def kept(self, sums):
        """Codes, scales and zero points as they wait."""
        each = [(s, unit) for row, unit in zip(sums.rows, sums.units()) for s in row]
        tensor = Tensor(self.format, 1, [0] * len(each))
        if self.has_granules:
            source = SimpleNamespace(format=Format("symint32"), exact=each.__getitem__)
            set_scales(source, tensor, self.rule)
        else:
            tensor.scales = [self.own_scale()]
            tensor.zero_points = [self.zero()] if self.is_band else []
        low, high = self.format.codes()
        for i, (s, unit) in enumerate(each):
            granule = tensor.granule_of(i)
            z, bits = tensor.zero_point(granule), random16(self.key, self.sample * len(each) + i)
            by = multiplier(over(unit, tensor.unit(granule)))
            tensor.codes[i] = rescaled(s, by, self.rule, low - z, high - z, bits)[0] + z
        return tensor

    def round(self, sums, calibrating, passed_relu=False):
        m, self.unit = sums.largest()
        highest, lowest = (largest_on(side, sums) for side in (above, below))
        if calibrating:
            self.follow(m, highest, lowest, is_first=True)
        self.seen = max(self.seen, m)
        self.seen_above, self.seen_below = max(self.seen_above, highest), max(self.seen_below, lowest)
        kept = self.kept(sums)
        codes = []
        for i in range(len(kept.codes)):
            k, unit = kept.exact(i)
            codes.append(rescale(k, multiplier(over(unit, self.scale)), self.max_code))
        n = len(sums.rows[0])
        return Codes([codes[i:i + n] for i in range(0, len(codes), n)], self.scale, self.max_code, passed_relu)

    def roll(self):
        self.follow(self.seen, self.seen_above, self.seen_below, is_first=False)
        self.forget()


class GranuleParameter(Parameter):
    """Weights with a scale for each granule, a zero point or a shared exponent. `codes` are what they mean: code - zero_point."""
    operand_bound = 2 ** (OPERAND_BITS - 1) - 1

    def __init__(self, settings, layer, count, fmt, channels):
        super().__init__(settings, layer, WEIGHT, count)
        self.tensor = Tensor(fmt, channels, [0] * count)
        self.scale = 0, 0  # granules() says them
        self.low, self.high = fmt.codes()
        self.steps = 2 ** fmt.bits - 1
        self.used = self.steps - max(1, self.steps // 4)  # of a band, by the values it is made for
        self.made = None

    def fill(self, integers, unit, bound, is_one_sided):
        """Integers times a unit, at most the bound: scales of which it takes three quarters of the range."""
        tensor, kind = self.tensor, self.tensor.format.kind
        granules = self.count // tensor.format.granule(self.count, tensor.channels)
        spare = (self.steps - self.used) // 2
        if kind == "bfp":
            tensor.exponents = [exponent_byte(bound, tensor.format.bits, "half_away")] * granules
        elif kind == "sym":
            tensor.scales = [over(bound, nearest_scale(self.high - self.high // 4))] * granules
        else:
            width = bound if is_one_sided else shifted(bound, 1)
            tensor.scales = [over(width, nearest_scale(self.used))] * granules
            tensor.zero_points = [self.low + (0 if is_one_sided else self.used // 2) + spare] * granules
        self.codes = []
        for i, integer in enumerate(integers):
            z, own = self.place(i)
            self.codes.append(rescale(integer, multiplier(over(unit, own)), self.high - z, low=self.low - z))
        return self

    def place(self, i):
        """Zero point and scale of an element."""
        granule = self.tensor.granule_of(i)
        return self.tensor.zero_point(granule), self.tensor.unit(granule)

    def uniform(self, fan_in):
        bound, key = nearest_scale(value((math.isqrt(2 ** 60 // fan_in), -30))), self.key(INIT, 0)
        integers = [max(random16(key, i) - 32768, -32767) for i in range(self.count)]
        return self.fill(integers, over(bound, nearest_scale(32767)), bound, is_one_sided=False)

    def constant(self, number):
        return self.fill([number] * self.count, ONE, ONE, is_one_sided=True)

    def stored(self):
        return [code + self.place(i)[0] for i, code in enumerate(self.codes)]

    def granules(self):
        t = self.tensor
        if t.exponents:
            return [(0, x, 0) for x in t.exponents]
        return [(*scale, t.zero_point(i)) for i, scale in enumerate(t.scales)]

    def operand(self):
        if self.made is None:
            self.tensor.codes = self.stored()
            target = Tensor(Format("sym", OPERAND_BITS), 1, [0] * self.count)
            convert(self.tensor, target, "half_away", (0, 0), dynamic=True)
            self.made = target.codes, target.scales[0]
        return self.made

    def factors(self, new):
        each = [self.place(i) for i in range(self.count)]
        return [(*self.factor(scale, new), self.low - z, self.high - z) for z, scale in each]

    def update(self, sums, unit, divisor, step):
        self.made = None
        super().update(sums, unit, divisor, step)

    def refit(self, step):
        fit_one = {"sym": self.refit_sym, "bfp": self.refit_bfp, "asym": self.refit_asym}[self.tensor.format.kind]
        old = [self.place(i)[1] for i in range(self.count)]
        n = self.tensor.format.granule(self.count, self.tensor.channels)
        changed = [fit_one(g, self.codes[g * n:(g + 1) * n]) for g in range(self.count // n)]
        self.refits += any(changed)
        key = self.key(REFIT, step)
        for i, code in enumerate(self.codes):
            z, scale = self.place(i)
            if changed[self.tensor.granule_of(i)]:
                by = multiplier(over(old[i], scale))
                self.codes[i] = rescale(code, by, self.high - z, random16(key, i), self.low - z)

    def refit_sym(self, granule, codes):
        m, h = max(map(abs, codes)), self.high
        if m * 16 > h * 15 and h > 1:
            wanted = h - max(1, h // 4)
        elif 0 < m * 2 < h:
            wanted = h - h // 4
        else:
            return False
        self.tensor.scales[granule] = times(self.tensor.scales[granule], ratio(m, wanted))
        return True

    def refit_bfp(self, granule, codes):
        m, h, old = max(map(abs, codes)), self.high, self.tensor.exponents[granule]
        move = 1 if m * 16 > h * 15 and h > 1 else -1 if m > 0 and m * 32 <= h * 15 else 0
        self.tensor.exponents[granule] = clamp(old + move, 0, 254)
        return self.tensor.exponents[granule] != old

    def refit_asym(self, granule, codes):
        least, most, z = min(0, *codes), max(0, *codes), self.tensor.zero_points[granule]
        u = most - least
        at_end = any(code + z in (self.low, self.high) for code in codes)
        if not u or not (at_end or u * 2 < self.used):
            return False
        self.tensor.scales[granule] = times(self.tensor.scales[granule], ratio(u, self.used))
        self.tensor.zero_points[granule] = (self.low + math.floor(Fraction(-least * self.used, u))
                                            + (self.steps - self.used) // 2)
        return True
