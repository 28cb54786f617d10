#!/usr/bin/env python3
"""Instructions of a training step on boards, by its parts and by layer; writes docs/instructions.md.

Instructions, not cycles: an emulator knows how many there are, not how long they take.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import emulate

DOCUMENT = emulate.ROOT / "docs/instructions.md"
WARM_UP, COUNTED, SEED = 10, 16, 1
CORES = {"Cortex-M0": "mps2-an385", "Cortex-M4": "mps2-an386", "Cortex-M7": "mps2-an500", "Cortex-M55": "mps3-an547"}
RECIPES = ["float32", "sym8", "int8"]
CASES = [("har", 0.9), ("ecg", 0.9), ("mlp64", 0.9), ("mlp64", 0), ("mlp784", 0.9), ("mlp784", 0),
         ("norm256", 0.9)]
PARTS = ["forward", "backward", "gradient", "update"]
TEXT = """# Instructions of a training step on boards

Counted, not measured: these are **instructions, not cycles**. Batch 1, fast kernels; means of {counted} steps after
{warm_up}, on normally distributed random data. `./dev bench-device` writes this page; here on {date}, {compiler}, seed
{seed}. Forward, backward (errors of inputs), gradient (of parameters) and update are what layers do; the rest is input,
loss, operands and the engine itself. Matrix products are counted within these and also alone, with what they pack; what
a layer does beside is rounding, bias, masks and the loop over tiles. Where there is a dash instead of a step, training
does not fit the board. The Cortex-M0's program is counted on a board with more memory than the micro:bit.
"""
LAYER_TEXTS = {
    "instructions": "Instructions (not cycles) of parts per multiply-add, forward / backward / gradient; the heads say how many "
                    "multiply-adds each has.\n",
    "product": "Of the matrix products alone; a dash where a part has none.\n"}


def title(model, momentum):
    return model.title + ("" if momentum else ", no momentum")


def multiply_adds(model):
    """Of the forward product, by layer with parameters: [(type, multiply-adds)]. Groups and strides are not in use here."""
    description = tomllib.loads(model.path.read_text())
    steps, channels = description["input"]["steps"], description["input"]["channels"]
    found = []
    for layer in description["layer"]:
        kind = layer["type"]
        if kind == "conv1d":
            if layer.get("padding", "valid") == "valid":
                steps -= layer["kernel"] - 1
            steps = (steps - 1) // layer.get("stride", 1) + 1
            found.append((kind, steps * layer["kernel"] * channels * layer["channels"]))
            channels = layer["channels"]
        elif kind == "linear":
            found.append((kind, channels * layer["features"]))
            channels = layer["features"]
        elif kind == "layer_norm":
            found.append((kind, steps * channels))  # of gamma
        elif kind in ("max_pool1d", "avg_pool1d"):
            steps //= layer["kernel"]
        elif kind == "global_avg_pool1d":
            steps = 1
        elif kind == "flatten":
            steps, channels = 1, steps * channels
    return found


def part_of(step):
    return next((part for part in PARTS if step["step"].startswith(part)), "other")


def run(model, momentum, core, recipe, folder):
    """Counts of one training, or None where it does not fit."""
    board = CORES[core]
    out = pathlib.Path(tempfile.mkdtemp(dir=folder))
    options = ["--board", board, "--recipe", recipe, "--momentum", momentum, "--batch", 1, "--epochs", 1, "--seed", SEED,
               "--count", "--count-from", WARM_UP]
    firmware = None
    if core == "Cortex-M0":  # its program for this board's memory, where the board's own one is expected
        (out / "cm3").symlink_to(emulate.FIRMWARE.resolve() / "cm0")
        firmware = out
    result = emulate.device_run(model, pathlib.Path(folder) / model.path.stem, out, *options, firmware=firmware,
                                may_be_too_large=True)
    return result and result["instructions"]


def step_table(model, momentum, counts):
    lines = [f"| core | recipe | step | {' | '.join(PARTS)} | other |", "|---|---|" + "---:|" * (len(PARTS) + 2)]
    for (core, recipe), counted in counts.items():
        if counted is None:
            lines.append(f"| {core} | {recipe} |" + " – |" * (len(PARTS) + 2))
            continue
        sums = dict.fromkeys([*PARTS, "other"], 0)
        for step in counted["steps"]:
            sums[part_of(step)] += step["instructions"]
        sums["other"] = counted["per_step"] - sum(sums[part] for part in PARTS)
        lines.append(f"| {core} | {recipe} | {counted['per_step']:,} | " + " | ".join(f"{n:,}" for n in sums.values()) + " |")
    return f"\n## {title(model, momentum)}\n\n" + "\n".join(lines) + "\n"


def layer_table(model, counts, what):
    """Instructions per multiply-add of each layer with parameters: forward / backward / gradient. What: "instructions" or "product"."""
    work = multiply_adds(model)
    heads = [f"{kind} {i + 1}: {n:,}" for i, (kind, n) in enumerate(work)]
    lines = [LAYER_TEXTS[what], f"| core | recipe | {' | '.join(heads)} |", "|---|---|" + "---:|" * len(heads)]
    for (core, recipe), counted in counts.items():
        if counted is None:
            continue
        layers = {}
        for step in counted["steps"]:
            if part_of(step) != "other":
                layers.setdefault(step["layer"], {})[part_of(step)] = step[what]
        trained = [parts for parts in layers.values() if "gradient" in parts]
        cells = [" / ".join(f"{parts[part] / n:.2f}" if parts.get(part) else "–" for part in PARTS[:3])
                 for parts, (_, n) in zip(trained, work, strict=True)]
        lines.append(f"| {core} | {recipe} | {' | '.join(cells)} |")
    return "\n" + "\n".join(lines) + "\n"


def compiler():
    return subprocess.run(["arm-none-eabi-g++", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--models", nargs="+", default=sorted({name for name, _ in CASES}), help="only these")
    arguments.add_argument("--cores", nargs="+", default=list(CORES), help="only these")
    arguments.add_argument("--recipes", nargs="+", default=RECIPES, help="only these")
    arguments.add_argument("--json", type=pathlib.Path, help="write the counts there")
    arguments.add_argument("--mantissa", type=pathlib.Path, default=emulate.MANTISSA, help="the program")
    arguments.add_argument("--firmware", type=pathlib.Path, default=emulate.FIRMWARE, help="folder with cm0 to cm55")
    options = arguments.parse_args()
    emulate.MANTISSA, emulate.FIRMWARE = options.mantissa, options.firmware
    everything = arguments.parse_args([])
    whole = all(getattr(options, name) == getattr(everything, name) for name in ("models", "cores", "recipes"))

    text, raw = TEXT.format(counted=COUNTED, warm_up=WARM_UP, date=datetime.date.today(), compiler=compiler(), seed=SEED), []
    with tempfile.TemporaryDirectory(prefix="mantissa_count_") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        models = emulate.models(folder)
        for name in options.models:
            emulate.write_data(pathlib.Path(folder) / models[name].path.stem, models[name], WARM_UP + COUNTED)
        for name, momentum in CASES:
            if name not in options.models:
                continue
            model = models[name]
            runs = {(core, recipe): pool.submit(run, model, momentum, core, recipe, folder)
                    for core in options.cores for recipe in options.recipes}
            counts = {case: counted.result() for case, counted in runs.items()}
            part = step_table(model, momentum, counts) + "".join(layer_table(model, counts, what) for what in LAYER_TEXTS)
            print(part, end="", flush=True)
            text += part
            raw += [{"model": name, "momentum": momentum, "core": core, "recipe": recipe, "instructions": counted}
                    for (core, recipe), counted in counts.items()]
    if options.json:
        options.json.write_text(json.dumps(raw, indent=1) + "\n")
    if whole:
        DOCUMENT.write_text(text)
    else:
        print("not the whole table, so docs/instructions.md stays", file=sys.stderr)


if __name__ == "__main__":
    main()
