"""Annotations: remarks on lines of files, of the reports of a job, its failed tests and its log.

A log rule whose pattern has the named groups `file` and `line` gives one for each of its matches;
the groups `column` and `message` are taken as well, if it has them. Without a message it is the
rule's report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.explain.paths import repository_path
from pycurrent.store import Annotation, AnnotationCounts, DatabaseReader, TestCase
from pycurrent.store.annotations import LEVELS
from pycurrent.store.test_cases import BAD

if TYPE_CHECKING:
    from pycurrent.engine import LogRules, LogSource
    from pycurrent.explain.markers import Markers

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


def job_annotations(
    store: DatabaseReader, job_id: str, markers: Markers | None, *, limit: int
) -> JobAnnotations:
    """The annotations in the reports of a job, and those that it has printed."""
    found, counts = store.annotations.of_job(job_id), AnnotationCounts()
    if markers is not None:
        found += markers.annotations
        counts = markers.counts
    found.sort(key=lambda one: -LEVELS.index(one.level))
    counts += AnnotationCounts.of(one.level for one in found if one.log_line is None)
    return JobAnnotations(counts, tuple(found[:limit]))


def markers_of(log: LogSource | None) -> Markers | None:
    """The markers in the log of a job; None if it is gone."""
    from pycurrent.explain.markers import read_markers

    try:
        return None if log is None else read_markers(log)
    except OSError:
        return None


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


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return (int(text) if is_number else 0) or None


def _column(groups: Mapping[str, str]) -> int | None:
    return _number(groups.get("column", ""))
