"""Trains the benchmark's networks in PyTorch: one process that measures whatever case it reads from its input.

The other side of the comparison, and so written to be as fast as PyTorch can be asked to be in eager mode: samples are
tensors already, in PyTorch's layout; gradients are dropped, not zeroed; nothing is read back from a step. Each case is
timed with the ordinary loop (nn.Module, torch.optim.SGD) and with a minimal one (functions, and the fused list
operations that the optimizer itself is made of); the better counts.

Processor time counts, so that other processes disturb less.

Input lines: NETWORK BATCH SECONDS.  Output lines: JSON.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

SAMPLES = 512
LEARNING_RATE, MOMENTUM = 0.001, 0.9


class Mean(nn.Module):
    """Global average pool."""

    def forward(self, x):
        return x.mean(2)


def har():
    layers = nn.Sequential(
        nn.Conv1d(9, 16, 7, padding="same"), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 5, padding="same"), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(32, 64, 3, padding="same"), nn.ReLU(), Mean(), nn.Linear(64, 6))

    def functions(x, w1, b1, w2, b2, w3, b3, w4, b4):
        x = functional.max_pool1d(torch.relu_(torch.conv1d(x, w1, b1, padding=3)), 2)
        x = functional.max_pool1d(torch.relu_(torch.conv1d(x, w2, b2, padding=2)), 2)
        x = torch.relu_(torch.conv1d(x, w3, b3, padding=1)).mean(2)
        return functional.linear(x, w4, b4)

    return layers, functions, (9, 128), 6


def mlp():
    layers = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))

    def functions(x, w1, b1, w2, b2):
        return functional.linear(torch.relu_(functional.linear(x, w1, b1)), w2, b2)

    return layers, functions, (784,), 10


NETWORKS = {"har": har, "mlp": mlp}


def ordinary_step(layers):
    optimizer = torch.optim.SGD(layers.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    loss = nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss(layers(x), y).backward()
        optimizer.step()

    return step


def minimal_step(layers, functions):
    parameters = list(layers.parameters())
    velocities = [torch.zeros_like(p) for p in parameters]

    def step(x, y):
        gradients = torch.autograd.grad(functional.cross_entropy(functions(x, *parameters), y), parameters)
        with torch.no_grad():
            torch._foreach_mul_(velocities, MOMENTUM)
            torch._foreach_add_(velocities, gradients)
            torch._foreach_add_(parameters, velocities, alpha=-LEARNING_RATE)

    return step


def steps_per_second(step, x, y, batch, seconds):
    batches = [(x[i:i + batch], y[i:i + batch]) for i in range(0, SAMPLES, batch)]
    for i in range(20):
        step(*batches[i % len(batches)])
    done, start = 0, time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        for _ in range(8):
            step(*batches[done % len(batches)])
            done += 1
    return done / elapsed


def measure(network, batch, seconds):
    torch.manual_seed(1)
    layers, functions, shape, classes = NETWORKS[network]()
    x, y = torch.randn(SAMPLES, *shape), torch.randint(classes, (SAMPLES,))
    return {
        "ordinary": batch * steps_per_second(ordinary_step(layers), x, y, batch, seconds),
        "minimal": batch * steps_per_second(minimal_step(layers, functions), x, y, batch, seconds),
    }


def blas():
    """The library that multiplies matrices: the file that is mapped, since Debian chooses it by a link."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        files = {line.split()[-1].rsplit("/", 1)[-1] for line in maps if "/" in line}
    fast = sorted(name for name in files if "openblas" in name or "mkl_rt" in name or "libblis" in name)
    return fast[0] if fast else "reference BLAS"


def main():
    torch.set_num_threads(1)
    print(json.dumps({"version": torch.__version__, "blas": blas()}), flush=True)
    for line in sys.stdin:
        network, batch, seconds = line.split()
        print(json.dumps(measure(network, int(batch), float(seconds))), flush=True)


if __name__ == "__main__":
    main()
