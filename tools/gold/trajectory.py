"""A training run of a small int8 network, step by step, in exact integers.

Conv1d 3 -> 4 (kernel 3, same padding), ReLU, MaxPool 2, Flatten, Linear 3; input 9 steps; batch 2; 10 batches; recipe
int8 (8-bit wires and weights, delayed scales with margin 2 and decay 0.9, 16-bit parameters and momentum).
"""
import math
import textwrap
from fractions import Fraction

import numpy as np

from exact import (LARGEST_MOVE, clamp, cross_entropy, gain_of, multiplier, nearest_scale, over, q32, random16, random_key, ratio,
                   rescale, rounding16, shifted, times, value)

TARGET, VERSION, SEED = "tests/golden/trajectory.inc", 1, 11
BATCH, BATCHES = 2, 10
STEPS, CHANNELS, FILTERS, CLASSES, KERNEL, PAD = 9, 3, 4, 3, 3, 1
POOLED = STEPS // 2
LR, MOMENTUM, WEIGHT_DECAY = np.float32(0.25), np.float32(0.875), np.float32(0.03125)
INPUT_RANGE = np.float32(2.5)
MARGIN, DECAY, ONE = nearest_scale(2), nearest_scale(float(np.float32(0.9))), nearest_scale(1)
WEIGHT_RANGE = -32768 - 128, 32767 - 128  # stored as code + 128 in 16 bits, so that the upper byte is rounded
MOMENTUM_HALF = 2 ** 14  # codes in -half .. half - 1
LOOK_PERIOD = 8
CONV, LINEAR = 0, 4          # index of a layer names its random sequences
WEIGHT, BIAS = 0, 1
INIT, UPDATE, REFIT = 0, 2, 4
refits = 0


def scale_of(x):
    return nearest_scale(float(x))


def stream(layer, kind, use, step):
    return random_key(SEED, step, layer * 8 + use + kind)


def fit(seen, unit, max_code, old=None):
    """The delayed scale: margin times the largest that was seen is the largest code; it shrinks slowly from the old."""
    wanted = over(times(nearest_scale(seen), unit, MARGIN), nearest_scale(max_code))
    return wanted if old is None else max(wanted, times(old, DECAY), key=value)


