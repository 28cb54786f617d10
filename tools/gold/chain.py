"""Training steps of chains with LayerNorm and Quantize in recipe int8, in exact integers.

The chain is Linear 16, Quantize, LayerNorm, Quantize, Linear 4 on 12 features. Its variants:

    spikes                       as mse_values, but the targets of the later batches are 40 times as large
    ce, mse_labels, mse_values   CrossEntropy; MSE against the label's one-hot vector; MSE against float32 targets
    decay                        ce with weight decay
    mixed     ce; first Quantize to 12 bits and errors of 10, second to 6 bits with the fixed scale 0.05f and errors of 8
    steps     5 steps of 6 channels: Conv1d 8 (kernel 3), ReLU, LayerNorm, GlobalAvgPool1d, Linear 4; CrossEntropy
    apart     the same input: Conv1d 8 (kernel 3), ReLU, MaxPool1d 3, Quantize to 6 bits and errors of 7, LayerNorm,
              Linear 4; CrossEntropy. Quantize is not behind sums here, so it rounds codes
    bends     12 features: Linear 16, Tanh, Linear 10, LeakyReLU 0.1, Linear 4; CrossEntropy
    clipped   5 large steps of 6: Conv1d 8 (kernel 3), ReLU, ReLU6 with a wire of 7 bits, Sigmoid, GlobalAvgPool1d, Linear 4
    dropped   the same: Conv1d 8, ReLU, Dropout 0.25, Conv1d 8, Dropout 0.3, Linear 4
    absolute, huber, binary, weighted, summed   12 features: Linear 16, ReLU, Linear 4; L1 against values; Huber (delta 0.5) against
              values; the sum of binary cross-entropies; CrossEntropy with weights of classes, smoothed; its sum, not smoothed

All that is not said has 8 bits. Batches of 4, learning rate 0.05, momentum 0.9, margin 2, decay 0.9 (float32), eps 1e-5f,
the largest |x| as the input's range. Layers are counted with every Quantize and ReLU.
"""
import numpy as np

from activations import Curve, Dropout, LeakyRelu, Relu6, sigmoid, sigmoid_slope, tanh, tanh_slope
from draws import Draws
from layers import Conv1d, GlobalAvgPool1d, LayerNorm, MaxPool1d, Quantize
from network import CrossEntropy, MeanSquaredError, Network, OneByOne, Settings, SoftCrossEntropy, Stage, Wire, scale_of
from tables import array, bits, braces, pair

TARGET, VERSION, SEED = "tests/golden/chain.inc", 2, 20
BATCH, BATCHES, SNAPSHOTS = 4, 10, (1, 10)
FEATURES, HIDDEN, CLASSES, STEPS, CHANNELS, FILTERS, KERNEL = 12, 16, 4, 5, 6, 8, 3
EPS = scale_of(np.float32(1e-5))

HEAD = """
// Initial state and inputs, and what training makes of them; tools/gold/chain.py says what the variants are, and
// tests/chain_check.hpp what the fields are. Inputs and targets are the bits of float32. Scales are mantissa, exponent.
""".strip()


def linear_chain(loss, formats=None):
    """`formats` are the wires behind the first Linear and LayerNorm, and their errors."""
    def build(settings, input_range):
        y0, dx2, y2, dx4 = formats() if formats else (Wire() for _ in range(4))
        return Network([
            Stage(0, Conv1d(settings, 0, FEATURES, HIDDEN), y=y0),
            Stage(2, LayerNorm(settings, 2, HIDDEN, EPS), y=y2, dx=dx2),
            Stage(4, Conv1d(settings, 4, HIDDEN, CLASSES), dx=dx4),
        ], loss(5), input_range)
    return build


def mixed_wires():
    return Wire(12), Wire(10), Wire(6, fixed=scale_of(np.float32(0.05))), Wire(8)


def steps_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), relu=True, y=Wire()),
        Stage(2, LayerNorm(settings, 2, FILTERS, EPS), y=Wire(), dx=Wire()),
        Stage(3, GlobalAvgPool1d(), y=Wire()),
        Stage(4, Conv1d(settings, 4, FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(5), input_range)


def apart_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), relu=True, y=Wire()),
        Stage(2, MaxPool1d(STEPS - KERNEL + 1)),
        Stage(3, Quantize(forward=True), y=Wire(6)),
        Stage(4, LayerNorm(settings, 4, FILTERS, EPS), y=Wire(), dx=Wire(7)),
        Stage(5, Conv1d(settings, 5, FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(6), input_range)


def turned_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), y=Wire()),
        Stage(1, LayerNorm(settings, 1, FILTERS, EPS), y=Wire(7), dx=Wire()),
        Stage(2, Quantize(errors=True), dx=Wire(6)),
        Stage(3, GlobalAvgPool1d(), y=Wire()),
        Stage(4, Conv1d(settings, 4, FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(5), input_range)


def bends_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, FEATURES, HIDDEN), y=Wire()),
        Stage(1, Curve(tanh, tanh_slope), dx=Wire()),
        Stage(2, Conv1d(settings, 2, HIDDEN, 10), y=Wire(), dx=Wire()),
        Stage(3, LeakyRelu(0.1), y=Wire(), dx=Wire()),
        Stage(4, Conv1d(settings, 4, 10, CLASSES), dx=Wire()),
    ], CrossEntropy(5), input_range)


