"""Reading the states of terms from their living nodes, for the diagram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pycurrent.incr import (
    UNSET,
    Absent,
    BindResult,
    Item,
    Node,
    combine,
    materialize,
)
from pycurrent.term.component_nodes import ComponentNode
from pycurrent.term.example import Examples
from pycurrent.term.label import UnknownValue
from pycurrent.term.labels import label_block
from pycurrent.term.latch import Latched
from pycurrent.term.nodes import ListNode, list_behind
from pycurrent.term.output import Failed, Muted
from pycurrent.term.shape import All, Collapse, Term
from pycurrent.term.state import BLOCKED, OK, Status, status_of
from pycurrent.term.term_graph import TermGraph
from pycurrent.term.together import FailedTogether


class Statuses:
    """The living nodes of an engine between two steps, or (None) of no engine.

    Terms without a node, which nobody needs or which are only an example, are blocked.
    """

    def __init__(self, graph: TermGraph | None) -> None:
        self._nodes: Mapping[Term, Node] = {} if graph is None else graph.nodes
        self._alone = graph is None
        self._account = None if graph is None else graph.account
        self.examples = Examples() if graph is None else graph.account.examples

    def is_shown_alive(self, term: Term) -> bool:
        """True if a constant counts, and is not just a part of an example."""
        return self._alone or term in self._nodes

    def values(self, terms: Sequence[Term]) -> list[Any]:
        """Their values, `UnknownValue()` for what is not known."""
        nodes = [self._nodes.get(term) for term in terms]
        return [
            UnknownValue() if node is None or node.absent is not None else materialize(node.value)
            for node in nodes
        ]

    def take_in_paths(self) -> Iterator[None]:
        """Get ready to tell paths, and stop now and then."""
        if self._account is not None:
            yield from self._account.paths.take_in()

    def path(self, term: Term) -> str | None:
        """The path of a stage; None if it does not live."""
        if self._account is None or term not in self._nodes:
            return None
        return str(self._account.paths.of(term))

    def labels(self, term: Term) -> Mapping[str, str] | None:
        """The labels of a stage; None if it does not live, or has none."""
        node = self._nodes.get(term)
        if self._account is None or node is None:
            return None
        labels = self._account.labels_around(term)
        followed = node.subscription if isinstance(node, ComponentNode) else None
        if followed is not None and followed.labels:
            labels = {**followed.labels, **labels}
        return labels or None

    def labelling(self, term: Term) -> Node | None:
        """The node whose value the labels around a stage come from, if some are currents."""
        block = None if term.context is None else label_block(term.context)
        return None if block is None or block.term is None else self._nodes.get(block.term)

    def of_component(self, term: Term) -> Status:
        stage = self._nodes.get(term)
        return stage.status if isinstance(stage, ComponentNode) else BLOCKED

    def of_latch(self, term: Term) -> Status | None:
        """The status of a latch while it holds an earlier result."""
        node = self._nodes.get(term)
        if not isinstance(node, Latched) or node.holds_for is None:
            return None
        held, metadata = status_of(node.absent), node.metadata
        assert metadata is not None
        return Status(held.state, held.failure, metadata.update, metadata.job_id, held.note)

    def of_decision(self, term: Term) -> Status:
        """The status of a bind's box: about its own function, whatever the inside comes to."""
        bind = self._nodes.get(term)
        if not isinstance(bind, BindResult):
            return BLOCKED
        decision = bind.decision
        if combine(decision.sources) is not None:
            return BLOCKED
        return status_of(decision.absent)

    def inside(self, term: Term) -> Term | None:
        """The term that a bind has decided on."""
        bind = self._nodes.get(term)
        if not isinstance(bind, BindResult) or bind.inner is None:
            return None
        return _owner(bind.inner)

    def listing(self, term: Term) -> ListNode | None:
        """The node that follows the items of a list or an option."""
        return list_behind(self._nodes.get(term))

    def items(self, term: Term) -> list[Item]:
        """The items of a list or an option in their order; none while they are not known."""
        listing = self.listing(term)
        return items_in_order(listing) if listing is not None and listing.order else []

    def of_list(self, listing: ListNode | None) -> Status:
        """The status of a list without items: blocked, unless it can't tell its items apart."""
        if listing is None or listing.source.absent is not None or listing.absent is None:
            return BLOCKED
        return status_of(listing.absent)

    def of_passing(self, term: Term) -> Status:
        """The status of a term that lacks a value only because of its inputs."""
        node = self._nodes.get(term)
        return OK if node is not None and node.absent is None else BLOCKED

    def own_failure(self, term: Term, sources: Iterable[Term]) -> Status | None:
        """The failure of a function, none of whose inputs lacks a value."""
        node = self._nodes.get(term)
        if node is None or not isinstance(node.absent, Failed):
            return None
        if any(self._absent(source) is not None for source in sources):
            return None
        return status_of(node.absent)

    def of_fold(self, term: Term) -> Status:
        """The status of a fold: blocked if it lacks a value only because its input does."""
        shape = term.shape
        assert isinstance(shape, Collapse)
        absent = self._absent(term)
        if absent is UNSET and isinstance(shape.source.shape, All):
            # A list of folded currents of which nobody needs the whole.
            members = [self._absent(source) for source in shape.source.shape.sources]
            absent = _strongest(members)
            if absent is not None and absent.is_excused and not shape.source.shape.collect:
                absent = None
        cause = self._absent(shape.input)
        if absent is not None and cause is not None and _is_only(absent, cause):
            return BLOCKED
        return status_of(absent)

    def _absent(self, term: Term) -> Absent | None:
        node = self._nodes.get(term)
        return UNSET if node is None else node.absent


def _owner(node: Node) -> Term:
    term = node.owner
    assert isinstance(term, Term)
    return term


def part_of(item: Item) -> Term | None:
    """The term that a list built for an item; None if its function raised."""
    return None if item.output.owner is None else _owner(item.output)


def label_of_empty(listing: ListNode | None) -> str:
    """The label of the box that stands for the items of a list without items."""
    is_known = listing is not None and listing.absent is None
    return "(empty list)" if is_known else "(each item)"


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
    """True if it is this cause, passed on, perhaps by many together."""
    stack: list[Any] = [absent]
    while stack:
        part = stack.pop()
        if part is cause:
            continue
        if isinstance(part, Muted):
            stack.append(part.failed)
        elif isinstance(part, FailedTogether):
            stack.extend(part.parts)
        elif isinstance(part, tuple):
            stack.append(part[1])
        else:
            return False
    return True
