#!/usr/bin/env python3
"""Checks the one-way order of the units, and what the core must do without.

The core runs on microcontrollers: no heap, exceptions, RTTI, libm or mutable statics. The compiler cannot tell all of
that from a header that nothing uses yet; reading the source can.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A unit may include itself and the units of smaller rank.
RANK = {"base": 0, "num": 1, "signal": 2, "tensor": 2, "kernels": 3, "layers": 4, "losses": 4, "optim": 4, "model": 5, "plan": 6,
        "engine": 7, "train": 8, "host": 9, "cli": 10}

# Standard headers that bring neither heap nor libm nor global state.
CORE_HEADERS = set("""algorithm array bit climits compare concepts cstddef cstdint cstring initializer_list iterator
    limits numeric optional span string_view tuple type_traits utility version""".split())

FORBIDDEN_IN_CORE = {
    r"\b(malloc|calloc|realloc|free)\s*\(": "uses the heap",
    r"\bnew\b": "uses the heap",
    r"\bdelete\b(?!\s*[;,])": "uses the heap",
    r"\b(throw|try|catch)\b": "uses exceptions",
    r"\b(typeid|dynamic_cast)\b": "uses RTTI",
    r"\b(static|thread_local)\s+(?!.*\bconst)[^(){};=]*[;={]": "has a mutable static",
}

COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def blank(match: re.Match) -> str:
    """Removes comments and strings, and keeps the numbers of the lines."""
    return "\n" * match.group().count("\n")


def unit_of(path: str) -> str:
    parts = path.split("/")
    return parts[parts.index("mantissa") + 1] if "mantissa" in parts[:2] else parts[0]


def problems_of(path: Path):
    """Yields (line, sentence) for each thing that this file must not do."""
    name = path.relative_to(ROOT).as_posix()
    unit = unit_of(name)
    if unit not in RANK:
        yield 1, f"unit '{unit}' has no rank; RANK in tools/check_dependencies.py names the units"
        return
    # Tests, benchmarks, and variants for one kind of machine may use what that machine has.
    on_any_target = name.startswith("core/") and not re.search(r"_(test|bench|fuzz|hwy|dsp|mve)\.[ch]pp$", name)
    text = path.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        if quoted := re.match(r'\s*#\s*include\s+"((?:mantissa|host|cli)/[^"]+)"', line):
            other = unit_of(quoted[1])
            if other != unit and RANK.get(other, 99) >= RANK[unit]:
                yield number, f"{unit} must not depend on {other}"
        angled = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if angled and on_any_target and angled[1] not in CORE_HEADERS:
            yield number, f"the core must not include <{angled[1]}>"
    if on_any_target:
        code = COMMENT_OR_STRING.sub(blank, text)
        for number, line in enumerate(code.splitlines(), 1):
            for pattern, sentence in FORBIDDEN_IN_CORE.items():
                if not line.lstrip().startswith("#") and re.search(pattern, line):
                    yield number, f"the core {sentence}: {line.strip()}"


def main() -> int:
    files = sorted(p for folder in ("core", "host", "cli") for p in (ROOT / folder).rglob("*.[ch]pp"))
    found = [f"{path.relative_to(ROOT)}:{line}: {text}" for path in files for line, text in problems_of(path)]
    print("\n".join(found) if found else f"{len(files)} files keep the order")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
