"""The parts that all kinds of reports have: their files, the lines of a log, the failure.

A new kind is a subclass of `Taken`, and a line in `taking.KINDS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from pycurrent.engine.job_reports import Reported
from pycurrent.reports.errors import OtherReport, ReportError

NAMED = 10
"""So many files, and so many of the things that fail a job, are named in a log."""

Masked = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reports are, and where the findings go."""

    folder: Path
    """The one that the call has named: names of files are relative to it."""
    database: Path
    job_id: str
    masked: Masked
    """A text of the job as its log would have it."""
    now: Callable[[], datetime]


class Taken(ABC):
    """The findings in the reports of one kind, in one call of `Job.report`.

    `take` is called once, in a thread, and the rest after it.
    """

    what: ClassVar[str]
    """The words for one such report."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.files: list[str] = []
        """The names of the files that were read, as far as they could be."""
        self.others: list[str] = []
        """Why files are left out that are something else."""
        self.unread: list[str] = []
        """Why reports can't be read."""

    @abstractmethod
    def take(self, files: Sequence[tuple[Path, str]]) -> None:
        """Read the files, each with its name for people, and record what they say. Blocks."""

    @abstractmethod
    def words(self) -> str:
        """The findings in a line of the log."""

    @abstractmethod
    def reported(self, others: Reported) -> Reported:
        """Its findings, beside those of other kinds."""

    def details(self) -> Iterator[str]:
        """More lines of the log."""
        yield from ()

    def failure(self) -> str | None:
        """Why the findings fail the job; None if they don't."""
        return None

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """A block that reads a file; what is wrong with that is noted."""
        try:
            yield
        except OtherReport as error:
            self.others.append(f"{name}: {error}")
            return
        except ReportError as error:
            self.unread.append(f"the report {name} can't be read: {error}")
        self.files.append(name)
