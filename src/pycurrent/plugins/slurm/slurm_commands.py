"""Slurm's own commands, as a pool uses them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.engine.place_asking import said
from pycurrent.errors import PycurrentError
from pycurrent.plugins.slurm.connect import UNKNOWN, end_in, question

if TYPE_CHECKING:
    from pycurrent.engine.process import Processes

_TRANSIENT = re.compile(
    r"unable to contact|timed out|temporarily|connection|zero bytes|standby|try again"
    r"|communication|MaxSubmit|submit limit",
    re.IGNORECASE,
)
"""Errors of Slurm that may go by themselves."""
_ERROR = re.compile(r"\w+: (?:error: )?|Batch job submission failed: ")


class SlurmRefuses(PycurrentError):
    """Slurm says no, and would say so again."""


class SlurmIsAway(PycurrentError):
    """There is no answer of Slurm's now."""


class Allocation(Struct, frozen=True):
    """A job of Slurm's, as Slurm tells of it."""

    state: str
    reason: str
    """Why it waits, as Slurm says it; `None` if it has not thought about it yet."""
    node: str


# How one that is about to end has ended is known once it has.
_PENDING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "COMPLETING"})


def waits(allocation: Allocation) -> bool:
    """True if more is to be known of it: it has not begun, or is about to end."""
    return allocation.state in _PENDING


def runs(allocation: Allocation) -> bool:
    """True if commands may run in it."""
    return allocation.state in {"RUNNING", "SUSPENDED", "STOPPED"}


class SlurmCommands:
    """The commands, run for one engine."""

    def __init__(self, processes: Processes, tmp: Path) -> None:
        self.processes = processes
        self._tmp = tmp
        self._asking = asyncio.Lock()
        self._asked = 0.0
        self._waiting: dict[int, int] = {}
        """The numbers that are asked about, and by how many."""
        self._known: dict[int, Allocation] = {}

    async def _run(self, argv: Sequence[str], stdin: bytes = b"") -> str:
        """The output of a command. Raises `SlurmRefuses` and `SlurmIsAway`."""
        done = await said(self.processes, self._tmp, argv, stdin)
        if done.status == 0:
            return done.out.decode(errors="replace").strip()
        lines = done.err.decode(errors="replace").strip().splitlines()
        why = "; ".join(dict.fromkeys(_ERROR.sub("", line).strip() for line in lines))
        why = why or f"{argv[0]} ended with status {done.status}"
        raise (SlurmIsAway if _TRANSIENT.search(why) else SlurmRefuses)(why)

    async def submit(self, script: str, options: Sequence[str]) -> int:
        """Submit a batch script; gives the number of Slurm's job."""
        words = ("sbatch", "--parsable", *options)
        number, _, _ = (await self._run(words, script.encode())).partition(";")
        return int(number)

    async def named(self, name: str) -> int | None:
        """The number of the job of this name, if there is one that has not ended."""
        found = await self._run(["squeue", "--noheader", f"--name={name}", "--format=%i"])
        return int(found.split()[0]) if found else None

    async def end_of(self, number: int) -> str:
        """Why a job has ended that has, in words for people."""
        try:
            return end_in(await self._run(question(str(number)))) or UNKNOWN
        except SlurmRefuses:
            return UNKNOWN

    async def cancel(self, *what: str) -> None:
        """Cancel jobs that have not ended."""
        try:
            await self._run(["scancel", "--quiet", *what])
        except SlurmRefuses as why:
            if "Invalid job id" not in str(why):
                raise

    async def look(self, number: int, seconds: float) -> Allocation | None:
        """A job as it was at most so long ago; None if Slurm does not know it any more.

        All that are asked about at a time are asked about at once.
        """
        self._waiting[number] = self._waiting.get(number, 0) + 1
        try:
            async with self._asking:
                now = asyncio.get_running_loop().time()
                if number not in self._known or now > self._asked + seconds:
                    self._known = await self._ask()
                    self._asked = asyncio.get_running_loop().time()
            return self._known.get(number)
        finally:
            self._waiting[number] -= 1
            if not self._waiting[number]:
                del self._waiting[number]

    async def _ask(self) -> dict[int, Allocation]:
        numbers = ",".join(map(str, self._waiting))
        what = ["squeue", "--noheader", "--states=all", f"--jobs={numbers}", "--format=%i|%T|%r|%N"]
        try:
            lines = (await self._run(what)).splitlines()
        except SlurmRefuses as why:
            # Of one job alone it says so; of several it tells of the others.
            if "Invalid job id" not in str(why):
                raise
            lines = []
        known: dict[int, Allocation] = {}
        for line in lines:
            number, state, reason, node = line.split("|")
            known[int(number)] = Allocation(state, reason, node)
        return known
