"""Events as they go over the wire, encoded once for all who follow."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Container
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from msgspec.structs import asdict
from pydantic import TypeAdapter

from pycurrent.service import (
    WHOLE,
    Batch,
    ConfirmChanged,
    Event,
    EventHub,
    EventId,
    JobsChanged,
    LogWindow,
    OverviewChanged,
    StatesChanged,
    StructureChanged,
    Window,
)
from pycurrent.view import Headline
from pycurrent.web.api.kept import KeptAnswers
from pycurrent.web.api.models import JobModel, LogWindowModel, NodeStateModel
from pycurrent.web.api.models.model import Text
from pycurrent.web.api.names import name_of
from pycurrent.web.api.snapshots import Snapshots
from pycurrent.web.sendable import sendable
from pycurrent.web.state_key import StateKey
from pycurrent.web.streams import Encoded, frame

_PARTS = 128
"""How many parts of batches are kept encoded."""
_STATES = TypeAdapter(dict[Text, NodeStateModel])
_JOBS = TypeAdapter(dict[str, JobModel | None])


class Encoders:
    """The encoders of one application."""

    def __init__(self, hub: EventHub) -> None:
        self.batch = Encoded[Batch](lambda batch: encode_batch(batch, hub.id_of(batch)))
        self._hub = hub
        self._parts: OrderedDict[tuple[int, Window], bytes] = OrderedDict()
        self.window = Encoded[LogWindow](encode_window)
        self.snapshots = Snapshots()
        self.jobs = KeptAnswers()

    def part(self, batch: Batch, window: Window, shown: Container[str] | None) -> bytes:
        """Encode what of a batch concerns a window, once for all who look through it; empty if
        nothing does. `shown` has the boxes that are seen through it: see `Batch.seen_through`.
        """
        if window == WHOLE:
            return self.batch(batch)
        key = batch.number, window
        found = self._parts.get(key)
        if found is None:
            part = batch.seen_through(window, shown)
            found = self._parts[key] = encode_batch(part, self._hub.id_of(part))
            if len(self._parts) > _PARTS:
                self._parts.popitem(last=False)
        return found


ENCODERS = StateKey[Encoders]("encoders")


async def _encoders(request: Request) -> Encoders:
    return ENCODERS.get(request.app.state)


EncodersOf: TypeAlias = Annotated[Encoders, Depends(_encoders)]


def encode_window(window: LogWindow) -> bytes:
    """Lines of a log. The id is the line to go on from."""
    data = LogWindowModel.model_validate(window).model_dump_json()
    return frame("lines", data, id=str(window.next))


def encode_batch(batch: Batch, id: EventId) -> bytes:
    """All events of a batch. Only the last one has the id, so that who has lost the connection
    in the middle gets all of them again.
    """
    last = len(batch.events) - 1
    return b"".join(
        frame(*_named(event), id=str(id) if number == last else None)
        for number, event in enumerate(batch.events)
    )


def _named(event: Event) -> tuple[str, str]:
    """The name of an event, and its data."""
    match event:
        case StatesChanged(nodes):
            states = _STATES.validate_python(nodes, from_attributes=True)
            return "states", _STATES.dump_json(states).decode()
        case StructureChanged(version):
            return "structure", json.dumps({"version": version})
        case JobsChanged(jobs):
            views = _JOBS.validate_python(jobs, from_attributes=True)
            return "jobs", _JOBS.dump_json(views).decode()
        case ConfirmChanged(level):
            return "confirm", json.dumps({"level": None if level is None else name_of(level)})
        case OverviewChanged():
            result = {"state": name_of(event.state), "failure": event.failure}
            data = {
                "result": result,
                "counts": asdict(event.counts),
                "jobs": event.jobs,
                "problems": [sendable(problem.message) for problem in event.problems],
                "headline": None if event.headline is None else _headline(event.headline),
            }
            return "overview", json.dumps(data)


def _headline(told: Headline) -> dict[str, object]:
    path = None if told.path is None else sendable(told.path)
    return {"path": path, "message": sendable(told.message), "more": told.more}
