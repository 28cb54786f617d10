#!/usr/bin/env python3
"""Compiles the core for the smallest Cortex-M, and checks what it would need at link time.

Each header is compiled alone too. The objects may need the compiler's own arithmetic and mem* functions and nothing
else: no heap, no libm, no run time of C++; and they hold no writable data.

Usage: check_cortex_m0.py FOLDER_FOR_OBJECTS
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "core"
COMPILE = ["arm-none-eabi-g++", "-mcpu=cortex-m0", "-mthumb", "-Os", "-std=c++20", "-fno-exceptions", "-fno-rtti",
           "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{CORE}"]
NOT_PORTABLE = re.compile(r"_(test|bench|fuzz|hwy|dsp|mve)\.[ch]pp$")

# Integer and soft-float arithmetic, and the functions that every compiler may call by itself.
MAY_NEED = re.compile(r"__aeabi_(?!atexit)\w+|__gnu_thumb1_case_\w+|__(clz|ctz|ffs|popcount)[sd]i2|mem(cpy|move|set|cmp)")


def compile_one(source: Path, out: Path) -> tuple[Path, str]:
    """Returns the object and the compiler's complaints. A header's object holds what is not inline by mistake."""
    target = out / (source.relative_to(CORE).as_posix().replace("/", ".") + ".o")
    command = [*COMPILE, "-x", "c++", "-c", "-o", target]
    # A header is included, because compiled as it stands it would be warned of its own #pragma once.
    code = f'#include "{source.relative_to(CORE)}"\n'
    run = subprocess.run([*command, "-"] if source.suffix == ".hpp" else [*command, source], input=code,
                         capture_output=True, text=True)
    return target, run.stderr if run.returncode else ""


def symbols_of(objects: list[Path]) -> list[tuple[str, str, str]]:
    """Returns (object, kind, name) for each symbol; kinds are those of nm."""
    if not objects:
        return []
    lines = subprocess.run(["arm-none-eabi-nm", "-A", *objects], capture_output=True, text=True, check=True).stdout
    return [(Path(m[1]).name, m[2], m[3]) for m in re.finditer(r"^(.*?):[0-9a-f ]{8} (\w) (\S+)$", lines, re.M)]


def main() -> int:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    sources = sorted(p for p in CORE.rglob("*.[ch]pp") if not NOT_PORTABLE.search(p.name))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiled = list(pool.map(lambda source: compile_one(source, out), sources))
    found = [complaint for _, complaint in compiled if complaint]

    symbols = symbols_of([target for target, complaint in compiled if not complaint])
    defined = {name for _, kind, name in symbols if kind != "U"}
    for where, kind, name in symbols:
        if kind == "U" and name not in defined and not MAY_NEED.fullmatch(name):
            found.append(f"{where}: needs {name}, which a microcontroller does not have")
        if kind in "bBdDcC":
            found.append(f"{where}: {name} is writable data; all state belongs in the caller's arena")
    print("\n".join(found) if found else f"{len(sources)} files compile for Cortex-M0 and need nothing else")
    return 1 if found or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
