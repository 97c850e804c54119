"""Diagrams as they go over the wire, encoded once for all who look at the same one.

A diagram of 10,000 boxes takes a tenth of a second, so it is encoded in slices. The next one of the
same structure differs in few boxes: only these are encoded again.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.structs import asdict

from pycurrent.service import Snapshot
from pycurrent.service.slices import in_slices
from pycurrent.term.diagram import Edge, Graph, GraphNode, Group
from pycurrent.web.api.names import name_of
from pycurrent.web.sendable import sendable

T = TypeVar("T")

_KEPT = 4
"""How many are kept: one for each set of folds that many look at."""
_AT_ONCE = 200
"""How many boxes or edges are encoded without a stop: they take less than a millisecond."""
_COMPARED = 10_000
"""How many boxes are compared without a stop."""


@dataclass(frozen=True, slots=True)
class EncodedGraph:
    """A diagram as JSON, in its parts."""

    graph: Graph
    nodes: list[str]
    edges: str
    groups: str

    def has_structure_of(self, graph: Graph) -> bool:
        """True if only boxes differ; each is at the same place."""
        return (
            self.graph.edges is graph.edges
            and self.graph.groups is graph.groups
            and len(self.graph.nodes) == len(graph.nodes)
        )

    def body(self, snapshot: Snapshot) -> bytes:
        head = {
            "version": snapshot.version,
            "last_event": str(snapshot.last_event),
            "stats": asdict(snapshot.stats),
        }
        nodes = ",".join(self.nodes)
        return (
            f'{_dump(head)[:-1]},"nodes":[{nodes}],"edges":[{self.edges}],"groups":[{self.groups}]}}'
        ).encode()


class Snapshots:
    """Diagrams as JSON, for many who look at the same moment. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self._plain: OrderedDict[Snapshot, asyncio.Task[bytes]] = OrderedDict()
        self._packed: OrderedDict[Snapshot, asyncio.Task[bytes]] = OrderedDict()
        # The one that was made last comes last.
        self._encoded: list[EncodedGraph] = []

    async def plain(self, snapshot: Snapshot) -> bytes:
        """As it is."""
        making = self._plain.get(snapshot)
        if making is None:
            making = self._plain[snapshot] = asyncio.create_task(self._encode(snapshot))
            if len(self._plain) > _KEPT:
                self._plain.popitem(last=False)
        # Shared: who goes away must not take it from the others.
        return await asyncio.shield(making)

    async def packed(self, snapshot: Snapshot) -> bytes:
        """By gzip, in a thread."""
        packing = self._packed.get(snapshot)
        if packing is None:
            packing = self._packed[snapshot] = asyncio.create_task(self._pack(snapshot))
            if len(self._packed) > _KEPT:
                self._packed.popitem(last=False)
        return await asyncio.shield(packing)

    async def _encode(self, snapshot: Snapshot) -> bytes:
        graph = snapshot.graph
        known = next((e for e in self._encoded if e.has_structure_of(graph)), None)
        found = await in_slices(encode_graph(graph, known))
        others = [e for e in self._encoded if e is not known]
        self._encoded = [*others[1 - _KEPT :], found]
        return found.body(snapshot)

    async def _pack(self, snapshot: Snapshot) -> bytes:
        return await asyncio.to_thread(gzip.compress, await self.plain(snapshot), 1, mtime=0)


def encode_graph(
    graph: Graph, known: EncodedGraph | None = None
) -> Generator[None, None, EncodedGraph]:
    """Encode as `SnapshotModel` does, several times as fast: a test compares the two. Parts that
    are in `known`, an earlier one of the same structure, are taken from there.
    """
    nodes: list[str] = []
    if known is not None:
        for now, old, texts in zip(
            _chunks(graph.nodes, _COMPARED),
            _chunks(known.graph.nodes, _COMPARED),
            _chunks(known.nodes, _COMPARED),
            strict=True,
        ):
            for node, before, text in zip(now, old, texts, strict=True):
                nodes.append(text if node is before else _dump(_node(node)))
            yield
        return EncodedGraph(graph, nodes, known.edges, known.groups)
    for boxes in _chunks(graph.nodes, _AT_ONCE):
        nodes += [_dump(_node(node)) for node in boxes]
        yield
    places = {node.id: place for place, node in enumerate(graph.nodes)}
    edges: list[str] = []
    for some in _chunks(graph.edges, _AT_ONCE):
        edges.append(_dump([_edge(edge, places) for edge in some])[1:-1])
        yield
    groups: list[str] = []
    for few in _chunks(graph.groups, _AT_ONCE):
        groups.append(_dump([_group(group) for group in few])[1:-1])
        yield
    return EncodedGraph(graph, nodes, ",".join(edges), ",".join(groups))


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


_dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def _node(node: GraphNode) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": sendable(node.id),
        "kind": name_of(node.kind),
        "label": sendable(node.label),
    }
    if node.path is not None:
        shown["path"] = sendable(node.path)
    if node.labels is not None:
        shown["labels"] = {sendable(name): sendable(text) for name, text in node.labels.items()}
    if node.state is not None:
        shown["state"] = name_of(node.state)
    if node.group is not None:
        shown["group"] = sendable(node.group)
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
    if node.inside is not None:
        shown["inside"] = {"items": node.inside.items, "stages": asdict(node.inside.stages)}
    if node.note is not None:
        shown["note"] = sendable(node.note)
    if node.hold is not None:
        shown["hold"] = name_of(node.hold)
    return shown


def _edge(edge: Edge, places: Mapping[str, int]) -> dict[str, Any]:
    kind = name_of(edge.kind)
    return {"source": places[edge.source], "target": places[edge.target], "kind": kind}


def _group(group: Group) -> dict[str, str]:
    shown = {
        "id": sendable(group.id),
        "kind": name_of(group.kind),
        "label": sendable(group.label),
    }
    return shown if group.parent is None else {**shown, "parent": sendable(group.parent)}