def clipped_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), relu=True, y=Wire()),
        Stage(2, Relu6(), y=Wire(7)),
        Stage(4, Curve(sigmoid, sigmoid_slope), dx=Wire()),
        Stage(5, GlobalAvgPool1d(), y=Wire()),
        Stage(6, Conv1d(settings, 6, FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(7), input_range)


def dropped_chain(settings, input_range):
    return Network([
        Stage(0, Conv1d(settings, 0, CHANNELS, FILTERS, KERNEL), relu=True, y=Wire()),
        Stage(2, Dropout(settings, 2, 0.25)),
        Stage(3, Conv1d(settings, 3, FILTERS, FILTERS, KERNEL), y=Wire(), dx=Wire()),
        Stage(4, Dropout(settings, 4, 0.3)),
        Stage(5, Conv1d(settings, 5, FILTERS, CLASSES), dx=Wire()),
    ], CrossEntropy(6), input_range)


def loss_chain(loss):
    """Linear 16, ReLU, Linear 4."""
    def build(settings, input_range):
        return Network([
            Stage(0, Conv1d(settings, 0, FEATURES, HIDDEN), relu=True, y=Wire()),
            Stage(2, Conv1d(settings, 2, HIDDEN, CLASSES), dx=Wire()),
        ], loss(3), input_range)
    return build


WEIGHTS, SMOOTHING = (0.5, 2.0, 1.0, 0.25), np.float32(0.2)


class Data:
    """Samples of about normal features, the sum of twelve even draws; the label is the largest of sums of features."""
    array = "kFlat"  # what its samples and labels are called

    def __init__(self, seed, steps, channels):
        draws, count = Draws(seed), BATCH * BATCHES
        self.x = self.normal(draws, count * steps * channels).reshape(count, steps, channels)
        self.labels = [int(np.argmax(x.astype(float).sum(0)[:CLASSES])) for x in self.x]
        self.targets = self.normal(draws, count * CLASSES).reshape(count, CLASSES)
        self.input_range = np.abs(self.x).max()

    @staticmethod
    def normal(draws, count):
        sums = [sum(draws.between(0, 65535) for _ in range(12)) for _ in range(count)]
        return np.array([(s - 6 * 65536) / 65536 for s in sums], np.float32)


class Spikes(Data):
    """Targets of the later batches are far away, so that gradients outgrow the range of their momentum."""

    def __init__(self, seed, steps, channels):
        super().__init__(seed, steps, channels)
        self.targets[BATCH * BATCHES // 2:] *= np.float32(40)


class Reproduced(Data):
    """The target is the sample."""
    array = "kStepped"

    def __init__(self, seed, steps, channels):
        super().__init__(seed, steps, channels)
        self.targets = self.x.reshape(len(self.x), -1)


class Loud(Data):
    """Large features, whose sums exceed the six of ReLU6."""
    array = "kLoud"

    def __init__(self, seed, steps, channels):
        super().__init__(seed, steps, channels)
        self.x *= np.float32(8)
        self.input_range *= np.float32(8)


FLAT, STEPPED, SPIKED = Data(SEED, 1, FEATURES), Data(SEED + 1, STEPS, CHANNELS), Spikes(SEED, 1, FEATURES)
STEPPED.array = "kStepped"
REPRODUCED = Reproduced(SEED + 1, STEPS, CHANNELS)
LOUD = Loud(SEED + 2, STEPS, CHANNELS)
VARIANTS = {  # how it is built, data, whether targets are values, weight decay
    "ce": (linear_chain(CrossEntropy), FLAT, False, 0),
    "decay": (linear_chain(CrossEntropy), FLAT, False, 0.01),
    "mse_labels": (linear_chain(MeanSquaredError), FLAT, False, 0),
    "mse_values": (linear_chain(MeanSquaredError), FLAT, True, 0),
    "mixed": (linear_chain(CrossEntropy, mixed_wires), FLAT, False, 0),
    "steps": (steps_chain, STEPPED, False, 0),
    "apart": (apart_chain, STEPPED, False, 0),
    "turned": (turned_chain, STEPPED, False, 0),
    "spikes": (linear_chain(MeanSquaredError), SPIKED, True, 0),
    "bends": (bends_chain, FLAT, False, 0),
    "clipped": (clipped_chain, LOUD, False, 0),
    "dropped": (dropped_chain, STEPPED, False, 0),
    "absolute": (loss_chain(lambda i: OneByOne(i, "l1")), FLAT, True, 0),
    "huber": (loss_chain(lambda i: OneByOne(i, "huber", 0.5)), FLAT, True, 0),
    "binary": (loss_chain(lambda i: OneByOne(i, "bce", sums=True)), FLAT, False, 0),
    "weighted": (loss_chain(lambda i: SoftCrossEntropy(i, WEIGHTS, SMOOTHING)), FLAT, False, 0),
    "summed": (loss_chain(lambda i: SoftCrossEntropy(i, WEIGHTS, sums=True)), FLAT, False, 0),
}


def start(variant, seed):
    build, data, has_values, decay = variant
    settings = Settings(seed, lr=np.float32(0.05), momentum=np.float32(0.9), weight_decay=np.float32(decay))
    network = build(settings, data.input_range)
    targets = data.targets if has_values else data.labels
    network.calibrate(data.x[0], targets[0])
    return network, data, targets, settings


def train(network, data, targets, step):
    batch = slice(step % BATCHES * BATCH, (step % BATCHES + 1) * BATCH)
    return network.train(data.x[batch], targets[batch], step)[0]


def state_lines(prefix, network):
    parameters = network.parameters()
    yield array(f"int16_t {prefix}Codes[]", (c for p in parameters for c in p.stored()))
    yield array(f"int16_t {prefix}Momentum[]", (c for p in parameters for c in p.momentum))
    yield array(f"int32_t {prefix}Granules[][3]", map(braces, [g for p in parameters for g in p.granules()] or [(0, 0, 0)]))
    yield array(f"int32_t {prefix}ParameterScales[][2]", (pair(s) for p in parameters for s in (p.scale, p.momentum_scale)))
    yield array(f"ChainWireScale {prefix}WireScales[]",
                (braces([layer, backward, pair(wire.scale), pair(wire.lowest())])
                 for layer, backward, wire in network.wires_by_layer()))


def data_lines(prefix, data):
    yield array(f"uint32_t {prefix}X[]", bits(data.x))
    yield array(f"int32_t {prefix}Labels[]", data.labels)


def most(values):
    return sum(map(bool, values)) * 2 > len(values)


def chain_lines(variants, seed, name, meets_refits=most):
    """The variants, each trained from its own seed. Most or any of them should meet a refit."""
    chains, refits = [], {}
    for number, (variant_name, variant) in enumerate(variants.items()):
        network, data, targets, settings = start(variant, seed + number)
        prefix = "k" + "".join(word.capitalize() for word in variant_name.split("_"))
        losses, states = [], []
        for step in range(BATCHES):
            losses.append(train(network, data, targets, step))
            if step + 1 in SNAPSHOTS:
                after = f"{prefix}{step + 1}"
                yield from state_lines(after, network)
                states.append(f"{{{step + 1}, {after}Codes, {after}Momentum, {after}ParameterScales, {after}Granules, "
                              f"{after}WireScales}}")
        parameters, has_values = network.parameters(), variant[2]
        targets_name = "kSpikedTargets" if data is SPIKED else "kFlatTargets"
        targets_name = "kSteppedX" if data is REPRODUCED else targets_name
        fields = [f'"{variant_name}"', settings.seed, bits(settings.weight_decay)[0], bits(data.input_range)[0], data.x[0].size,
                  len(parameters), sum(p.count for p in parameters), len(network.wires()), data.array + "X",
                  *(("nullptr", targets_name) if has_values else (data.array + "Labels", "nullptr"))]
        chains.append(braces(fields + [braces(losses), braces(states)]))
        refits[variant_name] = sum(p.refits for p in network.parameters())
    assert meets_refits(refits.values()), f"refits: {refits}"
    yield array(f"Chain {name}[]", chains)


def lines():
    yield HEAD
    yield from data_lines("kFlat", FLAT)
    yield array("uint32_t kFlatTargets[]", bits(FLAT.targets))
    yield array("uint32_t kSpikedTargets[]", bits(SPIKED.targets))
    yield from data_lines("kStepped", STEPPED)
    yield from data_lines("kLoud", LOUD)
    yield from chain_lines(VARIANTS, SEED, "kChains")
