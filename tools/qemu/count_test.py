#!/usr/bin/env python3
"""Checks the counter of instructions on three boards: regions of known length, and totals against a trace.

Usage: count_test.py COUNT_SO BUILD_FOLDER      (BUILD_FOLDER has cm0/, cm4/ and cm55/)
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BOARDS = {"microbit": "cm0", "netduinoplus2": "cm4", "mps3-an547": "cm55"}
QEMU = "qemu-system-arm -display none -serial null -monitor none -semihosting-config enable=on,target=native".split()

# Instructions in firmware/count_check.cpp. An id that is known at run time costs one, the return of its function.
EXPECTED = {1: 0, 2: 2 * 5, 3: 3 + 100 * 3, 4: 1026, 5: 2, 6: 5, 8: 2, 9: 2, 256 + 9: 3} | {i: 1 for i in range(7, 256, 31)}


def emulate(board: str, *words: str):
    program = BUILD / BOARDS[board] / f"count_check_{board}.elf"
    subprocess.run([*QEMU, "-M", board, "-kernel", program, *words], check=True, timeout=120)


class Count(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mantissa_count_")
        self.addCleanup(self.folder.cleanup)
        self.out = Path(self.folder.name) / "out"

    def count(self, board: str) -> dict:
        emulate(board, "-plugin", f"{PLUGIN},out={self.out}")
        return json.loads(self.out.read_text())

    def test_regions_have_the_length_they_are_written_with(self):
        for board in BOARDS:
            counted = {int(i): r["instructions"] for i, r in self.count(board)["regions"].items()}
            self.assertEqual(counted, EXPECTED, board)

    def test_totals_are_those_of_a_trace_of_single_steps(self):
        for board in BOARDS:
            emulate(board, "-singlestep", "-d", "exec,nochain", "-D", str(self.out))
            with self.out.open() as trace:
                steps = sum(line.startswith("Trace") for line in trace)
            self.assertEqual(self.count(board)["total"], steps, board)

    def test_runs_are_repeatable(self):
        first = self.count("netduinoplus2")
        for _ in range(4):
            self.assertEqual(self.count("netduinoplus2"), first)

    def test_an_argument_is_wanted(self):
        run = subprocess.run([*QEMU, "-M", "microbit", "-plugin", str(PLUGIN)], capture_output=True, text=True)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("out=FILE", run.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    PLUGIN, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
