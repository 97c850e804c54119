"""A diagram as Graphviz text, in OCurrent's colours and conventions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pycurrent.term.graph_data import Edge, EdgeKind, Graph, GraphNode, Group, GroupKind, NodeKind
from pycurrent.term.output import Activity
from pycurrent.term.state import State

COLOURS = {
    State.OK: "#90ee90",
    State.FAILED: "#ff4500",
    State.RUNNING: "#ffa500",
    State.READY: "#ffff00",
    State.WAITING_FOR_CONFIRMATION: "#4975ff",
    State.BLOCKED: "#d3d3d3",
    State.MUTED: "#ffb3a0",
}

UPDATE_COLOURS = {
    Activity.RUNNING: COLOURS[State.RUNNING],
    Activity.READY: COLOURS[State.READY],
    Activity.WAITING_FOR_CONFIRMATION: COLOURS[State.WAITING_FOR_CONFIRMATION],
}

_MARKS = {
    State.OK: " &#x2714;",
    State.FAILED: " &#x2717;",
    State.RUNNING: " &#x2026;",
    State.READY: " &#x2026;",
    State.WAITING_FOR_CONFIRMATION: " &#x2026;",
    State.BLOCKED: "",
    State.MUTED: " &#x2717;",
}

_SHAPES = {
    NodeKind.GATE: ',shape="circle",width="0.3"',
    NodeKind.JUNCTION: ',shape="point"',
}

# Control characters and lone surrogates can't be in the pictures that are made from the text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile(r'["\\\n]|&(?=#?\w+;)')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "&": "&amp;"}


def dot_of(graph: Graph, *, with_ids: bool = False) -> str:
    """The text for Graphviz. The same diagram always gives the same text. `with_ids`: boxes have
    their ids as an attribute, which is also that of their elements in an SVG picture.
    """
    lines = [
        "digraph pipeline {",
        "  rankdir=LR",
        '  node [shape="box",fontname="ui-system,sans-serif"]',
        '  graph [fontname="ui-system,sans-serif"]',
    ]
    numbers = {node.id: number for number, node in enumerate(graph.nodes)}
    lines.extend(_nodes(graph, numbers, with_ids=with_ids))
    # Not inside the clusters: an edge would draw its ends into them.
    lines.extend(_edge(edge, numbers) for edge in graph.edges)
    lines.append("}\n")
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A text as Graphviz reads it: no escape sequence or character entity in it has a meaning."""
    text = _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))
    return f'"{_SPECIAL.sub(lambda match: _ESCAPES[match[0]], text)}"'


def _nodes(graph: Graph, numbers: Mapping[str, int], *, with_ids: bool) -> Iterator[str]:
    """The nodes, each group's within it. Groups may be nested deeply, so without recursion."""
    clusters = {group.id: number for number, group in enumerate(graph.groups)}
    members: dict[str | None, list[GraphNode | Group]] = {None: []}
    for group in graph.groups:
        members[group.id] = []
    for node in graph.nodes:
        members[node.group].append(node)
    for group in graph.groups:
        members[group.parent].append(group)
    open_groups = [iter(members[None])]
    while open_groups:
        for member in open_groups[-1]:
            if isinstance(member, GraphNode):
                id = f"id={quoted(member.id)}," if with_ids else ""
                yield f"  n{numbers[member.id]} [{id}{_attributes(member)}]"
            else:
                yield _opening(member, clusters[member.id])
                open_groups.append(iter(members[member.id]))
                break
        else:
            open_groups.pop()
            if open_groups:
                yield "  }"


def _opening(group: Group, number: int) -> str:
    style = '; style="dotted"' if group.kind is GroupKind.OPTION else ""
    return f"  subgraph cluster_{number} {{label={quoted(group.label)}{style}"


def _attributes(node: GraphNode) -> str:
    label = quoted(node.label)
    shape = _SHAPES.get(node.kind, "")
    if node.state is None:
        return f"label={label}{shape}"
    colour = fill = COLOURS[node.state]
    if node.update is not None:
        fill = f"{UPDATE_COLOURS[node.update]}:{colour}"
    if node.job_id is not None:
        label = f'{label[:-1]}{_MARKS[node.state]}"'
    link = "" if node.link is None else f',URL={quoted(node.link)},target="_top"'
    failure, border = node.failure, colour
    if node.failed_inside is not None:
        label = f'{label[:-1]}{_MARKS[State.FAILED]} {node.failed_inside.stages}"'
        failure, border = failure or node.failed_inside.failure, COLOURS[State.FAILED]
    told = node.note if failure is None else failure
    if failure is not None and node.state is State.MUTED:
        told = f"{failure} ({node.note})"
    tooltip = "" if told is None else f",tooltip={quoted(told)}"
    return f'label={label},color="{border}",fillcolor="{fill}",style="filled"{shape}{link}{tooltip}'


def _edge(edge: Edge, numbers: Mapping[str, int]) -> str:
    style = ' [style="dashed"]' if edge.kind is EdgeKind.CONTROL else ""
    return f"  n{numbers[edge.source]} -> n{numbers[edge.target]}{style}"
