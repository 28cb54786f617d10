#!/usr/bin/env python3
"""Runs the tests of the core and prints the lines, then the branches of its numeric part that they run.

Code that runs in the compiler only, as in a static_assert, does not count. Variants for vectors and for cores with MVE
are left out: what they do is compared with the reference.

Usage: coverage.py [--build FOLDER]
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys

import builds
from catalogue import CORE, ROOT

UNITS = "num|tensor|kernels|layers|losses|optim|model|plan|engine"


def tests():
    """Those that need the core alone."""
    files = [*CORE.rglob("*_test.cpp"), *(ROOT / "tests").glob("*_test.cpp")]
    return sorted(file.relative_to(ROOT).as_posix() for file in files if '#include "host/' not in file.read_text())


def run_tests(built):
    """Exits with the name of the first that fails."""
    for counts in built.folder.glob("*.gcda"):
        counts.unlink()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        ran = pool.map(lambda test: builds.run([built.program_of(test), "--gtest_brief=1"]), built.tests)
        for test, each in zip(built.tests, ran):
            if each.returncode != 0:
                sys.exit(f"{test} fails:\n{each.stdout}")


def print_tables(folder):
    gcovr = ["gcovr", "--root", ROOT]
    counts = folder / "coverage.json"
    subprocess.run([*gcovr, "--object-directory", folder, "--filter", f"{ROOT}/core/mantissa/({UNITS})/",
                    "--exclude", r".*_(test|bench|hwy|mve)\.[ch]pp$", "--exclude-throw-branches",
                    "--exclude-unreachable-branches", "--json", counts, folder], check=True)
    for table in [], ["--branches"]:
        subprocess.run([*gcovr, "--add-tracefile", counts, "--txt", *table], check=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", default=ROOT / "build/coverage", metavar="FOLDER", help="for objects and counts")
    given = options.parse_args()
    built = builds.Builds(given.build, tests(), ["-O0", "--coverage", "-fprofile-update=atomic"])
    try:
        built.build()
    except RuntimeError as error:
        sys.exit(str(error))
    run_tests(built)
    print_tables(built.folder)


if __name__ == "__main__":
    main()
