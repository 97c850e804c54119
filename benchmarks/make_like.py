"""Files as make does, by `examples/make_like.py` and by doit: a first run, and nothing to do."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Benchmark, Figure, Samples
from benchmarks.places import Place, scratch
from benchmarks.whole import DOIT, TASKS, timed, write_inputs

EXAMPLE = Path(__file__).parent.parent / "examples" / "make_like.py"
COMMAND = (sys.executable, str(EXAMPLE), "--once")
FILES = 200
RUNS = {"first": "first run", "nothing": "nothing to do"}


def make_like(n: int) -> Samples:
    """The seconds of both, and how many times those of doit ours takes."""
    samples: Samples = {}
    with scratch(Place.MEMORY) as place:
        ours, theirs = place / "pycurrent", place / DOIT.name
        for folder in (ours, theirs):
            write_inputs(folder, n)
        (ours / "in").rename(ours / "src")
        shutil.copy(TASKS / DOIT.file, theirs)
        for run in RUNS:
            took, _ = timed("pycurrent", COMMAND, ours)
            samples[f"make-like-{run}"] = took
            if importlib.util.find_spec(DOIT.module) is not None:
                other, _ = DOIT.run(theirs)
                samples[f"make-like-{run}-doit"] = other
                samples[f"make-like-{run}-over-doit"] = took / other
        assert len(list((ours / "out").iterdir())) == n
    return samples


def _figures() -> Iterator[Figure]:
    for run, title in RUNS.items():
        yield Figure(f"make-like-{run}", f"{FILES} files as make does, {title}: pycurrent", "s")
        yield Figure(f"make-like-{run}-doit", "  doit, in this run", "s")
        over = f"make-like-{run}-over-doit"
        yield Figure(over, "    pycurrent over doit", "times", {FILES: 1.5})


BENCHMARKS = (
    Benchmark("make-like", make_like, tuple(_figures()), sizes=(FILES,), runs={FILES: 20}),
)
