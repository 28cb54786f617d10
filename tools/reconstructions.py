#!/usr/bin/env python3
"""Draws what a model that reproduces its input makes of its test samples: some of the usual class, some of others, and a histogram
of all errors.

  tools/reconstructions.py SAVED.mnt --data DIR -o PICTURE.svg

The samples shown are those at the middle of their kind's errors, so they are chosen by no one. One channel only is drawn.
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHOWN = 3  # of each kind
BARS = 60


def evaluate(program, saved, data, folder):
    """Rows of label, error, sample, outputs; and the report."""
    table, report = folder / "reconstructions.csv", folder / "report.json"
    done = subprocess.run([program, "eval", saved, "--data", data, "--reconstructions", table, "--json", report],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    with table.open() as file:
        head, *rows = csv.reader(file)
    size = sum(name.startswith("x") for name in head)
    rows = [(int(row[0]), float(row[1]), list(map(float, row[2:2 + size])), list(map(float, row[2 + size:]))) for row in rows]
    return rows, json.loads(report.read_text())


def at_the_middle(rows):
    """Those at a quarter, a half and three quarters of the errors in order."""
    ordered = sorted(rows, key=lambda row: row[1])
    return [ordered[len(ordered) * (i + 1) // (SHOWN + 1)] for i in range(SHOWN)]


def block(name, points):
    return f"${name} << END\n" + "\n".join(" ".join(f"{v:.6g}" for v in point) for point in points) + "\nEND\n"


def histogram(rows, low, width):
    """Shares in percent of bars of equal width on a logarithmic axis."""
    counts = [0] * BARS
    for row in rows:
        counts[min(BARS - 1, max(0, int((math.log10(max(row[1], 1e-9)) - low) / width)))] += 1
    return [(10 ** (low + (i + 0.5) * width), 100 * c / len(rows)) for i, c in enumerate(counts)]


def script_of(usual, others, report, picture):
    found = report["reconstruction"]
    script = (f'set terminal svg size 1000,640 font "sans,12" background "white"\nset output "{picture}"\nset multiplot\nset grid\n'
              'set style line 1 lc rgb "#0072B2" lw 1.5\nset style line 2 lc rgb "#D55E00" lw 2 dt 2\nset key at screen 0.56,0.985 horizontal\n')
    for row, (name, rows) in enumerate((("usual", at_the_middle(usual)), ("other", at_the_middle(others)))):
        for column, (label, error, x, y) in enumerate(rows):
            points = f"beat{row}{column}"
            script += block(points, [(i, a, b) for i, (a, b) in enumerate(zip(x, y))])
            script += (f"set size 0.33,0.31\nset origin {column * 0.333:.3f},{0.65 - row * 0.31:.2f}\n"
                       f'set title "{name}: class {label}, error {error:.3f}"\n{"" if row + column == 0 else "unset key"}\n'
                       f"plot [0:{len(x) - 1}] ${points} using 1:2 with lines ls 1 title 'sample', "
                       f"${points} using 1:3 with lines ls 2 title 'output'\n")
    errors = [math.log10(max(row[1], 1e-9)) for row in usual + others]
    low, width = min(errors), (max(errors) - min(errors)) / BARS or 1
    script += block("usual", histogram(usual, low, width)) + block("others", histogram(others, low, width))
    script += (f'set size 1,0.34\nset origin 0,0\nset key inside top right vertical\nset logscale x\nset xlabel "error of a test sample"\n'
               f'set ylabel "% of its kind"\n'
               f'set title "{report["recipe"]}, seed {report["seed"]}: AUC {found["auc"]:.4f}, F1 {found["f1"]:.4f}; '
               f'{len(usual):,} of class {found["usual_class"]}, {len(others):,} of others; line: threshold"\n'
               f'set arrow from {found["threshold"]:.6g}, graph 0 to {found["threshold"]:.6g}, graph 1 nohead lw 1.5\n'
               f"plot $usual with steps ls 1 title 'class {found['usual_class']}', $others with steps ls 2 title 'others'\n")
    return script


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("saved", type=pathlib.Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/host-release/mantissa")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, report = evaluate(arguments.program, arguments.saved, arguments.data, pathlib.Path(folder))
    found = report.get("reconstruction", {})
    if "auc" not in found:
        sys.exit("there are no labels, or test samples of one kind only: nothing to tell apart")
    usual = [row for row in rows if row[0] == found["usual_class"]]
    others = [row for row in rows if row[0] != found["usual_class"]]
    if min(len(usual), len(others)) < SHOWN:
        sys.exit(f"fewer than {SHOWN} test samples of a kind")
    subprocess.run(["gnuplot"], input=script_of(usual, others, report, arguments.output), text=True, check=True)


if __name__ == "__main__":
    main()
