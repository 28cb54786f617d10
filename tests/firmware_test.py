#!/usr/bin/env python3
"""The training program on a board, given what it can not use: it says so and ends with an error, and leaves no result.

Usage: firmware_test.py PATH_OF_MANTISSA FIRMWARE_FOLDER      (the folder has cm0/, cm4/ and cm33/)
"""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools/qemu"))
import emulate  # noqa: E402

QEMU = "qemu-system-arm -display none -serial null -monitor none -semihosting-config enable=on,target=native".split()
BOARDS = {"microbit": "cm0", "netduinoplus2": "cm4", "mps2-an505": "cm33"}
LAYOUT_AT = 16  # in the job, behind its magic
STACK_USED_AT = 36  # in the result
BAD_JOB, BAD_FILE, STACK_TOO_SMALL = 2, 3, 4


def symbols(program: Path) -> dict:
    listing = subprocess.run(["arm-none-eabi-nm", program], capture_output=True, text=True, check=True).stdout
    return {name: int(value, 16) for value, _, name in (line.split() for line in listing.splitlines() if line[0] != " ")}


def offset_in_file(program: bytes, address: int) -> int:
    """By the program's segments."""
    table, = struct.unpack_from("<I", program, 28)
    size, count = struct.unpack_from("<HH", program, 42)
    for i in range(count):
        kind, offset, start, _, length = struct.unpack_from("<5I", program, table + i * size)
        if kind == 1 and start <= address < start + length:
            return offset + address - start
    raise AssertionError(hex(address))