class Parameter:
    """Codes and momentum of the weights or biases of a layer, each with a scale."""

    def __init__(self, layer, kind, count, fan_in):
        self.layer, self.kind = layer, kind
        self.low, self.high = WEIGHT_RANGE if kind == WEIGHT else (-32767, 32767)
        bound = nearest_scale(value((math.isqrt(2 ** 60 // fan_in), -30)))
        self.scale = over(bound, nearest_scale(self.high - self.high // 4))
        by = multiplier(over(over(bound, nearest_scale(32767)), self.scale))
        key = stream(layer, kind, INIT, 0)
        self.codes = [rescale(max(random16(key, i) - 32768, -32767), by, self.high) for i in range(count)]
        self.momentum = [0] * count
        self.momentum_scale = self.next_scale = ONE

    def observe(self, sums, unit):
        """Calibration: the gradient of one sample takes an eighth of the momentum's range."""
        largest = max(abs(g) for g in sums)
        first = over(times(nearest_scale(largest), unit), nearest_scale(MOMENTUM_HALF // 8)) if largest else unit
        self.momentum_scale = self.next_scale = first

    def update(self, sums, unit, step):
        gradient, new = over(unit, nearest_scale(BATCH)), self.next_scale
        kept = math.floor(Fraction(float(MOMENTUM)) * value(self.momentum_scale) / value(new) * 2 ** 32)
        gain, shift = gain_of(over(gradient, new))
        pull = q32(times(scale_of(WEIGHT_DECAY), over(self.scale, new)), 2 ** 27)
        rate = -q32(times(scale_of(LR), over(new, self.scale)), 2 ** 31 - 1)
        key = stream(self.layer, self.kind, UPDATE, step)
        saturated = False
        for i, g in enumerate(sums):
            move = clamp(math.floor(Fraction(g * gain, 2 ** shift)), -LARGEST_MOVE, LARGEST_MOVE)
            # In units of 2^-16: the momentum's own term is whole up to the nearest integer factor, the rest is floored.
            base = (kept + 2 ** 31) >> 32
            own = base * self.momentum[i] * 2 ** 16 + ((kept - base * 2 ** 32) * self.momentum[i] >> 16)
            v = own + move + (pull * self.codes[i] >> 16) + rounding16(key, i) >> 16
            self.momentum[i] = clamp(v, -MOMENTUM_HALF, MOMENTUM_HALF - 1)
            saturated = saturated or v != self.momentum[i]
            p = self.codes[i] + ((rate * self.momentum[i] >> 16) + rounding16(key, i ^ 1) >> 16)
            self.codes[i] = clamp(p, self.low, self.high)
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
        global refits
        largest = max(abs(code) for code in self.codes)
        if largest == 0 or (largest * 16 <= self.high * 15 and largest * 2 >= self.high):
            return
        refits += 1
        wanted = self.high - self.high // 4
        if self.low in self.codes or self.high in self.codes:
            wanted //= 2
        fitted = times(self.scale, ratio(largest, wanted))
        by, key = multiplier(over(self.scale, fitted)), stream(self.layer, self.kind, REFIT, step)
        self.codes = [rescale(code, by, self.high, random16(key, i), self.low) for i, code in enumerate(self.codes)]
        self.scale = fitted


class Network:
    def __init__(self):
        fan_in = KERNEL * CHANNELS
        self.conv_w, self.conv_b = Parameter(CONV, WEIGHT, FILTERS * fan_in, fan_in), Parameter(CONV, BIAS, FILTERS, fan_in)
        features = POOLED * FILTERS
        self.linear_w = Parameter(LINEAR, WEIGHT, CLASSES * features, features)
        self.linear_b = Parameter(LINEAR, BIAS, CLASSES, features)
        self.x_scale = over(scale_of(INPUT_RANGE), nearest_scale(127))
        self.y_scale = self.dx_scale = ONE  # of the wire behind the convolution, and of the error before Linear
        self.dy_scale = ratio(1, 127)

    def parameters(self):
        return self.conv_w, self.conv_b, self.linear_w, self.linear_b

    def forward(self, x):
        """Codes of the input with its padding, sums and codes of the wire, winners, features, logits and their unit."""
        inverse = np.float32(float(value(over(ONE, self.x_scale))))
        codes = [[0] * CHANNELS] * PAD
        for row in x:
            scaled = [float(np.float32(v) * inverse) for v in row]
            codes.append([clamp(int(math.copysign(math.floor(abs(s) + 0.5), s)), -127, 127) for s in scaled])
        codes += [[0] * CHANNELS] * PAD
        w = [(code + 128) >> 8 for code in self.conv_w.codes]
        unit = times(self.x_scale, shifted(self.conv_w.scale, 8))
        bias = self.bias(self.conv_b, unit, KERNEL * CHANNELS)
        sums = [[max(0, bias[o] + sum(codes[t + k][c] * w[(o * KERNEL + k) * CHANNELS + c]
                                      for k in range(KERNEL) for c in range(CHANNELS)))
                 for o in range(FILTERS)] for t in range(STEPS)]
        by = multiplier(over(unit, self.y_scale))
        wire = [[rescale(s, by, 127) for s in row] for row in sums]
        winners = [[2 * t + (wire[2 * t + 1][o] > wire[2 * t][o]) for o in range(FILTERS)] for t in range(POOLED)]
        features = [wire[winners[t][o]][o] for t in range(POOLED) for o in range(FILTERS)]
        w2 = [(code + 128) >> 8 for code in self.linear_w.codes]
        logit_unit = times(self.y_scale, shifted(self.linear_w.scale, 8))
        bias2 = self.bias(self.linear_b, logit_unit, len(features))
        logits = [bias2[j] + sum(a * b for a, b in zip(w2[j * len(features):], features)) for j in range(CLASSES)]
        return codes, sums, unit, wire, winners, features, logits, logit_unit

    @staticmethod
    def bias(parameter, unit, terms):
        by = multiplier(over(parameter.scale, unit))
        limit = min(2 ** 30, 2 ** 31 - 1 - terms * 127 * 128)
        return [rescale(code, by, limit) for code in parameter.codes]

    def error_sums(self, dy):
        w2, n = [(code + 128) >> 8 for code in self.linear_w.codes], POOLED * FILTERS
        return [sum(w2[j * n + i] * dy[j] for j in range(CLASSES)) for i in range(n)]

    def error_unit(self):
        return times(self.dy_scale, shifted(self.linear_w.scale, 8))

    def conv_error(self, sums, winners, wire):
        """Rounded errors of the features, at the winner of each window if it has passed the ReLU."""
        by = multiplier(over(self.error_unit(), self.dx_scale))
        dx = [[0] * FILTERS for _ in range(STEPS)]
        for t in range(POOLED):
            for o in range(FILTERS):
                if wire[winners[t][o]][o] > 0:
                    dx[winners[t][o]][o] = rescale(sums[t * FILTERS + o], by, 127)
        return dx

    @staticmethod
    def gradients(codes, features, dy, dconv):
        conv_w = [sum(dconv[t][o] * codes[t + k][c] for t in range(STEPS))
                  for o in range(FILTERS) for k in range(KERNEL) for c in range(CHANNELS)]
        conv_b = [sum(row[o] for row in dconv) for o in range(FILTERS)]
        return conv_w, conv_b, [d * f for d in dy for f in features], list(dy)

    def units(self):
        return times(self.dx_scale, self.x_scale), self.dx_scale, times(self.dy_scale, self.y_scale), self.dy_scale

    def calibrate(self, x, label):
        sums, unit = self.forward(x)[1:3]
        self.y_scale = fit(max(map(max, sums)), unit, 127)
        codes, _, _, wire, winners, features, logits, logit_unit = self.forward(x)
        dy = cross_entropy(logits, logit_unit, label, 127)[1]
        errors = self.error_sums(dy)
        self.dx_scale = fit(max(map(abs, errors)), self.error_unit(), 127)
        sums = self.gradients(codes, features, dy, self.conv_error(errors, winners, wire))
        for parameter, gradient, unit in zip(self.parameters(), sums, self.units()):
            parameter.observe(gradient, unit)

    def train(self, xs, labels, step):
        total, loss, correct, y_seen, dx_seen = None, 0, 0, 0, 0
        for x, label in zip(xs, labels):
            codes, sums, unit, wire, winners, features, logits, logit_unit = self.forward(x)
            sample_loss, dy = cross_entropy(logits, logit_unit, label, 127)
            errors = self.error_sums(dy)
            loss, correct = loss + sample_loss, correct + (logits.index(max(logits)) == label)
            y_seen, dx_seen = max(y_seen, max(map(max, sums))), max(dx_seen, max(map(abs, errors)))
            sums = self.gradients(codes, features, dy, self.conv_error(errors, winners, wire))
            total = sums if total is None else [[a + b for a, b in zip(x, y)] for x, y in zip(total, sums)]
        error_unit = self.error_unit()
        for parameter, gradient, gradient_unit in zip(self.parameters(), total, self.units()):
            parameter.update(gradient, gradient_unit, step)
        self.y_scale = fit(y_seen, unit, 127, self.y_scale) if y_seen else self.y_scale
        self.dx_scale = fit(dx_seen, error_unit, 127, self.dx_scale) if dx_seen else self.dx_scale
        return loss, correct


def samples():
    """Multiples of 1/64 up to 2.5 from the random bits of seed 99: exact in float32."""
    key, count = random_key(99, 0, 0), BATCH * BATCHES
    x = [(random16(key, i) % 321 - 160) / 64 for i in range(count * STEPS * CHANNELS)]
    return np.array(x, np.float32).reshape(count, STEPS, CHANNELS), [i * 2 % CLASSES for i in range(count)]


def braces(numbers):
    return "{" + ", ".join(map(str, numbers)) + "}"


def lines():
    xs, labels = samples()
    network = Network()
    network.calibrate(xs[0], labels[0])
    for step in range(BATCHES):
        batch = slice(step * BATCH, (step + 1) * BATCH)
        loss, correct = network.train(xs[batch], labels[batch], step)
        logits = [v for x in xs[:BATCH] for v in network.forward(x)[6]]
        scales = [s for p in network.parameters() for s in (p.scale, p.momentum_scale)]
        scales += [network.y_scale, network.dx_scale]
        codes, momentum = (braces(map(braces, rows)) for rows in zip(*((p.codes, p.momentum) for p in network.parameters())))
        scales = braces(f"{{{m}u, {e}}}" for m, e in scales)
        yield textwrap.fill(f"{{{loss}, {correct}, {braces(logits)}, {codes}, {momentum}, {scales}}},", 110)
    assert refits > 0, "the run should meet a refit"
