"""Whole commands, the start of the process included: ours, and those of others on equal work.

The work is in `tasks/`: 1,000 small files, of each another one is made. All tools keep what they
have done; ours keeps a log and a history of each task besides.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.figures import SMALL, Benchmark, Figure, NotMeasured, Samples, python_peer
from benchmarks.places import Place, scratch

WRITE_NOTHING = "PYTHONDONTWRITEBYTECODE"
TASKS = Path(__file__).parent / "tasks"
FEW = 10
"""The tasks of a small pipeline."""


@dataclass(frozen=True)
class Tool:
    """A tool, what it is told, and the file that tells it what to do."""

    name: str
    module: str
    arguments: tuple[str, ...]
    file: str

    def run(self, folder: Path) -> tuple[float, float]:
        """Seconds that the whole command takes: by the clock, and of the processor."""
        return timed(self.name, (sys.executable, "-m", self.module, *self.arguments), folder)


def timed(name: str, command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds that the whole command of a tool takes: by the clock, and of the processor."""
    used, before = _processor_seconds(), perf_counter()
    result = subprocess.run(
        command, cwd=folder, env=_environ(), capture_output=True, text=True, check=False
    )
    took = perf_counter() - before
    if result.returncode:
        raise NotMeasured(f"{name} exits with {result.returncode}: {result.stderr[-300:]}")
    return took, _processor_seconds() - used


def _environ() -> dict[str, str]:
    """Where modules are compiled once, as for any user, and not each time."""
    return {name: value for name, value in os.environ.items() if name != WRITE_NOTHING}


def _processor_seconds() -> float:
    """The processor seconds that the ended children of this process used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


OURS = Tool("pycurrent", "pycurrent", ("run", "--once", "pipeline.py"), "pipeline.py")
DOIT = Tool("doit", "doit", ("run", "-n", "2", "-P", "thread"), "dodo.py")
SCONS = Tool("scons", "SCons", ("-Q", "-j2"), "SConstruct")
TOOLS = (OURS, DOIT, SCONS)


def whole(n: int) -> Samples:
    """A first run, one in which there is nothing to do, and one with a file changed."""
    samples: Samples = {}
    with scratch(Place.MEMORY) as place:
        for tool in TOOLS:
            if importlib.util.find_spec(tool.module) is None:
                continue
            folder = place / tool.name
            write_inputs(folder, n)
            shutil.copy(TASKS / tool.file, folder)
            changed = f"{n // 2:05}"
            for run, *_ in RUNS:
                if run == "changed":
                    (folder / "in" / changed).write_text("changed\n")
                took, used = tool.run(folder)
                samples[f"{run}-{tool.name}"] = took
                samples[f"{run}-{tool.name}-processor"] = used
            made = (folder / "out" / changed).read_text()
            assert made == "CHANGED\n", f"{tool.name} has made {made!r}"
    return samples


def start(n: int) -> Samples:
    """Importing, asking for help, and a run in which a few tasks are known."""
    script = (
        "from time import perf_counter as t; a = t(); import pycurrent; pycurrent.Engine;"
        " print(t() - a)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    tool = Tool("pycurrent", "pycurrent", ("--help",), "")
    with scratch(Place.MEMORY) as folder:
        write_inputs(folder, FEW)
        shutil.copy(TASKS / OURS.file, folder)
        OURS.run(folder)
        known, _ = OURS.run(folder)
    return {"import": float(found.stdout), "help": tool.run(Path(os.sep))[0], "known": known}


def write_inputs(folder: Path, n: int) -> None:
    """So many small files, each the input of a task."""
    (folder / "in").mkdir(parents=True)
    for number in range(n):
        (folder / "in" / f"{number:05}").write_text(f"some text {number}\n")


RUNS = (
    ("first", "first run", {"doit": 0.53, "luigi": 8.3, "redun": 10, "snakemake": 43}),
    ("nothing", "nothing to do", {"doit": 0.32, "luigi": 0.23, "redun": 6.5, "snakemake": 1.4}),
    ("changed", "one changed", {"doit": 0.38, "luigi": 0.41, "redun": 7.8, "snakemake": 2.9}),
)


def _figures(run: str, title: str, others: dict[str, float]) -> Iterator[Figure]:
    """The times of each tool for one of the runs. The machine may be busy with something else, so
    the processor time is given too.
    """
    before = tuple(python_peer(name, {SMALL: seconds}) for name, seconds in others.items())
    for tool in TOOLS:
        ours = tool is OURS
        yield Figure(
            f"{run}-{tool.name}",
            f"1,000 cached tasks, {title}: pycurrent" if ours else f"  {tool.name}, in this run",
            "s",
            peers=before if ours else (),
            ahead_of=f"{run}-{DOIT.name}" if ours else None,
        )
        yield Figure(f"{run}-{tool.name}-processor", "    time of the processor", "s")


BENCHMARKS = (
    Benchmark(
        "whole",
        whole,
        tuple(figure for run in RUNS for figure in _figures(*run)),
        sizes=(SMALL,),
        runs={SMALL: 3},
    ),
    Benchmark(
        "start",
        start,
        (
            Figure(
                "import",
                "import pycurrent, and use a name of it",
                "s",
                {1: 0.15},
                peers=tuple(
                    python_peer(name, {1: seconds})
                    for name, seconds in {
                        "doit": 0.081,
                        "luigi": 0.15,
                        "Dagster": 0.96,
                        "redun": 1.082,
                        "Prefect": 1.168,
                    }.items()
                ),
            ),
            Figure("help", "pycurrent --help", "s", {1: 0.12}),
            Figure("known", f"pycurrent run --once, {FEW} known tasks", "s", {1: 0.15}),
        ),
        sizes=(1,),
        runs={1: 5},
    ),
)
