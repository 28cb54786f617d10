#!/usr/bin/env python3
"""Runs the program as a person does: good and bad input, messages, exit codes, files, Ctrl-C.

Usage: cli_test.py PATH_OF_MANTISSA
"""
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = ""
SOURCES = Path(__file__).resolve().parent.parent
JSON_KEYS = """test_accuracy test_loss macro_f1 train_loss samples_per_second parameters arena_bytes peak_bytes saturated
    weights_hash recipe seed confusion_matrix train_accuracy epochs batch version kernels""".split()


def npy(shape, kind, values) -> bytes:
    """An .npy file of version 1."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(128 - 10 - 1) + "\n"
    code = {"<f4": "f", "|u1": "B", "<f8": "d"}[kind]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{code}", *values)


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mantissa_cli_"))
        cls.data = cls.folder / "beats"
        cls.model = SOURCES / "examples/ecg/ecg.toml"
        done = cls.run_program("generate", "ecg", "-o", cls.data, "--beats-train", 200, "--beats-test", 50)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @staticmethod
    def run_program(*words):
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}  # as a person has it who pipes the output
        return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120, env=environment)

    def train(self, *words, model=None):
        return self.run_program("train", model or self.model, "--data", self.data, *words)

    def expect_error(self, done, exit_code, *parts):
        """One line on stderr with all the parts, and nothing new in the folder."""
        self.assertEqual(done.returncode, exit_code, done.stderr)
        self.assertRegex(done.stderr, r"\Amantissa: error: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(str(part), done.stderr)

    def copy_of_data(self, name):
        copy = self.folder / name
        shutil.copytree(self.data, copy)
        return copy

    def test_help_has_an_example_for_each_command(self):
        for words in [[], ["train"], ["eval"], ["plan"], ["check"], ["export"], ["demo"], ["generate"], ["generate", "ecg"], ["features"], ["import"], ["kernels"],
                      ["device"], ["device", "list"], ["device", "run"]]:
            done = self.run_program(*words, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"Example: mantissa ")
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 120, words)
        self.assertRegex(self.run_program("--version").stdout, r"\Amantissa \d+\.\d+\.\d+\n\Z")

    def test_training_gives_results_as_text_and_json(self):
        results, saved = self.folder / "r.json", self.folder / "m.mnt"
        done = self.train("--epochs", 3, "--batch", 8, "--seed", 5, "--json", results, "--save", saved)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertEqual(re.findall(r"^epoch (\d)/3  loss [\d.]+  accuracy +[\d.]+ %  +[\d,]+/s$", done.stdout, re.M),
                         ["1", "2", "3"])
        r = json.loads(results.read_text())
        for key in JSON_KEYS:
            self.assertIn(key, r)
        self.assertEqual(len(r["train_loss"]), 3)
        self.assertEqual((r["seed"], r["batch"], r["epochs"], r["recipe"]), (5, 8, 3, "int8"))
        self.assertEqual(r["peak_bytes"], r["arena_bytes"])
        self.assertRegex(r["weights_hash"], r"\A[0-9a-f]{16}\Z")
        self.assertIn(r["weights_hash"], done.stdout)
        matrix = r["confusion_matrix"]
        self.assertEqual(sum(map(sum, matrix)), 50)
        self.assertAlmostEqual(sum(matrix[i][i] for i in range(5)) / 50, r["test_accuracy"])
        f1 = [2 * matrix[i][i] / max(1, sum(matrix[i]) + sum(row[i] for row in matrix)) for i in range(5)]
        self.assertAlmostEqual(sum(f1) / 5, r["macro_f1"], places=6)

        evaluated, test_files = self.folder / "e.json", self.folder / "test_files"
        test_files.mkdir()
        for name in ["test_x.npy", "test_y.npy"]:
            shutil.copy(self.data / name, test_files)
        done = self.run_program("eval", saved, "--data", test_files, "--json", evaluated)
        self.assertEqual(done.returncode, 0, done.stderr)
        e = json.loads(evaluated.read_text())
        for key in ["test_accuracy", "test_loss", "macro_f1", "weights_hash", "confusion_matrix", "parameters", "seed"]:
            self.assertEqual(e[key], r[key], key)

    def test_fine_tuning_starts_with_saved_parameters(self):
        base, tuned, results = (self.folder / name for name in ["base.mnt", "tuned.mnt", "tuned.json"])
        self.assertEqual(self.train("--epochs", 1, "--save", base).returncode, 0)
        tune = ["train", "--from", base, "--data", self.data]
        convolutions = [line.split()[0] for line in self.run_program("plan", self.model).stdout.splitlines()
                        if re.match(r" +conv\d+ +weights ", line)]
        self.assertTrue(convolutions)
        done = self.run_program(*tune, "--freeze", ",".join(convolutions), "--epochs", 2, "--batch", 10, "--lr", 0.01,
                                "--save", tuned, "--json", results)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"starts with the parameters of .*base.mnt, \d+ updates old")
        self.assertEqual(json.loads(results.read_text())["epochs"], 2)
        again = self.run_program("eval", tuned, "--data", self.data)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.expect_error(self.run_program(*tune, "--freeze", "conv7"), 1, "no layer 'conv7' with parameters", "did you mean")
        everything = ",".join(convolutions + ["linear1"])
        self.expect_error(self.run_program(*tune, "--freeze", everything), 1, "no layer", "is left to train")
        self.expect_error(self.run_program(*tune, self.model), 1, "several of a model file, --resume and --from")
        self.expect_error(self.run_program(*tune, "--recipe", "int8"), 2, "--recipe")
        self.expect_error(self.train("--freeze", "conv1"), 2, "--freeze")

    def test_samples_cuts_the_training_set(self):
        results = self.folder / "first.json"
        done = self.train("--samples", 50, "--batch", 20, "--epochs", 2, "--json", results)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("50 training samples, 50 test samples", done.stdout)
        r = json.loads(results.read_text())
        self.assertEqual(r["steps"], 6)
        self.assertEqual(sum(map(sum, r["confusion_matrix"])), 50)
        self.expect_error(self.train("--samples", 201), 1, "--samples 201", "has 200 training samples")
        self.expect_error(self.train("--samples", 0), 2, "--samples", "from 1 to")

    def test_nothing_but_the_seed_changes_the_bits(self):
        def weights_hash(*words):
            done = self.train("--epochs", 2, "--batch", 10, *words)
            return re.search(r"weights hash +([0-9a-f]{16})", done.stdout)[1]

        kernels = [line.split()[0] for line in self.run_program("kernels").stdout.splitlines()]
        self.assertEqual((kernels[0], kernels[-1]), ("best", "ref"))
        for recipe in ["float32", "int8"]:
            wanted = weights_hash("--recipe", recipe)
            for name in kernels:
                self.assertEqual(weights_hash("--recipe", recipe, "--kernels", name), wanted, name)
            self.assertEqual(weights_hash("--recipe", recipe, "--threads", 2, "--micro-batch", 3), wanted)
            self.assertNotEqual(weights_hash("--recipe", recipe, "--seed", 2), wanted)

    def test_the_learning_rate_follows_the_batch_unless_it_is_given(self):
        usual = int(re.search(r"^batch = (\d+)", self.model.read_text(), re.M)[1])
        rate = float(re.search(r"^lr = ([\d.]+)", self.model.read_text(), re.M)[1])
        done = self.train("--epochs", 1, "--batch", usual // 4)
        self.assertIn(f"batch {usual // 4} ", done.stdout)
        self.assertIn(f"lr {rate / 4:g} ", done.stdout)
        self.assertIn("lr 0.125 ", self.train("--epochs", 1, "--batch", usual // 4, "--lr", 0.125).stdout)

    def test_plan_prints_tables(self):
        done = self.run_program("plan", self.model, "--recipe", "sym12", "--batch", 4, "--no-momentum")
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ["recipe sym12", "batch 4", "no momentum", "tensors", "steps", "arena", "overflow proofs", "conv1"]:
            self.assertIn(part, done.stdout)
        self.assertNotIn("optimizer state", done.stdout)

    def test_check_proves_and_shows_roundings_and_conversions(self):
        report = self.folder / "check.json"
        for recipe, rounding in [("int8", "stochastic"), ("sym12", "dynamic, of each sample")]:
            done = self.run_program("check", self.model, "--recipe", recipe, "--batch", 16, "--json", report)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for part in [f"recipe {recipe}", "batch 16", "overflow proofs", "roundings", "formats that meet", rounding,
                         "conv2 error to the layer before", "fused: done on the sums"]:
                self.assertIn(part, done.stdout)
            self.assertRegex(done.stdout, r"\nproved: nothing overflows; \d+ sums, bits to spare in the tightest: \d+ \(\w+, [\w ]+\)\n\Z")
            self.assertTrue(json.loads(report.read_text())["proved"])

    def test_check_refuses_what_cannot_be_proved(self):
        model, wide, report = [self.folder / name for name in ["long.toml", "wide.toml", "refused.json"]]
        model.write_text('name = "long"\n[input]\nchannels = 4096\n[[layer]]\ntype = "linear"\nfeatures = 3\n')
        wide.write_text('name = "wide"\nbase = "sym12"\nactivation = "sym16"\nerror = "sym16"\nweight = "sym16"\n')
        done = self.run_program("check", model, "--recipe", wide)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("32 bits for 2 terms at a time", done.stdout)
        self.assertIn("1 of them folded into 64 bits", done.stdout)
        wide.write_text(wide.read_text() + 'accumulation = "int32"\n')
        refused = ["linear1", "4096 products of 16-bit and 16-bit codes", "at most 1 are proved to fit"]
        self.expect_error(self.run_program("check", model, "--recipe", wide, "--json", report), 1, *refused)
        self.expect_error(self.run_program("plan", model, "--recipe", wide), 1, *refused)
        self.assertFalse(report.exists())
        model.write_text('name = "long"\n[input]\nchannels = 8\n[[layer]]\ntype = "linear"\nfeatures = 8\noutput = "accumulator"\n'
                         '[[layer]]\ntype = "layer_norm"\n[[layer]]\ntype = "linear"\nfeatures = 3\n')
        self.expect_error(self.run_program("check", model), 1, "linear1", "only a quantize can read; put one behind it")

    def test_wrong_use_names_the_option(self):
        wrong = [
            (["--batch", 0], "--batch: 0 is out of range; it must be from 1 to"),
            (["--batch", "many"], "--batch: 'many' is not a whole number"),
            (["--epochs", 0], "--epochs: 0 is out of range"),
            (["--epochs", 1.5], "--epochs: '1.5' is not a whole number"),
            (["--lr", "nan"], "--lr: nan is out of range"),
            (["--momentum", 1], "--momentum: 1 is out of range"),
            (["--threads", 0], "--threads: 0 is out of range"),
            (["--schedule", "cosine"], "--schedule: 'cosine' is neither constant nor linear"),
            (["--epoch", 3], "unknown option '--epoch'; did you mean '--epochs'?"),
            (["--seed", "x"], "--seed"),
            (["--resume", "x", "--batch", 3], "--batch"),
        ]
        for words, message in wrong:
            self.expect_error(self.train(*words), 2, message, "mantissa train --help")
        self.expect_error(self.run_program(), 2, "a command is required")
        self.expect_error(self.run_program("trains"), 2, "unknown command 'trains'; did you mean 'train'?")
        self.expect_error(self.run_program("train", self.model), 2, "--data is required")
        self.expect_error(self.run_program("generate"), 2, "a command is required: ecg")

    def test_bad_input_is_one_clear_error(self):
        data = self.data
        self.expect_error(self.train("--micro-batch", 99), 1, "micro-batch is 99", "from 1 to the batch")
        self.expect_error(self.train("--recipe", "int9"), 1, "recipe 'int9'", "did you mean 'int8'?")
        self.expect_error(self.train("--kernels", "avx9"), 1, "kernels 'avx9'", "did you mean")
        self.expect_error(self.train(model="no.toml"), 1, "no.toml", "No such file")
        self.expect_error(self.run_program("train", "--data", data), 1, "MODEL.toml", "--resume")
        self.expect_error(self.run_program("train", self.model, "--data", self.folder / "no"), 1, "no such folder")
        self.expect_error(self.run_program("eval", self.model, "--data", data), 1, self.model, "not a saved model")

        broken = self.folder / "broken.toml"
        broken.write_text(self.model.read_text().replace("kernel = 7", "kernal = 7"))
        self.expect_error(self.train(model=broken), 1, "broken.toml", "unknown key 'kernal'", "did you mean 'kernel'?")
        broken.write_text(self.model.read_text().replace('type = "flatten"', 'type = "relu"'))
        self.expect_error(self.train(model=broken), 1, "linear1", "8 steps arrive")

    def test_overflow_can_be_an_error_that_names_the_tensor(self):
        narrow, saved = self.folder / "narrow.toml", self.folder / "narrow.mnt"
        narrow.write_text('name = "narrow"\nbase = "int8"\nmargin = 0.125\n')
        self.expect_error(self.train("--recipe", narrow, "--overflow=error", "--save", saved), 1, "in update 1", " of conv1 output")
        self.assertFalse(saved.exists())
        done = self.train("--recipe", narrow, "--overflow", "count", "--epochs", 1, "--save", saved)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.expect_error(self.run_program("eval", saved, "--data", self.data, "--overflow=error"), 1, "in the evaluation")
        self.expect_error(self.train("--overflow", "wrap"), 2, "'wrap' is neither count nor error")

    def test_a_batch_norm_is_trained_evaluated_and_folded(self):
        model, saved, out = self.folder / "normed.toml", self.folder / "normed.mnt", self.folder / "folded"
        layers = self.model.read_text().split("[[layer]]")
        layers.insert(2, '\ntype = "batch_norm"\n\n')
        model.write_text("[[layer]]".join(layers))
        self.expect_error(self.train("--batch", 8, "--micro-batch", 4, model=model), 1, "batch_norm1", "micro-batch is 4 and the batch 8",
                          "group_norm")
        for recipe in ["float32", "int8"]:
            done = self.train("--batch", 8, "--epochs", 1, "--recipe", recipe, "--save", saved, model=model)
            self.assertEqual(done.returncode, 0, done.stderr)
            evaluated = self.run_program("eval", saved, "--data", self.data)
            self.assertEqual(evaluated.returncode, 0, evaluated.stderr)
            self.assertEqual(self.run_program("train", "--resume", saved, "--data", self.data, "--epochs", 2).returncode, 0)
            self.expect_error(self.run_program("export", saved, "-o", out), 1, "batch_norm", "--fold")
            done = self.run_program("export", saved, "--fold", "--weights", "-o", out)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("folded: batch_norm1", done.stdout)
            self.assertNotIn("batch_norm", (out / "ecg.cpp").read_text())
            self.assertIn("--fold --weights", (out / "ecg.hpp").read_text())

    def test_an_export_says_what_it_takes(self):
        out = self.folder / "exported" / "deep"
        done = self.run_program("export", self.model, "--recipe", "int8", "--input-range", 9.5, "-o", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?s)recipe int8, batch 1, lr 0\.0015625, momentum 0\.9.*arena +[\d,]+ bytes.*"
                                      r"written to .*deep/ecg\.hpp and .*deep/ecg\.cpp\n\Z")
        self.assertEqual(sorted(path.name for path in out.iterdir()), ["ecg.cpp", "ecg.hpp"])
        header = (out / "ecg.hpp").read_text()
        for part in ["mantissa export ", " --recipe int8 --name ecg --kernels ref --batch 1 ", "float input_range = 9.5f",
                     '"normal", "ventricular"']:
            self.assertIn(part, header)

    def test_what_cannot_be_exported_is_one_clear_error(self):
        saved, out = self.folder / "sym8.mnt", self.folder / "not_exported"
        self.assertEqual(self.train("--epochs", 1, "--recipe", "sym8", "--save", saved).returncode, 0)
        occupied = self.folder / "occupied"
        (occupied / "ecg.cpp").mkdir(parents=True)
        for words, parts in [
                ([self.model, "--recipe", "int9"], ["'int9'", "did you mean 'int8'?"]),
                ([saved, "--recipe", "int8"], ["sym8.mnt", "'sym8', not 'int8'"]),
                ([self.model, "--weights"], ["ecg.toml", "saved models"]),
                ([self.model, "--kernels", "avx2"], ["'avx2'", "'ref', 'small', 'dsp', 'mve'"]),
                ([self.model, "--name", "3d"], ["'3d'", "'model_3d' would do"]),
                ([self.model, "--name", "class"], ["'class'", "'model_class' would do"]),
                ([self.model, "--input-range", -1], ["-1", "positive"]),
                ([self.data / "train_x.npy"], ["train_x.npy", "not TOML"]),
                ([self.folder / "none.mnt"], ["none.mnt", "cannot be read"])]:
            self.expect_error(self.run_program("export", *words, "-o", out), 1, *parts)
            self.assertFalse(out.exists())
        self.expect_error(self.run_program("export", self.model, "-o", self.model / "x"), 1, "ecg.toml/x", "folder")
        self.expect_error(self.run_program("export", self.model, "-o", occupied), 1, "ecg.cpp", "not a regular file")
        self.assertEqual(sorted(path.name for path in occupied.iterdir()), ["ecg.cpp"])

    def test_weights_are_imported_and_trained_on(self):
        import zipfile
        model = self.folder / "small.toml"
        model.write_text('name = "small"\n[input]\nsteps = 128\nchannels = 1\n[output]\nclasses = 5\n[[layer]]\ntype = "flatten"\n'
                         '[[layer]]\ntype = "linear"\nfeatures = 5\n[training]\nepochs = 1\n')
        weights, saved = self.folder / "w.npz", self.folder / "imported.mnt"
        with zipfile.ZipFile(weights, "w") as archive:
            archive.writestr("net.0.weight.npy", npy((5, 128), "<f8", [i % 7 / 100 for i in range(640)]))
            archive.writestr("net.0.bias.npy", npy((5,), "<f4", [0.5, 0, 0, 0, 0]))
        for recipe in ["float32", "int8"]:
            done = self.run_program("import", model, weights, "--data", self.data, "--recipe", recipe, "-o", saved)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"linear1 +net\.0 +by order +weight \[5, 128\], bias \[5\]")
            done = self.run_program("eval", saved, "--data", self.data)
            if recipe == "float32":
                self.assertEqual(done.returncode, 0, done.stderr)
            else:
                self.expect_error(done, 1, "imported.mnt: recipe int8 sets its scales in the first batch of training")
            done = self.run_program("train", "--resume", saved, "--data", self.data)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_program("import", model, weights, "-o", saved)
        self.assertEqual(self.run_program("eval", saved, "--data", self.data).returncode, 0)
        other = self.folder / "other.mnt"
        for words, parts in [(["--map", "linear1=net.1"], ["no tensors 'net.1.weight'", "did you mean 'net.0'?"]),
                             (["--map", "linear1"], ["LAYER=NAME"])]:
            self.expect_error(self.run_program("import", model, weights, "-o", other, *words), 1, *parts)
        self.expect_error(self.run_program("import", self.model, weights, "-o", other), 1, "nothing fits layer 'conv1' (weight [8, 1, 7], bias [8])")
        self.expect_error(self.run_program("import", model, model, "-o", other), 1, "small.toml: neither .npz nor .safetensors")
        self.assertFalse(other.exists())

    def test_recordings_become_features(self):
        def wav(rate, channels=1):
            sound = struct.pack("<400h", *[(i * 7919) % 20000 - 10000 for i in range(400)])
            head = struct.pack("<HHIIHH", 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
            return b"RIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(sound)) + sound
        words, out = self.folder / "words", self.folder / "features"
        words.mkdir()
        for name in ["0_a_0", "1_a_0", "0_a_9", "1_a_9"]:
            (words / f"{name}.wav").write_bytes(wav(8000))
        done = self.run_program("features", words, "-o", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 training and 2 test recordings of 49 frames x 10 features", done.stdout)
        done = self.run_program("train", SOURCES / "examples/spoken_digits/spoken_digits.toml", "--data", out, "--epochs", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        (words / "0_a_9.wav").write_bytes(wav(16000, 2))
        self.expect_error(self.run_program("features", words, "-o", self.folder / "no"), 1, "0_a_9.wav: 2 channels, 16000 Hz", "mono, 8000 Hz")
        self.assertFalse((self.folder / "no").exists())

    def test_bad_data_is_one_clear_error(self):
        data = self.copy_of_data("bad")

        def expect(file, content, *parts):
            good = (data / file).read_bytes()
            (data / file).write_bytes(content)
            self.expect_error(self.run_program("train", self.model, "--data", data), 1, file, *parts)
            (data / file).write_bytes(good)

        samples = [0.0] * (50 * 128)
        expect("train_x.npy", (data / "train_x.npy").read_bytes()[:-10])
        expect("test_x.npy", npy((50, 128), "<f8", samples), "float32")
        expect("test_x.npy", npy((50, 1, 64), "<f4", samples[: 50 * 64]), "[50, 1, 64]")
        samples[3 * 128 + 7] = float("nan")
        expect("test_x.npy", npy((50, 1, 128), "<f4", samples), "sample 3", "step 7")
        expect("train_y.npy", npy((200,), "|u1", [5] * 200), "label 5")
        (data / "test_y.npy").unlink()
        self.expect_error(self.run_program("train", self.model, "--data", data), 1, "test_y.npy", "no such file")

    def test_outputs_are_checked_before_training(self):
        for option in ["--json", "--save"]:
            done = self.train(option, self.folder / "no" / "file")
            self.expect_error(done, 1, "cannot be written")
            self.assertEqual(done.stdout, "")
            self.expect_error(self.train(option, self.folder), 1, "not a regular file")
        before = sorted(os.listdir(self.folder))
        self.expect_error(self.train("--json", self.folder / "x.json", "--recipe", "int9"), 1)
        self.expect_error(self.run_program("train", self.model, "--data", "no", "--save", self.folder / "x"), 1)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def interrupt(self, process):
        """Sends Ctrl-C when the first epoch has been printed."""
        first = ""
        while not first.startswith("epoch"):
            first = process.stdout.readline()
            self.assertNotEqual(first, "")
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=60)

    def test_an_interrupted_run_is_saved_and_goes_on_with_the_same_bits(self):
        saved, results = self.folder / "i.mnt", self.folder / "i.json"
        epochs = 2000
        command = [PROGRAM, "train", self.model, "--data", self.data, "--recipe", "int8", "--schedule", "constant"]
        process = subprocess.Popen(list(map(str, command + ["--epochs", epochs, "--save", saved, "--json", results])),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = self.interrupt(process)
        self.assertEqual((process.returncode, err), (130, ""))
        self.assertIn("interrupted", out)
        self.assertIn(f"saved to {saved}", out)
        r = json.loads(results.read_text())
        self.assertTrue(r["interrupted"])
        self.assertIsNone(r["test_accuracy"])
        self.assertLess(r["epochs"], epochs)

        more = r["epochs"] + 2
        done = self.run_program("train", "--resume", saved, "--data", self.data, "--epochs", more, "--json", results)
        self.assertEqual(done.returncode, 0, done.stderr)
        resumed = json.loads(results.read_text())["weights_hash"]
        done = self.run_program(*command[1:], "--epochs", more, "--json", results)
        self.assertEqual(json.loads(results.read_text())["weights_hash"], resumed)

        self.expect_error(self.run_program("train", "--resume", saved, "--data", self.data, "--epochs", 1), 1, "--epochs")
        other = self.folder / "other"
        self.run_program("generate", "ecg", "-o", other, "--beats-train", 200, "--beats-test", 50, "--seed", 2)
        done = self.run_program("train", "--resume", saved, "--data", other, "--epochs", more)
        self.expect_error(done, 1, "not the one")

    def test_a_model_that_reproduces_its_input(self):
        model, saved = SOURCES / "examples/ecg_autoencoder/generated.toml", self.folder / "copy.mnt"
        results, table = self.folder / "copy.json", self.folder / "copy.csv"
        done = self.run_program("train", model, "--data", self.data, "--epochs", 2, "--save", saved, "--json", results)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^epoch 2/2  loss \d\.\d{4}  +[\d,]+/s$")
        trained = json.loads(results.read_text())["reconstruction"]
        done = self.run_program("eval", saved, "--data", self.data, "--json", results, "--reconstructions", table)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(results.read_text())["reconstruction"], trained)
        head, *rows = [line.split(",") for line in table.read_text().splitlines()]
        self.assertEqual((head[:3], len(head), len(rows)), (["label", "error", "x0"], 2 + 2 * 128, 50))
        for row in rows:
            error, x, y = float(row[1]), list(map(float, row[2:130])), list(map(float, row[130:]))
            self.assertAlmostEqual(sum((a - b) ** 2 for a, b in zip(x, y)) / 128 / error, 1, delta=2e-3)
        self.assertAlmostEqual(sum(float(row[1]) for row in rows) / 50, trained["test_error"], places=4)
        self.train("--epochs", 1, "--save", saved)
        done = self.run_program("eval", saved, "--data", self.data, "--reconstructions", table)
        self.expect_error(done, 1, "does not reproduce its input")

    def test_a_damaged_saved_file_is_refused(self):
        saved = self.folder / "d.mnt"
        self.assertEqual(self.train("--epochs", 1, "--save", saved).returncode, 0)
        good = saved.read_bytes()
        for bad in [good[:-1], good[:40], good[:100] + bytes([good[100] ^ 1]) + good[101:], b""]:
            saved.write_bytes(bad)
            self.expect_error(self.run_program("eval", saved, "--data", self.data), 1, saved)

    def slow_training(self):
        """Epochs of half a second: long enough for a bar."""
        data = self.folder / "more_beats"
        self.run_program("generate", "ecg", "-o", data, "--beats-train", 1500, "--beats-test", 5)
        return [PROGRAM, "train", self.model, "--data", data, "--epochs", 2, "--kernels", "ref"]

    def test_a_pipe_shows_lines_only(self):
        done = self.run_program(*self.slow_training()[1:])
        self.assertNotRegex(done.stdout, "[\r\x1b]")
        self.assertEqual(len(re.findall("^epoch", done.stdout, re.M)), 2)

    def test_a_terminal_shows_a_bar_that_is_removed_again(self):
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"this machine has no terminals to give: {error}")
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        command = self.slow_training()
        process = subprocess.Popen(list(map(str, command)), stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        seen = b""
        deadline = time.time() + 60
        while time.time() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    chunk = os.read(master, 65536)
                except OSError:
                    break
                if not chunk:
                    break
                seen += chunk
            elif process.poll() is not None:
                break
        os.close(master)
        self.assertEqual(process.wait(), 0)
        text = seen.decode()
        shown = [line.split("\r\x1b[K")[-1].split("\x1b[K")[-1] for line in text.replace("\r\n", "\n").split("\n")]
        self.assertEqual(sum(line.startswith("epoch ") for line in shown), 2)
        bar = re.search(r"\r(epoch 1/2  loss [^\r]*/s  \d+:\d\d left  ━*·+)\x1b\[K", text)
        self.assertIsNotNone(bar, text)
        self.assertNotIn(bar[1], "".join(shown))

    def test_generated_data_depends_on_the_seed_alone(self):
        folders = [self.folder / name for name in "abc"]
        for folder, seed in zip(folders, [1, 1, 2]):
            done = self.run_program("generate", "ecg", "-o", folder, "--beats-train", 10, "--beats-test", 5, "--seed", seed)
            self.assertEqual(done.returncode, 0, done.stderr)
        first, same, other = [(folder / "train_x.npy").read_bytes() for folder in folders]
        self.assertEqual(first, same)
        self.assertNotEqual(first, other)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
