"""The things that people have set in an engine, in place of what its pipeline says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType

from msgspec.structs import replace

from pycurrent.engine.audit import Asker, Audit
from pycurrent.engine.clock import Clock, Timer, instant
from pycurrent.errors import UsageError
from pycurrent.store import Database, OverrideKey, OverrideKind, OverrideRecord

_ACTS = MappingProxyType(
    {
        OverrideKind.INPUT: ("set input", "reset input"),
        OverrideKind.PIN: ("pin", "unpin"),
        OverrideKind.PAUSE: ("pause", "resume"),
        OverrideKind.MUTE: ("mute", "unmute"),
        OverrideKind.APPROVAL: ("approve commit", "withdraw commit"),
    }
)
"""The words of the audit for setting one of a kind, and for its end."""

_TIME = Asker("pycurrent", via="time")
"""The one who ends what was set until a time, as the audit names it."""


class Overrides:
    """Belongs to the thread of the event loop.

    A value that is set holds at once, is in the audit, and is on disk when the call returns; if it
    can't be written now, the engine holds, and writes it once it can. The same goes for its end.
    A value with an `until` ends by itself then, or when the next engine begins.
    """

    def __init__(
        self, store: Database, clock: Clock, audit: Audit, commit: Callable[[], object]
    ) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._commit = commit
        self._records = {record.key: record for record in store.overrides()}
        self._timers: dict[OverrideKey, Timer] = {}
        self._listeners: list[tuple[OverrideKind, Callable[[str], None]]] = []

    def begin(self) -> None:
        """End what was set until a time that has passed, and await the other times. Once."""
        for record in [*self._records.values()]:
            if record.until is not None and record.until <= self._clock.now():
                self._end(record)
            else:
                self._await_end(record)

    def close(self) -> None:
        """Let nothing end by itself any more. Twice is fine."""
        while self._timers:
            self._timers.popitem()[1].cancel()

    def get(self, kind: OverrideKind, subject: str) -> OverrideRecord | None:
        """The record of the value that is set; None if none is."""
        return self._records.get((kind, subject))

    def all(self, kind: OverrideKind) -> tuple[OverrideRecord, ...]:
        """The records of all that is set of a kind, by subject."""
        found = (record for record in self._records.values() if record.kind is kind)
        return tuple(sorted(found, key=lambda record: record.subject))

    def are_any(self, kind: OverrideKind) -> bool:
        """True if anything of a kind is set."""
        return bool(self._records) and any(kind is key[0] for key in self._records)

    def listen(self, kind: OverrideKind, changed: Callable[[str], None]) -> None:
        """Have `changed(subject)` called after one of a kind was set, or has ended."""
        self._listeners.append((kind, changed))

    def set(
        self,
        kind: OverrideKind,
        subject: str,
        value: str | None,
        *,
        before: str | None,
        by: Asker | str | None,
        reason: str | None,
        until: datetime | None = None,
        shown: str | None = None,
        job: str | None = None,
        owner: str | None = None,
        passes: int | None = None,
        stage: str | None = None,
    ) -> OverrideRecord:
        """Set a value, in place of that before it, which the audit shows as `before`. `shown` is
        the value for people, where that is another text, and `job` the one that has made it; for
        `owner`, `passes` and `stage` see `OverrideRecord`.

        Raises `UsageError` if `until`, which has to be aware, has passed.
        """
        until = self.check_until(until)
        record = OverrideRecord(
            kind=kind,
            subject=subject,
            value=value,
            by=None if by is None else Asker.of(by).name,
            at=self._clock.now(),
            reason=reason,
            until=until,
            shown=shown,
            job=job,
            owner=owner,
            passes=passes,
            stage=stage,
        )
        self._records[record.key] = record
        self._store.set_override(record)
        if by is not None:
            act, _ = _ACTS[kind]
            self._audit.note(by, act, subject, before=before, after=_told(record), reason=reason)
        self._await_end(record)
        self._changed(record)
        return record

    def count_passes(self, kind: OverrideKind, subject: str, passes: int) -> None:
        """Note how often in a row what is set has passed. Written by the next commit; nobody is
        told of it.
        """
        record = replace(self._records[kind, subject], passes=passes)
        self._records[record.key] = record
        self._store.set_override(record)

    def follow(self, record: OverrideRecord, stage: str) -> OverrideRecord:
        """The stage that a value is set for has another full path now: the pipeline's code is
        another. It is on disk with the next commit.
        """
        found = self._records[record.key] = replace(record, stage=stage)
        self._store.set_override(found)
        return found

    def remove(
        self, kind: OverrideKind, subject: str, *, by: Asker | str | None, reason: str | None = None
    ) -> OverrideRecord | None:
        """End what is set, which is returned. Returns None, and does nothing, if nothing is."""
        record = self._records.get((kind, subject))
        if record is None:
            return None
        self._forget(record, by, reason)
        self._changed(record)
        return record

    def _end(self, record: OverrideRecord) -> None:
        """Its time has come."""
        assert record.until is not None
        self._forget(record, _TIME, f"it was set until {instant(record.until)}")
        self._changed(record)

    def _forget(self, record: OverrideRecord, by: Asker | str | None, reason: str | None) -> None:
        self._cancel_end(record)
        del self._records[record.key]
        self._store.remove_override(record.key)
        if by is not None:
            _, act = _ACTS[record.kind]
            self._audit.note(by, act, record.subject, before=_told(record), reason=reason)

    def _changed(self, record: OverrideRecord) -> None:
        self._commit()
        for kind, changed in self._listeners:
            if kind is record.kind:
                changed(record.subject)

    def _await_end(self, record: OverrideRecord) -> None:
        self._cancel_end(record)
        if record.until is not None:
            timer = self._clock.call_at(record.until, lambda: self._end(record))
            self._timers[record.key] = timer

    def _cancel_end(self, record: OverrideRecord) -> None:
        timer = self._timers.pop(record.key, None)
        if timer is not None:
            timer.cancel()

    def check_until(self, until: datetime | None) -> datetime | None:
        """The time, in UTC, when something is to end. Raises `UsageError` as `set` does."""
        if until is None:
            return None
        if until.tzinfo is None:
            raise UsageError(f"until={until} has no time zone: write datetime.now(UTC) + ..., say")
        until = until.astimezone(UTC)
        if until <= self._clock.now():
            raise UsageError(f"until={instant(until)} has passed: give a time to come")
        return until


def _told(record: OverrideRecord) -> str | None:
    """The value for the audit."""
    value = record.value if record.shown is None else record.shown
    owner = None if record.owner is None else f"for {record.owner}"
    until = None if record.until is None else f"until {instant(record.until)}"
    return " ".join(part for part in (value, owner, until) if part is not None) or None
