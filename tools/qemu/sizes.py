#!/usr/bin/env python3
"""Flash, RAM and measured stack of training on boards: prints the table, compares it with docs/sizes.md, or updates that.

Usage: sizes.py [--check | --update] [--mantissa FILE] [--firmware FOLDER]
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import emulate

DOCUMENT = emulate.ROOT / "docs/sizes.md"
TEXT = """# Sizes on boards

Bytes of a training with batch 1, in emulated boards; `./dev size --update` writes this table, and a test compares it.
Flash is the general training program of the core with its fast kernels, without the job that a host writes into it.
The arena is what `mantissa plan --board` promises; the stack is measured. RAM is their sum with static data.

"""
HEADING = ["model", "recipe", "board", "core", "flash", "static", "arena", "stack", "RAM"]
CASES = [("mlp32", "int8", 0.9, "stm32vldiscovery"), ("ecg", "int8", 0, "microbit"), ("mlp64", "int8", 0.9, "microbit"),
         ("ecg", "int8", 0.9, "netduinoplus2"), ("ecg", "float32", 0.9, "netduinoplus2"),
         ("har", "int8", 0.9, "netduinoplus2"), ("har", "sym8", 0.9, "netduinoplus2"),
         ("har", "float32", 0.9, "netduinoplus2"), ("har", "int8", 0.9, "mps2-an500"),
         ("har", "int8", 0.9, "mps2-an505"), ("har", "int8", 0.9, "mps3-an547"), ("mlp784", "int8", 0.9, "mps3-an547")]
MARGIN_BYTES, MARGIN_SHARE = 64, 0.02  # a figure may grow by the larger of the two


def flash_bytes(board):
    """Of the board's training program: code, constants and initial data."""
    program = emulate.FIRMWARE / emulate.CORES[board] / f"runner_{board}.elf"
    listing = subprocess.run(["arm-none-eabi-size", "-A", program], capture_output=True, text=True, check=True).stdout
    sizes = {m[1]: int(m[2]) for m in re.finditer(r"^(\.\S+)\s+(\d+)\s", listing, re.M)}
    return sum(sizes.get(section, 0) for section in (".text", ".ARM.exidx", ".data"))


def measure(folder):
    """Rows of the table, as text."""
    models, rows = emulate.models(folder), []
    for name, recipe, momentum, board in CASES:
        model = models[name]
        data = emulate.write_data(pathlib.Path(folder) / name, model, samples=12)
        run = emulate.device_run(model, data, folder, "--board", board, "--recipe", recipe, "--momentum", momentum,
                                 "--batch", 1, "--epochs", 1)
        if not run["identical"]:
            sys.exit(f"{name} with {recipe} on {board} is not identical to the host: {run['difference']}")
        ram = run["ram_bytes"]
        parts = [ram["static"], ram["arena"], run["stack_used"]]
        rows.append([model.title + ("" if momentum else ", no momentum"), recipe, board, run["core"],
                     *(f"{part:,}" for part in [flash_bytes(board), *parts, sum(parts)])])
    return rows


def table(rows):
    lines = [HEADING, ["---"] * 4 + ["---:"] * 5, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def growth(rows):
    """What has grown beyond its margin since the committed table, as sentences."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    before = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(HEADING) and cells[-1][:1].isdigit():
            before[tuple(cells[:4])] = cells[4:]
    found = []
    for row in rows:
        what = f"{row[0]} with {row[1]} on {row[2]}"
        if tuple(row[:4]) not in before:
            found.append(f"{what} is not in the table")
            continue
        for name, old, new in zip(HEADING[4:], before[tuple(row[:4])], row[4:]):
            was, now = (int(cell.replace(",", "")) for cell in (old, new))
            if now > was + max(MARGIN_BYTES, MARGIN_SHARE * was):
                found.append(f"{what}: {name} was {old} bytes and is {new}")
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="fail if a figure has grown")
    arguments.add_argument("--update", action="store_true", help="write docs/sizes.md")
    arguments.add_argument("--mantissa", type=pathlib.Path, default=emulate.MANTISSA, help="the program")
    arguments.add_argument("--firmware", type=pathlib.Path, default=emulate.FIRMWARE, help="folder with cm0 to cm55")
    options = arguments.parse_args()
    emulate.MANTISSA, emulate.FIRMWARE = options.mantissa, options.firmware

    with tempfile.TemporaryDirectory(prefix="mantissa_sizes_") as folder:
        rows = measure(folder)
    print(table(rows), end="")
    if options.update:
        DOCUMENT.write_text(TEXT + table(rows))
    found = growth(rows) if options.check else []
    if found:
        sys.exit("\n".join([*found, "If this is meant, ./dev size --update writes docs/sizes.md"]))


if __name__ == "__main__":
    main()
