#!/usr/bin/env python3
"""Compiles exported models and trains them, on the PC and on emulated boards: each must end with the bits of `mantissa train`.

Usage: export_test.py MANTISSA CXX LIBMANTISSA_CORE [CXX FLAGS]      for the PC
       export_test.py --boards MANTISSA FOLDER                      FOLDER/cm0, cm4 and cm55 hold the core
"""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ECG = ROOT / "examples/ecg/ecg.toml"
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]
TRAIN_SAMPLES, TEST_SAMPLES, EPOCHS, SEED = 24, 12, 2, 5
MANTISSA, BOARDS, COMPILERS = "", None, {}

# What these models call in recipe int8 beside products, and what 8-bit operands never call: kernels made for other operands
# (0 any, 1 float32, 2 integers), parts of products for int16 (Codes 2) or float32.
KERNELS = {"finish_sums", "rescale_sums", "column_sums", "max_pool", "update_integer", "quantize_floats"}
ECG_KERNELS, WAVES_KERNELS = KERNELS | {"max_pool_backward"}, KERNELS | {"overlap_sums", "window_sums", "spread"}
POOLS_KERNELS = KERNELS - {"max_pool"} | {"window_sums", "share_sums", "spread_shares", "softmax_forward", "softmax_backward"}
NOT_FOR_INT8 = re.compile(r"Operands\)[012]|exp_float|log_float|"
                          r"(?:multiply_\w+|add_products|finish_rows|rescale_rows|quantize|max_pool_of)<[^(]*(?:float|short)|"
                          r"(?:pack_along|pack_across|multiply_vector|multiply_across)<\(mantissa::Codes\)2")
WAVES = """name = "waves"
[input]
steps = 128
channels = 1
[output]
names = ["a \\"quoted\\" \\\\ name", "b", "\u00f6", "d", "e"]
[[layer]]
type = "conv1d"
name = "first"
channels = 4
kernel = 8
stride = 4
padding = [3, 2]
[[layer]]
type = "relu"
[[layer]]
type = "max_pool1d"
kernel = 3
stride = 2
[[layer]]
type = "conv1d"
channels = 6
kernel = 3
dilation = 2
groups = 2
bias = false
[[layer]]
type = "relu"
[[layer]]
type = "conv_transpose1d"
channels = 4
kernel = 5
stride = 3
padding = 1
output_padding = 2
[[layer]]
type = "relu"
[[layer]]
type = "global_avg_pool1d"
[[layer]]
type = "linear"
features = 5
[training]
batch = 4
lr = 0.02
momentum = 0.9
schedule = "linear"
"""
POOLS = """name = "pools"
input = { steps = 128, channels = 1 }
layer = [
  { type = "conv1d", channels = 4, kernel = 8, stride = 4 }, { type = "relu" },
  { type = "avg_pool1d", kernel = 3, stride = 2, padding = 1, count_include_pad = false },
  { type = "conv_transpose1d", channels = 6, kernel = 3, stride = 2, groups = 2 }, { type = "softmax" },
  { type = "adaptive_avg_pool1d", steps = 7 }, { type = "flatten" },
  { type = "linear", features = 5 },
]
training = { batch = 4, lr = 0.02, schedule = "linear" }
"""
MIXED_RECIPE = """name = "mixed"
base = "int8"
margin = 1.7
decay = 0.95
rounding = { wire = "half_even" }
[layer.first]
activation = "sym10"
"""


class Board:
    """How a program is linked for an emulated board."""

    def __init__(self, name, core, flags, flash, ram):
        self.name, self.core, self.flags = name, core, ["-mthumb", *flags]
        symbols = dict(zip(("flash_start", "flash_bytes", "ram_start", "ram_bytes"), (*flash, *ram)))
        self.memory = ["-Wl," + ",".join(f"--defsym={name}={value:#x}" for name, value in symbols.items())]


MICROBIT = Board("microbit", "cm0", ["-mcpu=cortex-m0"], (0, 256 << 10), (0x20000000, 16 << 10))
NETDUINO = Board("netduinoplus2", "cm4", ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
                 (0x08000000, 1024 << 10), (0x20000000, 192 << 10))
AN547 = Board("mps3-an547", "cm55", ["-mcpu=cortex-m55+nomve.fp", "-mfloat-abi=hard"], (0x10000000, 512 << 10),
              (0x30000000, 512 << 10))


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def floats(path):
    """Values of a float32 .npy file, as text for C++."""
    data = path.read_bytes()
    assert data[:7] == b"\x93NUMPY\x01" and b"'<f4'" in data[:128]
    start = 10 + struct.unpack("<H", data[8:10])[0]
    return [value.hex() + "f" for value, in struct.iter_unpack("<f", data[start:])]


