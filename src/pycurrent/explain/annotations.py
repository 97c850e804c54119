"""Annotations: remarks on lines of files, found in the log of a job.

A log rule whose pattern has the named groups `file` and `line` gives one for each of its matches;
the groups `column` and `message` are taken as well, if it has them. Without a message it is the
rule's report.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from pycurrent.engine.job_details import Annotation

if TYPE_CHECKING:
    from pycurrent.engine import LogRules, LogSource

MOST = 500
"""How many annotations a job has at most."""
_LONGEST_MESSAGE = 2000
_DIGITS = 9
"""A longer number is not one of a line, or of a column."""
_PLACE = frozenset({"file", "line"})


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
