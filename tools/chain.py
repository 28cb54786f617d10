#!/usr/bin/env python3
"""Trains examples/chain with both losses and several recipes for 200 steps, and writes docs/chain.md and docs/chain.svg.

One batch of generated heart beats, seen again in each step, so that the curves show the steps and nothing else.
"""

import argparse
import datetime
import json
import pathlib
import platform
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODEL, PAGE, PICTURE = ROOT / "examples/chain/chain.toml", ROOT / "docs/chain.md", ROOT / "docs/chain.svg"
LOSSES = {"cross_entropy": "CrossEntropy", "mse": "MSE"}
RECIPES = ["float32", "sym12", "sym8", "int8"]
# That of float32 is wide, so that one sees where others lie on it.
STYLES = {"float32": 'lw 6 lc rgb "#BBBBBB"', "sym12": 'lw 1.5 lc rgb "#0072B2"', "sym8": 'lw 2 dt 2 lc rgb "#E69F00"',
          "int8": 'lw 2 dt 3 lc rgb "#000000"'}
STEPS, SAMPLES, SEEDS, SHOWN = 200, 64, [1, 2, 3], [1, 25, 50, 100, 200]
TEXT = """# Five layers in integers

Linear - Quantize - LayerNorm - Quantize - Linear ([examples/chain](../examples/chain/chain.toml)): each layer reads what the one
before it rounded, forward and backward, and all recipes but float32 hold wires and errors in integers. `int8` also has integer
gradients, momentum and update; it starts slower: the first scale of
its momentum is one sample's, too coarse for the mean of 64, and the factor from momentum to weights has an upper limit, which lasts until
looks (SPEC 6) have halved that scale. Loss before the step, mean of seeds {seeds}; {samples} generated beats, one batch, {steps} steps. Written by
`./dev chain`, {date}, {machine}.

![Loss by step](chain.svg)

| loss | recipe | {heads} | training bytes |
|---|---|{line}---:|
"""


def train(mantissa, folder, loss, recipe, seed):
    model = folder / f"{loss}.toml"
    model.write_text(MODEL.read_text().replace('loss = "cross_entropy"', f'loss = "{loss}"'))
    out = folder / "result.json"
    subprocess.run([mantissa, "train", model, "--recipe", recipe, "--data", folder / "ecg", "--samples", str(SAMPLES),
                    "--batch", str(SAMPLES), "--epochs", str(STEPS), "--seed", str(seed), "--json", out],
                   check=True, capture_output=True)
    return json.loads(out.read_text())


def draw(curves):
    """One panel per loss, one line per recipe."""
    script = f'set terminal svg size 900,360 background "white"\nset output "{PICTURE}"\nset multiplot layout 1,2\n'
    script += 'set logscale y\nset xlabel "step"\nset ylabel "loss"\nset grid\n'
    for loss, title in LOSSES.items():
        script += f'set title "{title}"\n'
        for recipe in RECIPES:
            points = "\n".join(f"{i + 1} {value}" for i, value in enumerate(curves[loss, recipe]))
            script += f"${recipe} << END\n{points}\nEND\n"
        lines = (f'${recipe} with lines {STYLES[recipe]} title "{recipe}"' for recipe in RECIPES)
        script += f"plot {', '.join(lines)}\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--mantissa", type=pathlib.Path, default=ROOT / "build/host-release/mantissa")
    mantissa = arguments.parse_args().mantissa.resolve()
    curves, rows = {}, []
    with tempfile.TemporaryDirectory(prefix="mantissa_chain_") as name:
        folder = pathlib.Path(name)
        subprocess.run([mantissa, "generate", "ecg", "-o", folder / "ecg"], check=True, capture_output=True)
        for loss, title in LOSSES.items():
            for recipe in RECIPES:
                runs = [train(mantissa, folder, loss, recipe, seed) for seed in SEEDS]
                curve = [sum(run["train_loss"][i] for run in runs) / len(runs) for i in range(STEPS)]
                curves[loss, recipe] = curve
                cells = " | ".join(f"{curve[step - 1]:.4f}" for step in SHOWN)
                rows.append(f"| {title} | {recipe} | {cells} | {runs[0]['arena_bytes']:,} |")
    draw(curves)
    head = TEXT.format(seeds=", ".join(map(str, SEEDS)), samples=SAMPLES, steps=STEPS, date=datetime.date.today(),
                       machine=platform.machine(), heads=" | ".join(f"step {step}" for step in SHOWN),
                       line="---:|" * len(SHOWN))
    PAGE.write_text(head + "\n".join(rows) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