def labels(path):
    """Values of an .npy file of integers of any width."""
    data = path.read_bytes()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    kind = re.search(rb"'descr': '[<|]([iu]\d)'", data)[1].decode()
    code = {"i1": "b", "u1": "B", "i2": "h", "i4": "i", "i8": "q"}[kind]
    return [str(value) for value, in struct.iter_unpack("<" + code, data[start:])]


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mantissa_export_"))
        cls.data = cls.folder / "beats"
        run(MANTISSA, "generate", "ecg", "-o", cls.data, "--beats-train", TRAIN_SAMPLES, "--beats-test", TEST_SAMPLES)
        cls.waves = cls.folder / "waves.toml"
        cls.waves.write_text(WAVES)
        cls.pools = cls.folder / "pools.toml"
        cls.pools.write_text(POOLS)
        cls.mixed = cls.folder / "mixed.toml"
        cls.mixed.write_text(MIXED_RECIPE)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def train(self, name, *words):
        """Returns the results of the PC and the saved model."""
        saved, results = self.folder / f"{name}.mnt", self.folder / f"{name}.json"
        run(MANTISSA, "train", *words, "--data", self.data, "--save", saved, "--json", results)
        return json.loads(results.read_text()), saved

    def export(self, *words):
        out = Path(tempfile.mkdtemp(dir=self.folder))
        text = run(MANTISSA, "export", *words, "-o", out)
        name, = {path.stem for path in out.iterdir()}
        self.assertEqual({path.name for path in out.iterdir()}, {f"{name}.hpp", f"{name}.cpp"})
        header = (out / f"{name}.hpp").read_text()
        printed = re.search(r"arena +([\d,]+) bytes", text)[1].replace(",", "")
        self.assertIn(f"kArenaBytes = {printed};", header)
        return out, name

    def write_samples(self, out, name, start, epochs):
        """The header that makes program.cpp a program of this model."""
        def array(kind, part, values, per_row):
            rows = [values[i:i + per_row] for i in range(0, len(values), per_row)]
            inner = f"[{per_row}]" if per_row > 1 else ""
            text = ",\n".join("{" + ", ".join(row) + "}" if per_row > 1 else row[0] for row in rows)
            return f"constexpr {kind} {part}[{len(rows)}]{inner} = {{\n{text}}};\n"
        (out / "samples.hpp").write_text(
            f'#pragma once\n#include "{name}.hpp"\nnamespace model = {name};\n'
            f"constexpr int32_t kTrainSamples = {TRAIN_SAMPLES}, kTestSamples = {TEST_SAMPLES};\n"
            f"constexpr uint32_t kEpochs = {epochs}, kSeed = {SEED};\n"
            "constexpr auto kSchedule = mantissa::Schedule::kLinear;\n"
            f"inline bool start() {{ {start}; }}\n" +
            array("float", "kTrainX", floats(self.data / "train_x.npy"), 128) +
            array("float", "kTestX", floats(self.data / "test_x.npy"), 128) +
            array("int32_t", "kTrainY", labels(self.data / "train_y.npy"), 1) +
            array("int32_t", "kTestY", labels(self.data / "test_y.npy"), 1))

    def output_of(self, out, name, board=None):
        """Compiles the program and runs it."""
        sources = [out / f"{name}.cpp", ROOT / "tests/export/program.cpp"]
        program = out / "program"
        includes = ["-std=c++20", f"-I{ROOT}", f"-I{ROOT / 'core'}", f"-I{out}", "-ffp-contract=off", *WARNINGS]
        if board is None:
            compiler, core, *flags = COMPILERS
            run(compiler, *includes, "-O1", *flags, *sources, ROOT / "examples/print_host.cpp", core, "-o", program)
            return run(program)
        run("arm-none-eabi-g++", *board.flags, *includes, "-O2", "-ffunction-sections", "-fdata-sections",
            "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-nostartfiles", "--specs=nano.specs",
            "-T", ROOT / "firmware/sections.ld", *board.memory, "-Wl,--gc-sections,--no-warn-rwx-segments",
            *sources, ROOT / "examples/print_board.cpp", ROOT / "firmware/startup.cpp",
            BOARDS / board.core / "libmantissa_core.a", "-o", program)
        return run("qemu-system-arm", "-M", board.name, "-kernel", program, "-display", "none", "-serial", "null",
                   "-monitor", "none", "-semihosting-config", "enable=on,target=native")

    def check_kernels(self, program, kernels):
        """Of an 8-bit plan: it links the kernels that it calls, made for its operands."""
        symbols = [line[11:] for line in run("arm-none-eabi-nm", "-C", program).splitlines()]
        linked = {match[1] for match in map(re.compile(r"mantissa::\w+Kernels<.*>::(\w+)\(").match, symbols) if match}
        self.assertEqual(linked, kernels)
        self.assertEqual([name for name in symbols if NOT_FOR_INT8.search(name)], [])

    def expect_same(self, out, name, results, board=None, start="model::init(kSeed); return true", epochs=EPOCHS, first=None):
        self.write_samples(out, name, start, epochs)
        output = self.output_of(out, name, board)
        correct = round(results["test_accuracy"] * TEST_SAMPLES)
        self.assertIn(f"hash {results['weights_hash']}\ncorrect {correct} of {TEST_SAMPLES}\n", output)
        if first is not None:
            self.assertIn(f"start {first['weights_hash']}\n", output)

    def check(self, model, recipe, batch=1, board=None, kernels="ref"):
        """Trains from a seed, with normalisation and input range from the PC's training."""
        results, saved = self.train("anew", model, "--recipe", recipe, "--epochs", EPOCHS, "--batch", batch,
                                    "--lr", 0.02, "--seed", SEED)
        out, name = self.export(saved, "--batch", batch, "--lr", 0.02, "--kernels", kernels)
        self.expect_same(out, name, results, board)
        return out / "program"


