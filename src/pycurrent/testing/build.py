"""Recorded builds, as tests see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pycurrent.cache import ResultCache, UnreadableValue
from pycurrent.engine import OpenEngine
from pycurrent.store import JobRecord


@dataclass(frozen=True, slots=True)
class Build:
    """One recorded build.

    `outcome` is the value, or the message of the failure; it and `ok` are None for an interrupted
    build. `value` is the value that the key was set to, as JSON, if the operation has one.
    `created`, `started` and `finished` are aware, in UTC, by the engine's clock.
    """

    op: str
    key: str
    job_id: str
    build: int
    ok: bool | None
    outcome: Any
    created: datetime
    started: datetime | None
    finished: datetime | None
    rebuild: bool
    value: str | None

    @property
    def ready(self) -> datetime:
        """The same as `created`."""
        return self.created

    @property
    def running(self) -> datetime | None:
        """The same as `started`."""
        return self.started

    @classmethod
    def of(cls, record: JobRecord, engine: OpenEngine) -> Self:
        """The build of a record, its value decoded by the engine's operation of that id."""
        outcome: Any = record.outcome
        if record.ok:
            outcome = _decoded(record.op, record.outcome or "null", engine)
        return cls(
            op=record.op,
            key=record.key,
            job_id=record.job_id,
            build=record.build,
            ok=record.ok,
            outcome=outcome,
            created=record.created,
            started=record.started,
            finished=record.finished,
            rebuild=record.rebuild,
            value=record.value,
        )


def _decoded(op: str, text: str, engine: OpenEngine) -> Any:
    """The value as the operation's type, or as plain JSON if that is unknown or can't read it."""
    op_type = engine.service(ResultCache).op_types.find(op)
    if op_type is not None:
        try:
            return op_type.outcome.decode(text)
        except UnreadableValue:
            pass
    return json.loads(text)
