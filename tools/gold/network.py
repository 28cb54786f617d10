"""Training steps of small networks in recipe int8, in exact integers: what trajectory.py, chain.py and kept.py share.

A layer turns the codes of a wire into sums (or into codes, where it only moves them); a wire rounds sums once. Tensors
are rows of steps, each with its channels.
"""
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from exact import (LARGEST_MOVE, clamp, cross_entropy, gain_of, half_away, multiplier, nearest_scale, over, q32, random16, random_key,
                   ratio, rescale, rounding16, shifted, times, value, whole)
from losses import ClassTargets, absolute_error, binary_entropy, huber_error, soft_cross_entropy, squared_error

ONE = nearest_scale(1)
MARGIN, DECAY = nearest_scale(2), nearest_scale(float(np.float32(0.9)))
WIRE_BITS = 8
WEIGHT_RANGE = -32768 - 128, 32767 - 128  # stored as code + 128 in 16 bits, so that the upper byte is rounded
OPERAND_BOUND = 128                       # largest magnitude of that byte
MOMENTUM_HALF = 2 ** 14                   # codes in -half .. half - 1
LOOK_PERIOD = 8
WEIGHT, BIAS = 0, 1
INIT, UPDATE, REFIT = 0, 2, 4


class Settings(NamedTuple):
    seed: int
    lr: np.float32
    momentum: np.float32
    weight_decay: np.float32


class Codes(NamedTuple):
    rows: list
    scale: tuple
    max_code: int
    passed_relu: bool = False


class Sums(NamedTuple):
    """Sums in a unit; those of LayerNorm's error have one per step, the unit times a factor."""
    rows: list
    unit: tuple
    factors: list = None

    def largest(self, size=abs):
        """What a wire's scale is made from: an integer and its unit."""
        each = [max(map(size, row)) for row in self.rows]
        if self.factors is None:
            return max(each), self.unit
        fine = [whole(times(nearest_scale(m), shifted(f, 24))) if m else 0 for m, f in zip(each, self.factors)]
        return max(fine), shifted(self.unit, -24)

    def units(self):
        return [self.unit] * len(self.rows) if self.factors is None else [times(self.unit, f) for f in self.factors]


def scale_of(x):
    return nearest_scale(float(x))


def fit(seen, unit, max_code, old=None):
    """The delayed scale: margin times the largest that was seen is the largest code; it shrinks slowly from the old."""
    wanted = over(times(MARGIN, nearest_scale(seen), unit), nearest_scale(max_code))
    return wanted if old is None else max(wanted, times(old, DECAY), key=value)


class Gradient(NamedTuple):
    """Sums of a sample, their unit, and the largest that they could be: terms * |dy| * |x|."""
    sums: list
    unit: tuple
    worst: int


class Wire:
    """Rounds sums to codes. Its scale is constant over a batch: given, or from the largest sum of the batch before."""
    slots = 1  # scales that are states

    def begin(self, step, sample):
        """What random bits are drawn for."""

    @staticmethod
    def lowest():
        """The magnitude of the lowest value of a band that follows its sums, 0 of other wires."""
        return 0, 0

    def forget(self):
        self.seen = 0

    def __init__(self, bits=WIRE_BITS, fixed=None):
        self.max_code, self.fixed = 2 ** (bits - 1) - 1, fixed is not None
        self.scale = fixed or ONE
        self.seen, self.unit = 0, ONE

    def round(self, sums, calibrating, passed_relu=False):
        m, self.unit = sums.largest()
        self.seen = max(self.seen, m)
        if calibrating and m and not self.fixed:
            self.scale = fit(m, self.unit, self.max_code)
        by = [multiplier(over(unit, self.scale)) for unit in sums.units()]
        rows = [[rescale(s, b, self.max_code) for s in row] for row, b in zip(sums.rows, by)]
        return Codes(rows, self.scale, self.max_code, passed_relu)

    def roll(self):
        if self.seen and not self.fixed:
            self.scale = fit(self.seen, self.unit, self.max_code, self.scale)
        self.forget()


def narrowed(sums, unit, worst):
    """Sums of the update: those that need 64 bits lose the bits that make their worst case exceed 2^30, nearest."""
    drop = 0
    while worst >= 2 ** 31 and worst > 2 ** (30 + drop):
        drop += 1
    return ([half_away(Fraction(s, 2 ** drop)) for s in sums], shifted(unit, drop)) if drop else (sums, unit)