class Firmware(unittest.TestCase):
    """Each test gets a folder with the program, its job and its data, as `mantissa device run` makes it for QEMU."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mantissa_firmware_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        model = emulate.models(cls.folder)["mlp64"]
        data = emulate.write_data(cls.folder / "data", model, samples=40)
        for board in BOARDS:
            cls.keep_job(board, model, data)

    @classmethod
    def keep_job(cls, board, model, data):
        """Runs the command with an emulator that does nothing but copy the folder it is given."""
        tools = cls.folder / "tools"
        tools.mkdir(exist_ok=True)
        emulator = tools / "qemu-system-arm"
        emulator.write_text(f'#!/bin/sh\ncp -r . "{cls.folder / board}"\nexit 1\n')
        emulator.chmod(0o755)
        subprocess.run([PROGRAM, "device", "run", model.path, "--data", data, "--board", board, "--firmware", FIRMWARE,
                        "--batch", "1", "--epochs", "2", "--momentum", "0"], capture_output=True,
                       env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})

    def setUp(self):
        self.work = Path(tempfile.mkdtemp(dir=self.folder))

    def job_of(self, board: str):
        shutil.copytree(self.folder / board, self.work, dirs_exist_ok=True)
        self.board, self.program = board, self.work / "program.elf"
        self.symbols = symbols(self.program)

    def change(self, address: int, old: bytes, new: bytes):
        program = bytearray(self.program.read_bytes())
        at = offset_in_file(program, address)
        self.assertEqual(program[at:at + len(old)], old)
        program[at:at + len(new)] = new
        self.program.write_bytes(program)

    def job(self) -> bytes:
        program = self.program.read_bytes()
        return program[offset_in_file(program, self.symbols["__job_start"]):][:512]

    def emulate(self):
        return subprocess.run([*QEMU, "-M", self.board, "-kernel", self.program], cwd=self.work, capture_output=True,
                              text=True, timeout=120)

    def expect_error(self, code: int, text: str):
        done = self.emulate()
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(f"error: {text}", done.stdout)
        result = self.work / "result.bin"
        self.assertTrue(not result.exists() or result.read_bytes()[:16] in (b"", bytes(16)))

    def test_a_good_job_is_done(self):
        for board in BOARDS:
            self.job_of(board)
            done = self.emulate()
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"\Aepoch 1 loss \d\.\d{4} correct \d+ of 40\nepoch 2 loss .* of 40\n\Z")
            self.assertEqual((self.work / "result.bin").read_bytes()[:16], b"mantissa job 5\0\0")

    def test_without_a_job(self):
        for board, core in BOARDS.items():
            self.board, self.program = board, Path(FIRMWARE) / core / f"runner_{board}.elf"
            self.expect_error(BAD_JOB, "there is no job in section .job of this program")

    def test_a_job_of_another_version(self):
        self.job_of("microbit")
        layout = self.job()[LAYOUT_AT:LAYOUT_AT + 2]
        self.change(self.symbols["__job_start"] + LAYOUT_AT, layout, b"\1\0")
        self.expect_error(BAD_JOB, "the job is from another version of the host's program")

    def test_files_that_are_missing_or_too_short(self):
        for name in ["samples.bin", "labels.bin", "order.bin"]:
            self.job_of("netduinoplus2")
            with (self.work / name).open("r+b") as file:
                file.truncate(8)
            self.expect_error(BAD_FILE, f"cannot read as many items as the job wants from {name}")
            (self.work / name).unlink()
            self.expect_error(BAD_FILE, f"cannot open {name}")

    def test_a_label_that_is_no_class(self):
        for label in [-1, 10]:
            self.job_of("microbit")
            (self.work / "labels.bin").write_bytes(struct.pack("<i", label) * 40)
            self.expect_error(BAD_FILE, "a label is not a class of the model in labels.bin")

    def test_a_stack_that_is_too_small(self):
        for board in BOARDS:
            self.job_of(board)
            top = struct.unpack("<I", self.first_word())[0]
            arena = self.arena_bytes()
            stack = top - self.symbols["__static_end"] - arena
            self.assertEqual(self.emulate().returncode, 0)
            used, = struct.unpack_from("<I", (self.work / "result.bin").read_bytes(), STACK_USED_AT)
            room = used // 8 * 8 - 16  # what lies below is the arena's end, and harm there must not end the run
            at = self.symbols["__job_start"] + self.job().index(struct.pack("<III", arena, 0, stack)) + 8
            self.change(at, struct.pack("<I", stack), struct.pack("<I", room))
            self.change(self.symbols["__vectors_start"], struct.pack("<I", top), struct.pack("<I", top - stack + room))
            self.expect_error(STACK_TOO_SMALL, "the stack has reached its end")

    def test_a_stack_that_is_not_where_the_job_says(self):
        self.job_of("netduinoplus2")
        top = self.first_word()
        self.change(self.symbols["__vectors_start"], top, struct.pack("<I", struct.unpack("<I", top)[0] + 8))
        self.expect_error(BAD_JOB, "the initial stack pointer is not where the job's memory ends")

    def test_a_run_that_is_killed_leaves_no_result(self):
        self.job_of("netduinoplus2")
        os.mkfifo(self.work / "stop")
        (self.work / "labels.bin").unlink()
        (self.work / "labels.bin").symlink_to("stop")  # nobody writes: the run waits here
        run = subprocess.Popen([*QEMU, "-M", self.board, "-kernel", self.program], cwd=self.work)
        while not (self.work / "result.bin").exists():
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        run.wait()
        self.assertIn((self.work / "result.bin").read_bytes()[:16], (b"", bytes(16)))

    def first_word(self) -> bytes:
        program = self.program.read_bytes()
        at = offset_in_file(program, self.symbols["__vectors_start"])
        return program[at:at + 4]

    def arena_bytes(self) -> int:
        """The job's bytes for the arena; with a sample's (none here) and the stack's behind them they add up to what is used of RAM."""
        top = struct.unpack("<I", self.first_word())[0] - self.symbols["__static_end"]
        job = self.job()
        for at in range(0, len(job) - 12, 4):
            arena, sample, stack = struct.unpack_from("<III", job, at)
            if arena + stack == top and sample == 0:
                return arena
        raise AssertionError("the job has no memory")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    PROGRAM, FIRMWARE = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1])
