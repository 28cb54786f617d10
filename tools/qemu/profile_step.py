#!/usr/bin/env python3
"""Instructions of one training step on a board by function: what a step's count is made of.

A trace of N + 1 steps minus one of N. Instructions, not cycles. Usage: profile_step.py MODEL RECIPE MOMENTUM BOARD, with a
model of emulate.py: profile_step.py mlp64 int8 0.9 mps2-an386
"""

import argparse
import bisect
import collections
import os
import pathlib
import shutil
import subprocess
import tempfile

import emulate

STEPS = 12  # before the one that counts: scales have settled


def functions(program):
    """Addresses and names, by address."""
    listing = subprocess.run(["arm-none-eabi-nm", "-C", program], capture_output=True, text=True, check=True).stdout
    found = sorted((int(line[:8], 16), line[11:]) for line in listing.splitlines() if line[9] in "tTwW")
    return [address for address, _ in found], [name for _, name in found]


def trace(model, data, folder, program, options, steps):
    """Instructions of a run by function. The emulator is called through a script that has it write a trace."""
    log, emulator = folder / "trace", folder / "tools/qemu-system-arm"
    emulator.parent.mkdir(exist_ok=True)
    emulator.write_text(f'#!/bin/sh\nexec "{shutil.which("qemu-system-arm")}" "$@" -singlestep -d exec,nochain -D "{log}"\n')
    emulator.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{emulator.parent}:{before}"
    emulate.device_run(model, data, folder, *options, "--samples", steps)
    os.environ["PATH"] = before

    addresses, names = functions(program)
    visits = collections.Counter()
    with log.open() as lines:
        for line in lines:
            at = line.find("/") + 1  # Trace 0: 0x... [.../00001234/...
            visits[line[at:at + 8]] += 1
    counts = collections.Counter()
    for address, visited in visits.items():
        counts[names[bisect.bisect_right(addresses, int(address, 16)) - 1]] += visited
    return counts


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "recipe", "momentum", "board"):
        arguments.add_argument(name)
    arguments.add_argument("--rows", type=int, default=30, help="functions to show")
    arguments.add_argument("--mantissa", type=pathlib.Path, default=emulate.MANTISSA, help="the program")
    arguments.add_argument("--firmware", type=pathlib.Path, default=emulate.FIRMWARE, help="folder with cm0 to cm55")
    a = arguments.parse_args()
    emulate.MANTISSA, emulate.FIRMWARE = a.mantissa.resolve(), a.firmware.resolve()

    program = emulate.FIRMWARE / emulate.CORES[a.board] / f"runner_{a.board}.elf"
    options = ["--board", a.board, "--recipe", a.recipe, "--momentum", a.momentum, "--batch", 1, "--epochs", 1,
               "--schedule", "constant"]
    with tempfile.TemporaryDirectory(prefix="mantissa_profile_") as name:
        folder = pathlib.Path(name)
        model = emulate.models(folder)[a.model]
        data = emulate.write_data(folder / "data", model, STEPS + 1)
        counts = trace(model, data, folder, program, options, STEPS + 1)
        counts.subtract(trace(model, data, folder, program, options, STEPS))
    for function, count in counts.most_common(a.rows):
        print(f"{count:12,}  {function[:100]}")
    print(f"{sum(counts.values()):12,}  instructions in all, with the reading of the sample")


if __name__ == "__main__":
    main()
