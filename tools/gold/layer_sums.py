"""Sums of layers by their definitions in SPEC 5, on rows of steps: one loop per index, whatever the attributes.

A signal is a list of steps, each a list of channels; weights are [O][K][C / groups].
"""
from typing import NamedTuple


class Conv(NamedTuple):
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    left: int = 0
    right: int = 0

    def steps(self, of_input):
        return (of_input + self.left + self.right - (self.kernel - 1) * self.dilation - 1) // self.stride + 1

    def terms(self, in_steps):
        """(t, o, u, c, (o, k, i)) of each product y[t][o] += x[u][c] * w[o][k][i]; what lies in the padding is 0."""
        ins, outs = self.inputs // self.groups, self.outputs // self.groups
        for t in range(self.steps(in_steps)):
            for o in range(self.outputs):
                for k in range(self.kernel):
                    u = t * self.stride + k * self.dilation - self.left
                    if 0 <= u < in_steps:
                        for i in range(ins):
                            yield t, o, u, o // outs * ins + i, (o, k, i)


def zeros(rows, columns):
    return [[0] * columns for _ in range(rows)]


def conv_forward(conv, x, w, bias):
    y = [list(bias) for _ in range(conv.steps(len(x)))]
    for t, o, u, c, (_, k, i) in conv.terms(len(x)):
        y[t][o] += x[u][c] * w[o][k][i]
    return y


def conv_backward(conv, x, w, dy):
    dx = zeros(len(x), conv.inputs)
    for t, o, u, c, (_, k, i) in conv.terms(len(x)):
        dx[u][c] += dy[t][o] * w[o][k][i]
    return dx


def conv_gradients(conv, x, dy):
    """Of weights and biases."""
    dw = [zeros(conv.kernel, conv.inputs // conv.groups) for _ in range(conv.outputs)]
    for t, o, u, c, (_, k, i) in conv.terms(len(x)):
        dw[o][k][i] += dy[t][o] * x[u][c]
    return dw, [sum(column) for column in zip(*dy)]


class Transposed(NamedTuple):
    """Weights [I][K][O / groups]. `left` steps are dropped at both ends, `more` come behind."""
    inputs: int
    outputs: int
    kernel: int
    stride: int
    left: int
    more: int
    groups: int = 1

    def steps(self, of_input):
        return (of_input - 1) * self.stride + self.kernel + self.more - 2 * self.left

    def terms(self, in_steps):
        """(t, i, u, o, (k, j)) of each product y[u][o] += x[t][i] * w[i][k][j]: output j of the group is o."""
        ins, outs = self.inputs // self.groups, self.outputs // self.groups
        for t in range(in_steps):
            for k in range(self.kernel):
                u = t * self.stride + k - self.left
                if 0 <= u < self.steps(in_steps):
                    for i in range(self.inputs):
                        for j in range(outs):
                            yield t, i, u, i // ins * outs + j, (k, j)


def transposed_forward(layer, x, w, bias):
    y = [list(bias) for _ in range(layer.steps(len(x)))]
    for t, i, u, o, (k, j) in layer.terms(len(x)):
        y[u][o] += x[t][i] * w[i][k][j]
    return y


def transposed_backward(layer, x, w, dy):
    dx = zeros(len(x), layer.inputs)
    for t, i, u, o, (k, j) in layer.terms(len(x)):
        dx[t][i] += dy[u][o] * w[i][k][j]
    return dx


def transposed_gradients(layer, x, dy):
    """Of weights and biases."""
    dw = [zeros(layer.kernel, layer.outputs // layer.groups) for _ in range(layer.inputs)]
    for t, i, u, o, (k, j) in layer.terms(len(x)):
        dw[i][k][j] += dy[u][o] * x[t][i]
    return dw, [sum(column) for column in zip(*dy)]


def relu(rows):
    return [[max(0, v) for v in row] for row in rows]


def masked(dx, x):
    """The error of a wire that has passed a ReLU: 0 where its code is."""
    return [[d if v > 0 else 0 for d, v in zip(errors, codes)] for errors, codes in zip(dx, x)]


class Pool(NamedTuple):
    kernel: int
    stride: int

    def steps(self, of_input):
        return (of_input - self.kernel) // self.stride + 1

    def windows(self, in_steps):
        return [range(t * self.stride, t * self.stride + self.kernel) for t in range(self.steps(in_steps))]

    def overlaps(self):
        return self.stride < self.kernel


def max_forward(pool, x):
    return [[max(x[u][c] for u in window) for c in range(len(x[0]))] for window in pool.windows(len(x))]


def max_backward(pool, x, dy):
    """Each error goes to the first of the largest codes of its window."""
    dx = zeros(len(x), len(x[0]))
    for window, errors in zip(pool.windows(len(x)), dy):
        for c, d in enumerate(errors):
            largest = max(x[u][c] for u in window)
            dx[next(u for u in window if x[u][c] == largest)][c] += d
    return dx


def average_forward(pool, x):
    return [[sum(x[u][c] for u in window) for c in range(len(x[0]))] for window in pool.windows(len(x))]


def average_backward(pool, in_steps, dy):
    dx = zeros(in_steps, len(dy[0]))
    for window, errors in zip(pool.windows(in_steps), dy):
        for u in window:
            for c, d in enumerate(errors):
                dx[u][c] += d
    return dx
