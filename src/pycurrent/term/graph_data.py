"""The diagram of a pipeline as data, without saying how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from pycurrent.term.output import Activity, Hold
from pycurrent.term.state import State, Stats


class NodeKind(Enum):
    """The thing that a node of the diagram stands for."""

    COMPONENT = "component"
    BIND = "bind"
    """A decision that has a name: with the components, the stages that `Stats` counts."""
    UNNAMED_BIND = "unnamed bind"
    """Drawn only until the decision has been made."""
    GATE = "gate"
    STATE = "state"
    CATCH = "catch"
    ITEM = "item"
    """An item of a list, or the one that stands for each while there are none."""
    CONSTANT = "constant"
    INPUT = "input"
    """A constant that is not known, and never will be."""
    LATCH = "latch"
    """Drawn only while it holds an earlier result."""
    FUNCTION = "function"
    """A function that failed; otherwise functions are not drawn."""
    FOLD = "fold"
    """A part of the pipeline, folded."""
    LIST = "list"
    """A list that is closed, or some of the items of a long one."""
    JUNCTION = "junction"
    """Only a point, where the edges from many boxes to many others meet."""


class EdgeKind(Enum):
    """The thing that goes along an edge."""

    VALUE = "value"
    CONTROL = "control"
    """Only leave to go on: the edge that opens a gate."""


class GroupKind(Enum):
    """The kind of a group of nodes."""

    LIST = "list"
    OPTION = "option"
    RANGE = "range"
    """Some of the items of a long list, within its group."""


class Fold(Struct, frozen=True):
    """The key and value that unfold a part of the diagram."""

    key: str
    value: str


class FailedInside(Struct, frozen=True):
    """The failures that a fold or a closed list hides, those included that are caught within it."""

    stages: int
    """The number of stages that have failed."""
    failure: str
    """The message of one of them."""


class Inside(Struct, frozen=True):
    """The items and stages that a closed list hides."""

    items: int
    stages: Stats
    """The living stages for these items, by their states."""


class GraphNode(Struct, frozen=True):
    """One box of the diagram."""

    id: str
    """The same from run to run: the path of a living stage; of anything else a text that can't be a
    path, as it has a `%` that begins no escape.
    """
    kind: NodeKind
    label: str
    state: State | None
    """None for a junction."""
    group: str | None = None
    update: Activity | None = None
    """The work on replacing the result that is still reported."""
    job_id: str | None = None
    link: str | None = None
    failure: str | None = None
    """Why it failed, where it is failed itself: at most `MAX_FAILURE` characters."""
    fold: Fold | None = None
    failed_inside: FailedInside | None = None
    """None for what hides nothing, and for a fold or a list in which nothing has failed."""
    path: str | None = None
    """The path of a living stage, which is the same from run to run; None for anything else."""
    inside: Inside | None = None
    """None for anything but a closed list."""
    labels: Mapping[str, str] | None = None
    """The labels of a living stage; None if it has none."""
    note: str | None = None
    """A note on a stage for people: that it is pinned, for example, or why it waits."""
    hold: Hold | None = None
    """How people hold the stage, if they do."""


class Edge(Struct, frozen=True):
    """The target waits for the source."""

    source: str
    target: str
    kind: EdgeKind = EdgeKind.VALUE


class Group(Struct, frozen=True):
    """A box around nodes and other groups."""

    id: str
    """The box of a closed list has the id that its group has once it is open."""
    kind: GroupKind
    label: str
    parent: str | None = None


class Graph(Struct, frozen=True):
    """A diagram. Nodes come after those that they wait for, groups after those around them."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]
