"""The catalogue of mutants: small wrong changes of the numeric core, each with the test program that must catch it.

A file of catalogue/ lists, for some sources of core/mantissa:

    [[source]]
    path = "num/rescale.hpp"
    test = "num/rescale_test.cpp"     # beside the source, or in tests/
    mutants = [
      ["what the change means", 'old snippet', 'new snippet'],
      ["what the change means", 'old snippet', 'new snippet', "another test, for this mutant"],
    ]

The old snippet occurs exactly once in its source.
"""

import dataclasses
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = ROOT / "core/mantissa"


@dataclasses.dataclass(frozen=True)
class Mutant:
    source: str  # within core/mantissa
    what: str
    old: str
    new: str
    test: str

    @property
    def name(self):
        return f"{self.source}: {self.what}"

    def test_file(self):
        """The source of the test program, from the root of the repository."""
        return self.test if self.test.startswith("tests/") else f"core/mantissa/{self.test}"

    def problem(self):
        """Why this is no mutant, or None."""
        path = CORE / self.source
        if not path.is_file():
            return f"there is no core/mantissa/{self.source}"
        if not (ROOT / self.test_file()).is_file():
            return f"there is no test {self.test_file()}"
        if self.old == self.new:
            return "the snippets are the same"
        found = path.read_text().count(self.old)
        return None if found == 1 else f"the old snippet occurs {found} times, not once: {self.old}"

    def text(self):
        """The source with the change."""
        return (CORE / self.source).read_text().replace(self.old, self.new)


def read():
    mutants = []
    for file in sorted((pathlib.Path(__file__).parent / "catalogue").glob("*.toml")):
        for source in tomllib.loads(file.read_text())["source"]:
            for what, old, new, *test in source["mutants"]:
                mutants.append(Mutant(source["path"], what, old, new, *(test or [source["test"]])))
    return mutants


def problems(mutants):
    """One line for each entry that is wrong."""
    lines = [f"{m.name}: {problem}" for m in mutants if (problem := m.problem())]
    names = [m.name for m in mutants]
    return lines + [f"{name}: is there twice" for name in sorted(set(names)) if names.count(name) > 1]
