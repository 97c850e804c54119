"""The coverage that jobs have reported, as values: how much of the source their tests have run."""

from datetime import datetime

from msgspec import Struct

from pycurrent.store.records import Row


class Coverage(Struct, frozen=True):
    """How many lines, and branches, of the source there are, and how many of them were run."""

    lines: int = 0
    """The lines that could be run: without comments, say."""
    covered: int = 0
    branches: int = 0
    """0 if they were not looked at."""
    branches_covered: int = 0

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(
            self.lines + other.lines,
            self.covered + other.covered,
            self.branches + other.branches,
            self.branches_covered + other.branches_covered,
        )

    @property
    def percent(self) -> float | None:
        """The part of the lines that was run, of 100; None if there are no lines."""
        return 100 * self.covered / self.lines if self.lines else None

    @property
    def branch_percent(self) -> float | None:
        """The part of the branches that was taken, of 100; None if none were looked at."""
        return 100 * self.branches_covered / self.branches if self.branches else None

    def __str__(self) -> str:
        """For people: `85.2 % of 1,234 lines, 70.0 % of 320 branches`."""
        if self.percent is None:
            return "no lines"
        lines = f"{percent_text(self.percent)} of {_plural(self.lines, 'line')}"
        if self.branch_percent is None:
            return lines
        branches = f"{percent_text(self.branch_percent)} of {self.branches:,} branches"
        return f"{lines}, {branches}"


def percent_text(percent: float) -> str:
    """A percentage with one decimal: `100.0 %` only if nothing is missing, `0.0 %` if nothing is
    there.
    """
    shown = round(percent, 1)
    if 0 < percent < 100:
        shown = min(max(shown, 0.1), 99.9)
    return f"{shown:.1f} %"


class FileCoverage(Struct, frozen=True):
    """The coverage of one file of the source."""

    path: str
    coverage: Coverage


class CoverageReport(Struct, frozen=True, kw_only=True):
    """The coverage that one job has reported."""

    job_id: str
    op: str
    key: str
    at: datetime
    """When its last report was taken. Aware, in UTC."""
    ok: bool
    """True if the job has ended with an Ok result."""
    coverage: Coverage
    path: str | None
    """The first stage that has used the job; None if none has."""
    before: Coverage | None
    """The coverage of the last job with an Ok result, and with coverage, that this stage had used
    before.
    """

    @property
    def change(self) -> float | None:
        """How many points of 100 it has gained since, or lost; None if there was none before."""
        now = self.coverage.percent
        before = None if self.before is None else self.before.percent
        return None if now is None or before is None else now - before


def change_text(change: float) -> str:
    """A change as people read it: `+0.3`, `-1.2`, `±0.0` if it is less than half a tenth."""
    text = f"{change:+.1f}"
    return text if text not in {"+0.0", "-0.0"} else "±0.0"


def coverage_of_row(row: Row) -> Coverage | None:
    """The coverage in a row; None if the row has none."""
    if row[0] is None:
        return None
    lines, covered, branches, branches_covered = row
    return Coverage(lines, covered, branches, branches_covered)


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