class OnThePc(Export):
    def test_trains_as_the_pc(self):
        for model, recipe, batch in [(ECG, "int8", 1), (self.waves, "int8", 4), (self.waves, "float32", 1),
                                     (self.waves, "sym8", 1), (self.waves, "sym12", 4), (self.waves, self.mixed, 1),
                                     (self.pools, "int8", 4), (self.pools, "float32", 1), (self.pools, "sym12", 1)]:
            with self.subTest(model=Path(model).name, recipe=str(recipe), batch=batch):
                self.check(model, recipe, batch)

    def test_goes_on_from_the_weights_of_the_pc(self):
        for recipe, batch in [("int8", 1), ("float32", 4)]:
            with self.subTest(recipe=recipe):
                options = ["--batch", batch, "--lr", 0.02]
                first, saved = self.train("first", self.waves, "--recipe", recipe, "--epochs", EPOCHS, *options,
                                          "--seed", SEED)
                results, _ = self.train("second", "--resume", saved, "--epochs", 2 * EPOCHS)
                out, name = self.export(saved, "--weights", *options)
                self.expect_same(out, name, results, start="return model::init_trained().ok()", epochs=2 * EPOCHS, first=first)

    def test_a_trained_state_is_as_specified(self):
        # SPEC 11, read by another implementation.
        options = ["--batch", 1, "--lr", 0.02]
        _, saved = self.train("state", self.waves, "--epochs", EPOCHS, *options, "--seed", SEED)
        out, name = self.export(saved, "--weights", *options)
        source = (out / f"{name}.cpp").read_text()
        array = re.search(r"kTrained\[\] = \{(.*?)\};", source, re.S)[1]
        state = bytes(int(byte, 16) for byte in re.findall(r"0x(..)\b", array))
        fingerprint = int(re.search(r"checkpoint_fingerprint.*?== 0x(\w+)u", source, re.S)[1], 16)
        body = state[32:]
        self.assertEqual(struct.unpack("<4sIQIIII", state[:32]),
                         (b"MNTC", 1, fingerprint, 1, len(body), zlib.crc32(body), zlib.crc32(state[:28])))
        self.assertEqual(struct.unpack("<QII", body[:16]), (SEED, EPOCHS * TRAIN_SAMPLES, 1))


class OnBoards(Export):
    def setUp(self):
        for board in (MICROBIT, NETDUINO, AN547):
            if not (BOARDS / board.core / "libmantissa_core.a").exists():
                self.skipTest(f"no {BOARDS / board.core}: ./dev firmware builds it")

    def test_microbit(self):
        for kernels in ("ref", "small"):
            with self.subTest(kernels=kernels):
                program = self.check(self.waves, "int8", board=MICROBIT, kernels=kernels)
                self.check_kernels(program, WAVES_KERNELS)
        self.check_kernels(self.check(self.pools, "int8", board=MICROBIT), POOLS_KERNELS)

    def test_netduino(self):
        for kernels in ("ref", "dsp"):
            with self.subTest(kernels=kernels):
                program = self.check(ECG, "int8", board=NETDUINO, kernels=kernels)
                self.check_kernels(program, ECG_KERNELS)

    def test_an547(self):
        self.check_kernels(self.check(ECG, "int8", board=AN547, kernels="mve"), ECG_KERNELS)


def main():
    global MANTISSA, BOARDS, COMPILERS
    if sys.argv[1] == "--boards":
        MANTISSA, BOARDS = sys.argv[2], Path(sys.argv[3])
        missing = [tool for tool in ("arm-none-eabi-g++", "qemu-system-arm") if shutil.which(tool) is None]
        if missing:
            print(f"skipped: {' and '.join(missing)} not found (./dev setup installs them)")
            return
    else:
        MANTISSA, COMPILERS = sys.argv[1], sys.argv[2:]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(OnThePc if BOARDS is None else OnBoards)
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)


if __name__ == "__main__":
    main()
