"""Annotations: remarks on lines of files, of the reports of a job, its failed tests and its log.

A log rule whose pattern has the named groups `file` and `line` gives one for each of its matches;
the groups `column` and `message` are taken as well, if it has them. Without a message it is the
rule's report.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.store import Annotation, AnnotationCounts, DatabaseReader, TestCase
from pycurrent.store.annotations import LEVELS
from pycurrent.store.test_cases import BAD

if TYPE_CHECKING:
    from pycurrent.engine import LogRules, LogSource

MOST = 500
"""How many annotations a job has at most."""
_LONGEST_MESSAGE = 2000
_DIGITS = 9
"""A longer number is not one of a line, or of a column."""
_PLACE = frozenset({"file", "line"})
_FAILED_AT = re.compile(r"^([^\s:]+\.py):(\d{1,9}): \w", re.MULTILINE)
"""How pytest ends a traceback, in whose reports tests have no lines."""


class JobAnnotations(Struct, frozen=True):
    """The annotations of a job, the worst ones first."""

    counts: AnnotationCounts
    first: tuple[Annotation, ...]
    """As many of them as were asked for."""


def job_annotations(store: DatabaseReader, job_id: str, *, limit: int) -> JobAnnotations:
    """The annotations in the reports of a job."""
    found = store.annotations.of_job(job_id)
    found.sort(key=lambda one: -LEVELS.index(one.level))
    return JobAnnotations(AnnotationCounts.of(one.level for one in found), tuple(found[:limit]))


def of_failed_tests(store: DatabaseReader, job_id: str) -> list[Annotation]:
    """An annotation for each failed test of a job of which it is said where it stands."""
    failed = store.tests.of_job(job_id, results=BAD, limit=MOST)
    return [*_of_tests(failed)]


def _of_tests(failed: Iterable[TestCase]) -> Iterator[Annotation]:
    for case in failed:
        path = None if case.file is None else repository_path(case.file)
        line = case.line
        at = [*_FAILED_AT.finditer(case.text or "")]
        if at and (found := repository_path(at[-1][1])) is not None:
            path, line = found, _number(at[-1][2])
        if path is not None:
            message = case.message or f"it has {case.result.value}"
            yield Annotation(path, line, message[:_LONGEST_MESSAGE], title=case.full_name)


def find_annotations(log: LogSource, rules: LogRules) -> tuple[Annotation, ...]:
    """The annotations in a log, by its rules, each once, at most `MOST`; the best rules first.

    It blocks while it reads and matches: call it in a thread. Raises OSError if the log can't be
    read.
    """
    return tuple(islice(dict.fromkeys(_found(log, rules)), MOST))


def _found(log: LogSource, rules: LogRules) -> Iterator[Annotation]:
    for groups, report in rules.matches(log, having=_PLACE):
        path, line = repository_path(groups["file"]), _number(groups["line"])
        if path is not None and line is not None:
            message = groups.get("message", "").strip() or report
            yield Annotation(path, line, message[:_LONGEST_MESSAGE], column=_column(groups))


def repository_path(text: str) -> str | None:
    """A path in a log as one within the repository; None for one that leads out of it."""
    path = text.strip()
    if not path or path.startswith("/") or not path.isprintable():
        return None
    path = posixpath.normpath(path)
    return None if path == "." or path.split("/")[0] == ".." else path


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return (int(text) if is_number else 0) or None


def _column(groups: Mapping[str, str]) -> int | None:
    return _number(groups.get("column", ""))
