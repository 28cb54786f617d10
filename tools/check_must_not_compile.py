#!/usr/bin/env python3
"""Checks that wrong programs are refused, for the right reason.

A source holds cases, each behind a macro of its own and with a text that the compiler must print:

    #ifdef STORED_ACCUMULATOR  // error: SymInt32 is never stored
    mantissa::Stored<mantissa::SymInt32> parameter;
    #endif

Without any macro the file must compile: what is refused is the case and not its surroundings.

Usage: check_must_not_compile.py SOURCE COMPILER [COMPILER OPTIONS]
"""
import re
import subprocess
import sys
from pathlib import Path

CASE = re.compile(r"^#ifdef (\w+)\s*// error: (.+?)\s*$", re.MULTILINE)


def compile_source(command: list[str], source: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run([*command, "-fsyntax-only", *options, source], capture_output=True, text=True)


def main() -> int:
    source, command = Path(sys.argv[1]), sys.argv[2:]
    cases = CASE.findall(source.read_text())
    if not cases:
        sys.exit(f"{source}: has no case; a case starts with: #ifdef NAME  // error: what the compiler must say")
    plain = compile_source(command, source)
    if plain.returncode != 0:
        sys.exit(f"{source}: must compile while no case is chosen\n{plain.stderr}")
    failed = 0
    for macro, text in cases:
        run = compile_source(command, source, f"-D{macro}")
        if run.returncode == 0:
            print(f"{macro}: compiles, and must not")
        elif text not in run.stderr:
            print(f"{macro}: is refused, but not because of '{text}':\n{run.stderr}")
        else:
            print(f"{macro}: refused")
            continue
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
