"""The kind of a failure, by its message and its log."""

from __future__ import annotations

from pycurrent.explain.error_lines import ErrorLines
from pycurrent.explain.patterns import common_patterns
from pycurrent.term import FailureKind


def kind_of(message: str, lines: ErrorLines | None = None) -> FailureKind:
    """Return the kind of a failure: INFRA if its message or the error lines of its log say so.

    REAL if neither does, or if one of them says that the work itself has failed. A failure to which
    somebody else has given a kind, a plugin or an author, keeps that one: don't ask for it.
    """
    kinds = {_kind_of_message(message), None if lines is None else lines.kind}
    if FailureKind.REAL in kinds:
        return FailureKind.REAL
    return FailureKind.INFRA if FailureKind.INFRA in kinds else FailureKind.REAL


def _kind_of_message(message: str) -> FailureKind | None:
    """The kind that a message gives; None if it leaves it open."""
    matches = common_patterns().matches(message.encode(errors="replace"))
    kinds = {match.pattern.kind for match in matches}
    if FailureKind.REAL in kinds:
        return FailureKind.REAL
    return FailureKind.INFRA if FailureKind.INFRA in kinds else None