class Parameter:
    """Codes and momentum of the weights or biases of a layer, each with a scale."""
    operand_bound = OPERAND_BOUND

    def __init__(self, settings, layer, kind, count):
        self.settings, self.layer, self.kind, self.count = settings, layer, kind, count
        self.low, self.high = WEIGHT_RANGE if kind == WEIGHT else (-32767, 32767)
        self.codes = self.scale = None
        self.momentum = [0] * count
        self.momentum_scale = self.next_scale = ONE
        self.refits = 0

    def uniform(self, fan_in):
        """Random values in +-1 / sqrt(fan_in), which lies at three quarters of the range."""
        bound = nearest_scale(value((math.isqrt(2 ** 60 // fan_in), -30)))
        self.scale = over(bound, nearest_scale(self.high - self.high // 4))
        by = multiplier(over(over(bound, nearest_scale(32767)), self.scale))
        key = self.key(INIT, 0)
        self.codes = [rescale(max(random16(key, i) - 32768, -32767), by, self.high) for i in range(self.count)]
        return self

    def constant(self, number):
        """The integer 0 or 1 everywhere, 1 at three quarters of the range."""
        self.scale = over(ONE, nearest_scale(self.high - self.high // 4))
        self.codes = [rescale(number, multiplier(over(ONE, self.scale)), self.high)] * self.count
        return self

    def key(self, use, step):
        return random_key(self.settings.seed, step, self.layer * 8 + use + self.kind)

    @staticmethod
    def granules():
        """(mantissa, exponent, zero point) or (0, exponent byte, 0) of each granule, where they are stored beside the codes."""
        return []

    def factors(self, new):
        """Of each code: what pulls it to zero and what moves it, for momentum with the scale `new`; the range it stays in."""
        return [(*self.factor(self.scale, new), self.low, self.high)] * self.count

    def factor(self, scale, new):
        decay = self.settings.weight_decay
        pull = q32(times(scale_of(decay), over(scale, new)), 2 ** 27) if decay else 0
        return pull, -q32(times(scale_of(self.settings.lr), over(new, scale)), 2 ** 31 - 1)

    def stored(self):
        return [code + 128 for code in self.codes] if self.kind == WEIGHT else self.codes

    def operand(self):
        """The upper bytes of what is stored, and their scale."""
        return [code >> 8 for code in self.stored()], shifted(self.scale, 8)

    def in_units(self, unit, largest_sum):
        """A bias as it is added to sums of at most that magnitude."""
        by = multiplier(over(self.scale, unit))
        return [rescale(code, by, 2 ** 31 - 1 - largest_sum) for code in self.codes]

    def observe(self, sums, unit):
        """Calibration: the gradient of one sample takes an eighth of the momentum's range."""
        largest = max(map(abs, sums))
        first = over(times(nearest_scale(largest), unit), nearest_scale(MOMENTUM_HALF // 8)) if largest else unit
        self.momentum_scale = self.next_scale = first

    def update(self, sums, unit, divisor, step):
        assert max(map(abs, sums)) < 2 ** 31
        factors = self.factors(self.next_scale)
        gradient, new = over(unit, divisor), self.next_scale
        kept = math.floor(Fraction(float(self.settings.momentum)) * value(self.momentum_scale) / value(new) * 2 ** 32)
        gain, shift = gain_of(over(gradient, new))
        key = self.key(UPDATE, step)
        saturated = False
        for i, (g, (pull, rate, low, high)) in enumerate(zip(sums, factors)):
            move = clamp(math.floor(Fraction(g * gain, 2 ** shift)), -LARGEST_MOVE, LARGEST_MOVE)
            # In units of 2^-16: the momentum's own term is whole up to the nearest integer factor, the rest is floored.
            base = (kept + 2 ** 31) >> 32
            own = base * self.momentum[i] * 2 ** 16 + ((kept - base * 2 ** 32) * self.momentum[i] >> 16)
            v = own + move + (pull * self.codes[i] >> 16) + rounding16(key, i) >> 16
            self.momentum[i] = clamp(v, -MOMENTUM_HALF, MOMENTUM_HALF - 1)
            saturated = saturated or v != self.momentum[i]
            p = self.codes[i] + ((rate * self.momentum[i] >> 16) + rounding16(key, i ^ 1) >> 16)
            self.codes[i] = clamp(p, low, high)
        self.momentum_scale = self.next_scale = new
        looks = step % LOOK_PERIOD == LOOK_PERIOD - 1
        doublings, largest = int(saturated), max(map(abs, sums))
        while largest and largest * value(gradient) / 2 ** doublings > value(new) * (MOMENTUM_HALF // 2):
            doublings += 1
        has_room = shift > 0 or gain < (2 ** 24 - 1) // 4
        if doublings:
            self.next_scale = shifted(new, doublings)
        elif looks and has_room and 0 < max(map(abs, self.momentum)) < MOMENTUM_HALF // 4:
            self.next_scale = shifted(new, -1)
        if looks:
            self.refit(step)

    def refit(self, step):
        """The largest code stays between one half and 15/16 of the range; else it goes to three quarters, or to half of that
        if a code lies at an end of the range."""
        largest = max(abs(code) for code in self.codes)
        if largest == 0 or (largest * 16 <= self.high * 15 and largest * 2 >= self.high):
            return
        self.refits += 1
        wanted = self.high - self.high // 4
        if self.low in self.codes or self.high in self.codes:
            wanted //= 2
        fitted = times(self.scale, ratio(largest, wanted))
        by, key = multiplier(over(self.scale, fitted)), self.key(REFIT, step)
        self.codes = [rescale(code, by, self.high, random16(key, i), self.low) for i, code in enumerate(self.codes)]
        self.scale = fitted


class Stage:
    """A layer with the wire of its outputs and that of the errors which it passes on, either of which it may not have."""

    def __init__(self, index, layer, relu=False, y=None, dx=None):
        self.index, self.layer, self.relu, self.y, self.dx = index, layer, relu, y, dx
        self.x = None

    def forward(self, x, calibrating):
        self.x = x
        out = self.layer.forward(x)
        if self.relu:
            out = out._replace(rows=[[max(0, s) for s in row] for row in out.rows])
            if not self.y:
                out = out._replace(passed_relu=True)
        return self.y.round(out, calibrating, self.relu) if self.y else out

    def backward(self, dy, calibrating):
        dx = self.layer.backward(self.x, dy)
        if self.x.passed_relu:
            dx = dx._replace(rows=[[d if code else 0 for d, code in zip(*rows)] for rows in zip(dx.rows, self.x.rows)])
        return self.dx.round(dx, calibrating) if self.dx else dx


class CrossEntropy:
    wire = None

    def __init__(self, index, bits=WIRE_BITS):
        self.index, self.max_code = index, 2 ** (bits - 1) - 1

    def __call__(self, logits, label, calibrating):
        loss, errors = cross_entropy(logits.rows[0], logits.unit, label, self.max_code)
        return loss, Codes([errors], ratio(1, self.max_code), self.max_code)


class MeanSquaredError:
    def __init__(self, index, wire=None):
        self.index, self.wire = index, wire or Wire()

    def __call__(self, logits, target, calibrating):
        """The target is one float32 per output, step by step of a signal, or a label."""
        outputs, width = sum(logits.rows, []), len(logits.rows[0])
        if np.ndim(target) == 0:
            target = np.eye(len(outputs), dtype=np.float32)[target]
        loss, errors, unit = squared_error(outputs, logits.unit, np.ravel(target))
        rows = [errors[i:i + width] for i in range(0, len(errors), width)]
        return loss, self.wire.round(Sums(rows, unit), calibrating)


class OneByOne:
    """L1, Huber or binary cross-entropy: the mean over outputs, or their sum."""

    def __init__(self, index, kind, delta=1, sums=False, bits=WIRE_BITS):
        self.index, self.kind, self.delta, self.sums = index, kind, delta, sums
        self.max_code = 2 ** (bits - 1) - 1
        self.wire = Wire(bits) if kind == "huber" else None

    def divisor(self, targets):
        return ONE if self.sums else nearest_scale(len(targets))

    def __call__(self, logits, target, calibrating):
        row, unit = logits.rows[0], logits.unit
        if np.ndim(target) == 0:
            target = np.eye(len(row), dtype=np.float32)[target]
        divisor = 1 if self.sums else len(row)
        if self.kind == "l1":
            loss, errors = absolute_error(row, unit, target, divisor)
            return loss, Codes([errors], ratio(1, divisor), self.max_code)
        if self.kind == "bce":
            loss, errors = binary_entropy(row, unit, target, self.max_code, divisor)
            return loss, Codes([errors], over(ratio(1, self.max_code), nearest_scale(divisor)), self.max_code)
        loss, errors, unit = huber_error(row, unit, target, np.float32(self.delta), divisor)
        return loss, self.wire.round(Sums([errors], unit), calibrating)


class SoftCrossEntropy:
    """With weights of classes and smoothed targets."""
    wire = None

    def __init__(self, index, weights, smoothing=0, sums=False, bits=WIRE_BITS):
        self.index, self.sums, self.max_code = index, sums, 2 ** (bits - 1) - 1
        self.targets = ClassTargets(weights, smoothing)

    def divisor(self, labels):
        total = sum(self.targets.codes[label] for label in labels)
        return ONE if self.sums or not total else times(nearest_scale(total), self.targets.unit)

    def __call__(self, logits, label, calibrating):
        loss, errors = soft_cross_entropy(logits.rows[0], logits.unit, label, self.targets, self.max_code)
        scale = ratio(1, self.max_code)
        return loss, Codes([errors], times(self.targets.value, scale) if self.sums else scale, self.max_code)


class Network:
    """Stages in order, the first of which has parameters, so that no error leaves it."""

    def __init__(self, stages, loss, input_range, input_bits=WIRE_BITS):
        self.stages, self.loss, self.x_max = stages, loss, 2 ** (input_bits - 1) - 1
        self.x_scale = over(scale_of(input_range), nearest_scale(self.x_max))
        slot = 1  # the input has the first one
        forward, backward = [s.y for s in stages], [s.dx for s in reversed(stages)]
        for wire in filter(None, [*forward, loss.wire, *backward]):
            wire.slot = slot
            slot += wire.slots

    def wires_by_layer(self):
        """Index of the layer, 1 for errors of its input, wire."""
        each = [(s.index, backward, wire) for s in self.stages for backward, wire in enumerate((s.y, s.dx))]
        return [(i, b, wire) for i, b, wire in each + [(self.loss.index, 1, self.loss.wire)] if wire]

    def wires(self):
        return [wire for _, _, wire in self.wires_by_layer()]

    def parameters(self):
        return [p for s in self.stages for p in s.layer.parameters]

    def forward(self, x, calibrating=False):
        """Sums of the last layer."""
        inverse, limit = np.float32(float(value(over(ONE, self.x_scale)))), self.x_max
        scaled = [[float(np.float32(v) * inverse) for v in row] for row in x]
        rows = [[clamp(int(math.copysign(math.floor(abs(s) + 0.5), s)), -limit, limit) for s in row] for row in scaled]
        out = Codes(rows, self.x_scale, limit)
        for stage in self.stages:
            out = stage.forward(out, calibrating)
        return out

    def step(self, x, target, step=0, sample=0, calibrating=False):
        """Loss in Q24, sums, and the gradients of all parameters."""
        drawing = [s.layer for s in self.stages if hasattr(s.layer, "begin")]
        for part in self.wires() + drawing:
            part.begin(step, sample)
        logits = self.forward(x, calibrating)
        loss, dy = self.loss(logits, target, calibrating)
        gradients = []
        for stage in reversed(self.stages):
            gradients = stage.layer.gradients(stage.x, dy) + gradients
            if stage is not self.stages[0]:
                dy = stage.backward(dy, calibrating)
        return loss, sum(logits.rows, []), gradients

    def calibrate(self, x, target):
        gradients = self.step(x, target, calibrating=True)[2]
        for parameter, gradient in zip(self.parameters(), gradients):
            parameter.observe(gradient.sums, gradient.unit)
        self.forget()

    def evaluate(self, x):
        """Logits of a sample, which leaves no trace."""
        logits = sum(self.forward(x).rows, [])
        self.forget()
        return logits

    def forget(self):
        for wire in self.wires():
            wire.forget()

    def train(self, xs, targets, step):
        """One batch: the sum of its losses, and the samples' logits."""
        results = [self.step(x, target, step, sample) for sample, (x, target) in enumerate(zip(xs, targets))]
        divisor = self.loss.divisor(targets) if hasattr(self.loss, "divisor") else nearest_scale(len(targets))
        for i, parameter in enumerate(self.parameters()):
            each = [gradients[i] for _, _, gradients in results]
            sums, unit = narrowed([sum(g) for g in zip(*(g.sums for g in each))], each[0].unit, sum(g.worst for g in each))
            parameter.update(sums, unit, divisor, step)
        for wire in self.wires():
            wire.roll()
        return sum(loss for loss, _, _ in results), [logits for _, logits, _ in results]
