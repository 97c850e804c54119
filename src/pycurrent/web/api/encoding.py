"""Events as they go over the wire, encoded once for all who follow."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import OrderedDict
from dataclasses import asdict
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request
from pydantic import TypeAdapter

from pycurrent.engine.collector import paused_collector
from pycurrent.service import (
    Batch,
    ConfirmChanged,
    Event,
    EventHub,
    EventId,
    JobsChanged,
    LogWindow,
    OverviewChanged,
    Snapshot,
    StatesChanged,
    StructureChanged,
)
from pycurrent.term import GraphNode, Group
from pycurrent.web.api.models import JobModel, LogWindowModel, NodeStateModel
from pycurrent.web.api.names import name_of
from pycurrent.web.sendable import sendable
from pycurrent.web.state_key import StateKey
from pycurrent.web.streams import Encoded, frame

_STATES = TypeAdapter(dict[str, NodeStateModel])
_JOBS = TypeAdapter(dict[str, JobModel | None])


class Encoders:
    """The encoders of one application."""

    def __init__(self, hub: EventHub) -> None:
        self.batch = Encoded[Batch](lambda batch: encode_batch(batch, hub.id_of(batch)))
        self.window = Encoded[LogWindow](encode_window)
        self.snapshots = Snapshots()


class Snapshots:
    """Diagrams as JSON, for many who look at the same moment."""

    _KEPT = 8

    def __init__(self) -> None:
        self._plain: OrderedDict[Snapshot, bytes] = OrderedDict()
        self._packed: OrderedDict[Snapshot, asyncio.Future[bytes]] = OrderedDict()

    def plain(self, snapshot: Snapshot) -> bytes:
        """As it is. The snapshot of 10,000 boxes takes a tenth of a second."""
        body = self._plain.get(snapshot)
        if body is None:
            body = self._plain[snapshot] = encode_snapshot(snapshot)
            if len(self._plain) > self._KEPT:
                self._plain.popitem(last=False)
        return body

    async def packed(self, snapshot: Snapshot) -> bytes:
        """By gzip, in a thread."""
        packing = self._packed.get(snapshot)
        if packing is None:
            body = self.plain(snapshot)
            packing = asyncio.ensure_future(asyncio.to_thread(gzip.compress, body, 1, mtime=0))
            self._packed[snapshot] = packing
            if len(self._packed) > self._KEPT:
                self._packed.popitem(last=False)
        # Shared: who goes away must not take it from the others.
        return await asyncio.shield(packing)


ENCODERS = StateKey[Encoders]("encoders")


async def _encoders(request: Request) -> Encoders:
    return ENCODERS.get(request.app.state)


EncodersOf: TypeAlias = Annotated[Encoders, Depends(_encoders)]


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Encode as `SnapshotModel` does, several times as fast: a test compares the two."""
    # The many objects made here have no circles: a collection would find nothing, and take longer
    # than everything else.
    with paused_collector():
        return _encode_snapshot(snapshot)


def _encode_snapshot(snapshot: Snapshot) -> bytes:
    graph = snapshot.graph
    document = {
        "version": snapshot.version,
        "last_event": str(snapshot.last_event),
        "stats": asdict(snapshot.stats),
        "nodes": [_node(node) for node in graph.nodes],
        "edges": [
            {"source": edge.source, "target": edge.target, "kind": name_of(edge.kind)}
            for edge in graph.edges
        ],
        "groups": [_group(group) for group in graph.groups],
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _node(node: GraphNode) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": node.id,
        "kind": name_of(node.kind),
        "label": sendable(node.label),
    }
    if node.state is not None:
        shown["state"] = name_of(node.state)
    if node.group is not None:
        shown["group"] = node.group
    if node.update is not None:
        shown["update"] = name_of(node.update)
    if node.job_id is not None:
        shown["job_id"] = node.job_id
    if node.failure is not None:
        shown["failure"] = sendable(node.failure)
    if node.fold is not None:
        fold = node.fold
        shown["fold"] = {"key": sendable(fold.key), "value": sendable(fold.value)}
    if node.failed_inside is not None:
        inside = node.failed_inside
        shown["failed_inside"] = {"stages": inside.stages, "failure": sendable(inside.failure)}
    return shown


def _group(group: Group) -> dict[str, str]:
    shown = {"id": group.id, "kind": name_of(group.kind), "label": sendable(group.label)}
    return shown if group.parent is None else {**shown, "parent": group.parent}


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
            }
            return "overview", json.dumps(data)
