"""The filters of a history, and the places in it."""

import re
from datetime import datetime, timedelta
from typing import Self, TypedDict

from msgspec import Struct

from pycurrent.errors import UsageError
from pycurrent.store.label_filter import LabelFilter
from pycurrent.store.records import JobEnd

SHOWN: frozenset[JobEnd | None] = frozenset(JobEnd) - {JobEnd.SUPERSEDED}
"""The jobs that a history shows unless asked for others."""


class HistoryFilters(TypedDict, total=False):
    """The filters of a history, but `op` and `ends`: see `HistoryFilter`."""

    ok: bool | None
    rebuild: bool | None
    prefix: str | None
    key: str | None
    text: str | None
    path: str | None
    labels: tuple[LabelFilter, ...]
    kind: str | None
    cause: str | None
    by: str | None
    since: datetime | None
    until: datetime | None
    longer: timedelta | None
    place: str | None
    pool: str | None


class HistoryFilter(Struct, frozen=True, kw_only=True):
    """Selects the jobs that pass all of these. None lets every job pass."""

    op: str | None = None
    ok: bool | None = None
    ends: frozenset[JobEnd | None] = frozenset()
    """How it ended: in one of these ways; None: it has not. Empty: in any but superseded."""
    rebuild: bool | None = None
    """True: somebody has asked for a rebuild, which has not begun. False: nobody has."""
    prefix: str | None = None
    """How the job's id begins: a day, such as 2026-11-22, or a month."""
    key: str | None = None
    text: str | None = None
    """Something in its key, value or result, in any case (of ASCII letters)."""
    path: str | None = None
    """The path of a stage that has used it, or a glob."""
    labels: tuple[LabelFilter, ...] = ()
    """Conditions which all hold for the labels of one stage that has used it: the one of `path`,
    if both are given. A job that no stage has used counts as one without labels.
    """
    kind: str | None = None
    """The kind of its failure; "real" is the work's own."""
    cause: str | None = None
    """Why it was run: the name of one of the causes."""
    by: str | None = None
    """The user or token that asked for it."""
    since: datetime | None = None
    """It has not ended, or ended at this time or later. Aware, as is `until`."""
    until: datetime | None = None
    """It ended before this time."""
    longer: timedelta | None = None
    """It ran for longer than this."""
    place: str | None = None
    """The place that it ran at, or the name of that, without what follows in parentheses."""
    pool: str | None = None
    """The label of the pool whose resource it had, if it has run commands or had a place."""


class HistoryCursor(Struct, frozen=True):
    """The place of a job in the order of a history."""

    at: str
    """When it ended, as the rows have it; or when it was created, if it had not ended."""
    seq: int
    has_ended: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a place. Raises `UsageError`."""
        match = re.fullmatch(CURSOR, text)
        if match is None:
            raise UsageError(f"{text!r} is not a place in a history: take the one a page ends with")
        return cls(match[2], int(match[3]), not match[1])

    def __str__(self) -> str:
        return f"{'' if self.has_ended else '~'}{self.at}-{self.seq}"


CURSOR = r"(~?)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)-(\d{1,18})"
"""The text of a place, as a pattern."""
