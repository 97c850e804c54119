"""Remarks of jobs on lines of files, as values, and the table of those from reports."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from enum import Enum
from pathlib import Path

from msgspec import Struct

from pycurrent.store.errors import StoreError, from_sqlite
from pycurrent.store.queries import load_queries
from pycurrent.store.records import Row, storable
from pycurrent.store.schema import open_existing

MOST = 1_000
"""So many annotations are recorded of a job."""

_SHOWN = 200
"""Characters of a message in a line."""
_BUSY_SECONDS = 30.0
"""Nobody else waits for it."""


class AnnotationLevel(Enum):
    """How bad it is that an annotation tells of."""

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


LEVELS = (AnnotationLevel.NOTICE, AnnotationLevel.WARNING, AnnotationLevel.ERROR)
"""By the numbers that rows have."""


class Annotation(Struct, frozen=True):
    """A remark of a job on a line of a file, or on all of its work."""

    path: str | None
    """Relative to the root of the repository, or of whatever files the job has worked on; None if
    it is not said, or outside.
    """
    line: int | None
    """From 1; None for all of the file."""
    message: str
    level: AnnotationLevel = AnnotationLevel.ERROR
    column: int | None = None
    """From 1; None for the whole line."""
    end_line: int | None = None
    """The last line, if it is on several."""
    title: str | None = None
    """The rule that it follows from, or what else its tool calls it."""
    tool: str | None = None
    """The tool that says so; None in a log."""
    log_line: int | None = None
    """The line of the job's log that it is from, from 1."""

    def __str__(self) -> str:
        """For people, in a line."""
        words = " ".join(self.message.split())
        words = words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
        title = "" if self.title is None else f" ({' '.join(self.title.split())})"
        return f"{self.place}{': ' if self.place else ''}{words}{title}"

    @property
    def place(self) -> str:
        """Where it is, as tools write it: `src/a.py:3`; empty if it is not said."""
        if self.path is None:
            return ""
        return self.path if self.line is None else f"{self.path}:{self.line}"


class AnnotationCounts(Struct, frozen=True):
    """How many annotations there are, by their levels."""

    errors: int = 0
    warnings: int = 0
    notices: int = 0

    @classmethod
    def of(cls, levels: Iterable[AnnotationLevel]) -> AnnotationCounts:
        """Count them."""
        counts = Counter([level.value for level in levels])
        return cls(counts["error"], counts["warning"], counts["notice"])

    def __add__(self, other: AnnotationCounts) -> AnnotationCounts:
        return AnnotationCounts(
            self.errors + other.errors,
            self.warnings + other.warnings,
            self.notices + other.notices,
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.errors + self.warnings + self.notices

    def __str__(self) -> str:
        """For people: `2 errors, 1 warning`."""
        parts = {"error": self.errors, "warning": self.warnings, "notice": self.notices}
        told = [
            f"{number:,} {word}{'' if number == 1 else 's'}"
            for word, number in parts.items()
            if number
        ]
        return ", ".join(told) or "none"


class AnnotationTable:
    """The recorded annotations of jobs. Raises what its reader does."""

    def __init__(
        self,
        queries: Mapping[str, str],
        run: Callable[[str, tuple[object, ...]], list[Row]],
        damage: Callable[[Exception], StoreError],
    ) -> None:
        self._queries = queries
        self._run = run
        self._damage = damage

    def of_job(self, job_id: str) -> list[Annotation]:
        """The annotations of a job, in the order of its reports."""
        rows = self._run(self._queries["annotations_of_job"], (job_id,))
        try:
            return [_of_row(row) for row in rows]
        except (ValueError, TypeError, IndexError) as error:
            raise self._damage(error) from error


def add_annotations(path: Path, job_id: str, annotations: Sequence[Annotation]) -> int:
    """Add annotations to those of a job, beside the engine at work, and give the number of those
    for which there was room. Blocks; one transaction. Raises `StoreError`.
    """
    queries = load_queries()
    try:
        with closing(open_existing(path, busy_seconds=_BUSY_SECONDS)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute(queries["place_of_annotations"], (job_id,)).fetchone()
            if found is None:
                raise StoreError(f"{path} has no record of job {job_id}")
            job, place = found
            rows = [(job, place + at, *_row(one)) for at, one in enumerate(annotations)]
            kept = rows[: max(0, MOST - place)]
            connection.executemany(queries["add_annotation"], kept)
            return len(kept)
    except sqlite3.Error as error:
        raise from_sqlite(path, error) from error


def _row(one: Annotation) -> tuple[object, ...]:
    texts = (None if text is None else storable(text) for text in (one.title, one.tool))
    path = None if one.path is None else storable(one.path)
    return (
        *(LEVELS.index(one.level), path, one.line, one.end_line, one.column),
        *(storable(one.message), *texts),
    )


def _of_row(row: Row) -> Annotation:
    level, path, line, end_line, column, message, title, tool = row
    return Annotation(
        path,
        line,
        message,
        level=LEVELS[level],
        column=column,
        end_line=end_line,
        title=title,
        tool=tool,
    )
