"""Tells places which jobs have ended, so that they remove what these have left there.

No job waits for that, and nobody waits for its resource meanwhile: the end of a job is recorded
first, and then its run folder, which has the way to its place, stays until the place has been told.
So an engine that is killed forgets none: the next one tells the place as soon as a job of its own
is there. All that have ended within a moment, or while a place is told, are told together, as each
request takes longer than many a job.

A place that can't be asked any more when the job has given it back, an allocation of Slurm, say, is
told before that: see `PlaceCommands.leave`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from msgspec import Struct

from pycurrent.engine.clock import Clock
from pycurrent.engine.journal import remove_runs
from pycurrent.engine.kept_folders import Terminal, kept_folder, kept_until
from pycurrent.engine.place import Place
from pycurrent.engine.place_asking import ask
from pycurrent.engine.process import Processes
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import PycurrentError

_MOMENT = 1.0
"""Seconds for which the jobs that have ended at a place are gathered."""
_MOST = 200
"""Jobs that a place is told of at once."""
_MANY = 64
"""If so many are to be told of, the next ones at that place end when they are."""
_LAST = 10.0
"""Seconds for which the end of an engine waits for places; the next engine tells the others."""
_SILENCE = 45.0


class _Job(Struct, frozen=True):
    """A job that has ended."""

    folder: Path
    token: str
    keep: float
    """Seconds for which its folders are kept."""
    is_over: bool
    """True if nothing of it runs there. Else the place has to look."""


class Leaving:
    """The jobs that the places of one engine are to be told of. Belongs to the loop's thread."""

    def __init__(
        self, processes: Callable[[], Processes], tmp: Path, runs: Path, kept: Path, clock: Clock
    ) -> None:
        """`runs` has the run folders, and `kept` what is kept of jobs that have failed."""
        self._processes = processes
        self._tmp = tmp
        self._runs = runs
        self._kept = kept
        self._clock = clock
        self._places: dict[str, Place] = {}
        self._jobs: dict[str, list[_Job]] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()

    def uses(self, place: Place) -> None:
        """A job is at this place, so it can be told."""
        known_as = place.known_as
        if known_as is not None:
            self._places[known_as] = place
            self._tell_soon(known_as)

    def much_to_tell(self, place: Place) -> asyncio.Task[None] | None:
        """The task that tells a place, if that has much to remove already: so the jobs there end no
        faster than what they leave goes.
        """
        known_as = place.known_as or ""
        telling = self._telling.get(known_as)
        return telling if telling is not None and len(self._jobs[known_as]) >= _MANY else None

    async def take(self, ended: Mapping[Path, bool]) -> list[Path]:
        """Have places told of the jobs with these run folders, whose ends are recorded; each with
        whether it is known that nothing of it runs. Gives the folders that nobody needs to be told
        of; the others go with the telling.
        """
        rest = []
        for folder, found in await in_thread(self._look, ended):
            if found is None:
                rest.append(folder)
                continue
            known_as, job = found
            self._jobs.setdefault(known_as, []).append(job)
            self._tell_soon(known_as)
        return rest

    def _look(self, ended: Mapping[Path, bool]) -> list[tuple[Path, tuple[str, _Job] | None]]:
        return [(folder, self._look_at(folder, is_over)) for folder, is_over in ended.items()]

    def _look_at(self, folder: Path, is_over: bool) -> tuple[str, _Job] | None:
        terminal = Terminal.read(folder)
        if terminal is None or terminal.known_as is None:
            return None
        until = kept_until(kept_folder(self._kept, str(folder.relative_to(self._runs))))
        keep = 0.0 if until is None else (until - self._clock.now()).total_seconds()
        return terminal.known_as, _Job(folder, terminal.job, max(0.0, keep), is_over)

    def _tell_soon(self, known_as: str) -> None:
        can_be_told = known_as in self._places and self._jobs.get(known_as)
        if can_be_told and known_as not in self._telling:
            self._telling[known_as] = asyncio.create_task(self._tell(known_as))

    async def _tell(self, known_as: str) -> None:
        try:
            await self._tell_all(known_as)
        finally:
            # In the turn that has found no more, or none would tell of a job that ends in the next.
            del self._telling[known_as]

    async def _tell_all(self, known_as: str) -> None:
        """Tell a place of all, until there are none, or it does not answer."""
        jobs, stay = self._jobs[known_as], set[str]()
        while any(job.token not in stay for job in jobs):
            with suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT):
                    await self._closing.wait()
            some = list(islice((job for job in jobs if job.token not in stay), _MOST))
            try:
                left = await self._told(self._places[known_as], some)
            except (OSError, PycurrentError):
                return
            if left is None:
                return
            stay |= left
            gone = [job for job in some if job.token not in left]
            for job in gone:
                jobs.remove(job)
            await in_thread(remove_runs, [job.folder for job in gone])

    async def _told(self, place: Place, jobs: list[_Job]) -> set[str] | None:
        """The tokens of jobs that the place could not forget yet; None if it does not answer."""
        named = {job.token: [job.keep, job.is_over] for job in jobs}
        request = {"what": "forget", "args": {"jobs": named}}
        times = {"patience": place.lease, "silence": _SILENCE}
        answer = await ask(self._processes(), self._tmp, place.relay(), {**request, **times})
        return set(answer["answer"]) if "answer" in answer else None

    async def aclose(self) -> None:
        """Tell of all now, as far as that can be. Twice is fine."""
        self._closing.set()
        for known_as in list(self._jobs):
            self._tell_soon(known_as)
        if self._telling:
            telling = list(self._telling.values())
            await asyncio.wait(telling, timeout=_LAST)
            for task in telling:
                task.cancel()
            await asyncio.wait(telling)
