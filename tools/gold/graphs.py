"""Training steps of networks that are no chains, in exact integers.

As chain.py, with its signals of 5 steps and 6 channels. A layer reads the one before, or those in brackets, counted from 0; `in` is the input:

    residual   Conv1d 8 (kernel 3), ReLU, Conv1d 8 (kernel 3, same), Add (2, 1), ReLU, global average, Linear
    branches   Conv1d 6 (kernel 3), ReLU, Conv1d 4, Conv1d 3 (kernel 3, same) (1), Concat (3, 2), global average, Linear
    thrice     Conv1d 6 (kernel 3, same), Add (0, in), LayerNorm, Add (2, 1), Concat (3, 1), global average, Linear
    residual_kept   residual, with activations asym8 and errors asym8
"""
from chain import CHANNELS, CLASSES, EPS, STEPPED, chain_lines
from exact import multiplier, over, rescale, shifted, value
from kept import kept, plain
from layers import Conv1d, GlobalAvgPool1d, LayerNorm
from network import CrossEntropy, Network, Stage, Sums

TARGET, VERSION, SEED = "tests/golden/graphs.inc", 1, 180
INPUT = -1
LARGEST_SUM = 2 ** 31 - 1

HEAD = """
// As chain.inc, for graphs; tools/gold/graphs.py says what the variants are.
""".strip()


def common_unit(wires, terms):
    bits = 14
    while terms * max(w.max_code for w in wires) * 2 ** bits > LARGEST_SUM:
        bits -= 1
    return shifted(max((w.scale for w in wires), key=value), -bits)


def in_unit(codes, unit):
    by = multiplier(over(codes.scale, unit))
    return [[rescale(c, by, LARGEST_SUM) for c in row] for row in codes.rows]


def total(wires):
    """The sum of wires, as sums of one unit."""
    unit = common_unit(wires, len(wires))
    return Sums([[sum(column) for column in zip(*rows)] for rows in zip(*(in_unit(w, unit) for w in wires))], unit)


class Joint:
    parameters = ()

    def gradients(self, x, dy):
        return []


class Add(Joint):
    def forward(self, x, z):
        return total([x, z])

    def errors(self, x, z, dy):
        return [dy, dy]


class Concat(Joint):
    def forward(self, x, z):
        unit = common_unit([x, z], 1)
        return Sums([a + b for a, b in zip(in_unit(x, unit), in_unit(z, unit))], unit)

    def errors(self, x, z, dy):
        first = len(x.rows[0])
        return [dy._replace(rows=[row[:first] for row in dy.rows]), dy._replace(rows=[row[first:] for row in dy.rows])]


class GraphStage(Stage):
    """`reads`: places of stages. `total`: the wire of the sum of errors, and the number of the layer that several read."""

    def __init__(self, index, layer, *reads, total=None, **wires):
        super().__init__(index, layer, **wires)
        self.reads, self.total = reads, total

    def run(self, inputs, calibrating):
        if len(inputs) == 1:
            return self.forward(inputs[0], calibrating)
        self.x = inputs
        sums = self.layer.forward(*inputs)
        if self.relu:
            sums = sums._replace(rows=[[max(0, s) for s in row] for row in sums.rows])
        return self.y.round(sums, calibrating, self.relu)

    def errors(self, dy, calibrating):
        """Of each input."""
        if len(self.reads) == 1:
            return [self.backward(dy, calibrating)]
        return [part._replace(rows=[[d if code else 0 for d, code in zip(*rows)] for rows in zip(part.rows, x.rows)])
                if x.passed_relu else part for part, x in zip(self.layer.errors(*self.x, dy), self.x)]


