"""The firings of triggers, and their ends.

The stages of a firing are those that are built for it by `list_map` over the pending firings,
however deep: a stage knows the items of lists that it was built for. A firing without any living
stage stays pending, since they may be still to come, or come back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from msgspec.structs import replace

from pycurrent.engine import Clock, Step
from pycurrent.store import Database, FiringRecord
from pycurrent.term import Failed, Stage, State, items_around

P = TypeVar("P")


@dataclass(frozen=True)
class Fired(Generic[P]):
    """One firing of a trigger. May be a key, or a part of one: no two are equal."""

    id: int
    """Its number: 1, 2, 3 ... over all triggers of a state directory."""
    params: P
    by: str | None
    """The person who has fired it; None if code has, and did not say for whom."""
    at: datetime
    reason: str | None

    def __str__(self) -> str:
        return f"firing {self.id}"


class Firings:
    """The firings of all triggers of an engine. Belongs to the thread of the event loop."""

    def __init__(self, store: Database, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        firings = store.firings()
        self._last = max((record.id for record in firings), default=0)
        self._newest = {record.name: record for record in firings}
        self._pending = {record.id: record for record in firings if record.done is None}
        self._progress: dict[int, dict[Stage, bool]] = {}
        """The living stages of each firing: True for those that are final."""

    def newest(self, name: str) -> FiringRecord | None:
        """The newest firing of a trigger, done or not."""
        return self._newest.get(name)

    def pending(self, name: str) -> list[FiringRecord]:
        """The firings of a trigger whose stages are not final yet, the oldest first."""
        return [record for record in self._pending.values() if record.name == name]

    def add(self, name: str, params: str, *, by: str | None, reason: str | None) -> FiringRecord:
        """Add a firing, with parameters as JSON. It is on disk with the next commit."""
        record = FiringRecord(
            id=self._last + 1,
            name=name,
            params=params,
            by=by,
            at=self._clock.now(),
            reason=reason,
        )
        self._last = record.id
        self._newest[name] = self._pending[record.id] = record
        self._store.set_firing(record)
        return record

    def ended_by(self, step: Step) -> Iterator[str]:
        """End the firings whose stages are final since this step; gives their triggers' names."""
        if not self._pending:
            return
        touched: set[int] = set()
        for stage in (*step.released, *step.changed):
            for fired in items_around(stage.term):
                if isinstance(fired, Fired) and fired.id in self._pending:
                    self._note(fired.id, stage)
                    touched.add(fired.id)
        for id in touched:
            if (stages_of := self._progress[id]) and all(stages_of.values()):
                yield self._end(id)

    def _note(self, id: int, stage: Stage) -> None:
        stages = self._progress.setdefault(id, {})
        if stage.is_alive:
            stages[stage] = _is_final(stage)
        else:
            stages.pop(stage, None)

    def _end(self, id: int) -> str:
        del self._progress[id]
        record = self._pending.pop(id)
        done = replace(record, done=self._clock.now())
        if self._newest[record.name].id == id:
            self._newest[record.name] = done
        self._store.set_firing(done)
        return record.name


def _is_final(stage: Stage) -> bool:
    metadata = stage.metadata
    if metadata is not None and metadata.update is not None:
        return False
    if stage.state is State.BLOCKED:
        return isinstance(stage.absent, Failed)
    return stage.state is State.OK or stage.state.is_failure
