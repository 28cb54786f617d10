"""Compares training speed with PyTorch's, and writes the table of docs/benchmarks.md.

Machines are noisy and differ, so only numbers of one run count: in each round every system takes its turn at every case,
and the table shows medians over the rounds.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "build/host-release/mantissa_bench"
DOCUMENT = ROOT / "docs/benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
CASES = [("har", 64), ("har", 1), ("mlp", 32), ("mlp", 1)]
NAMES = {"har": "HAR CNN", "mlp": "MLP 784-128-10"}
RECIPES = ["float32", "sym8", "int8"]
INSTRUCTION_SETS = ["avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "asimddp", "sve"]


def cpu():
    """Model name and the flags that matter to either side."""
    fields = {}
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", "")).split()
    return fields.get("model name", platform.machine()), [name for name in INSTRUCTION_SETS if name in flags]


def pytorch_environment(flags):
    """OpenBLAS does not recognise every CPU, and ATen uses AVX-512 only when told to."""
    wide = "avx512f" in flags
    return {"OPENBLAS_CORETYPE": "SKYLAKEX" if wide else "HASWELL", "ATEN_CPU_CAPABILITY": "avx512" if wide else "avx2",
            "OMP_NUM_THREADS": "1"}


class PyTorch:
    """One process for the whole run: starting it takes longer than a measurement."""

    def __init__(self, python, environment):
        self.process = subprocess.Popen([python, str(ROOT / "tools/bench/pytorch.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=os.environ | environment)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("bench: PyTorch did not answer; is the package python3-torch installed?")
        return json.loads(line)

    def measure(self, network, batch, seconds):
        self.process.stdin.write(f"{network} {batch} {seconds}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure_mantissa(bench, recipe, network, batch, seconds):
    name = f"train/{network}/{recipe}/batch:{batch}"
    done = subprocess.run([bench, f"--benchmark_filter=^{name}$", f"--benchmark_min_time={seconds}",
                           "--benchmark_format=json"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        sys.exit(f"bench: {bench} cannot measure {name}: {done.stderr.strip()}")
    result = json.loads(done.stdout)["benchmarks"][0]
    return batch * 1e9 / result["cpu_time"]  # the time of the processor, as for PyTorch: others may use it, too


def measure_all(bench, pytorch, rounds, seconds):
    """Samples per second: {(network, batch): {system: [one per round]}}."""
    speeds = {case: {} for case in CASES}
    for turn in range(rounds):
        for network, batch in CASES:
            speed = speeds[network, batch]
            for recipe in RECIPES:
                speed.setdefault(recipe, []).append(measure_mantissa(bench, recipe, network, batch, seconds))
            for loop, value in pytorch.measure(network, batch, seconds).items():
                speed.setdefault(f"PyTorch {loop}", []).append(value)
        print(f"round {turn + 1} of {rounds} done", file=sys.stderr, flush=True)
    return speeds


def table(speeds):
    lines = ["| network | batch | PyTorch | float32 | sym8 | int8 | float32 : PyTorch | sym8 : PyTorch | int8 : PyTorch "
             "| int8 : float32 | spread |", "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for (network, batch), by_system in speeds.items():
        median = {system: statistics.median(values) for system, values in by_system.items()}
        torch = max(median["PyTorch ordinary"], median["PyTorch minimal"])
        own = [median[recipe] for recipe in RECIPES]
        spread = max((max(values) - min(values)) / statistics.median(values) for values in by_system.values())
        cells = [NAMES[network], str(batch)] + [f"{value:,.0f}" for value in [torch, *own]]
        cells += [f"{value / torch:.2f}" for value in own] + [f"{median['int8'] / median['float32']:.2f}", f"{spread:.0%}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def compiler(bench):
    cache = pathlib.Path(bench).parent / "CMakeCache.txt"
    for line in cache.read_text(encoding="utf-8").splitlines() if cache.exists() else []:
        if line.startswith("CMAKE_CXX_COMPILER:"):
            path = line.partition("=")[2]
            return subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    return "unknown compiler"


def report(options, speeds, about):
    model, flags = cpu()
    environment = " ".join(f"{key}={value}" for key, value in pytorch_environment(flags).items())
    command = " ".join(["./dev bench", f"--rounds {options.rounds}", f"--seconds {options.seconds:g}"])
    return [*table(speeds), "",
            f"Samples per second of processor time, medians of {options.rounds} rounds; spread is the largest (maximum - minimum) : median of a "
            "row.", "",
            f"- machine: {model} ({', '.join(flags)}), {os.cpu_count()} cores, one used; load before: "
            f"{options.load:.1f}",
            f"- Mantissa: {compiler(options.bench)}",
            f"- PyTorch {about['version']}, {about['blas']}; {environment}",
            f"- {datetime.date.today().isoformat()}, `{command}`"]


def update(lines):
    text = DOCUMENT.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f"bench: {DOCUMENT} has no lines '{BEGIN}' and '{END}' to write between")
    DOCUMENT.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="./dev bench")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="per system, case and round")
    parser.add_argument("--update", action="store_true", help="write the table to docs/benchmarks.md")
    parser.add_argument("--bench", default=str(BENCH), help="the benchmark program")
    parser.add_argument("--python", default=shutil.which("python3", path="/usr/bin") or sys.executable,
                        help="a Python that has PyTorch")
    options = parser.parse_args()
    if not pathlib.Path(options.bench).exists():
        sys.exit(f"bench: there is no {options.bench}; ./dev bench builds it, --bench names another")
    options.load = os.getloadavg()[0]
    pytorch = PyTorch(options.python, pytorch_environment(cpu()[1]))
    if pytorch.about["blas"] == "reference BLAS":
        print("bench: PyTorch runs on the reference BLAS, which is slow; install libopenblas0-serial", file=sys.stderr)
    speeds = measure_all(options.bench, pytorch, max(options.rounds, 1), options.seconds)
    pytorch.close()
    lines = report(options, speeds, pytorch.about)
    print("\n".join(lines))
    if options.update:
        update(lines)


if __name__ == "__main__":
    main()
