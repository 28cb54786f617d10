"""Trains on emulated boards by `mantissa device run`, on random data: bytes and instructions hardly depend on it."""

import json
import pathlib
import random
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANTISSA = ROOT / "build/host-release/mantissa"
FIRMWARE = ROOT / "build"
CORES = {"microbit": "cm0", "stm32vldiscovery": "cm3", "mps2-an385": "cm3", "netduinoplus2": "cm4", "mps2-an386": "cm4",
         "mps2-an500": "cm7", "mps2-an505": "cm33", "mps3-an547": "cm55"}
QEMU = ["qemu-system-arm", "-display", "none", "-serial", "null", "-monitor", "none", "-semihosting-config",
        "enable=on,target=native"]


class Model:
    """A model file, and the shape of its samples as they are stored."""

    def __init__(self, title, shape, classes, path):
        self.title, self.shape, self.classes, self.path = title, shape, classes, path


def perceptron(inputs, hidden, outputs, folder):
    """Writes the model file of a perceptron with one hidden layer. Its learning rate keeps training on random data stable."""
    layers = [f'type = "linear"\nfeatures = {hidden}', 'type = "relu"', f'type = "linear"\nfeatures = {outputs}']
    path = pathlib.Path(folder) / f"mlp{inputs}.toml"
    path.write_text(f'name = "mlp{inputs}"\n[input]\nsteps = 1\nchannels = {inputs}\n[output]\nclasses = {outputs}\n' +
                    "".join(f"[[layer]]\n{layer}\n" for layer in layers) +
                    f"[training]\nepochs = 1\nbatch = 1\nlr = {0.05 / inputs:.1e}\nmomentum = 0.9\n")
    return Model(f"MLP {inputs}-{hidden}-{outputs}", (inputs,), outputs, path)


def normalized(features, folder):
    """Writes the model file of two dense layers with a LayerNorm between them."""
    layers = [f'type = "linear"\nfeatures = {features}', 'type = "layer_norm"', f'type = "linear"\nfeatures = {features}']
    path = pathlib.Path(folder) / f"norm{features}.toml"
    path.write_text(f'name = "norm{features}"\nloss = "mse"\n[input]\nsteps = 1\nchannels = {features}\n' +
                    "".join(f"[[layer]]\n{layer}\n" for layer in layers) +
                    f"[training]\nepochs = 1\nbatch = 1\nlr = {0.05 / features:.1e}\nmomentum = 0.9\n")
    return Model(f"Linear {features} - LayerNorm - Linear {features}, MSE", (features,), features, path)


def models(folder):
    """Those of the tables, by name."""
    return {"har": Model("HAR CNN", (9, 128), 6, ROOT / "examples/har/har.toml"),
            "ecg": Model("ECG CNN", (1, 128), 5, ROOT / "examples/ecg/ecg.toml"),
            "ecg_autoencoder": Model("ECG autoencoder", (1, 140), 5, ROOT / "examples/ecg_autoencoder/ecg_autoencoder.toml"),
            "chain": Model("Linear - LayerNorm - Linear", (1, 128), 5, ROOT / "examples/chain/chain.toml"),
            "mnist": Model("MLP 784-128-10", (784, 1), 10, ROOT / "examples/digits/mlp.toml"),
            "digits": Model("digits CNN", (28, 28), 10, ROOT / "examples/digits/cnn.toml"),
            "spoken_digits": Model("speech CNN", (49, 10), 10, ROOT / "examples/spoken_digits/on_device.toml"),
            "mlp32": perceptron(32, 16, 10, folder), "mlp64": perceptron(64, 32, 10, folder),
            "mlp784": perceptron(784, 128, 10, folder), "norm256": normalized(256, folder)}


def write_npy(path, shape, kind, code, values):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(128 - 10 - 1) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                     struct.pack(f"<{len(values)}{code}", *values))


def write_data(folder, model, samples, seed=1):
    """Normally distributed values; classes in turn, as the largest label tells how many there are."""
    draw = random.Random(seed)
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    size = 1
    for extent in model.shape:
        size *= extent
    for part in ("train", "test"):
        write_npy(folder / f"{part}_x.npy", (samples, *model.shape), "<f4", "f",
                  [draw.gauss(0, 1) for _ in range(samples * size)])
        write_npy(folder / f"{part}_y.npy", (samples,), "|u1", "B", [i % model.classes for i in range(samples)])
    return folder


def device_run(model, data, folder, *options, firmware=None, may_be_too_large=False):
    """Returns the results, as `mantissa device run --json` writes them; None if the board's memory is too small."""
    out = pathlib.Path(folder) / "result.json"
    words = [MANTISSA, "device", "run", model.path, "--data", data, "--firmware", firmware or FIRMWARE, "--json", out,
             *options]
    run = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if may_be_too_large and "bytes of RAM" in run.stderr:
        return None
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\n{run.stdout}{run.stderr}")
    return json.loads(out.read_text())


def run_program(path, board):
    """Runs a program of its own on a board; returns what subprocess.run() does."""
    return subprocess.run([*QEMU, "-M", board, "-kernel", path], capture_output=True, text=True, timeout=300)


def core_title(board):
    return f"Cortex-{CORES[board][1:].upper()}"
