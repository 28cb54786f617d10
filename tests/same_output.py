#!/usr/bin/env python3
"""Runs a program on the PC and on every emulated board that it was linked for: all must print the same.

Usage: same_output.py PROGRAM FOLDER NAME      FOLDER/CORE/NAME_BOARD.elf are the programs for boards
"""
import subprocess
import sys
from pathlib import Path

QEMU = ["qemu-system-arm", "-display", "none", "-serial", "null", "-monitor", "none", "-semihosting-config",
        "enable=on,target=native"]


def output_of(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    return done.stdout if done.returncode == 0 else f"exit code {done.returncode}\n{done.stdout}{done.stderr}"


def main() -> int:
    program, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    elves = sorted(folder.glob(f"cm*/{name}_*.elf"))
    if not elves:
        print(f"no {folder}/cm*/{name}_*.elf: ./dev firmware builds them")
        return 1
    wanted = output_of(program)
    print(wanted)
    wrong = 0
    for elf in elves:
        board = elf.stem.removeprefix(f"{name}_")
        found = output_of(*QEMU, "-M", board, "-kernel", elf)
        print(f"{board}: {'the same' if found == wanted else found}")
        wrong += found != wanted
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
