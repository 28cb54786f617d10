#!/usr/bin/env python3
"""Says whether per-element code of integer recipes calls floating point, from the disassembly for Cortex-M0.

That core has no FPU, so each float operation is a call. Compiled without inlining, every such call stands in the function
that its source wrote it in: one of float32 (`float` is in its signature or its name), or one of those below, which run once per
sample's entrance or belong to recipes with float32 gradients.

Usage: check_soft_float.py FOLDER_FOR_OBJECTS
"""
import re
import subprocess
import sys
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "core"
COMPILE = ["arm-none-eabi-g++", "-mcpu=cortex-m0", "-mthumb", "-O1", "-fno-inline", "-std=c++20", "-fno-exceptions",
           "-fno-rtti", "-ffp-contract=off", f"-I{CORE}"]
SOURCES = ["kernels/kernels_ref.cpp", "kernels/kernels_small.cpp", "kernels/gemm_ref.cpp", "kernels/gemm_small.cpp",
           "engine/loss.cpp", "signal/fft.cpp", "signal/mfcc.cpp"]
SOFT_FLOAT = re.compile(r"R_ARM_\w+\s+(__aeabi_(?:[fd]\w+|u?[il]2[fd]))")
ALLOWED = {
    "QuantizeFloats": "float32 samples become codes; also the operands of float32 weights",
    "AddScaled": "a sample's sums join float32 sums",
}


def calls(source: str, out: Path) -> list[tuple[str, str]]:
    """(function, what it calls) for each call of floating point."""
    target = out / (source.replace("/", ".") + ".o")
    subprocess.run([*COMPILE, "-c", "-o", target, CORE / "mantissa" / source], check=True)
    text = subprocess.run(["arm-none-eabi-objdump", "-drC", target], capture_output=True, text=True, check=True).stdout
    found, function = [], ""
    for line in text.splitlines():
        if heading := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function = heading[1]
        elif call := SOFT_FLOAT.search(line):
            found.append((function, call[1]))
    return found


def main() -> int:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    all_calls = [(source, *call) for source in SOURCES for call in calls(source, out)]
    if not all_calls:
        print("no call of floating point at all, not even in float32 kernels: the names of the calls have changed")
        return 1
    wrong = sorted({f"{source}: {function} calls {what}" for source, function, what in all_calls
                    if "float" not in function and not any(name in function for name in ALLOWED)})
    print("\n".join(wrong) or f"{len(all_calls)} calls of floating point, all of them in float32 code")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
