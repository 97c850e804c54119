"""The entries of a history: recorded jobs with the stages that used them, and why they were run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from pycurrent.cache import Cause, UnreadableValue, because, cause_name, cause_of
from pycurrent.cache.cause import retry_of
from pycurrent.store import DatabaseReader, HistoryFilter, JobEnd, JobRecord, RanRecord, UseRecord
from pycurrent.term import FailureKind

USES = 20
"""How many uses of a job are read for an entry of a list."""
ALL_USES = 1000
"""How many are read where one job is shown."""


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """A job that was recorded."""

    job_id: str
    op: str
    key: str
    build: int
    """0, 1, 2 ... for each operation and key."""
    level: str | None
    end: JobEnd | None
    """How it ended; None: it has not, or its engine was killed and none has been started since."""
    failure: str | None
    """The message of its failure."""
    kind: FailureKind | None
    """The kind of its failure."""
    cause: Cause | None
    """Why it was run; None if this version can't tell."""
    created: datetime
    started: datetime | None
    finished: datetime | None
    rebuild: bool
    """Somebody has asked for it to be made again."""
    paths: tuple[str, ...]
    """The paths of the stages that have used it, the newest use first; in a list not all."""
    labels: Mapping[str, str]
    """Their labels. Where they have different ones of a name, that of the first counts."""
    pool: str | None = None
    """The pool whose resource it had, if it has run commands or had a place, and has ended."""
    ran_at: str | None = None
    """The place that its pool has lent it, once it has ended; None: the engine's machine."""
    cpu: timedelta | None = None
    """The time of all processors together that its commands have used, as far as that is known."""
    memory: int | None = None
    """The bytes that the largest process of its commands had."""

    @property
    def took(self) -> timedelta | None:
        """The time from its start to its end."""
        if self.started is None or self.finished is None:
            return None
        return self.finished - self.started

    @property
    def end_word(self) -> str:
        """The word for how it ended."""
        return "not ended" if self.end is None else self.end.value

    @property
    def because(self) -> str | None:
        """Why it was run, as the end of a sentence."""
        return None if self.cause is None else because(self.cause)

    @property
    def cause_name(self) -> str | None:
        """The name of its cause: `expired`, say."""
        return None if self.cause is None else cause_name(self.cause)


class HistoryPage(Struct, frozen=True):
    """Some jobs, in the order of a history."""

    entries: tuple[HistoryEntry, ...]
    next: str | None
    """The place behind which the next page begins; None on the last page."""
    is_complete: bool
    """False if the time was up before the page was full: there may be more on the next one."""


def page_of(
    reader: DatabaseReader,
    wanted: HistoryFilter,
    *,
    limit: int,
    before: str | None = None,
    seconds: float | None = None,
) -> HistoryPage:
    """A page of a history: see `DatabaseReader.history_page`."""
    found = reader.history_page(wanted, limit=limit, before=before, seconds=seconds)
    entries = tuple([entry_in(reader, record) for record in found.records])
    return HistoryPage(entries, found.next, found.is_complete)


def entry_in(reader: DatabaseReader, record: JobRecord, *, uses: int = USES) -> HistoryEntry:
    """The entry of a record, with its newest uses."""
    ran = None if record.ended is None else reader.ran(record.job_id)
    return entry_of(record, reader.uses_of_job(record.job_id, limit=uses), ran)


def recorded_job(reader: DatabaseReader, job_id: str) -> HistoryEntry | None:
    """The entry of a job, with all that is known; None if there is none."""
    record = reader.job(job_id)
    return None if record is None else entry_in(reader, record, uses=ALL_USES)


def entry_of(
    record: JobRecord, uses: Iterable[UseRecord], ran: RanRecord | None = None
) -> HistoryEntry:
    """The entry of a record and its uses, the newest first."""
    ran = RanRecord(record.job_id, None, None, None, None) if ran is None else ran
    paths: dict[str, None] = {}
    labels: dict[str, str] = {}
    for use in uses:
        paths[use.stage] = None
        labels = {**use.read_labels(), **labels}
    return HistoryEntry(
        job_id=record.job_id,
        op=record.op,
        key=record.key,
        build=record.build,
        level=record.level,
        end=record.ended,
        failure=record.outcome if record.ok is False else None,
        kind=_kind(record),
        cause=_cause(record),
        created=record.created,
        started=record.started,
        finished=record.finished,
        rebuild=record.rebuild,
        paths=tuple(paths),
        labels=labels,
        pool=ran.pool,
        ran_at=ran.place,
        cpu=None if ran.cpu is None else timedelta(seconds=ran.cpu),
        memory=ran.memory,
    )


def attempts_of(cause: Cause | None) -> int:
    """How often the work was tried in a row, by the cause of its last run."""
    retry = retry_of(cause)
    return 1 if retry is None else max(1, retry.attempt)


def attempts_in(record: JobRecord | None) -> int:
    """The same, by the record of the last run."""
    return 1 if record is None else attempts_of(_cause(record))


def _kind(record: JobRecord) -> FailureKind | None:
    if record.ok is not False:
        return None
    return FailureKind.REAL if record.kind is None else FailureKind(record.kind)


def _cause(record: JobRecord) -> Cause | None:
    try:
        return cause_of(record)
    except UnreadableValue:
        return None
