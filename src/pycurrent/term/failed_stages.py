"""The failed stages because of which a current has failed, as a value that follows them.

It changes also while the failure that comes out of them stays the same, as that of `all` does when
a second one fails. So the account wakes it whenever a stage fails, or does so no longer; it holds
no other nodes, which would keep stages alive that the pipeline has dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from pycurrent.incr import Node, NodeGraph
from pycurrent.term.account import Account, Stage
from pycurrent.term.context import CONTEXT
from pycurrent.term.current import Current
from pycurrent.term.nodes import OfOne
from pycurrent.term.output import Failed, FailureKind
from pycurrent.term.shape import FailedStagesOf
from pycurrent.term.state import State

_LOOKED_AT = 2000
"""How many nodes are looked at to find them."""


class FailedStage(Struct, frozen=True):
    """A stage that has failed itself."""

    path: str
    message: str
    kind: FailureKind
    job_id: str | None
    """The job that has failed; None for a stage without one."""


class FailedStages(Struct, frozen=True):
    """The first ones of those that have failed, and how many more there are."""

    first: tuple[FailedStage, ...] = ()
    more: int = 0


def failed_stages(current: Current[Any], most: int) -> Current[FailedStages]:
    """The stages that have failed themselves and because of which a current has failed: the first
    `most`, from left to right. None of them, unless it has failed.
    """
    return Current(FailedStagesOf(current, most), CONTEXT.get())


class FailedStagesNode(OfOne):
    """The failed stages below the source, as a value that is always known."""

    __slots__ = ("account", "most")

    def __init__(self, source: Node, account: Account, most: int) -> None:
        super().__init__(source)
        self.account = account
        self.most = most

    def recompute(self, graph: NodeGraph) -> bool:
        if self.users is None:
            return False  # It was woken, and has been released since.
        if not isinstance(self.source.absent, Failed):
            self.account.follows_failures.pop(self, None)
            return self.accept(graph, FailedStages())
        self.account.follows_failures[self] = None
        found = list(_failed(self.source))
        first = tuple([self._told(stage) for stage in found[: self.most]])
        return self.accept(graph, FailedStages(first, len(found) - len(first)))

    def _told(self, stage: Stage) -> FailedStage:
        failed = stage.absent
        assert isinstance(failed, Failed)
        job = None if stage.metadata is None else stage.metadata.job_id
        return FailedStage(str(stage.stage), failed.message, failed.kind, job)

    def release(self, graph: NodeGraph) -> None:
        self.account.follows_failures.pop(self, None)


def _failed(source: Node) -> Iterator[Stage]:
    """The nearest failed stages from which a node has its failure, from left to right. Muted
    failures count only where there is no other one.
    """
    seen: set[Node] = set()
    stack = [source]
    while stack and len(seen) < _LOOKED_AT:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Stage) and node.state is not State.BLOCKED:
            yield node
        else:
            failed = [one for one in node.inputs() if isinstance(one.absent, Failed)]
            own = [one for one in failed if one.absent is not None and not one.absent.is_excused]
            stack.extend(reversed(own or failed))
