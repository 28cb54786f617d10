"""Ten training steps of networks with GroupNorm and BatchNorm in recipes int8, sym12 and sym8, in exact integers (SPEC 5, 6, 7, 8).

Inputs and batches are those of chain.py, and so is what is not said. After each network's steps its first batch is evaluated. Layers:

    groups     5 steps of 6: Conv1d 8 (kernel 3), ReLU, GroupNorm of 2 groups, GlobalAvgPool1d, Linear 4
    instances  the same with 8 groups, without beta, ReLU behind the norm
    batch      5 steps of 6: Conv1d 8 (kernel 3), ReLU, BatchNorm, GlobalAvgPool1d, Linear 4
    features   12 features: Linear 16, BatchNorm (epsilon 0.01, momentum 0.25), ReLU, Linear 10, BatchNorm, Linear 4
    first      5 steps of 6: BatchNorm, Conv1d 8, ReLU, GlobalAvgPool1d, Linear 4; the last batch has 3 samples
    frozen     as batch, but the BatchNorm is frozen, with running statistics that are given
"""
import math
from fractions import Fraction

import numpy as np

from chain import BATCH, BATCHES, CHANNELS, CLASSES, FEATURES, FILTERS, FLAT, HIDDEN, KERNEL, STEPPED
from exact import clamp, cross_entropy, multiplier, nearest_scale, over, random16, ratio, rescale, shifted, times, value, whole
from formats import nearest_float
from layers import Conv1d as ExactConv1d
from layers import GlobalAvgPool1d, bias_gradient
from network import BIAS, ONE, UPDATE, WEIGHT, Codes, Gradient, Parameter, Settings, Sums, Wire, narrowed, scale_of
from tables import array, bits, braces

TARGET, VERSION, SEED = "tests/golden/norms.inc", 1, 160
F = np.float32
LEAST_BITS, MEAN_BITS, FAR = 10, 8, 2 ** 29

HEAD = """
// Losses of ten steps (Q24, sums of a batch), the state's hash after the first and the last, and the loss of the first batch in evaluation.
struct NormChain {
  const char *name, *recipe;
  uint64_t seed;
  const uint32_t* running;  // bits of float32, means then variances; or null
  int64_t loss_q24[10];
  uint64_t hash_after_first, hash_after_last;
  int64_t evaluation_q24;
};
""".strip()


def float_of(scale):
    return F(np.array(nearest_float(value(scale))[0], np.uint32).view(F))


# Norms

