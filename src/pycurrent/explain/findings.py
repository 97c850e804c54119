"""Finds the reason of a failure in the log of its job: see `failures.py` for when, and what for.

The kind is that of the log rule, if it has one; else the one that the work or a plugin has given,
unless that is REAL, which is what all failures are at first; else the log and the message tell.
"""

from __future__ import annotations

import logging

import msgspec
from msgspec import Struct

from pycurrent.engine import LogRules, LogSource
from pycurrent.engine.logrules import Explanation
from pycurrent.explain.error_lines import ErrorLines, FoundBy, find_error_lines
from pycurrent.explain.fingerprints import Fingerprint, fingerprint
from pycurrent.explain.kinds import kind_of
from pycurrent.term import Failed, FailureKind

_log = logging.getLogger(__name__)


class Findings(Struct, frozen=True):
    """The reason of a failure, as far as the log of its job tells it."""

    kind: FailureKind
    fingerprint: Fingerprint
    lines: ErrorLines | None
    """None if the log can't be read."""
    by_rule: Explanation | None

    @property
    def lines_text(self) -> str | None:
        """The error lines as they are recorded."""
        return None if self.lines is None else msgspec.json.encode(self.lines).decode()


def read_lines(text: str) -> ErrorLines:
    """The error lines in a record. Raises `msgspec.ValidationError` if no one of ours wrote it."""
    return msgspec.json.decode(text, type=ErrorLines)


def look_into(log: LogSource, failed: Failed, rules: LogRules | None) -> Findings:
    """Look for the reason of a failure in the log of its job, to be called in a thread; `rules` are
    None if they don't count.

    It takes a millisecond for most logs, and some 0.1 s for long ones, of which it reads the ends.
    """
    by_rule = lines = None
    try:
        if rules is not None:
            by_rule = rules.explain(log)
        with log.open() as file:
            lines = find_error_lines(file, rule_at=None if by_rule is None else by_rule.at)
    except OSError as error:
        _log.warning("the log %s can't be searched for errors: %s", log.path, error.strerror)
    return Findings(
        kind=_kind(failed, lines, by_rule),
        fingerprint=_fingerprint(failed, lines, by_rule),
        lines=lines,
        by_rule=by_rule,
    )


def _kind(failed: Failed, lines: ErrorLines | None, by_rule: Explanation | None) -> FailureKind:
    if by_rule is not None and by_rule.rule.kind is not None:
        return by_rule.rule.kind
    if failed.kind is not FailureKind.REAL:
        return failed.kind
    return kind_of(failed.message, lines)


def _fingerprint(
    failed: Failed, lines: ErrorLines | None, by_rule: Explanation | None
) -> Fingerprint:
    """The fingerprint of the message. "make: exit status 2" says little: the first error line that
    a pattern has found comes with it.
    """
    if by_rule is not None:
        return fingerprint(by_rule.report)
    if lines is not None and lines.found_by is FoundBy.PATTERN:
        first = next(iter(lines.telling), "").strip()
        if first not in failed.message:
            return fingerprint(f"{failed.message}: {first}")
    return fingerprint(failed.message)
