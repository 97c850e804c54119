"""Allocations of Slurm: what they are asked for with, and how they are places."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pycurrent.errors import UsageError
from pycurrent.places import ConnectedPlace, program_words
from pycurrent.term import shown

_HERE = Path(__file__).parent
_SIZE = re.compile(r"[1-9][0-9]*[KMGT]?", re.ASCII)
_WORD = re.compile(r"[^\s\x00-\x1f\x7f-][^\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs of each job of a pool, as `sbatch` takes them."""

    cpus: int = 1
    memory: str | None = None
    gres: str | None = None
    constraint: str | None = None
    time_limit: timedelta | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.cpus, int) or isinstance(self.cpus, bool) or self.cpus < 1:
            raise UsageError(f"slurm: cpus= takes a number above 0, not {shown(self.cpus)}")
        if self.memory is not None and not _SIZE.fullmatch(self.memory):
            raise UsageError(f'slurm: memory= takes a size like "4G", not {shown(self.memory)}')
        for name in ("gres", "constraint"):
            check_word(name, getattr(self, name))
        if self.time_limit is not None and not (
            isinstance(self.time_limit, timedelta) and self.time_limit > timedelta()
        ):
            raise UsageError(
                f"slurm: time_limit= takes a timedelta above 0, not {shown(self.time_limit)}"
            )

    @property
    def options(self) -> Iterator[str]:
        yield f"--cpus-per-task={self.cpus}"
        if self.memory is not None:
            yield f"--mem={self.memory}"
        if self.gres is not None:
            yield f"--gres={self.gres}"
        if self.constraint is not None:
            yield f"--constraint={self.constraint}"
        if self.time_limit is not None:
            # Slurm counts in minutes.
            yield f"--time={-(-self.time_limit // timedelta(minutes=1))}"


def check_word(name: str, value: object) -> None:
    """Check an option that names something of Slurm's. Raises `UsageError`."""
    if value is not None and not (isinstance(value, str) and _WORD.fullmatch(value)):
        raise UsageError(f"slurm: {name}= takes a name as Slurm has it, not {shown(value)}")


@dataclass(frozen=True, slots=True)
class AllocationPlace(ConnectedPlace):
    """An allocation as a place."""

    number: int
    """Of Slurm's job."""
    socket: str
    """The name of its holder's socket."""
    node: str
    python: str
    lease: float

    @property
    def name(self) -> str:
        return self.node

    @property
    def kind(self) -> str:
        return "slurm"

    def __str__(self) -> str:
        return f"{self.node} (slurm job {self.number})"

    def connect(self, words: str) -> Sequence[str]:
        bridge = program_words(self.python, source("bridge.py"), self.socket, words)
        srun = (
            *("srun", f"--jobid={self.number}", "--overlap", "--quiet", "--mpi=none"),
            # Buffered, it would hold back what has no line end.
            *("--nodes=1", "--ntasks=1", "--unbuffered", "--chdir=/"),
            # The variables of the engine stay here: what the holder starts has its own.
            *("--export=NIL", "/bin/sh", "-c", bridge),
        )
        connect = (sys.executable, "-I", "-S", str(_HERE / "connect.py"), str(self.number))
        return (*connect, *srun)


def source(name: str) -> str:
    """The text of a program that is sent."""
    return (_HERE / name).read_text()