class Graph(Network):
    def __init__(self, stages, loss, input_range):
        super().__init__(stages, loss, input_range)
        self.made = None
        slot = 1
        backward = [wire for s in reversed(stages) for wire in (s.total and s.total[1], s.dx)]
        for wire in filter(None, [*(s.y for s in stages), loss.wire, *backward]):
            wire.slot = slot
            slot += wire.slots

    def wires_by_layer(self):
        sums = [(s.total[0], 2, s.total[1]) for s in self.stages if s.total]
        return super().wires_by_layer() + sums

    def forward(self, x, calibrating=False):
        stages, self.stages = self.stages, []
        start = super().forward(x)  # of no stages: the input's codes
        self.stages = stages
        self.made = {INPUT: start}
        for place, stage in enumerate(stages):
            self.made[place] = stage.run([self.made[r] for r in stage.reads], calibrating)
        return self.made[len(stages) - 1]

    def trains(self, place):
        return place != INPUT and (self.stages[place].layer.parameters or any(map(self.trains, self.stages[place].reads)))

    def step(self, x, target, step=0, sample=0, calibrating=False):
        for part in self.wires():
            part.begin(step, sample)
        logits = self.forward(x, calibrating)
        loss, dy = self.loss(logits, target, calibrating)
        arrived, gradients = {len(self.stages) - 1: [dy]}, []
        for place in reversed(range(len(self.stages))):
            stage, errors = self.stages[place], arrived[place]
            dy = stage.total[1].round(total(errors), calibrating) if stage.total else errors[0]
            gradients = stage.layer.gradients(stage.x, dy) + gradients
            if any(map(self.trains, stage.reads)):
                for read, error in zip(stage.reads, stage.errors(dy, calibrating)):
                    arrived.setdefault(read, []).append(error)
        return loss, sum(logits.rows, []), gradients


def residual(y=plain, dx=plain):
    def build(settings, input_range):
        return Graph([
            GraphStage(0, Conv1d(settings, 0, CHANNELS, 8, 3), INPUT, relu=True, y=y(settings), total=(1, dx(settings))),
            GraphStage(2, Conv1d(settings, 2, 8, 8, 3, 1), 0, y=y(settings), dx=dx(settings)),
            GraphStage(3, Add(), 1, 0, relu=True, y=y(settings)),
            GraphStage(5, GlobalAvgPool1d(), 2, y=y(settings)),
            GraphStage(6, Conv1d(settings, 6, 8, CLASSES), 3, dx=dx(settings)),
        ], CrossEntropy(7), input_range)
    return build


def branches(settings, input_range):
    return Graph([
        GraphStage(0, Conv1d(settings, 0, CHANNELS, 6, 3), INPUT, relu=True, y=plain(settings), total=(1, plain(settings))),
        GraphStage(2, Conv1d(settings, 2, 6, 4), 0, y=plain(settings), dx=plain(settings)),
        GraphStage(3, Conv1d(settings, 3, 6, 3, 3, 1), 0, y=plain(settings), dx=plain(settings)),
        GraphStage(4, Concat(), 2, 1, y=plain(settings)),
        GraphStage(5, GlobalAvgPool1d(), 3, y=plain(settings)),
        GraphStage(6, Conv1d(settings, 6, 7, CLASSES), 4, dx=plain(settings)),
    ], CrossEntropy(7), input_range)


def thrice(settings, input_range):
    return Graph([
        GraphStage(0, Conv1d(settings, 0, CHANNELS, 6, 3, 1), INPUT, y=plain(settings)),
        GraphStage(1, Add(), 0, INPUT, y=plain(settings), total=(1, plain(settings))),
        GraphStage(2, LayerNorm(settings, 2, 6, EPS), 1, y=plain(settings), dx=plain(settings)),
        GraphStage(3, Add(), 2, 1, y=plain(settings)),
        GraphStage(4, Concat(), 3, 1, y=plain(settings)),
        GraphStage(5, GlobalAvgPool1d(), 4, y=plain(settings)),
        GraphStage(6, Conv1d(settings, 6, 12, CLASSES), 5, dx=plain(settings)),
    ], CrossEntropy(7), input_range)


VARIANTS = {  # how it is built, data, whether targets are values, weight decay
    "residual": (residual(), STEPPED, False, 0),
    "branches": (branches, STEPPED, False, 0),
    "thrice": (thrice, STEPPED, False, 0.01),
    "residual_kept": (residual(kept("asym", 8), kept("asym", 8)), STEPPED, False, 0),
}


def lines():
    yield HEAD
    yield from chain_lines(VARIANTS, SEED, "kGraphChains", meets_refits=any)
