"""Takes the reports that jobs' tools write: finds, reads and records them.

All is done in a thread, from the files to the database in one pass, so that a report of 100,000
tests neither holds the loop nor fills the memory. The part of a report before a break is recorded,
too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import MappingProxyType

from pycurrent.engine import CommandFailed
from pycurrent.engine.job_reports import Reported
from pycurrent.engine.job_work import WorkingJob
from pycurrent.engine.stopped import Cancelled
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.files.patterns import checked_patterns
from pycurrent.reports.annotations import TakenAnnotations
from pycurrent.reports.coverage import TakenCoverage
from pycurrent.reports.files import find_reports, shown_path
from pycurrent.reports.taken import NAMED, Place, Taken
from pycurrent.reports.tests import TakenTests
from pycurrent.store import StoreError
from pycurrent.term import Failure

KINDS: Mapping[str, type[Taken]] = MappingProxyType(
    {"junit": TakenTests, "coverage": TakenCoverage, "sarif": TakenAnnotations}
)
"""By the arguments of `Job.report`, in the order in which they are taken."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The reports of one kind that a call is about."""

    patterns: tuple[str, ...]
    taken: Taken

    def take(self, folder: Path) -> None:
        """Find, read and record them. Blocks."""
        files = find_reports(folder, self.patterns)
        if files:
            self.taken.take([(file, shown_path(file, folder)) for file in files])

    @property
    def nothing(self) -> str:
        return f"{self.taken.what} matches {', '.join(self.patterns)}"

    def lines(self) -> Iterator[str]:
        """The lines of the log."""
        taken = self.taken
        for line in _some(taken.others):
            yield f"Left out: {line}"
        if taken.files:
            yield f"{taken.words()} ({', '.join(_some(taken.files))})"
        else:
            yield f"No {self.nothing}"
        yield from taken.details()
        for line in _some(taken.unread):
            yield f"Note: {line}"


class Reports:
    """Takes reports for the jobs of one engine."""

    def __init__(self, database: Path, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def take(
        self,
        job: WorkingJob,
        folder: str | PathLike[str],
        wanted: Mapping[str, str | Sequence[str] | None],
        *,
        required: bool,
        failing: BaseException | None,
    ) -> Reported:
        """See `Job.report`."""
        patterns = _checked(wanted)
        path = Path(folder)
        if not path.is_dir():
            raise UsageError(f"job.report takes a folder, and {str(path)!r} is none")
        if not job.has_begun:
            raise UsageError("job.report was called before job.start: await that first")
        if isinstance(job.stopped, Cancelled):
            return Reported()
        if not await job.recorded():
            raise StoreError("the reports of the job can't be recorded, as it can't be itself")
        await job.job_log.learn()
        place = Place(path, self._database, job.id, job.job_log.masked, self._now)
        calls = [_Wanted(texts, KINDS[kind](place)) for kind, texts in patterns.items()]
        reported = Reported()
        for call in calls:
            await in_thread(call.take, path)
            for line in call.lines():
                job.note(line)
            reported = call.taken.reported(reported)
        if (failure := _failure(calls, required=required, failing=failing)) is not None:
            raise failure
        return reported


def _checked(wanted: Mapping[str, str | Sequence[str] | None]) -> dict[str, tuple[str, ...]]:
    patterns = {
        kind: checked_patterns(given, f"job.report: {kind}=")
        for kind in KINDS
        if (given := wanted[kind]) is not None
    }
    if not patterns:
        raise UsageError(f"job.report has nothing to take: give {', or '.join(KINDS)}")
    return patterns


def _failure(
    calls: Sequence[_Wanted], *, required: bool, failing: BaseException | None
) -> Failure | None:
    """The failure that the reports amount to, where no other one counts more."""
    if failing is None or isinstance(failing, CommandFailed):
        for call in calls:
            if (said := call.taken.failure()) is not None:
                return Failure(said)
    if failing is not None:
        return None
    for call in calls:
        if call.taken.unread:
            return Failure(call.taken.unread[0])
    for call in calls:
        if required and not call.taken.files:
            return Failure(f"no {call.nothing}")
    return None


def _some(texts: Sequence[str]) -> list[str]:
    more = [f"and {len(texts) - NAMED:,} more"] if len(texts) > NAMED else []
    return [*texts[:NAMED], *more]
