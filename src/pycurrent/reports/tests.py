"""Takes the tests in reports in JUnit's XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from pycurrent.engine.job_reports import Reported
from pycurrent.reports.junit import read_junit
from pycurrent.reports.taken import NAMED, Masked, Place, Taken
from pycurrent.store import TestCase, TestCounts, TestResult
from pycurrent.store.test_writer import TestCaseWriter

MOST_CASES = 1_000_000
"""So many tests may one call report."""
_SHOWN = 200
"""Characters of a message in a line."""


class TakenTests(Taken):
    """The tests of one call."""

    what: ClassVar[str] = "report of tests"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.counts = TestCounts()
        self.failed: list[TestCase] = []
        """The first tests that have failed."""

    def take(self, files: Sequence[tuple[Path, str]]) -> None:
        with TestCaseWriter.open(self.place.database, self.place.job_id) as writer:
            for file, name in files:
                with self.reading(name):
                    self._read(file, writer)
                if self.counts.total > MOST_CASES:
                    self.unread.append(f"there are more than {MOST_CASES:,} tests")
                    break
            if self.files:
                writer.end(self.counts, self.place.now())

    def _read(self, file: Path, writer: TestCaseWriter) -> None:
        for cases in read_junit(file):
            told = _all_masked(cases, self.place.masked)
            self._add(told)
            writer.add(told)

    def _add(self, cases: Sequence[TestCase]) -> None:
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
        self.failed += bad[: NAMED - len(self.failed)]

    def words(self) -> str:
        return f"Tests: {self.counts}"

    def reported(self, others: Reported) -> Reported:
        return replace(others, tests=self.counts)

    def details(self) -> Iterator[str]:
        for case in self.failed:
            yield f"  {case.result.value}: {case.full_name}{_said(case)}"
        if (more := self.counts.bad - len(self.failed)) > 0:
            yield f"  and {more:,} more"

    def failure(self) -> str | None:
        if not self.failed:
            return None
        first, counts = self.failed[0], self.counts
        tests = "1 test" if counts.total == 1 else f"{counts.total:,} tests"
        return f"{counts.bad:,} of {tests} failed: {first.name}{_said(first)}"


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


def _said(case: TestCase) -> str:
    if not case.message:
        return ""
    line = " ".join(case.message.split())
    return f": {line if len(line) <= _SHOWN else f'{line[:_SHOWN]}...'}"