def shared_bits(n):
    return max(LEAST_BITS, 15 - ((n - 1).bit_length() + 1) // 2)


def inverse_root(r):
    """1 / sqrt(r), whose root has 31 bits, floored."""
    j = 0
    while r * 4 ** (j + 1) < 2 ** 62:
        j += 1
    return over(ONE, (math.isqrt(r * 4 ** j), -j))


def statistics(codes, scale, eps):
    """Sum, spread n sum x^2 - (sum x)^2, and the inverse root of the spread with eps."""
    n, total = len(codes), sum(codes)
    spread = n * sum(c * c for c in codes) - total * total
    added = whole(over(times(eps, nearest_scale(n), nearest_scale(n)), times(scale, scale)))
    return total, spread, inverse_root(max(1, spread + added))


def normalized(x, n, total, inverse, k):
    return rescale(n * x - total, multiplier(shifted(inverse, k)), 32767)


def brought(s, factor):
    """A sum times a factor, to 31 bits."""
    return (1 if s > 0 else -1) * whole(times(nearest_scale(abs(s)), factor)) if s else 0


def error_sums(g, h, n, inverse, k):
    """Of a group: errors less what mean and deviation take of them, in units of 2^-24."""
    a, b = sum(g), sum(x * y for x, y in zip(g, h))
    return [brought(n * x - a - (2 * y * b + 4 ** k) // (2 * 4 ** k), shifted(inverse, 24)) for x, y in zip(g, h)]


class Norm:
    def __init__(self, maker, index, channels, eps=F(1e-5), bias=True):
        self.eps = scale_of(eps)
        self.channels = channels
        self.gamma = maker(index, WEIGHT, channels).constant(1)
        self.beta = maker(index, BIAS, channels).constant(0) if bias else None
        self.parameters = [p for p in (self.gamma, self.beta) if p]

    def finished(self, h, k):
        """Sums of rows of normalized codes."""
        gamma, scale = self.gamma.operand()
        unit = shifted(scale, -k)
        beta = self.beta.in_units(unit, self.gamma.operand_bound * 32767) if self.beta else [0] * self.channels
        return Sums([[a * b + c for a, b, c in zip(gamma, row, beta)] for row in h], unit)

    def gradient(self, h, k, dy):
        gamma = [sum(d[c] * row[c] for d, row in zip(dy.rows, h)) for c in range(self.channels)]
        found = [Gradient(gamma, shifted(dy.scale, -k), len(dy.rows) * dy.max_code * 32767)]
        return found + [bias_gradient(dy)] if self.beta else found


class GroupNorm(Norm):
    def __init__(self, maker, index, channels, groups, **how):
        super().__init__(maker, index, channels, **how)
        self.width = channels // groups

    def groups(self, x):
        """Channels of each group, its codes, statistics, normalized codes."""
        k = shared_bits(len(x.rows) * self.width)
        for first in range(0, self.channels, self.width):
            codes = sum((row[first:first + self.width] for row in x.rows), [])
            total, _, inverse = statistics(codes, x.scale, self.eps)
            yield first, inverse, k, [normalized(c, len(codes), total, inverse, k) for c in codes]

    def rows(self, parts, steps):
        """Of lists of groups, step by step."""
        return [sum((p[t * self.width:(t + 1) * self.width] for p in parts), []) for t in range(steps)]

    def forward(self, xs, how):
        self.normalized = []
        for x in xs:
            each = list(self.groups(x))
            self.normalized.append((self.rows([h for *_, h in each], len(x.rows)), each[0][2]))
        return [self.finished(*n) for n in self.normalized]

    def backward(self, xs, dys):
        gamma, gamma_scale = self.gamma.operand()
        made = []
        for x, dy in zip(xs, dys):
            parts = []
            for first, inverse, k, h in self.groups(x):
                here = slice(first, first + self.width)
                g = [a * b for row in dy.rows for a, b in zip(row[here], gamma[here])]
                parts.append(error_sums(g, h, len(g), inverse, k))
            unit = shifted(over(times(dy.scale, gamma_scale), x.scale), -24)
            made.append(Sums(self.rows(parts, len(x.rows)), unit))
        return made

    def gradients(self, xs, dys):
        return [self.gradient(*n, dy) for n, dy in zip(self.normalized, dys)]


def signed_sum(a, b):
    """Of (sign, scale) or None."""
    if not a or not b:
        return a or b
    if a[1][1] < b[1][1]:
        a, b = b, a
    d = a[0] * a[1][0] * 2 ** 30 + b[0] * (b[1][0] * 2 ** 30 // 2 ** (a[1][1] - b[1][1]))
    return (1 if d > 0 else -1, shifted(nearest_scale(abs(d)), a[1][1] - 30)) if d else None


def signed(number):
    return (1 if number > 0 else -1, nearest_scale(abs(Fraction(number)))) if number else None


def scaled(a, by):
    return a and (a[0], by(a[1]))


class BatchNorm(Norm):
    def __init__(self, maker, index, channels, samples, steps, dynamic, momentum=F(0.1), running=None, **how):
        super().__init__(maker, index, channels, **how)
        self.largest_n, self.dynamic, self.momentum = max(samples * steps, steps * channels), dynamic, scale_of(momentum)
        self.frozen = running is not None
        self.running = list(running) if self.frozen else [F(0)] * channels + [F(1)] * channels
        if self.frozen:
            self.parameters = []

    def in_common(self, samples, bits):
        """Codes of a batch in one unit, and that."""
        if not self.dynamic:
            return [s.rows for s in samples], samples[0].scale
        own = samples[0].max_code.bit_length() + 1
        unit = shifted(max((s.scale for s in samples), key=value), own - bits)
        by = [multiplier(over(s.scale, unit)) for s in samples]
        return [[[rescale(c, b, 2 ** (bits - 1) - 1) for c in row] for row in s.rows] for s, b in zip(samples, by)], unit

    def forward(self, xs, how):
        self.how = "running" if self.frozen else how
        k = LEAST_BITS
        if self.how == "running":
            constants = [self.constant(c) for c in range(self.channels)]
            self.inverses = [[times(inverse, x.scale) for inverse, _ in constants] for x in xs]
            h = [[[self.from_running(c, x.scale, *constants[i]) for i, c in enumerate(row)] for row in x.rows] for x in xs]
            return [self.finished(rows, k) for rows in h]
        bits = 16
        while 2 ** (bits - 1) - 1 > (2 ** 30 - 1) // self.largest_n:
            bits -= 1
        codes, self.unit = self.in_common(xs, bits)
        if how == "calibrating":
            all_codes = sum(codes[0], [])
            each = [statistics(all_codes, self.unit, self.eps)] * self.channels
            self.n = len(all_codes)
        else:
            columns = [[row[c] for rows in codes for row in rows] for c in range(self.channels)]
            each = [statistics(column, self.unit, self.eps) for column in columns]
            self.n = len(columns[0])
            self.follow(each)
        self.inverses = [inverse for *_, inverse in each]
        h = [[[normalized(c, self.n, each[i][0], each[i][2], k) for i, c in enumerate(row)] for row in rows] for rows in codes]
        self.normalized = h
        return [self.finished(rows, k) for rows in h]

    def follow(self, each):
        n, unit = nearest_scale(self.n), self.unit
        keeps = signed_sum((1, ONE), (-1, self.momentum))

        def join(at, new):
            old = signed(Fraction(float(self.running[at])))
            kept = old and keeps and (old[0], times(old[1], keeps[1]))
            total = signed_sum(kept, scaled(new, lambda s: times(s, self.momentum)))
            self.running[at] = F(0) if not total else F(total[0]) * float_of(total[1])
        for c, (total, spread, _) in enumerate(each):
            join(c, scaled(signed(total), lambda s: over(times(s, unit), n)))
            if self.n > 1:
                pairs = nearest_scale(self.n * (self.n - 1))
                join(self.channels + c, scaled(signed(spread), lambda s: over(times(s, times(unit, unit)), pairs)))

    def constant(self, c):
        """The inverse deviation and the mean in units of 2^-18 of it."""
        variance = signed_sum(signed(Fraction(float(self.running[self.channels + c]))), (1, self.eps))
        m, e = variance[1]
        odd = e % 2
        inverse = over(ONE, (math.isqrt(m * 2 ** (30 + odd)), (e - odd - 30) // 2))
        mean = scaled(signed(Fraction(float(self.running[c]))), lambda s: times(s, shifted(inverse, LEAST_BITS + MEAN_BITS)))
        return inverse, mean[0] * min(FAR, whole(mean[1])) if mean else 0

    @staticmethod
    def from_running(x, x_scale, inverse, mean):
        a = rescale(x, multiplier(shifted(times(inverse, x_scale), LEAST_BITS + MEAN_BITS)), FAR)
        return clamp(a - mean + 2 ** (MEAN_BITS - 1) >> MEAN_BITS, -32767, 32767)

    def backward(self, xs, dys):
        gamma, gamma_scale = self.gamma.operand()
        if self.how == "running":
            return [Sums([[brought(d * g, shifted(i, 24)) for d, g, i in zip(row, gamma, inverses)] for row in dy.rows],
                         shifted(over(times(dy.scale, gamma_scale), x.scale), -24))
                    for x, dy, inverses in zip(xs, dys, self.inverses)]
        codes, dy_unit = self.in_common(dys, 16)
        unit, k = shifted(over(times(dy_unit, gamma_scale), self.unit), -24), LEAST_BITS
        if self.how == "calibrating":
            rows = [[brought(self.n * d * g, shifted(i, 24)) for d, g, i in zip(row, gamma, self.inverses)] for row in codes[0]]
            return [Sums(rows, unit)]
        columns = []
        for c in range(self.channels):
            g = [row[c] * gamma[c] for rows in codes for row in rows]
            h = [row[c] for rows in self.normalized for row in rows]
            columns.append(iter(error_sums(g, h, self.n, self.inverses[c], k)))
        return [Sums([[next(columns[c]) for c in range(self.channels)] for _ in rows], unit) for rows in codes]

    def gradients(self, xs, dys):
        if self.frozen:
            return [[] for _ in dys]
        return [self.gradient(h, LEAST_BITS, dy) for h, dy in zip(self.normalized, dys)]


class Each:
    """A layer that knows one sample."""

    def __init__(self, layer):
        self.layer, self.parameters = layer, layer.parameters

    def forward(self, xs, how):
        return [self.layer.forward(x) for x in xs]

    def backward(self, xs, dys):
        return [self.layer.backward(x, dy) for x, dy in zip(xs, dys)]

    def gradients(self, xs, dys):
        return [self.layer.gradients(x, dy) for x, dy in zip(xs, dys)]


class Conv1d(ExactConv1d):
    def __init__(self, maker, index, channels, outputs, kernel=1):
        self.channels, self.outputs, self.kernel, self.pad = channels, outputs, kernel, 0
        self.fan_in = kernel * channels
        self.weight = maker(index, WEIGHT, outputs * self.fan_in).uniform(self.fan_in)
        self.bias = maker(index, BIAS, outputs).uniform(self.fan_in)
        self.parameters = self.weight, self.bias


# Parameters of the recipes

def as_bytes(numbers, dtype):
    return np.asarray(numbers).astype(dtype).tobytes()


class Int8(Parameter):
    """Exact sums, an integer update."""

    def take(self, each, samples, step):
        sums, unit = narrowed([sum(g) for g in zip(*(g.sums for g in each))], each[0].unit, sum(g.worst for g in each))
        self.update(sums, unit, nearest_scale(samples), step)

    def codes_bytes(self):
        return as_bytes(self.stored(), "<i2")

    def momentum_bytes(self):
        return as_bytes(self.momentum, "<i2")

    def scales(self):
        return [self.scale, self.momentum_scale]


class Sym8(Parameter):
    """Exact sums of a batch, a float32 update of codes."""

    def observe(self, sums, unit):
        pass

    def take(self, each, samples, step):
        sums = [sum(g) for g in zip(*(g.sums for g in each))]
        gain = float_of(over(each[0].unit, nearest_scale(samples)))
        inverse, key, s = float_of(over(ONE, self.scale)), self.key(UPDATE, step), self.settings
        missed = False
        for i, g in enumerate(sums):
            self.momentum[i] = F(F(s.momentum * F(self.momentum[i])) + F(F(F(g) * gain) + F(0)))
            move = F(F(s.lr * self.momentum[i]) * inverse)
            wanted = self.codes[i] + math.floor(F(F((2 * random16(key, i) + 1) / 2 ** 17) - move))
            self.codes[i] = clamp(wanted, self.low, self.high)
            missed |= wanted != self.codes[i]
        largest = max(map(abs, self.codes))
        if largest and (largest * 16 > self.high * 15 or largest * 2 < self.high):
            wanted = self.high - self.high // 4
            fitted = times(self.scale, ratio(largest, wanted // 2 if missed else wanted))
            by, key = multiplier(over(self.scale, fitted)), self.key(4, step)
            self.codes = [rescale(c, by, self.high, random16(key, i), self.low) for i, c in enumerate(self.codes)]
            self.scale = fitted
            self.refits += 1

    codes_bytes = Int8.codes_bytes

    def momentum_bytes(self):
        return as_bytes(self.momentum, "<f4")

    def scales(self):
        return [self.scale, ONE]


class Sym12(Parameter):
    """Float32, with operands of 12 bits; each sample's sums join float32 sums."""
    operand_bound = 2047

    def uniform(self, fan_in):
        bound = nearest_scale(value((math.isqrt(2 ** 60 // fan_in), -30)))
        unit, key = float_of(over(bound, nearest_scale(32767))), self.key(0, 0)
        self.codes = [F(unit * F(max(random16(key, i) - 32768, -32767))) for i in range(self.count)]
        return self

    def constant(self, number):
        self.codes = [F(number)] * self.count
        return self

    def observe(self, sums, unit):
        pass

    def operand(self):
        largest = max(map(abs, self.codes))
        if largest > 0:
            self.scale = over(scale_of(largest), nearest_scale(2047))
        return quantized(self.codes, self.scale, 2047), self.scale

    def in_units(self, unit, largest_sum):
        inverse, limit = float_of(over(ONE, unit)), 2 ** 31 - 1 - largest_sum
        return [clamp(nearest(F(b * inverse)), -limit, limit) for b in self.codes]

    def take(self, each, samples, step):
        sums, s = [F(0)] * self.count, self.settings
        for g in each:
            gain = float_of(g.unit)
            sums = [F(total + F(gain * F(x))) for total, x in zip(sums, g.sums)]
        gain = float_of(over(ONE, nearest_scale(samples)))
        for i, g in enumerate(sums):
            self.momentum[i] = F(F(s.momentum * F(self.momentum[i])) + F(F(g * gain) + F(0)))
            self.codes[i] = F(self.codes[i] - F(s.lr * self.momentum[i]))

    def codes_bytes(self):
        return as_bytes(self.codes, "<f4")

    def momentum_bytes(self):
        return as_bytes(self.momentum, "<f4")

    def scales(self):
        return []


def nearest(x):
    """Ties away from 0."""
    return int(math.copysign(math.floor(abs(Fraction(float(x))) + Fraction(1, 2)), x)) if x else 0


def quantized(values, scale, high):
    inverse = float_of(over(ONE, scale))
    return [clamp(nearest(F(v * inverse)), -high, high) for v in values]


class DynamicWire(Wire):
    """A scale of each sample."""

    def round(self, sums, calibrating, passed_relu=False):
        m, unit = sums.largest()
        high = nearest_scale(self.max_code)
        self.scale = over(times(nearest_scale(m), unit), high) if m else over(ONE, high)
        return super().round(sums, False, passed_relu)

    def roll(self):
        self.forget()


RECIPES = {"int8": (Int8, Wire, 8), "sym12": (Sym12, DynamicWire, 12), "sym8": (Sym8, Wire, 8)}


class Stage:
    """A layer, a ReLU behind it (as a layer of its own in the model), and the wires that it makes."""

    def __init__(self, layer, relu=False, y=None, dx=None):
        self.layer, self.relu, self.y, self.dx = layer, relu, y, dx

    def forward(self, xs, how):
        self.xs = xs
        out = self.layer.forward(xs, how)
        if self.relu:
            out = [o._replace(rows=[[max(0, s) for s in row] for row in o.rows]) for o in out]
        return [self.y.round(o, how == "calibrating", self.relu) for o in out] if self.y else out

    def backward(self, dys, calibrating):
        dxs = self.layer.backward(self.xs, dys)
        made = []
        for x, dx in zip(self.xs, dxs):
            if x.passed_relu:
                dx = dx._replace(rows=[[d if code else 0 for d, code in zip(*rows)] for rows in zip(dx.rows, x.rows)])
            made.append(self.dx.round(dx, calibrating) if self.dx else dx)
        return made


class Network:
    def __init__(self, stages, recipe, input_range, settings):
        self.stages, self.recipe, self.settings = stages, recipe, settings
        self.dynamic = RECIPES[recipe][1] is DynamicWire
        self.x_max = 2 ** (RECIPES[recipe][2] - 1) - 1
        self.x_scale = over(scale_of(input_range), nearest_scale(self.x_max))

    def input(self, x):
        scale = over(scale_of(np.abs(x).max()), nearest_scale(self.x_max)) if self.dynamic else self.x_scale
        return Codes([quantized(row, scale, self.x_max) for row in x], scale, self.x_max)

    def forward(self, xs, how):
        out = [self.input(x) for x in xs]
        for stage in self.stages:
            out = stage.forward(out, how)
        return out

    def wires(self):
        return [w for s in self.stages for w in (s.y, s.dx) if w]

    def losses(self, logits, labels):
        found = [cross_entropy(z.rows[0], z.unit, label, self.x_max) for z, label in zip(logits, labels)]
        return sum(loss for loss, _ in found), [Codes([e], ratio(1, self.x_max), self.x_max) for _, e in found]

    def run(self, xs, labels, how):
        """Loss, and for each stage the gradients of each sample."""
        loss, dys = self.losses(self.forward(xs, how), labels)
        found = []
        first = next(i for i, s in enumerate(self.stages) if s.layer.parameters)
        for i in range(len(self.stages) - 1, -1, -1):
            stage = self.stages[i]
            found = [stage.layer.gradients(stage.xs, dys)] + found
            if i <= first:
                break
            dys = stage.backward(dys, how == "calibrating")
        return loss, found

    def calibrate(self, x, label):
        _, found = self.run([x], [label], "calibrating")
        for stage, each in zip(self.stages, found):
            for parameter, gradient in zip(stage.layer.parameters, each[0]):
                parameter.observe(gradient.sums, gradient.unit)
        for wire in self.wires():
            wire.forget()

    def train(self, xs, labels, step):
        loss, found = self.run(xs, labels, "training")
        for stage, each in zip(self.stages, found):
            for i, parameter in enumerate(stage.layer.parameters):
                parameter.take([g[i] for g in each], len(xs), step)
        for wire in self.wires():
            wire.roll()
        return loss

    def evaluate(self, xs, labels):
        loss, _ = self.losses(self.forward(xs, "running"), labels)
        for wire in self.wires():
            wire.forget()
        return loss

    def hash(self):
        h = 0xCBF29CE484222325

        def add(data):
            nonlocal h
            for byte in data:
                h = (h ^ byte) * 0x100000001B3 & 2 ** 64 - 1

        def add_scale(scale):
            add(np.array([scale[0], scale[1] & 0xFFFFFFFF], np.uint64).astype("<u4").tobytes())
        passed = {}  # whose scale a wire without rounding of its own has
        dx_before = None
        for stage in reversed(self.stages):  # the error that leaves a stage: its own, or the one that came
            dx_before = stage.dx or dx_before
            passed[stage] = dx_before
        first = next(i for i, s in enumerate(self.stages) if s.layer.parameters)
        y = None
        for i, stage in enumerate(self.stages):
            layer = getattr(stage.layer, "layer", stage.layer)
            all_parameters = [p for p in ((layer.gamma, layer.beta) if isinstance(layer, Norm) else layer.parameters) if p]
            trains = bool(layer.parameters)
            for p in all_parameters:
                add(p.codes_bytes())
            for p in all_parameters if trains else []:
                add(p.momentum_bytes())
            if isinstance(layer, BatchNorm):
                add(as_bytes(layer.running, "<f4"))
            scales = [p.scales() for p in all_parameters]
            for which in (0, 1) if scales and scales[0] else ():
                for s in scales if which == 0 or trains else []:
                    add_scale(s[which])
            if self.dynamic:
                continue
            y = stage.y or y
            last = i == len(self.stages) - 1
            behind = passed[self.stages[i + 1]] if not last else None
            if not last:
                add_scale(y.scale)
            if i > first:
                add_scale(passed[stage].scale)
            if stage.relu:
                add_scale(y.scale)  # a layer of its own
                if i >= first:
                    add_scale(behind.scale)
        return h


def builder(recipe, seed):
    parameter, wire, bits = RECIPES[recipe]
    settings = Settings(seed, lr=F(0.05), momentum=F(0.9), weight_decay=F(0))

    def maker(index, kind, count):
        return parameter(settings, index, kind, count)
    return maker, lambda: wire(bits), settings, wire is DynamicWire


STEPS_LEFT = 3  # behind the convolution


def conv(make, wire, index=0, relu=False, dx=None):
    return Stage(Each(Conv1d(make, index, CHANNELS, FILTERS, KERNEL)), relu=relu, y=wire(), dx=dx)


def tail(make, wire, index):
    return [Stage(Each(GlobalAvgPool1d()), y=wire()),
            Stage(Each(Conv1d(make, index, FILTERS, CLASSES)), dx=wire())]


def groups(make, wire, dynamic, running):
    return [conv(make, wire, relu=True), Stage(GroupNorm(make, 2, FILTERS, 2), y=wire(), dx=wire()), *tail(make, wire, 4)]


def instances(make, wire, dynamic, running):
    norm = GroupNorm(make, 1, FILTERS, 8, bias=False)
    return [conv(make, wire), Stage(norm, relu=True, y=wire(), dx=wire()), *tail(make, wire, 4)]


def batch(make, wire, dynamic, running):
    norm = BatchNorm(make, 2, FILTERS, BATCH, STEPS_LEFT, dynamic, running=running)
    return [conv(make, wire, relu=True), Stage(norm, y=wire(), dx=wire()), *tail(make, wire, 4)]


def features(make, wire, dynamic, running):
    first = BatchNorm(make, 1, HIDDEN, BATCH, 1, dynamic, momentum=F(0.25), eps=F(0.01))
    return [Stage(Each(Conv1d(make, 0, FEATURES, HIDDEN)), y=wire()), Stage(first, relu=True, y=wire(), dx=wire()),
            Stage(Each(Conv1d(make, 3, HIDDEN, 10)), y=wire(), dx=wire()),
            Stage(BatchNorm(make, 4, 10, BATCH, 1, dynamic), y=wire(), dx=wire()),
            Stage(Each(Conv1d(make, 5, 10, CLASSES)), dx=wire())]


def first(make, wire, dynamic, running):
    norm = BatchNorm(make, 0, CHANNELS, BATCH, 5, dynamic)
    return [Stage(norm, y=wire()), conv(make, wire, index=1, relu=True, dx=wire()), *tail(make, wire, 4)]


RUNNING = [F(x) for x in (0.25, -0.5, 0, 1, 0.125, 0.0625, -0.25, 0.75, 0.5, 1, 0.25, 2, 0.01, 1.5, 0.75, 3)]
VARIANTS = {"groups": (groups, STEPPED, None), "instances": (instances, STEPPED, None), "batch": (batch, STEPPED, None),
            "features": (features, FLAT, None), "first": (first, STEPPED, None), "frozen": (batch, STEPPED, RUNNING)}


def lines():
    yield HEAD
    yield array("uint32_t kNormRunning[]", bits(RUNNING))
    chains, seed, refits = [], SEED, 0
    for name, (build, data, running) in VARIANTS.items():
        for recipe in RECIPES:
            make, wire, settings, dynamic = builder(recipe, seed)
            network = Network(build(make, wire, dynamic, running), recipe, data.input_range, settings)
            if not dynamic:
                network.calibrate(data.x[0], data.labels[0])
            losses, hashes = [], []
            for step in range(BATCHES):
                end = (step + 1) * BATCH - (1 if name == "first" and step == BATCHES - 1 else 0)
                here = slice(step * BATCH, end)
                losses.append(network.train(data.x[here], data.labels[here], step))
                if step in (0, BATCHES - 1):
                    hashes.append(f"{network.hash():#x}u")
            evaluation = network.evaluate(data.x[:BATCH], data.labels[:BATCH])
            chains.append(braces([f'"{name}"', f'"{recipe}"', seed, "kNormRunning" if running else "nullptr", braces(losses),
                                  *hashes, evaluation]))
            refits += sum(p.refits for s in network.stages for p in s.layer.parameters)
            seed += 1
    assert refits > 0
    yield array("NormChain kNormChains[]", chains)
