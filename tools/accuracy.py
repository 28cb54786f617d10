#!/usr/bin/env python3
"""Trains a model with several recipes and seeds and prints a Markdown table of test accuracies.

  tools/accuracy.py examples/har/har.toml --data DIR --recipes float32 sym12 sym8 int8 --seeds 1 2 3 -- --epochs 15 --batch 64

What follows -- goes to `mantissa train`. Runs are independent, so as many go at once as there are processors.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def train(arguments, recipe, seed):
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [str(arguments.program), "train", arguments.model, "--data", arguments.data, "--recipe", recipe,
                   "--seed", str(seed), "--json", str(report), *arguments.options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\nfailed: {done.stderr.strip()}")
        return json.loads(report.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipes", nargs="+", default=["float32", "sym12", "sym8", "int8"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/host-release/mantissa")
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:split])
    arguments.options = sys.argv[split + 1:]

    runs = [(recipe, seed) for recipe in arguments.recipes for seed in arguments.seeds]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = dict(zip(runs, pool.map(lambda run: train(arguments, *run), runs)))

    print(f"`{arguments.model}`, {' '.join(arguments.options)}; {platform.machine()}, {datetime.date.today()}\n")
    print("| recipe | " + " | ".join(f"seed {seed}" for seed in arguments.seeds) +
          " | mean | deviation | macro F1 | arena bytes | saturated |")
    print("|---|" + "---|" * (len(arguments.seeds) + 5))
    for recipe in arguments.recipes:
        of_recipe = [reports[recipe, seed] for seed in arguments.seeds]
        accuracy = [r["test_accuracy"] for r in of_recipe]
        cells = [f"{a:.4f}" for a in accuracy]
        cells += [f"**{statistics.mean(accuracy):.4f}**", f"{statistics.stdev(accuracy) if len(accuracy) > 1 else 0:.4f}",
                  f"{statistics.mean(r['macro_f1'] for r in of_recipe):.4f}", f"{of_recipe[0]['arena_bytes']:,}",
                  f"{statistics.mean(r['saturated'] for r in of_recipe):,.0f}"]
        print(f"| {recipe} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
