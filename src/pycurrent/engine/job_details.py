"""The details of jobs for those who tell of them elsewhere, such as a check on a forge.

The rooms to the right explain jobs; here is only what they tell, and the service by which they are
asked: the public engine gives it what reads the details.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from pycurrent.store import Annotation


class LogLine(Struct, frozen=True):
    """A line of a job's log, without colours and cut if it is long."""

    number: int | None
    """From 1; None behind a part of the log that was not read."""
    text: str
    tells: bool
    """False for a line around."""


class JobDetails(Struct, frozen=True):
    """All that explains a job, in words for people."""

    job: str
    cause: tuple[str, ...]
    """Why it was run."""
    failure: str | None
    """The message of its failure."""
    lines: tuple[tuple[LogLine, ...], ...]
    """The parts of its log that tell why it failed."""
    context: tuple[str, ...]
    """Since when its stages fail, and which other ones fail alike."""
    by_hand: tuple[str, ...]
    """The commands that get the same files, and do the same."""
    tests: tuple[str, ...]
    """How its tests ended, and the first ones that failed."""
    annotations: tuple[Annotation, ...]
    """Its remarks on lines of files: of tests that failed, of reports, of its log."""


class DetailsReader:
    """Reads the details of the jobs of one engine: a service of it."""

    def __init__(self, engine: object) -> None:
        """It knows none until it is told by what to read them."""
        self._read: Callable[[str], Awaitable[JobDetails | None]] | None = None

    def read_by(self, read: Callable[[str], Awaitable[JobDetails | None]]) -> None:
        """Have the details of a job read by a function that takes its id."""
        self._read = read

    async def of(self, job_id: str) -> JobDetails | None:
        """The details of a job; None if they are not known."""
        return None if self._read is None else await self._read(job_id)
