#!/usr/bin/env python3
"""Folders for fine-tuning to one person, from the data of examples/har.

  prepare.py HAR OUT

OUT/base: the 21 persons of HAR's training set; tested with all windows of the 9 others.
OUT/person_N, for each of those 9: trained with the first SHARE of the windows of each stretch of one activity, as they were recorded; tested with the
rest. (Each person did everything twice, with the phone worn another way, so both are in both.) Windows overlap by half, so the one between is left out.
"""
import pathlib
import sys

import numpy as np

SHARE = 0.4
PARTS = ("x", "y", "subject")


def write(folder, train, test):
    folder.mkdir(parents=True, exist_ok=True)
    for name, arrays in (("train", train), ("test", test)):
        for part, values in zip(PARTS, arrays):
            np.save(folder / f"{name}_{part}.npy", values)


def split(y):
    """Places of the first windows of each stretch of one activity, and of the rest."""
    first, rest = [], []
    for places in np.split(np.arange(len(y)), np.flatnonzero(np.diff(y.astype(int))) + 1):
        count = int(len(places) * SHARE)
        first += places[:count].tolist()
        rest += places[count + 1:].tolist()
    return first, rest


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    har, out = map(pathlib.Path, sys.argv[1:])
    train, test = (tuple(np.load(har / f"{name}_{part}.npy") for part in PARTS) for name in ("train", "test"))
    write(out / "base", train, test)
    for person in np.unique(test[2]):
        own = [values[test[2] == person] for values in test]
        first, rest = split(own[1])
        write(out / f"person_{person}", [v[first] for v in own], [v[rest] for v in own])
        print(f"person {person}: {len(first)} windows to adapt to, {len(rest)} to test with")


if __name__ == "__main__":
    main()
