"""A training run of a small int8 network, step by step, in exact integers.

Conv1d 3 -> 4 (kernel 3, same padding), ReLU, MaxPool 2, Flatten, Linear 3; input 9 steps; batch 2; 10 batches; recipe
int8 (8-bit wires and weights, delayed scales with margin 2 and decay 0.9, 16-bit parameters and momentum).
"""
import textwrap

import numpy as np

from exact import random16, random_key
from layers import Conv1d, Flatten, MaxPool1d
from network import CrossEntropy, Network, Settings, Stage, Wire
from tables import braces

TARGET, VERSION, SEED = "tests/golden/trajectory.inc", 1, 11
BATCH, BATCHES = 2, 10
STEPS, CHANNELS, FILTERS, CLASSES, KERNEL, PAD = 9, 3, 4, 3, 3, 1
SETTINGS = Settings(SEED, lr=np.float32(0.25), momentum=np.float32(0.875), weight_decay=np.float32(0.03125))
INPUT_RANGE = np.float32(2.5)


def build():
    return Network([
        Stage(0, Conv1d(SETTINGS, 0, CHANNELS, FILTERS, KERNEL, PAD), relu=True, y=Wire()),
        Stage(2, MaxPool1d(2)),
        Stage(3, Flatten()),
        Stage(4, Conv1d(SETTINGS, 4, STEPS // 2 * FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(5), INPUT_RANGE)


def samples():
    """Multiples of 1/64 up to 2.5 from the random bits of seed 99: exact in float32."""
    key, count = random_key(99, 0, 0), BATCH * BATCHES
    x = [(random16(key, i) % 321 - 160) / 64 for i in range(count * STEPS * CHANNELS)]
    return np.array(x, np.float32).reshape(count, STEPS, CHANNELS), [i * 2 % CLASSES for i in range(count)]


def lines():
    xs, labels = samples()
    network = build()
    network.calibrate(xs[0], labels[0])
    for step in range(BATCHES):
        batch = slice(step * BATCH, (step + 1) * BATCH)
        loss, logits = network.train(xs[batch], labels[batch], step)
        correct = sum(row.index(max(row)) == label for row, label in zip(logits, labels[batch]))
        logits = [v for x in xs[:BATCH] for v in network.evaluate(x)]
        parameters = network.parameters()
        scales = [s for p in parameters for s in (p.scale, p.momentum_scale)] + [wire.scale for wire in network.wires()]
        codes, momentum = (braces(map(braces, rows)) for rows in zip(*((p.codes, p.momentum) for p in parameters)))
        scales = braces(f"{{{m}u, {e}}}" for m, e in scales)
        yield textwrap.fill(f"{{{loss}, {correct}, {braces(logits)}, {codes}, {momentum}, {scales}}},", 110)
    assert any(p.refits for p in network.parameters()), "the run should meet a refit"
