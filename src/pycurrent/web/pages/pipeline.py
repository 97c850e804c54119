"""The page of the pipeline, as far as it needs no script: a table of its stages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response

from pycurrent.service import Service, Window
from pycurrent.term import BY_CONCERN, Failed, State
from pycurrent.term.diagram import Graph, GraphNode, NodeKind
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.state_badges import Badge
from pycurrent.web.users import Role

PER_PAGE = 100
_LARGE = 1000
"""The boxes of a diagram that is looked through in a thread."""
_STAGES = frozenset({NodeKind.COMPONENT, NodeKind.BIND, NodeKind.FOLD, NodeKind.LIST})
_STATES = {state.name.lower(): state for state in State}


@dataclass(frozen=True, slots=True)
class Row:
    """A stage, or a folded part of the pipeline."""

    node: GraphNode
    badge: Badge
    update: Badge | None
    where: str
    """The lists it is in, from the outside."""
    unfold: str | None
    """The parameter of the address that unfolds it."""

    @property
    def why(self) -> str | None:
        """Why it has failed, or something that it hides."""
        inside = self.node.failed_inside
        return self.node.failure or (None if inside is None else inside.failure)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filter of stages in the address."""

    state: State | None
    text: str
    unfold: tuple[str, ...]
    opened: tuple[str, ...]
    """The ids of closed lists that are open, or `all`."""
    opens_by_script: bool
    """True if scripts will open parts, so that they ask for more than the address tells."""
    page: int

    @classmethod
    def of(cls, request: Request) -> Wanted:
        query = request.query_params
        page = query.get("page", "")
        return cls(
            state=_STATES.get(query.get("state", "")),
            text=query.get("text", "").strip(),
            unfold=tuple(query.getlist("unfold")),
            opened=tuple(query.getlist("in")),
            opens_by_script="open" in query,
            page=int(page) if page.isdecimal() and page.isascii() and len(page) < 7 else 1,
        )

    @property
    def state_key(self) -> str:
        return "" if self.state is None else self.state.name.lower()

    def window(self) -> Window:
        """Each `key:value` opens a fold, `all` opens each."""
        fits = "all" not in self.opened
        opened = self.opened if fits else ()
        if "all" in self.unfold:
            return Window.of("all", fits=fits, opened=opened)
        folds: dict[str, list[str]] = {}
        for fold in self.unfold:
            key, _, value = fold.partition(":")
            folds.setdefault(key, []).append(value)
        return Window.of(folds, fits=fits, opened=opened)

    def query(self, *, page: int = 1, opened: str = "") -> str:
        """The query of an address with the same filter: of another page, or with one more list
        open.
        """
        parts = [("state", self.state_key), ("text", self.text)]
        parts += [("unfold", fold) for fold in self.unfold]
        parts += [("in", id) for id in (opened, *self.opened) if id]
        parts += [("page", str(page) if page > 1 else "")]
        return urlencode([(name, value) for name, value in parts if value])


def add_pipeline_page(app: FastAPI) -> None:
    routing.page(app, "/", _pipeline, Role.VIEWER)


async def _pipeline(request: Request, service: ServiceOf) -> Response:
    wanted = Wanted.of(request)
    graph = (await service.pipeline.snapshot(wanted.window())).graph
    first = (max(1, wanted.page) - 1) * PER_PAGE
    if len(graph.nodes) < _LARGE:
        rows, total = _page(graph, wanted, first)
    else:
        rows, total = await asyncio.to_thread(_page, graph, wanted, first)
    return pages_of(request).render(
        request,
        "pipeline.html",
        raised=_failed_as_a_whole(service),
        is_empty=service.engine.stats.total == 0,
        rows=rows,
        first=first + 1,
        total=total,
        has_closed=any(node.kind is NodeKind.LIST for node in graph.nodes),
        wanted=wanted,
        states=[(state.name.lower(), shown.word) for state, shown in state_badges.OF_STATE.items()],
        newer=f"/?{wanted.query(page=wanted.page - 1)}" if first > 0 else None,
        older=f"/?{wanted.query(page=wanted.page + 1)}" if first + PER_PAGE < total else None,
    )


def _failed_as_a_whole(service: Service) -> str | None:
    """Why the pipeline has failed although no stage of it has; None if that is not so."""
    told = service.stages.headline()
    output = service.engine.output
    if told is None or told.path is not None:
        return None
    return output.message if isinstance(output, Failed) else told.message


def _page(graph: Graph, wanted: Wanted, first: int) -> tuple[list[Row], int]:
    """The stages on a page, and how many there are on all."""
    nodes = sorted(_matching(graph, wanted), key=_concern)
    return _rows(graph, nodes[first : first + PER_PAGE]), len(nodes)


def _matching(graph: Graph, wanted: Wanted) -> Iterator[GraphNode]:
    text = wanted.text.casefold()
    for node in graph.nodes:
        if node.kind not in _STAGES or node.state is None:
            continue
        if not _has_state(node, wanted.state):
            continue
        if (
            text
            and text not in node.label.casefold()
            and text not in (node.failure or "").casefold()
        ):
            continue
        yield node


def _has_state(node: GraphNode, state: State | None) -> bool:
    """True if a stage is in this state, or a stage that it hides; None stands for any."""
    if state is None or state in {node.state, _worst(node)}:
        return True
    return node.inside is not None and node.inside.stages.of(state) > 0


def _concern(node: GraphNode) -> int:
    return BY_CONCERN.index(_worst(node))


def _worst(node: GraphNode) -> State:
    """The state of most concern of a stage and of what it hides."""
    assert node.state is not None
    return node.state if node.failed_inside is None else State.FAILED


def _rows(graph: Graph, nodes: Sequence[GraphNode]) -> list[Row]:
    parents = {group.id: (group.label, group.parent) for group in graph.groups}
    return [_row(node, _where(node.group, parents)) for node in nodes]


def _row(node: GraphNode, where: str) -> Row:
    assert node.state is not None
    return Row(
        node=node,
        badge=state_badges.OF_STATE[node.state],
        update=None if node.update is None else state_badges.OF_ACTIVITY[node.update],
        where=where,
        unfold=None if node.fold is None else f"{node.fold.key}:{node.fold.value}",
    )


def _where(group: str | None, parents: Mapping[str, tuple[str | None, str | None]]) -> str:
    labels = []
    while group is not None:
        label, group = parents[group]
        if label:
            labels.append(label)
    return " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(reversed(labels))
