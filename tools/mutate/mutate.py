#!/usr/bin/env python3
"""Applies the mutants of catalogue/ one at a time and prints which test catches each; fails if one survives.

Usage: mutate.py [--only TEXT] [--every N] [--check] [--jobs N] [--build FOLDER]
"""

import argparse
import concurrent.futures
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import builds
import catalogue

LONGEST_SECONDS = 600  # of a test program without a change
TIMES_SLOWER, MORE_SECONDS = 20, 30  # beyond it a mutant has made a loop endless, or far too long for the tests to pass
REPEATABLE = {**os.environ, "RC_PARAMS": "seed=1"}  # RapidCheck draws other numbers in each run


@dataclasses.dataclass
class Outcome:
    verdict: str  # caught, survived, invalid
    by: str  # the first test that fails, or what else happens
    seconds: float = 0.0


def outcome_of_test(program, longest):
    try:
        ran = builds.run([program, "--gtest_fail_fast", "--gtest_brief=1"], timeout=longest, env=REPEATABLE)
    except subprocess.TimeoutExpired:
        return Outcome("caught", f"does not end in {longest:.0f} s")
    if ran.returncode == 0:
        return Outcome("survived", "all tests pass")
    failed = re.search(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", ran.stdout)
    crash = signal.Signals(-ran.returncode).name if ran.returncode < 0 else f"exit code {ran.returncode}"
    return Outcome("caught", failed[1] if failed else crash)


def outcome_of(mutant, built, folder, longest):
    program, messages = built.build_changed(mutant.test_file(), f"core/mantissa/{mutant.source}", mutant.text(), folder)
    if program is not None:
        return outcome_of_test(program, longest)
    if re.search(r"error: static assertion failed", messages):
        return Outcome("caught", "static_assert")
    lines = [line for line in messages.splitlines() if "error" in line] or messages.splitlines()
    return Outcome("invalid", f"does not build: {lines[0]}")


def timed_outcome(mutant, built, folder, longest):
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    outcome = outcome_of(mutant, built, folder, longest)
    shutil.rmtree(folder, ignore_errors=True)
    outcome.seconds = time.monotonic() - began
    return outcome


def seconds_of_tests(built):
    """How long each test program takes without a change, in which none may fail."""
    seconds = {}
    for test in built.tests:
        began = time.monotonic()
        if (unchanged := outcome_of_test(built.program_of(test), LONGEST_SECONDS)).verdict != "survived":
            sys.exit(f"{test} fails without a change: {unchanged.by}")
        seconds[test] = time.monotonic() - began
    return seconds


def run_all(mutants, built, jobs):
    """Prints one line per mutant; returns the outcomes."""
    longest = {test: MORE_SECONDS + TIMES_SLOWER * seconds for test, seconds in seconds_of_tests(built).items()}
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(timed_outcome, m, built, built.folder / f"mutant{i}", longest[m.test_file()])
                   for i, m in enumerate(mutants)]
        for mutant, each in zip(mutants, waiting):
            outcome = each.result()
            print(f"{outcome.verdict:8} {outcome.seconds:5.1f} s  {mutant.name}\n{'':18}{outcome.by}", flush=True)
            outcomes.append(outcome)
    return outcomes


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default="", metavar="TEXT", help="mutants whose source or meaning has this text")
    options.add_argument("--every", type=int, default=1, metavar="N", help="every Nth of them: a sample of all catalogues")
    options.add_argument("--check", action="store_true", help="only check that each snippet occurs once in its source")
    options.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="mutants at a time")
    options.add_argument("--build", default=catalogue.ROOT / "build/mutate", metavar="FOLDER", help="for objects")
    given = options.parse_args()

    mutants = catalogue.read()
    if wrong := catalogue.problems(mutants):
        sys.exit("\n".join(wrong))
    if given.check:
        print(f"{len(mutants)} mutants of {len({m.source for m in mutants})} sources fit them")
        return
    mutants = [m for m in mutants if given.only in m.name][::given.every]
    if not mutants:
        sys.exit(f"no mutant has '{given.only}' in its source or meaning")
    built = builds.Builds(given.build, sorted({m.test_file() for m in mutants}))
    try:
        built.build()
    except RuntimeError as error:
        sys.exit(str(error))
    outcomes = run_all(mutants, built, given.jobs)
    caught = sum(outcome.verdict == "caught" for outcome in outcomes)
    print(f"caught {caught} of {len(outcomes)} mutants")
    sys.exit(caught != len(outcomes))


if __name__ == "__main__":
    main()
