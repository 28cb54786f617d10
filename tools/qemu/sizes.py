#!/usr/bin/env python3
"""Flash, RAM and measured stack of each example on boards: prints the table, compares it with docs/sizes.md, or updates that.

Usage: sizes.py [--check | --update] [--mantissa FILE] [--firmware FOLDER]
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import emulate

DOCUMENT = emulate.ROOT / "docs/sizes.md"
EXAMPLES = emulate.ROOT / "examples"
TEXT = """# Sizes on boards

Bytes of training in emulated boards, for every folder of `examples/`; `./dev size --update` writes this table, and a test compares it.
A model file is trained with batch 1 by the general training program of the core, with its fast kernels unless the table says otherwise: flash is that
program without the job that a host writes into it, the arena is what `mantissa plan --board` promises.
`waveforms` is a program of its own, with the arena that its compiler planned (batch 16). The stack is measured. RAM is the sum of static data, arena and stack.
The arena of `ecg_autoencoder` counts the sample with it, which waits for the loss there.

"""
HEADING = ["example", "model", "recipe", "board", "core", "flash", "static", "arena", "stack", "RAM"]
KEYS = 5  # the first columns say what a row is, the others are bytes
MARGIN_BYTES, MARGIN_SHARE = 64, 0.02  # a figure may grow by the larger of the two


@dataclasses.dataclass(frozen=True)
class Case:
    """A training by the general program. Example: the folder it belongs to, empty for a network that is in none."""

    example: str
    model: str
    recipe: str  # a name, or a file in the example's folder
    board: str
    momentum: float = 0.9
    kernels: str = "fast"

    def title(self, model):
        notes = ["" if self.momentum else ", no momentum", "" if self.kernels == "fast" else ", reference kernels"]
        return model.title + "".join(notes)


CASES = [Case("", "mlp32", "int8", "stm32vldiscovery"),
         Case("", "mlp64", "int8", "microbit"),
         Case("chain", "chain", "int8", "microbit", momentum=0),
         Case("chain", "chain", "int8", "netduinoplus2"),
         Case("ecg", "ecg", "int8", "netduinoplus2"),
         Case("ecg", "ecg", "float32", "netduinoplus2"),
         Case("ecg_autoencoder", "ecg_autoencoder", "int8", "microbit"),
         Case("har", "har", "int8", "netduinoplus2"),
         Case("har", "har", "sym8", "netduinoplus2"),
         Case("har", "har", "float32", "netduinoplus2"),
         Case("har", "har", "int8", "mps2-an500"),
         Case("har", "har", "int8", "mps2-an505"),
         Case("har", "har", "int8", "mps3-an547"),
         Case("finetune", "har", "int8", "netduinoplus2"),  # before layers are frozen
         Case("har_device", "har", "small.toml", "netduinoplus2"),
         Case("microbit_ecg", "ecg", "int8", "microbit", momentum=0),
         Case("microbit_ecg", "ecg", "small.toml", "microbit", kernels="ref"),
         Case("digits", "mnist", "int8", "mps3-an547"),
         Case("digits", "digits", "int8", "netduinoplus2"),
         Case("spoken_digits", "spoken_digits", "int8", "netduinoplus2")]
# Examples that are programs, and their boards: the smallest of each core.
PROGRAMS = {"waveforms": ["microbit", "stm32vldiscovery", "netduinoplus2", "mps2-an500", "mps2-an505", "mps3-an547"]}


def program(name, board, kernels="fast"):
    return emulate.FIRMWARE / emulate.CORES[board] / f"{name}_{board}{'' if kernels == 'fast' else '_' + kernels}.elf"


def program_bytes(path):
    """Flash (code, constants, initial data) and static RAM of a program."""
    listing = subprocess.run(["arm-none-eabi-size", "-A", path], capture_output=True, text=True, check=True).stdout
    sizes = {m[1]: int(m[2]) for m in re.finditer(r"^(\.\S+)\s+(\d+)\s", listing, re.M)}
    return [sum(sizes.get(section, 0) for section in sections)
            for sections in ((".text", ".ARM.exidx", ".data"), (".data", ".bss"))]


def row(keys, flash, static, arena, stack):
    return [*keys, *(f"{figure:,}" for figure in (flash, static, arena, stack, static + arena + stack))]


def measure_case(case, model, data, folder):
    out = pathlib.Path(tempfile.mkdtemp(dir=folder))
    recipe = EXAMPLES / case.example / case.recipe if case.recipe.endswith(".toml") else case.recipe
    run = emulate.device_run(model, data, out, "--board", case.board, "--recipe", recipe, "--momentum", case.momentum,
                             "--kernels", case.kernels, "--batch", 1, "--epochs", 1)
    if not run["identical"]:
        raise SystemExit(f"{case} is not identical to the host: {run['difference']}")
    flash, _ = program_bytes(program("runner", case.board, case.kernels))
    ram = run["ram_bytes"]
    keys = [case.example or "–", case.title(model), case.recipe, case.board, run["core"]]
    return row(keys, flash, ram["static"], ram["arena"] + ram["sample"], run["stack_used"])


def measure_program(example, board):
    """Its arena is one of its static arrays, whose bytes it prints; on standard error it prints those of its stack."""
    path = program(example, board)
    run = emulate.run_program(path, board)
    arena, stack = re.search(r"(\d+) bytes of memory", run.stdout), re.search(r"stack (\d+) bytes used", run.stderr)
    if run.returncode != 0 or not arena or not stack:
        raise SystemExit(f"{path} ended with exit code {run.returncode}; it should print '... bytes of memory', and "
                         f"'stack ... bytes used' on standard error:\n{run.stdout}{run.stderr}")
    flash, static = program_bytes(path)
    keys = [example, "its own program", "int8", board, emulate.core_title(board)]
    return row(keys, flash, static - int(arena[1]), int(arena[1]), int(stack[1]))


def measure(folder):
    """Rows of the table, as text."""
    models = emulate.models(folder)
    data = {name: emulate.write_data(pathlib.Path(folder) / name, models[name], samples=12)
            for name in {case.model for case in CASES}}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(measure_case, case, models[case.model], data[case.model], folder) for case in CASES]
        runs += [pool.submit(measure_program, example, board) for example, boards in PROGRAMS.items() for board in boards]
        return [run.result() for run in runs]


def table(rows):
    lines = [HEADING, ["---"] * KEYS + ["---:"] * (len(HEADING) - KEYS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def without_row(rows):
    """Folders of examples that the table does not have, as sentences."""
    shown = {row[0] for row in rows}
    return [f"examples/{folder.name} has no row: its sizes must be measured, too. Add it to CASES (a model file) or PROGRAMS (a "
            "program) in tools/qemu/sizes.py" for folder in sorted(EXAMPLES.iterdir())
            if folder.is_dir() and folder.name not in shown]


def growth(rows):
    """What has grown beyond its margin since the committed table, as sentences."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    before = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(HEADING) and cells[-1][:1].isdigit():
            before[tuple(cells[:KEYS])] = cells[KEYS:]
    found = []
    for row in rows:
        example, model, recipe, board = row[:4]
        what = f"{'' if example == '–' else example + ', '}{model} with {recipe} on {board}"
        if tuple(row[:KEYS]) not in before:
            found.append(f"{what} is not in the table")
            continue
        for name, old, new in zip(HEADING[KEYS:], before[tuple(row[:KEYS])], row[KEYS:]):
            was, now = (int(cell.replace(",", "")) for cell in (old, new))
            if now > was + max(MARGIN_BYTES, MARGIN_SHARE * was):
                found.append(f"{what}: {name} was {old} bytes and is {new}")
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="fail if a figure has grown, or an example has no row")
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
    missing = without_row(rows) if options.check or options.update else []
    grown = growth(rows) if options.check else []
    if grown:
        grown.append("If this is meant, ./dev size --update writes docs/sizes.md")
    if missing or grown:
        sys.exit("\n".join(missing + grown))


if __name__ == "__main__":
    main()
