"""Doubts whether something that no stage uses any more has gone for good.

A stage may go, or use something else, only for a while: because a list is being read again, or a
bind has failed. It has gone for good if everything that decides on it has a value:

- The binds and lists that it was built in, and everything above them, whatever stands in between:
  what a `catch` or a `state` hides counts as well. They decide whether there is such a stage.
- If the stage is still there: its own inputs. Above these the inputs of the pipeline count, and the
  binds and lists. Other stages do not: a status that tells of a failed test is not in doubt.
- If it is not there, and the innermost of those that it was built in is: all binds and lists within
  that, as any of them may have used it.

Of a stage of an earlier engine only the path is known. If no stage has it now, all binds and lists
count whose stages may be on that path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pycurrent.incr import BindDecision, BindResult, ForEach, Node, Source
from pycurrent.term.account import Stage
from pycurrent.term.component_nodes import ComponentNode
from pycurrent.term.nodes import list_behind
from pycurrent.term.output import Active
from pycurrent.term.primitive import StageRef
from pycurrent.term.shape import ItemOf, Term, makers
from pycurrent.term.stage_names import names_within
from pycurrent.term.term_graph import TermGraph


class Doubts:
    """The doubts in one step. Make another one after each: it remembers what it has looked at.

    Each is told as the node that has no value. As long as it is alive and has none, the doubt is
    the same.
    """

    def __init__(self, live: TermGraph) -> None:
        self._live = live
        # Nodes above which, and which, everything has a value; and of stages' own inputs likewise.
        self._sound: set[Node] = set()
        self._known: set[Node] = set()
        self._doubtful: list[tuple[Term, Node]] | None = None

    def unread(self) -> list[Node]:
        """The inputs of the pipeline that are neither read nor have failed."""
        return [s for s in self._live.stages() if _is_input(s) and self.is_unread(s)]

    @staticmethod
    def is_unread(stage: Node) -> bool:
        """True if an input is neither read nor has failed, and is needed still."""
        return stage.users is not None and isinstance(stage.absent, Active)

    def about(self, term: Term) -> Node | None:
        """The reason to doubt that a stage has left something for good; None: there is none."""
        is_unclear = term not in self._live.nodes
        # If it was built again, the new one may come to use the same as the old one.
        for same in self._live.account.paths.like(term) if is_unclear else (term,):
            doubt = self._of_own_inputs(same)
            if doubt is not None:
                return doubt
        within: Term | None = None
        for maker in makers(term):
            decider = self._decider_of(maker)
            if decider is None:
                continue  # It has gone itself, with what it was built in.
            doubt = self._above(decider)
            if doubt is not None:
                return doubt
            if is_unclear and within is None:
                within = _still_there(decider, maker)
                is_unclear = within is not None
        return self._within(within) if is_unclear else None

    def decider(self, term: Term) -> Node | None:
        """The node by which a stage has left something: itself, or else the innermost living bind
        or list that it was built in.
        """
        if term in self._live.nodes:
            return self._live.nodes[term]
        return next(filter(None, map(self._decider_of, makers(term))), None)

    def about_path(self, path: str | None) -> Node | None:
        """The same of a stage of an earlier engine; None stands for an unknown path."""
        term = None if path is None else self._live.account.paths.find(path)
        if term is not None:
            return self.about(term)
        around = () if path is None else tuple(StageRef.names_in(path)[:-1])
        for maker, doubt in self._all_doubtful():
            names = names_within(maker)
            shorter = min(len(names), len(around))
            if names[:shorter] == around[:shorter]:
                return doubt
        return None

    def _of_own_inputs(self, term: Term) -> Node | None:
        stage = self._live.nodes[term]
        if not isinstance(stage, ComponentNode):
            return None  # A bind with the name of a component.
        for source in stage.sources:
            if source.absent is not None:
                return source
        if stage.subscription is None:
            return stage  # Its function has failed.
        return self._first(stage.sources, self._known, _counts)

    def _above(self, decider: Node) -> Node | None:
        """The first node without a value, of a bind or list and everything above it."""
        if decider.absent is not None:
            return decider
        return self._first(decider.inputs(), self._sound, lambda node: True)

    def _first(
        self, nodes: Iterable[Node], known: set[Node], counts: Callable[[Node], bool]
    ) -> Node | None:
        """The first one without a value that counts, of these nodes and all above. If there is
        none they are known from then on.
        """
        seen: set[Node] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node in seen or node in known:
                continue
            if node.absent is not None and counts(node):
                return node
            seen.add(node)
            # Labels that are not known yet are not waited for.
            stack.extend(node.sources if isinstance(node, ComponentNode) else node.inputs())
        known |= seen
        return None

    def _within(self, maker: Term | None) -> Node | None:
        """A doubt within a bind or an item; None: anywhere."""
        for term, doubt in self._all_doubtful():
            if maker is None or any(other is maker for other in (term, *makers(term))):
                return doubt
        return None

    def _all_doubtful(self) -> list[tuple[Term, Node]]:
        """All binds and lists that are in doubt, and the items whose function has failed."""
        if self._doubtful is None:
            self._doubtful = list(self._find_doubtful())
        return self._doubtful

    def _find_doubtful(self) -> Iterator[tuple[Term, Node]]:
        for term, node in self._live.nodes.items():
            decider = node.decision if isinstance(node, BindResult) else list_behind(node)
            if decider is None:
                continue
            doubt = self._above(decider)
            if doubt is not None:
                yield term, doubt
            elif isinstance(decider, ForEach):
                yield from _failed_items(decider)

    def _decider_of(self, maker: Term) -> Node | None:
        """The living node that decides on what is built in a bind or an item."""
        match maker.shape:
            case ItemOf(parent=parent):
                return list_behind(self._live.nodes.get(parent))
            case _:
                node = self._live.nodes.get(maker)
                return node.decision if isinstance(node, BindResult) else None


def _still_there(decider: Node, maker: Term) -> Term | None:
    """A bind, or the item that has the key of an item now; None if its list has dropped that."""
    match decider, maker.shape:
        case ForEach(), ItemOf(item=item):
            present = decider.items.get(item.key)
            owner = None if present is None else present.owner
            return owner if isinstance(owner, Term) else None
        case _:
            return maker


def _failed_items(listing: ForEach) -> Iterator[tuple[Term, Node]]:
    for item in listing.items.values():
        if type(item.output) is Source and item.output.absent is not None:
            assert isinstance(item.owner, Term)
            yield item.owner, item.output


def _counts(node: Node) -> bool:
    """True if it counts among what is above the inputs of a stage."""
    return isinstance(node, BindDecision | ForEach) or (isinstance(node, Stage) and _is_input(node))


def _is_input(stage: Stage) -> bool:
    return stage.subscription is not None and stage.subscription.is_input
