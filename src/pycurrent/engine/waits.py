"""The things that jobs wait for while they are at work: another pool, a folder, a server's pause.

They are in the log, and as long as they last in what `why` says of the job. The pools that jobs use
in the middle of their work are here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pycurrent.engine.pool import AnyPool

Told: TypeAlias = str | Callable[[], str]
"""Words for people, or a function that gives those of now."""


def text_of(what: Told) -> str:
    """The words of now."""
    return what if isinstance(what, str) else what()


class Waits:
    """The things that the jobs of an engine wait for now. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self._waits: dict[str, list[Told]] = {}
        """By job, as few wait at a time. A job with tasks of its own may wait for several."""

        self.visits: dict[AnyPool, dict[str, datetime]] = {}
        """The jobs that hold a resource in the middle of their work, and since when, by pool."""

    def first(self, limit: int) -> list[tuple[str, tuple[str, ...]]]:
        """At most `limit` of the jobs that wait, each with the things that it waits for."""
        return [(job_id, self.of(job_id)) for job_id in islice(self._waits, limit)]

    @contextmanager
    def visiting(self, pool: AnyPool, job_id: str, since: datetime) -> Iterator[None]:
        """A job holds a resource of this pool during the block."""
        jobs = self.visits.setdefault(pool, {})
        jobs[job_id] = since
        try:
            yield
        finally:
            jobs.pop(job_id, None)
            if not jobs:
                self.visits.pop(pool, None)

    def of(self, job_id: str) -> tuple[str, ...]:
        """The things that a job waits for, in words for people."""
        return tuple(text_of(what) for what in self._waits.get(job_id, ()))

    @contextmanager
    def waiting(self, job_id: str, what: Told) -> Iterator[None]:
        """A job waits for this during the block."""
        mine = self._waits.setdefault(job_id, [])
        mine.append(what)
        try:
            yield
        finally:
            mine.remove(what)
            if not mine:
                del self._waits[job_id]
