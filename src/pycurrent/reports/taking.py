"""Takes the reports that jobs' tools write of their tests: finds, reads and records them.

All is done in a thread, from the file to the database in one pass, so that a report of 100,000
tests neither holds the loop nor fills the memory. The tests before a break of a report are
recorded, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path

from msgspec.structs import replace

from pycurrent.engine import CommandFailed
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.stopped import Cancelled
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.files.patterns import checked_patterns
from pycurrent.reports.files import find_reports, shown_path
from pycurrent.reports.junit import NoJUnit, ReportError, read_junit
from pycurrent.store import StoreError, TestCase, TestCounts, TestResult
from pycurrent.store.test_writer import TestCaseWriter
from pycurrent.term import Failure

MOST_CASES = 1_000_000
"""So many tests may one call report."""
_NAMED = 10
"""So many failed tests and files are named in a log."""
_SHOWN = 200
"""Characters of a message in a line."""
_NONE = TestCounts()

Masked = Callable[[str], str]


@dataclass(slots=True)
class Taken:
    """The findings in the reports of one call."""

    files: list[str] = field(default_factory=list)
    """The names of the files that were read, as far as they could be."""
    others: list[str] = field(default_factory=list)
    """Why files are left out that are XML, but no reports."""
    unread: list[str] = field(default_factory=list)
    """Why reports can't be read."""
    counts: TestCounts = _NONE
    failed: list[TestCase] = field(default_factory=list)
    """The first tests that have failed."""

    def add(self, cases: Sequence[TestCase]) -> None:
        others = [case for case in cases if case.result is not TestResult.PASSED or case.retries]
        of = Counter([case.result.value for case in others if not case.is_flaky])
        flaky = sum(case.is_flaky for case in others)
        self.counts += TestCounts(
            passed=len(cases) - len(others) + flaky,
            failed=of[TestResult.FAILED.value],
            errors=of[TestResult.ERROR.value],
            skipped=of[TestResult.SKIPPED.value],
            flaky=flaky,
            took=sum([case.took or 0.0 for case in cases]),
        )
        bad = [case for case in others if case.result.is_bad]
        self.failed += bad[: _NAMED - len(self.failed)]


class JUnitReports:
    """Takes reports in JUnit's XML, for the jobs of one engine."""

    def __init__(self, database: Path, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def take(
        self,
        job: DrivenJob,
        folder: str | PathLike[str],
        patterns: str | Sequence[str],
        *,
        required: bool,
        failing: BaseException | None,
    ) -> TestCounts:
        """See `Job.report`."""
        wanted = checked_patterns(patterns, "job.report: junit=")
        path = Path(folder)
        if not path.is_dir():
            raise UsageError(f"job.report takes a folder, and {str(path)!r} is none")
        if not job.has_begun:
            raise UsageError("job.report was called before job.start: await that first")
        if isinstance(job.stopped, Cancelled):
            return _NONE
        if not await job.recorded():
            raise StoreError("the tests of the job can't be recorded, as it can't be itself")
        await job.job_log.learn()
        taken = await in_thread(self._take, job.id, path, wanted, job.job_log.masked)
        for line in _lines(taken, wanted):
            job.log(line)
        if (failure := _failure(taken, wanted, required=required, failing=failing)) is not None:
            raise failure
        return taken.counts

    def _take(self, job_id: str, folder: Path, patterns: Sequence[str], masked: Masked) -> Taken:
        """Read all that match, and record their tests. Blocks."""
        taken = Taken()
        files = find_reports(folder, patterns)
        if not files:
            return taken
        with TestCaseWriter.open(self._database, job_id) as writer:
            for file in files:
                for cases in _read(file, shown_path(file, folder), taken):
                    told = _all_masked(cases, masked)
                    taken.add(told)
                    writer.add(told)
                if taken.counts.total > MOST_CASES:
                    taken.unread.append(f"there are more than {MOST_CASES:,} tests")
                    break
            if taken.files:
                writer.end(taken.counts, self._now())
        return taken


def _read(file: Path, name: str, taken: Taken) -> Iterator[list[TestCase]]:
    """The tests of a file; what is wrong with it is noted."""
    try:
        yield from read_junit(file)
    except NoJUnit as error:
        taken.others.append(f"{name}: {error}")
        return
    except ReportError as error:
        taken.unread.append(f"the report {name} can't be read: {error}")
    taken.files.append(name)


def _all_masked(cases: list[TestCase], masked: Masked) -> list[TestCase]:
    """The tests as a log would hold their words."""
    words = "\n".join([f"{c.suite}\n{c.name}\n{c.message}\n{c.text}" for c in cases])
    return cases if masked(words) == words else [_masked(case, masked) for case in cases]


def _masked(case: TestCase, masked: Masked) -> TestCase:
    """Its name may have a secret, too, as a parameter."""
    return replace(
        case,
        suite=masked(case.suite),
        name=masked(case.name),
        message=None if case.message is None else masked(case.message),
        text=None if case.text is None else masked(case.text),
    )


def _failure(
    taken: Taken, patterns: Sequence[str], *, required: bool, failing: BaseException | None
) -> Failure | None:
    """The failure that the reports amount to, where no other one counts more."""
    if taken.failed and (failing is None or isinstance(failing, CommandFailed)):
        first, counts = taken.failed[0], taken.counts
        tests = "1 test" if counts.total == 1 else f"{counts.total:,} tests"
        return Failure(f"{counts.bad:,} of {tests} failed: {first.name}{_said(first)}")
    if failing is not None:
        return None
    if taken.unread:
        return Failure(taken.unread[0])
    if required and not taken.files:
        return Failure(f"no report of tests matches {', '.join(patterns)}")
    return None


# In words


def _lines(taken: Taken, patterns: Sequence[str]) -> Iterator[str]:
    """The lines of the log."""
    for line in _some(taken.others):
        yield f"Left out: {line}"
    if taken.files:
        yield f"Tests: {taken.counts} ({', '.join(_some(taken.files))})"
    else:
        yield f"No report of tests matches {', '.join(patterns)}"
    for case in taken.failed:
        yield f"  {case.result.value}: {case.full_name}{_said(case)}"
    if (more := taken.counts.bad - len(taken.failed)) > 0:
        yield f"  and {more:,} more"
    for line in _some(taken.unread):
        yield f"Note: {line}"


def _some(texts: Sequence[str]) -> list[str]:
    more = [f"and {len(texts) - _NAMED:,} more"] if len(texts) > _NAMED else []
    return [*texts[:_NAMED], *more]


def _said(case: TestCase) -> str:
    if not case.message:
        return ""
    line = " ".join(case.message.split())
    return f": {line if len(line) <= _SHOWN else f'{line[:_SHOWN]}...'}"
