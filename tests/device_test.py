#!/usr/bin/env python3
"""Trains on emulated boards as a person does, and compares with the host: bits, memory, messages, Ctrl-C.

Usage: device_test.py PATH_OF_MANTISSA FIRMWARE_FOLDER      (the folder has cm0/, cm3/ and so on)
"""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = FIRMWARE = ""
SOURCES = Path(__file__).resolve().parent.parent
BOARDS = ["microbit", "stm32vldiscovery", "mps2-an385", "netduinoplus2", "mps2-an386", "mps2-an500", "mps2-an505",
          "mps3-an547"]
RECIPES = ["int8", "sym8", "sym12", "float32"]

# Small enough for all boards, with a stride, padding, a pool that overlaps nothing and one that averages all.
MODEL = """name = "waves"
input = { steps = 32, channels = 2, layout = "channels_last" }
layer = [
  { type = "conv1d", channels = 4, kernel = 5, padding = "same" }, { type = "relu" },
  { type = "max_pool1d", kernel = 2 },
  { type = "conv1d", channels = 6, kernel = 3, stride = 2 }, { type = "relu" },
  { type = "global_avg_pool1d" },
  { type = "linear", features = 3 },
]
training = { epochs = 3, batch = 4, lr = 0.05, schedule = "linear" }
"""


# Compresses a wave of 32 steps and brings it back: ends in a signal, which is compared with the sample.
AUTOENCODER = """name = "copies"
loss = "mse"
target = "input"
input = { steps = 32, channels = 2, layout = "channels_last" }
layer = [
  { type = "conv1d", channels = 4, kernel = 4, stride = 2, padding = 1 }, { type = "relu" },
  { type = "max_pool1d", kernel = 2 },
  { type = "conv_transpose1d", channels = 4, kernel = 3, stride = 2, padding = 1, output_padding = 1 }, { type = "relu" },
  { type = "conv_transpose1d", channels = 2, kernel = 2, stride = 2 },
]
training = { epochs = 3, batch = 4, lr = 0.05, only_class = 0 }
"""


# A residual block and a branch: layers read others than the one before.
GRAPH = """name = "meets"
input = { steps = 32, channels = 2, layout = "channels_last" }
layer = [
  { type = "conv1d", channels = 4, kernel = 5, padding = "same" }, { type = "relu" },
  { type = "conv1d", channels = 4, kernel = 3, padding = "same" },
  { type = "add", inputs = ["conv2", "relu1"] }, { type = "relu" },
  { type = "conv1d", channels = 2, kernel = 3, padding = "same" },
  { type = "concat", inputs = ["relu2", "input"] },
  { type = "concat", inputs = ["concat1", "conv3"] },
  { type = "global_avg_pool1d" },
  { type = "linear", features = 3 },
]
training = { epochs = 2, batch = 4, lr = 0.05 }
"""


