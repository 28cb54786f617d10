#!/usr/bin/env python3
"""Golden values of every subject, made anew from the model in this folder.

A subject is a module here with TARGET (the file, from the project's folder), VERSION, SEED and lines(), which yields the
file's lines. To add one, list it below. Those that need a library are left out where it is missing; numbers whose last bits
depend on the library's own kernels may differ by TOLERANCE, relative to the largest of their array.

Usage: generate.py           writes the files
       generate.py --check   compares with the files as they are, and fails if one differs
"""
import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ["random_answers", "rescale", "packing", "convert", "requantize", "single_layers", "updates", "trajectory", "chain", "norms", "kept", "transposed", "images", "graphs", "pools",
            "layer_norm", "mse", "sgd_torch", "layers_torch", "fft_tables", "mfcc_tables", "mfcc", "import_torch"]


def text_of(name: str, subject) -> str:
    comment = "//" if subject.TARGET.endswith(".inc") else "#"
    head = f"{comment} Made by tools/gold/{name}.py, version {subject.VERSION}; seed: {subject.SEED}."
    return "\n".join([head, *subject.lines()]) + "\n"


NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?|-?\d+(?:e[+-]?\d+)")


def is_same(old: str, new: str, tolerance: float) -> bool:
    if old == new or not tolerance:
        return old == new
    words = [re.sub(r"\s+", " ", NUMBER.sub("#", text)) for text in (old, new)]
    if words[0] != words[1]:
        return False
    for a, b in zip(old.split(";"), new.split(";")):
        before, now = ([float(x) for x in NUMBER.findall(array)] for array in (a, b))
        largest = max(map(abs, now), default=0)
        if any(abs(x - y) > tolerance * largest for x, y in zip(before, now)):
            return False
    return True


def first_difference(old: list[str], new: list[str]) -> str:
    for number, (a, b) in enumerate(zip(old, new), 1):
        if a != b:
            return f"line {number} is\n  {a[:200]}\nand should be\n  {b[:200]}"
    return f"it has {len(old)} lines and should have {len(new)}"


def main() -> int:
    check, failed = sys.argv[1:] == ["--check"], 0
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    for name in SUBJECTS:
        try:
            subject = importlib.import_module(name)
            target, text = ROOT / subject.TARGET, text_of(name, subject)
        except ImportError as missing:
            print(f"{name}: left out, since there is no {missing.name} here")
            continue
        old = target.read_text() if target.exists() else ""
        same = is_same(old, text, getattr(subject, "TOLERANCE", 0))
        if not check and not same:
            target.write_text(text)
        if same or not check:
            print(f"{name}: {target.relative_to(ROOT)}, {len(text)} bytes")
            continue
        failed += 1
        print(f"{name}: {target.relative_to(ROOT)} differs: {first_difference(old.splitlines(), text.splitlines())}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
