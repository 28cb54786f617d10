#!/usr/bin/env python3
"""Trains with this machine's program and with another machine's under its emulator: all results must be the same bits.

Usage: same_training.py PROGRAM COMMAND...      COMMAND runs the other program, as in qemu-aarch64 mantissa
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = Path(__file__).resolve().parent.parent / "examples/ecg/ecg.toml"
RECIPES = ["float32", "sym12", "sym8", "int8"]
RESULTS = ["weights_hash", "train_loss", "test_loss", "test_accuracy", "confusion_matrix", "saturated"]


def run(command, *words):
    subprocess.run([*command, *map(str, words)], check=True, stdout=subprocess.DEVNULL, timeout=300)


def main() -> int:
    here, there = sys.argv[1:2], sys.argv[2:]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="mantissa_same_") as name:
        folder = Path(name)
        for command, data in [(here, "here"), (there, "there")]:
            run(command, "generate", "ecg", "-o", folder / data, "--beats-train", 200, "--beats-test", 50)
        for file in sorted((folder / "here").glob("*.npy")):
            same = file.read_bytes() == (folder / "there" / file.name).read_bytes()
            print(f"generated {file.name}: {'the same' if same else 'different'}")
            wrong += not same
        for recipe in RECIPES:
            found = []
            for command in [here, there]:
                run(command, "train", MODEL, "--data", folder / "here", "--recipe", recipe, "--epochs", 2,
                    "--json", folder / "results.json")
                results = json.loads((folder / "results.json").read_text())
                found.append({key: results[key] for key in RESULTS})
            same = found[0] == found[1]
            print(f"{recipe}: {found[0]['weights_hash']} here, {found[1]['weights_hash']} there"
                  f"{'' if same else f', {found[0]} here, {found[1]} there'}")
            wrong += not same
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
