"""The tests that jobs have reported, as values."""

from datetime import datetime
from enum import Enum
from typing import ClassVar, TypedDict

from msgspec import Struct

from pycurrent.store.label_filter import LabelFilter
from pycurrent.store.records import Row


class TestResult(Enum):
    """How a test ended."""

    __test__ = False  # None of pytest's own.

    PASSED = "passed"
    FAILED = "failed"
    """Something that it checks does not hold."""
    ERROR = "error"
    """Something else has failed in it, such as what prepares it."""
    SKIPPED = "skipped"

    @property
    def is_bad(self) -> bool:
        """True if it fails its job."""
        return self in BAD


BAD = (TestResult.FAILED, TestResult.ERROR)
"""The results that fail a job."""


class TestCase(Struct, frozen=True, kw_only=True):
    """One run of a test, as its tool has reported it."""

    __test__: ClassVar[bool] = False

    suite: str
    """The class, module or package that it belongs to; empty if it is not said."""
    name: str
    result: TestResult
    took: float | None = None
    """Seconds; None if it is not said."""
    file: str | None = None
    """Where it stands in the source, as far as it is said."""
    line: int | None = None
    message: str | None = None
    """Why it failed, in short, or why it was skipped."""
    text: str | None = None
    """More of its tool's words: a traceback, as a rule. A long one is cut in the middle."""
    retries: int = 0
    """How often it failed in the same run, before this result."""

    @property
    def is_flaky(self) -> bool:
        """True if it passed after it had failed."""
        return self.result is TestResult.PASSED and self.retries > 0

    @property
    def full_name(self) -> str:
        """Its suite and its name."""
        return full_name(self.suite, self.name)


def full_name(suite: str, name: str) -> str:
    """The suite and the name of a test, as people read them."""
    return name if not suite or name.startswith(suite) else f"{suite}: {name}"


class TestCounts(Struct, frozen=True):
    """How many tests ended how."""

    __test__: ClassVar[bool] = False

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    flaky: int = 0
    """How many of those that passed had failed before, in the same run."""
    took: float = 0.0
    """Seconds, all tests together."""

    def __add__(self, other: "TestCounts") -> "TestCounts":
        return TestCounts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.errors + other.errors,
            self.skipped + other.skipped,
            self.flaky + other.flaky,
            self.took + other.took,
        )

    @property
    def total(self) -> int:
        """All tests."""
        return self.passed + self.failed + self.errors + self.skipped

    @property
    def bad(self) -> int:
        """The number of those that fail their job."""
        return self.failed + self.errors

    def __str__(self) -> str:
        """For people: `117 passed, 3 failed`."""
        parts = {
            "passed": self.passed,
            "failed": self.failed,
            "error" if self.errors == 1 else "errors": self.errors,
            "skipped": self.skipped,
            "flaky": self.flaky,
        }
        told = [f"{number:,} {word}" for word, number in parts.items() if number]
        return ", ".join(told) or "no tests"


class TestReport(Struct, frozen=True, kw_only=True):
    """The tests of one job."""

    __test__: ClassVar[bool] = False

    job_id: str
    op: str
    key: str
    at: datetime
    """When its last report was taken. Aware, in UTC."""
    counts: TestCounts


class TestRun(Struct, frozen=True, kw_only=True):
    """One run of a test, and the job that has run it."""

    __test__: ClassVar[bool] = False

    job_id: str
    at: datetime
    """When the report was taken. Aware, in UTC."""
    case: TestCase


class TestTrouble(Struct, frozen=True, kw_only=True):
    """A test that has failed lately, that is flaky, or that is slow."""

    __test__: ClassVar[bool] = False

    suite: str
    name: str
    file: str | None
    line: int | None
    times: int
    """How often it was in trouble, among the jobs that were looked at."""
    runs: int
    """How often it was run by these jobs."""
    newest: str
    """The id of the newest job of these."""
    at: datetime
    """When that has reported it. Aware, in UTC."""
    message: str | None
    """Its message there."""
    took: float | None
    """Seconds, in the mean over its runs; None if it is not said."""

    @property
    def full_name(self) -> str:
        """Its suite and its name."""
        return full_name(self.suite, self.name)


class TestFilters(TypedDict, total=False):
    """Selects the jobs to which all of these apply."""

    op: str
    since: datetime
    """Reported at this time or later. Aware."""
    path: str
    """The path of a stage that has used the job, or a glob."""
    labels: tuple[LabelFilter, ...]
    """Conditions on the labels of that stage, which all hold."""


STATES = (TestResult.PASSED, TestResult.FAILED, TestResult.ERROR, TestResult.SKIPPED)
"""The results by the numbers that rows have."""
FLAKY = len(STATES)
"""The number for a test that passed after it had failed."""


def state_of(case: TestCase) -> int:
    """The number that the row of a test has for its result."""
    return FLAKY if case.is_flaky else STATES.index(case.result)


def seconds(microseconds: int | None) -> float | None:
    """The seconds of a row."""
    return None if microseconds is None else microseconds / 1e6


def case_of_row(row: Row) -> TestCase:
    """The test in a row. Raises ValueError, TypeError or IndexError if it is damaged."""
    suite, name, file, line, state, took, message, text, retries = row
    return TestCase(
        suite=suite,
        name=name,
        file=file,
        line=line,
        result=TestResult.PASSED if state == FLAKY else STATES[state],
        took=seconds(took),
        message=message,
        text=text,
        retries=retries or 0,
    )


def counts_of_row(row: Row) -> TestCounts:
    """The counts in a row."""
    passed, failed, errors, skipped, flaky, took = row
    return TestCounts(passed, failed, errors, skipped, flaky, took / 1e6)