def npy(shape, kind, values) -> bytes:
    """An .npy file of version 1."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    code = {"<f4": "f", "|u1": "B"}[kind]
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
            struct.pack(f"<{len(values)}{code}", *values))


def write_waves(folder: Path):
    """Square waves of three periods with noise."""
    folder.mkdir()
    draw = random.Random(1)
    for half, count in [("train", 30), ("test", 15)]:
        labels = [draw.randrange(3) for _ in range(count)]
        values = []
        for label in labels:
            phase = draw.randrange(32)
            for t in range(32):
                wave = 1 if (t + phase) // (4 * (label + 1)) % 2 else -1
                values += [wave + draw.uniform(-0.5, 0.5) for _ in range(2)]
        (folder / f"{half}_x.npy").write_bytes(npy((count, 32, 2), "<f4", values))
        (folder / f"{half}_y.npy").write_bytes(npy((count,), "|u1", labels))


def run_program(*words, **environment):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})


def bytes_in(name: str, text: str) -> int:
    return int(re.search(rf"^  {name} +([\d,]+)", text, re.M)[1].replace(",", ""))


class Device(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mantissa_device_"))
        cls.data, cls.model, cls.temporary = cls.folder / "waves", cls.folder / "waves.toml", cls.folder / "tmp"
        cls.temporary.mkdir()
        cls.model.write_text(MODEL)
        write_waves(cls.data)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def words(self, board, *more, model=None, data=None):
        models = [] if "--from" in more else [model or self.model]
        return ["device", "run", *models, "--data", data or self.data, "--board", board, "--firmware", FIRMWARE, *more]

    def device(self, board, *more, model=None, data=None, **environment):
        words = self.words(board, *more, model=model, data=data)
        return run_program(*words, **{"TMPDIR": str(self.temporary), **environment})

    def results(self, board, *more, **others):
        """What a run that must succeed writes as JSON."""
        file = self.folder / "results.json"
        done = self.device(board, *more, "--json", file, **others)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn("identical to the host", done.stdout)
        return json.loads(file.read_text())

    def expect_error(self, done, *parts):
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r"\Amantissa: error: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(str(part), done.stderr)

    def test_every_board_gives_the_bits_of_the_host(self):
        for recipe in RECIPES:
            hashes = set()
            for kernels in ["ref", "best"]:
                done = run_program("train", self.model, "--data", self.data, "--recipe", recipe, "--samples", 18,
                                   "--kernels", kernels)
                hashes.add(re.search(r"weights hash +([0-9a-f]{16})", done.stdout)[1])
            self.assertEqual(len(hashes), 1, recipe)
            for board in BOARDS:
                for kernels in ["ref", "fast"]:
                    with self.subTest(recipe=recipe, board=board, kernels=kernels):
                        r = self.results(board, "--recipe", recipe, "--samples", 18, "--kernels", kernels)
                        self.assertEqual({r["weights_hash"]}, hashes)
                        self.assertEqual((r["epochs"], r["steps"], r["samples"]), (3, 15, 18))
                        self.assertTrue(r["identical"])

    def test_a_sample_that_is_its_own_target(self):
        """Waits beside the arena until the loss has seen it."""
        model = self.folder / "copies.toml"
        model.write_text(AUTOENCODER)
        for recipe in ["int8", "sym12", "float32"]:
            for batch in [1, 4]:
                for board in ["microbit", "netduinoplus2", "mps3-an547"]:
                    with self.subTest(recipe=recipe, batch=batch, board=board):
                        r = self.results(board, "--recipe", recipe, "--batch", batch, model=model)
                        done = run_program("train", model, "--data", self.data, "--recipe", recipe, "--batch", batch)
                        self.assertEqual(re.search(r"weights hash +([0-9a-f]{16})", done.stdout)[1], r["weights_hash"])
                        self.assertLess(r["train_loss"][-1], r["train_loss"][0])
                        self.assertIsNone(r["test_accuracy"])
                        self.assertIn("auc", r["reconstruction"])
        self.assertEqual(r["ram_bytes"]["sample"], 32 * 2 * 4)
        done = self.device("microbit", "--epochs", 1, model=model)
        self.assertRegex(done.stdout, r"(?m)^epoch 1 loss \d+\.\d+$")
        self.assertRegex(done.stdout, r"(?m)^  sample +256 ")

    def test_graphs(self):
        model = self.folder / "meets.toml"
        model.write_text(GRAPH)
        for recipe in RECIPES:
            for board in ["microbit", "stm32vldiscovery", "netduinoplus2", "mps3-an547"]:
                if (recipe, board) in [("float32", "stm32vldiscovery"), ("sym12", "stm32vldiscovery")]:
                    continue  # 8 KiB
                with self.subTest(recipe=recipe, board=board):
                    r = self.results(board, "--recipe", recipe, "--batch", 1, model=model)
                    done = run_program("train", model, "--data", self.data, "--recipe", recipe, "--batch", 1)
                    self.assertEqual(re.search(r"weights hash +([0-9a-f]{16})", done.stdout)[1], r["weights_hash"])

    def test_fine_tuning_on_the_board(self):
        for recipe in RECIPES:
            base = self.folder / f"{recipe}.mnt"
            done = run_program("train", self.model, "--data", self.data, "--recipe", recipe, "--epochs", 1, "--save", base)
            self.assertEqual(done.returncode, 0, done.stderr)
            for frozen in [[], ["--freeze", "conv1"], ["--freeze", "conv1,linear1"]]:
                with self.subTest(recipe=recipe, frozen=frozen):
                    more = ["--from", base, *frozen, "--batch", 1, "--epochs", 2, "--lr", 0.01]
                    r = self.results("netduinoplus2", *more)
                    done = run_program("train", *more, "--data", self.data)
                    self.assertEqual(re.search(r"weights hash +([0-9a-f]{16})", done.stdout)[1], r["weights_hash"])

    def test_losses_are_means_over_the_weights_of_classes(self):
        """As the host prints them, and the board itself."""
        model = self.folder / "weighted.toml"
        model.write_text(MODEL.replace('name = "waves"', 'name = "weighted"\nclass_weights = [0.25, 2.0, 1.0]'))
        for recipe in ["int8", "float32"]:
            for board in ["microbit", "netduinoplus2"]:
                with self.subTest(recipe=recipe, board=board):
                    r = self.results(board, "--recipe", recipe, "--batch", 4, model=model)
                    host = self.folder / "host.json"
                    run_program("train", model, "--data", self.data, "--recipe", recipe, "--batch", 4, "--json", host)
                    expected = json.loads(host.read_text())["train_loss"]
                    self.assertEqual(len(expected), 3)
                    for found, wanted in zip(r["train_loss"], expected):
                        self.assertAlmostEqual(found, wanted, delta=1e-6)
                    printed = self.device(board, "--recipe", recipe, "--batch", 4, model=model).stdout
                    printed = [float(x) for x in re.findall(r"(?m)^epoch \d+ loss ([\d.]+)", printed)]
                    for found, wanted in zip(printed, expected, strict=True):
                        self.assertAlmostEqual(found, wanted, delta=1e-3)

    def test_one_sample_at_a_time_and_without_momentum(self):
        for more in [["--batch", 1], ["--batch", 1, "--momentum", 0], ["--batch", 7, "--weight-decay", 0.01]]:
            for board in ["microbit", "netduinoplus2", "mps3-an547"]:
                with self.subTest(more=more, board=board):
                    self.results(board, "--samples", 10, "--epochs", 2, "--seed", 5, *more)

    def test_the_plan_says_what_the_run_takes(self):
        for recipe in RECIPES:
            more = ["--recipe", recipe, "--batch", 2]
            planned = run_program("plan", self.model, "--board", "microbit", "--firmware", FIRMWARE, *more)
            self.assertEqual(planned.returncode, 0, planned.stderr)
            ram = self.results("microbit", "--samples", 4, "--epochs", 1, *more)
            for part in ["static", "arena", "stack", "total"]:
                self.assertEqual(bytes_in(part, planned.stdout), ram["ram_bytes"][part], (recipe, part))
            self.assertEqual(sum(ram["ram_bytes"][p] for p in ["static", "arena", "stack"]),
                             ram["ram_bytes"]["total"])
            self.assertEqual(bytes_in("left", planned.stdout), 16384 - ram["ram_bytes"]["total"])
            self.assertLess(ram["stack_used"], ram["ram_bytes"]["stack"])
            self.assertGreater(ram["stack_used"], 0)

    def test_trained_weights_come_back_and_can_be_saved(self):
        saved = self.folder / "saved.mnt"
        r = self.results("mps2-an500", "--samples", 18, "--save", saved)
        done = run_program("eval", saved, "--data", self.data, "--json", self.folder / "e.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        e = json.loads((self.folder / "e.json").read_text())
        self.assertEqual((e["weights_hash"], e["test_accuracy"]), (r["weights_hash"], r["test_accuracy"]))

    def test_instructions_are_counted_where_it_is_asked_for(self):
        r = self.results("netduinoplus2", "--samples", 6, "--epochs", 2, "--batch", 1, "--count")["instructions"]
        parts = r["between"] + sum(step["instructions"] for step in r["steps"])
        self.assertLess(abs(parts - r["per_step"]), len(r["steps"]) + 1)  # each is rounded down
        self.assertGreater(r["total"], 12 * r["per_step"])
        with_product = {(step["step"], step["layer"]) for step in r["steps"] if step["product"] > 0}
        self.assertEqual(with_product, {("forward", "conv1"), ("forward", "conv2"), ("forward", "linear1"), ("backward", "conv2"),
                                        ("backward", "linear1"), ("gradient", "conv1"), ("gradient", "conv2")})
        for step in r["steps"]:
            self.assertLessEqual(step["product"], step["instructions"])
        self.assertEqual({step["layer"] for step in r["steps"] if step["step"] == "forward"},
                         {"conv1", "max_pool1", "conv2", "global_avg_pool1", "linear1"})
        again = self.results("netduinoplus2", "--samples", 6, "--epochs", 2, "--batch", 1, "--count")["instructions"]
        self.assertEqual(again, r)
        self.assertIsNone(self.results("netduinoplus2", "--samples", 6, "--epochs", 1)["instructions"])

    def test_a_model_that_does_not_fit_is_refused_with_what_would_help(self):
        har = SOURCES / "examples/har/har.toml"
        done = self.device("microbit", "--recipe", "float32", model=har, data="no folder is needed to say so")
        self.expect_error(done, "more than microbit has", "--batch 1", "--recipe int8", "--board netduinoplus2")
        over = int(re.search(r"takes ([\d,]+) bytes", done.stderr)[1].replace(",", "")) - 16384
        self.assertIn(f"{over:,} more than", done.stderr)
        planned = run_program("plan", har, "--board", "microbit", "--recipe", "float32", "--firmware", FIRMWARE)
        self.assertEqual(planned.stderr, done.stderr)
        self.assertIn("bytes of RAM", planned.stdout)

    def test_wrong_input_is_one_clear_error(self):
        self.expect_error(self.device("microbits"), "no board 'microbits'", "did you mean 'microbit'?")
        self.expect_error(self.device("microbit", "--kernels", "avx2"), "no kernels 'avx2'")
        self.expect_error(self.device("microbit", "--recipe", "int9"), "did you mean 'int8'?")
        self.expect_error(self.device("microbit", data=self.folder / "no"), "no such folder")
        self.expect_error(self.device("microbit", "--samples", 31), "--samples 31", "30 training samples")
        self.expect_error(self.device("microbit", model="no.toml"), "no.toml")
        for option in ["--json", "--save"]:
            done = self.device("microbit", option, self.folder / "no" / "file")
            self.expect_error(done, "cannot be written")
            self.assertEqual(done.stdout, "")
        done = run_program("device", "run", self.model, "--data", self.data, "--board", "microbit", "--firmware", "no")
        self.expect_error(done, "no/cm0/runner_microbit.elf", "./dev firmware")
        self.expect_error(self.device("microbit", TMPDIR="/no/such/folder"), "/no/such/folder", "TMPDIR")
        self.expect_error(self.device("microbit", PATH="/no/such/folder"), "qemu-system-arm is not installed")

    def test_a_run_that_differs_is_shown_and_fails(self):
        fake = self.folder / "fake"
        fake.mkdir()
        emulator = fake / "qemu-system-arm"
        emulator.write_text("#!/bin/sh\n"  # another first sample than the host has
                            "dd if=/dev/zero of=samples.bin bs=256 count=1 conv=notrunc status=none\n"
                            f"exec {shutil.which('qemu-system-arm')} \"$@\"\n")
        emulator.chmod(0o700)
        results = self.folder / "differs.json"
        done = self.device("mps2-an385", "--samples", 4, "--batch", 1, "--json", results,
                           PATH=f"{fake}:{os.environ['PATH']}")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertRegex(done.stdout, r"NOT identical: the sums of epoch 1 are \d+ .* on the board, \d+ .* on the host")
        self.assertNotIn("identical to the host", done.stdout)
        r = json.loads(results.read_text())
        self.assertFalse(r["identical"])
        self.assertIn("epoch 1", r["difference"])

    def start(self):
        """A run that takes long, once it has printed its first epoch; and the emulator's process."""
        words = self.words("mps2-an385", "--recipe", "float32", "--epochs", 10000)
        process = subprocess.Popen([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True, env={**os.environ, "TMPDIR": str(self.temporary)})
        line = ""
        while not line.startswith("epoch"):
            line = process.stdout.readline()
            self.assertNotEqual(line, "")
        emulator = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        return process, emulator

    def expect_gone(self, emulator):
        deadline = time.time() + 10
        while Path(f"/proc/{emulator}").exists() and time.time() < deadline:
            time.sleep(0.01)
        self.assertFalse(Path(f"/proc/{emulator}").exists())

    def test_an_emulator_that_is_killed_is_an_error(self):
        process, emulator = self.start()
        os.kill(emulator, signal.SIGKILL)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertIn("qemu-system-arm was killed by signal 9", err)
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_ctrl_c_ends_the_emulator_and_leaves_nothing(self):
        process, emulator = self.start()
        os.killpg(process.pid, signal.SIGINT)  # both get it, as from a terminal
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err), (130, ""))
        self.assertIn("interrupted", out)
        self.expect_gone(emulator)
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_the_emulator_does_not_outlive_the_program(self):
        process, emulator = self.start()
        process.kill()
        process.communicate(timeout=30)
        self.expect_gone(emulator)
        for left in self.temporary.iterdir():
            shutil.rmtree(left)

    def test_boards_are_listed(self):
        done = run_program("device", "list")
        for board in BOARDS:
            self.assertRegex(done.stdout, rf"(?m)^{board} +Cortex-M")
        self.assertRegex(done.stdout, r"microbit +Cortex-M0 +Armv6-M +262,144 +16,384")
        self.assertRegex(done.stdout, r"mps3-an547 +Cortex-M55 .*FPU, DSP, Helium")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    FIRMWARE = str(Path(sys.argv.pop(2)).resolve())
    PROGRAM = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
