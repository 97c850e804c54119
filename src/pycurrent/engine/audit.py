"""The audit of an engine: who has asked it for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

from msgspec import Struct

from pycurrent.engine.clock import Clock
from pycurrent.store import Database

if TYPE_CHECKING:
    from pycurrent.store import AuditFilters, AuditRecord


class Asker(Struct, frozen=True):
    """A person or a program that asks for something, as the audit names it."""

    name: str
    role: str | None = None
    """The role that it has on the site; None if it is not known."""
    via: str = "code"
    """The way: `dashboard`, `api`, `command line`; `code` for a call in a program."""

    @classmethod
    def of(cls, asker: Asker | str) -> Asker:
        """The asker that is meant: a text is a name that code gives."""
        return cls(asker) if isinstance(asker, str) else asker


class Audit:
    """Belongs to the thread of the event loop."""

    def __init__(self, store: Database, clock: Clock, request_step: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._request_step = request_step

    def note(
        self,
        asker: Asker | str,
        what: str,
        subject: str,
        *,
        before: str | None = None,
        after: str | None = None,
        reason: str | None = None,
        refused: str | None = None,
    ) -> None:
        """Add an act; see `AuditRecord` for what the words mean. It is written by the next step."""
        from pycurrent.store import AuditRecord  # in most runs nobody does anything

        asker = Asker.of(asker)
        record = AuditRecord(
            at=self._clock.now(),
            who=asker.name,
            role=asker.role,
            via=asker.via,
            what=what,
            subject=subject,
            before=before,
            after=after,
            reason=reason,
            refused=refused,
        )
        self._store.add_audit(record)
        self._request_step()

    def rows(self, **filters: Unpack[AuditFilters]) -> list[AuditRecord]:
        """The acts that pass the filters, the newest first."""
        return self._store.audit(**filters)
