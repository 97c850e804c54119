"""What the diagram says about terms, read from their living nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycurrent.incr import (
    UNSET,
    Absent,
    BindResult,
    GatherTree,
    Item,
    Map1,
    Node,
    combine,
    materialize,
)
from pycurrent.term.current import Current
from pycurrent.term.graph_data import MAX_FAILURE
from pycurrent.term.label import UnknownValue
from pycurrent.term.latch import Latched
from pycurrent.term.live import TermGraph
from pycurrent.term.nodes import Decision, ListNode, Stage
from pycurrent.term.output import Active, Activity, Failed, Ok, Output
from pycurrent.term.shape import All, Collapse
from pycurrent.term.state import State, state_of
from pycurrent.term.together import FailedTogether


@dataclass(frozen=True, slots=True)
class Status:
    """How a box is drawn, besides its label."""

    state: State
    failure: str | None = None
    update: Activity | None = None
    job_id: str | None = None


OK = Status(State.OK)
BLOCKED = Status(State.BLOCKED)


def status_of(absent: Absent | None) -> Status:
    """The status of what has this outcome by itself."""
    if absent is None:
        return OK
    if absent is UNSET:
        return BLOCKED
    return Status(state_of(absent), failure_of(absent))


def status_of_output(output: Output[Any]) -> Status:
    match output:
        case Ok():
            return OK
        case Failed() | Active() as absent:
            return status_of(absent)


def failure_of(absent: Absent | None) -> str | None:
    """The message of a failure as a node of the diagram carries it; None if it is none."""
    if not isinstance(absent, Failed):
        return None
    message = absent.message
    return message if len(message) <= MAX_FAILURE else message[: MAX_FAILURE - 1] + "…"


class Statuses:
    """The living nodes of an engine between two steps, or (None) of no engine.

    Terms without a node, which nobody needs or which are only an example, are blocked.
    """

    def __init__(self, live: TermGraph | None) -> None:
        self._nodes: Mapping[Current[Any], Node] = {} if live is None else live.nodes
        self._alone = live is None

    def is_shown_alive(self, term: Current[Any]) -> bool:
        """Whether a constant is what it says, not just a part of an example."""
        return self._alone or term in self._nodes

    def values(self, terms: Sequence[Current[Any]]) -> list[Any]:
        """Their values, `UnknownValue()` for what is not known."""
        nodes = [self._nodes.get(term) for term in terms]
        return [
            UnknownValue() if node is None or node.absent is not None else materialize(node.value)
            for node in nodes
        ]

    def of_component(self, term: Current[Any]) -> Status:
        stage = self._nodes.get(term)
        if not isinstance(stage, Stage):
            return BLOCKED
        metadata = stage.metadata
        failure = failure_of(stage.absent) if stage.state is State.FAILED else None
        if metadata is None:
            return Status(stage.state, failure)
        return Status(stage.state, failure, metadata.update, metadata.job_id)

    def of_latch(self, term: Current[Any]) -> Status | None:
        """Of what holds an earlier result, while it does."""
        node = self._nodes.get(term)
        if not isinstance(node, Latched) or node.holds_for is None:
            return None
        held, metadata = status_of(node.absent), node.metadata
        assert metadata is not None
        return Status(held.state, held.failure, metadata.update, metadata.job_id)

    def of_decision(self, term: Current[Any]) -> Status:
        """Of the box of a bind: about its own function, whatever the outcome of the inside."""
        bind = self._nodes.get(term)
        if not isinstance(bind, BindResult):
            return BLOCKED
        decision = bind.decision
        assert isinstance(decision, Decision)
        if combine(decision.sources) is not None:
            return BLOCKED
        return status_of(decision.absent)

    def inside(self, term: Current[Any]) -> Current[Any] | None:
        """What a bind has decided on."""
        bind = self._nodes.get(term)
        if not isinstance(bind, BindResult) or bind.inner is None:
            return None
        return _owner(bind.inner)

    def listing(self, term: Current[Any]) -> ListNode | None:
        """What follows the items of a list or an option."""
        node = self._nodes.get(term)
        if isinstance(node, Map1):  # An option, whose value is taken out of a list.
            node = node.source
        if not isinstance(node, GatherTree):
            return None
        assert isinstance(node.head, ListNode)
        return node.head

    def of_list(self, listing: ListNode | None) -> Status:
        """Of a list without items: blocked, unless it can't tell its items apart."""
        if listing is None or listing.source.absent is not None or listing.absent is None:
            return BLOCKED
        return status_of(listing.absent)

    def of_passing(self, term: Current[Any]) -> Status:
        """Of what always has a value, or lacks it because of an input."""
        node = self._nodes.get(term)
        return OK if node is not None and node.absent is None else BLOCKED

    def own_failure(self, term: Current[Any], sources: Iterable[Current[Any]]) -> Status | None:
        """The failure of a function, none of whose inputs lacks a value."""
        node = self._nodes.get(term)
        if node is None or not isinstance(node.absent, Failed):
            return None
        if any(self._absent(source) is not None for source in sources):
            return None
        return status_of(node.absent)

    def of_fold(self, term: Current[Any]) -> Status:
        """Of all that a fold hides: blocked if it lacks a value only because its input does."""
        shape = term.shape
        assert isinstance(shape, Collapse)
        absent = self._absent(term)
        if absent is UNSET and isinstance(shape.source.shape, All):
            # A list of folded currents of which nobody needs the whole.
            members = [self._absent(source) for source in shape.source.shape.sources]
            absent = _strongest(members)
        cause = self._absent(shape.input)
        if absent is not None and cause is not None and _is_only(absent, cause):
            return BLOCKED
        return status_of(absent)

    def _absent(self, term: Current[Any]) -> Absent | None:
        node = self._nodes.get(term)
        return UNSET if node is None else node.absent


def _owner(node: Node) -> Current[Any]:
    term = node.owner
    assert isinstance(term, Current)
    return term


def part_of(item: Item) -> Current[Any] | None:
    """What a list does for an item; None if its function raised."""
    return None if item.output.owner is None else _owner(item.output)


def items_in_order(listing: ListNode) -> list[Item]:
    """Its items in the order of the list, each once."""
    return [listing.items[key] for key in dict.fromkeys(listing.keys)]


def _strongest(absents: Iterable[Absent | None]) -> Absent | None:
    strongest: Absent | None = None
    for absent in absents:
        if absent is not None and (strongest is None or absent.rank > strongest.rank):
            strongest = absent
    return strongest


def _is_only(absent: Absent, cause: Absent) -> bool:
    """Whether it is the cause, as it was passed on, perhaps by many together."""
    stack: list[Any] = [absent]
    while stack:
        part = stack.pop()
        if part is cause:
            continue
        if isinstance(part, FailedTogether):
            stack.extend(part.parts)
        elif isinstance(part, tuple):
            stack.append(part[1])
        else:
            return False
    return True
