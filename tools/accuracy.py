#!/usr/bin/env python3
"""Trains a model with several recipes and seeds and prints a Markdown table: test accuracy, or, of a model that reproduces its
input, the AUC of its error; mean and standard deviation over the seeds.

  ./dev accuracy examples/har/har.toml --data DIR --recipes float32,sym12,sym8,int8 --seeds 1..10 -- --epochs 15 --batch 64

What follows -- goes to `mantissa train`. Runs are independent, so as many go at once as there are processors, or --jobs says.
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


def list_of(words):
    return [item for word in words for item in word.split(",") if item]


def seeds_of(words):
    """1 2 3, 1,2,3 and 1..3 are the same."""
    seeds = []
    for item in list_of(words):
        first, dots, last = item.partition("..")
        try:
            found = range(int(first), int(last if dots else first) + 1)
        except ValueError:
            found = ()
        if not found:
            sys.exit(f"--seeds: '{item}' is neither a number nor a range like 1..5")
        seeds += found
    return list(dict.fromkeys(seeds))


def train(arguments, recipe, seed):
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [str(arguments.program), "train", arguments.model, "--data", arguments.data, "--recipe", recipe,
                   "--seed", str(seed), "--json", str(report), *arguments.options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\nfailed: {done.stderr.strip()}")
        return json.loads(report.read_text())


def train_all(arguments, runs):
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [pool.submit(train, arguments, *run) for run in runs]
        try:
            return dict(zip(runs, (future.result() for future in futures)))
        except RuntimeError as error:
            pool.shutdown(cancel_futures=True)
            sys.exit(str(error))


def measures(report):
    """What is compared, then what stands beside it: name -> value."""
    if "reconstruction" not in report:
        return {"accuracy": report["test_accuracy"], "macro F1": report["macro_f1"]}
    found = report["reconstruction"]
    errors = {"training error": found["train_error"], "test error": found["test_error"]}
    return {"AUC": found["auc"], "F1": found["f1"], **errors} if "auc" in found else errors


def table(recipes, seeds, reports):
    main, *others = measures(next(iter(reports.values())))
    head = ["recipe", *(f"seed {seed}" for seed in seeds), f"mean {main}", "deviation", *others, "arena bytes", "saturated"]
    rows = [head, ["---"] * len(head)]
    for recipe in recipes:
        of_recipe = [reports[recipe, seed] for seed in seeds]
        found = [measures(r) for r in of_recipe]
        values = [f[main] for f in found]
        rows.append([recipe, *(f"{v:.4f}" for v in values), f"**{statistics.mean(values):.4f}**",
                     f"{statistics.stdev(values) if len(values) > 1 else 0:.4f}",
                     *(f"{statistics.mean(f[name] for f in found):.4f}" for name in others),
                     f"{of_recipe[0]['arena_bytes']:,}", f"{statistics.mean(r['saturated'] for r in of_recipe):,.0f}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipes", nargs="+", default=["float32,sym12,sym8,int8"])
    parser.add_argument("--seeds", nargs="+", default=["1..3"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/host-release/mantissa")
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:split])
    arguments.options = sys.argv[split + 1:]
    recipes, seeds = list_of(arguments.recipes), seeds_of(arguments.seeds)
    if not recipes or not seeds or arguments.jobs < 1:
        parser.error("--recipes, --seeds and --jobs need at least one each")

    reports = train_all(arguments, [(recipe, seed) for recipe in recipes for seed in seeds])
    print(f"`{arguments.model}`, {' '.join(arguments.options)}; {platform.machine()}, {datetime.date.today()}\n")
    print(table(recipes, seeds, reports))


if __name__ == "__main__":
    main()
