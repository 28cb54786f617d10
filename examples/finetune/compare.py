#!/usr/bin/env python3
"""What adapting costs and gains: all layers, or the last ones.

  compare.py BASE.mnt DATA [--program build/host-release/mantissa]

DATA is what prepare.py made. Each person's model starts with BASE.mnt and sees the person's first windows, one at a time, as on a board; accuracy is
that of the other windows. Bytes and instructions are those of training on an emulated Cortex-M4, which needs ./dev firmware.
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
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BOARD = "netduinoplus2"
CHOICES = {"linear1": "conv1,conv2,conv3", "conv3, linear1": "conv1,conv2", "all layers": ""}
STEP, EPOCHS = ["--batch", "1", "--lr", "0.0003"], "10"


def run(program, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        subprocess.run([program, *arguments, "--json", report], check=True, capture_output=True)
        return json.loads(report.read_text())


def tuned(command, base, frozen):
    return [*command, "--from", base, *(["--freeze", frozen] if frozen else [])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/host-release/mantissa")
    a = parser.parse_args()
    people = sorted(a.data.glob("person_*"), key=lambda p: int(p.name.split("_")[1]))

    def before(person):
        return run(a.program, "eval", a.base, "--data", person)["test_accuracy"]

    def after(job):
        frozen, person = job
        return run(a.program, *tuned(["train"], a.base, frozen), "--data", person, *STEP, "--epochs", EPOCHS)["test_accuracy"]

    jobs = [(frozen, person) for frozen in CHOICES.values() for person in people]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        start = list(pool.map(before, people))
        end = dict(zip(jobs, pool.map(after, jobs)))
    costs = {frozen: run(a.program, *tuned(["device", "run"], a.base, frozen), "--board", BOARD, "--data", people[0], *STEP,
                         "--epochs", "1", "--samples", "20", "--count", "--count-from", "4") for frozen in CHOICES.values()}

    print(f"{EPOCHS} epochs, {' '.join(STEP)}, seed of the base; {platform.machine()}, {datetime.date.today()}\n")
    rows = [["", *(p.name.replace("_", " ") for p in people), "mean", "RAM, bytes", "instructions a step"],
            ["before", *(f"{v:.4f}" for v in start), f"**{statistics.mean(start):.4f}**", "", ""]]
    for name, frozen in CHOICES.items():
        values, cost = [end[frozen, p] for p in people], costs[frozen]
        rows.append([name, *(f"{v:.4f}" for v in values), f"**{statistics.mean(values):.4f}**",
                     f"{cost['ram_bytes']['total']:,}", f"{cost['instructions']['per_step']:,}"])
        assert cost["identical"], cost["difference"]
    rows.insert(1, ["---"] * len(rows[0]))
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


if __name__ == "__main__":
    main()
