"""The smallest command there is, 1,000 times, 8 at once: by us, and by others in the same run.

Ours keeps a log and a record of each, and ends all that a command has started; the others don't.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import SMALL, Benchmark, Figure, Samples
from benchmarks.places import Place, scratch
from benchmarks.whole import TASKS, timed

PYTHON = (sys.executable, "-m")


@dataclass(frozen=True)
class Runner:
    """A tool that runs commands, how it is told to, and whether it is there."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path, int], object]
    """Writes to a folder what so many commands take."""
    module: str | None = None

    @property
    def is_there(self) -> bool:
        if self.module is not None:
            return importlib.util.find_spec(self.module) is not None
        return shutil.which(self.command[0]) is not None


def _copy(task: str, file: Path, n: int) -> None:
    file.write_text((TASKS / task).read_text().replace("range(1000)", f"range({n})"))


def _lines(form: str, n: int) -> str:
    return "".join(f"{form.format(number)}\n" for number in range(n))


RUNNERS = (
    Runner(
        "pycurrent",
        (*PYTHON, "pycurrent", "run", "--once", "pipeline.py"),
        lambda folder, n: _copy("true.py", folder / "pipeline.py", n),
        "pycurrent",
    ),
    Runner(
        "doit",
        (*PYTHON, "doit", "run", "-n", "8"),
        lambda folder, n: _copy("true_dodo.py", folder / "dodo.py", n),
        "doit",
    ),
    Runner(
        "ninja",
        ("ninja", "-j8"),
        lambda folder, n: (folder / "build.ninja").write_text(
            "rule true\n  command = /bin/true\n" + _lines("build {}: true", n)
        ),
    ),
    Runner(
        "xargs",
        ("xargs", "-a", "numbers", "-P8", "-n1", "/bin/true"),
        lambda folder, n: (folder / "numbers").write_text(_lines("{}", n)),
    ),
)
OURS, *OTHERS = (runner.name for runner in RUNNERS)


def processes(n: int) -> Samples:
    """The seconds of each tool, and how many times those of the others ours takes."""
    samples: Samples = {}
    with scratch(Place.MEMORY) as place:
        for runner in RUNNERS:
            if not runner.is_there:
                continue
            folder = place / runner.name
            folder.mkdir()
            runner.prepare(folder, n)
            took, used = timed(runner.name, runner.command, folder)
            samples[f"processes-{runner.name}"] = took
            samples[f"processes-{runner.name}-processor"] = used
    for name in OTHERS:
        if f"processes-{name}" in samples:
            ratio = samples[f"processes-{OURS}"] / samples[f"processes-{name}"]
            samples[f"processes-over-{name}"] = ratio
    return samples


def _figures() -> Iterator[Figure]:
    for name in (OURS, *OTHERS):
        ours = name == OURS
        yield Figure(
            f"processes-{name}",
            "1,000 times /bin/true, 8 at once: pycurrent" if ours else f"  {name}, in this run",
            "s",
            ahead_of="processes-doit" if ours else None,
        )
        yield Figure(f"processes-{name}-processor", "    time of the processor", "s")
        if not ours:
            target = {SMALL: 1.5} if name == "ninja" else {}
            yield Figure(f"processes-over-{name}", f"    pycurrent over {name}", "times", target)


BENCHMARKS = (
    Benchmark("processes", processes, tuple(_figures()), sizes=(SMALL,), runs={SMALL: 3}),
)
