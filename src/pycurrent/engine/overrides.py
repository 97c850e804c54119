"""The things that people have set in an engine, in place of what its pipeline says."""

from __future__ import annotations

from collections.abc import Callable

from pycurrent.engine.audit import Asker, Audit
from pycurrent.engine.clock import Clock
from pycurrent.store import Database, OverrideKind, OverrideRecord


class Overrides:
    """Belongs to the thread of the event loop.

    A value that is set holds at once, is in the audit, and is on disk when the call returns; if it
    can't be written now, the engine holds, and writes it once it can.
    """

    def __init__(
        self, store: Database, clock: Clock, audit: Audit, commit: Callable[[], object]
    ) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._commit = commit
        self._records = {record.key: record for record in store.overrides()}

    def get(self, kind: OverrideKind, subject: str) -> OverrideRecord | None:
        """The record of the value that is set; None if none is."""
        return self._records.get((kind, subject))

    def set(
        self,
        kind: OverrideKind,
        subject: str,
        value: str | None,
        *,
        before: str | None,
        by: Asker | str | None,
        reason: str | None,
    ) -> OverrideRecord:
        """Set a value, in place of that before it, which the audit shows as `before`."""
        record = OverrideRecord(
            kind=kind,
            subject=subject,
            value=value,
            by=None if by is None else Asker.of(by).name,
            at=self._clock.now(),
            reason=reason,
        )
        self._records[record.key] = record
        self._store.set_override(record)
        if by is not None:
            what = f"set {kind.value}"
            self._audit.note(by, what, subject, before=before, after=value, reason=reason)
        self._commit()
        return record
