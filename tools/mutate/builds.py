"""Builds test programs of the core, each from one source: as the sources are, by Ninja, and with one source changed.

The changed copy lies in a folder that comes first among the include folders, so that the repository stays as it is and
mutants can be built side by side; only objects that read the changed source, and that the program links, are made anew.
"""

import pathlib
import re
import subprocess

from catalogue import CORE, ROOT

# Vectors of one width: Highway's variants are not what is under test, but they read some of the same sources.
FLAGS = ["-std=c++20", "-O1", "-w", "-ffp-contract=off", "-DHWY_COMPILE_ONLY_STATIC",
         f'-DMANTISSA_SOURCE_DIR="{ROOT}"', f"-I{ROOT}/core", f"-I{ROOT}"]
LIBRARIES = ["-lgtest_main", "-lgtest", "-lrapidcheck", "-lhwy", "-pthread"]
RULES = """\
rule compile
  command = g++ $flags -MD -MF $out.d -c $in -o $out
  depfile = $out.d
rule archive
  command = rm -f $out && ar qc $out $in
rule link
  command = g++ $flags -o $out $in $libraries -Wl,-Map=$out.map
"""


def run(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", **options)


class Builds:
    def __init__(self, folder, tests, options=()):
        """tests: sources of programs, from the root of the repository; options: of the compiler, for all."""
        self.folder = pathlib.Path(folder).resolve()
        self.tests = tests
        self.flags = [*FLAGS, *options]
        self.archive = self.folder / "core.a"
        names = CORE.rglob("*.cpp")
        self.core = sorted(p.relative_to(ROOT).as_posix() for p in names
                           if not re.search(r"_(test|bench|fuzz|mve)\.cpp$", p.name))

    def object_of(self, source):
        return self.folder / (source.replace("/", "-") + ".o")

    def program_of(self, test):
        return self.folder / test.removesuffix(".cpp").replace("/", "-")

    def build(self):
        """All programs from the sources as they are. Raises if that fails."""
        quoted = " ".join(f"'{flag}'" for flag in self.flags)
        lines = [f"flags = {quoted}", f"libraries = {' '.join(LIBRARIES)}", RULES]
        for source in self.core + self.tests:
            lines.append(f"build {self.object_of(source)}: compile {ROOT / source}")
        lines.append(f"build {self.archive}: archive {' '.join(str(self.object_of(s)) for s in self.core)}")
        for test in self.tests:
            lines.append(f"build {self.program_of(test)}: link {self.object_of(test)} {self.archive}")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "build.ninja").write_text("\n".join(lines) + "\n")
        built = run(["ninja", "-C", self.folder])
        if built.returncode != 0:
            raise RuntimeError(f"the tests do not build without a change:\n{built.stdout}{built.stderr}")

    def linked(self, test):
        """Sources whose objects the program of a test has."""
        text = self.program_of(test).with_suffix(".map").read_text()
        return [test] + [s for s in self.core if f"({self.object_of(s).name})" in text]

    def reads(self, source, changed):
        """Whether a source is, or includes, the changed one."""
        depends = pathlib.Path(f"{self.object_of(source)}.d").read_text()
        return str(ROOT / changed) in depends.split()

    def build_changed(self, test, changed, text, folder):
        """(program, messages of the compiler): the program of a test where the source `changed` has another text."""
        copy = folder / changed
        copy.parent.mkdir(parents=True)
        copy.write_text(text)
        objects, program = [], folder / "program"
        for source in self.linked(test):
            if not self.reads(source, changed):
                objects += [self.object_of(test)] if source == test else []
                continue
            objects.append(folder / self.object_of(source).name)
            compiled = run(["g++", f"-I{folder}/core", *self.flags, "-c", copy if source == changed else ROOT / source,
                            "-o", objects[-1]])
            if compiled.returncode != 0:
                return None, compiled.stderr
        linked = run(["g++", *self.flags, "-o", program, *objects, self.archive, *LIBRARIES])
        return (program, "") if linked.returncode == 0 else (None, linked.stderr)
