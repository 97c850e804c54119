"""Brings the nodes up to date.

Nodes are computed in the order of their *height*, which is above that of all inputs. So each is
computed at most once per step and never sees inputs of different steps. This is the scheme of Jane
Street's incremental. We considered two alternatives: marking everything downstream first and
pulling afterwards costs time for everything *reachable* from a change, even if it is cut off at
once; time stamps in a total order (as in current_incr) need no raising of heights, but an
order-maintenance structure that is slow in Python.

A node that loses its last user within a step becomes *dormant*: neither it nor the nodes that only
it needs are computed. If somebody needs it again in the same step it goes on as if nothing had
happened, and is computed only if an input has changed meanwhile. Dormant nodes are released at the
end of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from pycurrent.incr.errors import Cycle
from pycurrent.incr.heights import gap_sizes, raise_above
from pycurrent.incr.node import UNSET, Absent, DynamicNode, Node, Observer
from pycurrent.incr.scope import Scope

FANOUT = 32
"""How many children a new node of a `GatherTree` gets; 16 to 64 are equally fast."""


# Longer than our classes are: its parts change the same queue and marks of the same nodes, and a
# call to another object for each node would show in the benchmarks.
class NodeGraph:
    """A graph of nodes. Not thread-safe; functions of nodes must not change inputs.

    `fault` turns any exception of a node's function into that node's absence; an exception that it
    raises itself, for an interrupt, comes out of `stabilise`. `inspect(value, giver)` raises if
    something that a function (or an unknown giver) returned can't be a value.
    """

    def __init__(
        self,
        fault: Callable[[BaseException], Absent],
        inspect: Callable[[Any, Callable[..., Any] | None], None] = lambda value, giver: None,
        *,
        fanout: int = FANOUT,
    ) -> None:
        self.fault = fault
        self.inspect = inspect
        self.fanout = fanout
        self._queue: dict[int, list[Node]] = {}
        self._heights: list[int] = []
        # The state of its inputs that each dormant node saw; None if it was pending anyway.
        self._dormant: dict[Node, list[tuple[object, object]] | None] = {}
        self._running = False
        # Made in this run, and not yet known to be used.
        self._fresh: list[Node] = []
        self._gap_sizes = gap_sizes()
        # Dropped in this run.
        self._dropped: list[Observer] = []

    # The shape

    def add(self, node: Node, scope: Scope | None = None, *, gap: int = 0) -> None:
        """Add a new node, whose inputs have been added. It is computed in the next run."""
        owner = None if scope is None else scope.owner
        height = -1 if owner is None else owner.height
        ready = True
        root = owner is not None
        for source in node.inputs():
            if source.users is None and not self._dormant:
                # Like `link`; most nodes are made with inputs that are new, too.
                source.users = node
            else:
                self.link(source, node)
            if source.height > height:
                height = source.height
            if source.absent is UNSET:
                ready = False
            if source.home is scope:
                root = False
        height += 1 + gap
        # A woken node may have raised it already. (`max` would take longer.)
        if height > node.height:
            node.height = height
        node.home = scope
        if root:
            scope.enter(node)  # type: ignore[union-attr]
        if gap and isinstance(node, DynamicNode):
            node.headroom = gap * next(self._gap_sizes)
        if self._running:
            self._fresh.append(node)
        if ready:
            # Otherwise it is reached through the input that isn't computed yet either.
            self.push(node)

    def observe(self, node: Node) -> Observer:
        """Need `node` until `drop`."""
        observer = Observer(node)
        self.add(observer)
        return observer

    def drop(self, observer: Observer) -> None:
        """Stop needing it. Nodes that nobody else needs are released at once, or, if a function or
        a release hook calls this, at the end of the run. Twice is fine.
        """
        self._dropped.append(observer)
        if not self._running:
            self._running = True
            try:
                self._finish()
            finally:
                self._running = False

    def link(self, source: Node, user: Node) -> None:
        """Make `user`, which is new, a user of `source`, which it was not."""
        users = source.users
        if users is None:
            source.users = user
            if self._dormant and source in self._dormant:
                self._revive(source)
        elif type(users) is dict:
            users[user] = None
        else:
            source.users = {users: None, user: None}  # type: ignore[dict-item]

    def unlink(self, source: Node, user: Node) -> None:
        """`user` no longer reads `source`; without users that becomes dormant."""
        if _forget(source, user):
            self._retire(source)

    def discard(self, node: Node) -> None:
        """Drop a new node that found no user."""
        if node.users is None and node not in self._dormant:
            self._retire(node)

    def discard_unused(self) -> None:
        """Drop all nodes made in this run that have found no user.

        A node that makes others while it is computed calls this at its end, even after a failure,
        so that no unused node is computed or stays.
        """
        made, self._fresh = self._fresh, []
        for node in made:
            if not isinstance(node, Observer):
                self.discard(node)

    def attach(self, source: Node, user: DynamicNode) -> None:
        """Link a user that has been computed before to one more input, raising it if necessary.

        Raises `Cycle`, and changes nothing, if the input needs the user. If the input was only made
        in a scope whose owner needs the user, it is not a cycle: then the input is independent of
        that owner and leaves the scope.
        """
        if source is user:
            raise Cycle
        # Before the input has this user, so that a path back to the input is found.
        dormant = source.users is None and source in self._dormant
        if dormant:
            self._revive(source)
        try:
            self._raise(user, source)
        except Cycle:
            if dormant:
                self._retire(source)
            raise
        self.link(source, user)

    def _raise(self, user: Node, source: Node) -> None:
        """Raise `user`, if necessary, above its new input."""
        if source.height >= user.height:
            for node in raise_above(user, source):
                if node.pending:
                    self._enqueue(node)

    # Running

    def push(self, node: Node) -> None:
        """Compute `node` in this run, or the next. Twice is fine."""
        if node.pending:
            return
        if self._dormant and node in self._dormant:
            self._dormant[node] = None
            return
        node.pending = True
        self._enqueue(node)

    def _enqueue(self, node: Node) -> None:
        bucket = self._queue.get(node.height)
        if bucket is None:
            self._queue[node.height] = [node]
            heappush(self._heights, node.height)
        else:
            bucket.append(node)

    def stabilise(self) -> None:
        """Compute the changed nodes, and release those that are no longer needed.

        An interrupt leaves the graph as it was before the node whose function was interrupted: the
        next call goes on there.
        """
        assert not self._running
        heights = self._heights
        self._running = True
        try:
            while heights:
                height = heappop(heights)
                self._run_level(height, self._queue[height])
            self._finish()
        finally:
            self._running = False
            self._fresh.clear()

    def _run_level(self, height: int, bucket: list[Node]) -> None:
        """Compute all nodes of one height, including new ones; stop if a lower one turns up,
        because a woken or new node may need it.
        """
        heights = self._heights
        done = 0
        try:
            for first in bucket:
                if heights and heights[0] < height:
                    break
                done += 1
                # Since it was queued, it may have been raised, computed, or put to sleep.
                if first.height == height and first.pending:
                    self._run_chain(first, bucket)
        finally:
            if done == len(bucket):
                del self._queue[height]
            else:
                del bucket[:done]
                heappush(heights, height)

    def _run_chain(self, node: Node, bucket: list[Node]) -> None:
        """Compute `node`, and go on with its user while nothing lower is queued.

        This keeps the order of the queue, but saves a chain of maps the way through it.
        """
        heights = self._heights
        first = node
        try:
            while True:
                node.pending = False
                if not node.recompute(self):
                    return
                users = node.users
                if type(users) is dict:
                    for user in users:
                        if not user.pending:
                            user.pending = True
                            self._enqueue(user)
                    return
                if users is None or users.pending:  # type: ignore[union-attr]
                    return
                node = users  # type: ignore[assignment]
                node.pending = True
                if bucket[-1] is not first or (heights and heights[0] <= node.height):
                    self._enqueue(node)
                    return
        except BaseException:
            node.pending = False
            self.push(node)
            raise

    # Going to sleep, waking up, and leaving

    def _retire(self, node: Node) -> None:
        stack = [node]
        while stack:
            node = stack.pop()
            inputs = list(node.inputs())
            if node.pending or node.absent is UNSET:
                self._dormant[node] = None
            else:
                self._dormant[node] = [(i.value, i.absent) for i in inputs]
            node.pending = False
            stack.extend(source for source in reversed(inputs) if _forget(source, node))

    def _revive(self, node: Node) -> None:
        stack = [node]
        while stack:
            node = stack.pop()
            seen = self._dormant.pop(node)
            inputs = list(node.inputs())
            for source in inputs:
                # One by one, so that there is always a valid order: heights may be out of date.
                self._raise(node, source)
                users = source.users
                if users is None:
                    if source in self._dormant:
                        stack.append(source)
                    source.users = node
                elif type(users) is dict:
                    users[node] = None
                else:
                    source.users = {users: None, node: None}  # type: ignore[dict-item]
            if seen is None or any(
                i.value is not value or i.absent is not absent
                for i, (value, absent) in zip(inputs, seen, strict=True)
            ):
                self.push(node)

    def _finish(self) -> None:
        """Release the nodes that nobody needs any more."""
        while self._dropped or self._dormant:
            for observer in self._dropped:
                if observer in observer.source.get_users():
                    self.unlink(observer.source, observer)
            self._dropped = []
            dormant, self._dormant = self._dormant, {}
            leaving = iter(dormant)
            try:
                for node in leaving:
                    self._release(node)
            finally:
                # The others, if one has raised an exception.
                self._dormant.update(dict.fromkeys(leaving))

    def _release(self, node: Node) -> None:
        if node.home is not None:
            node.home.leave(node)
            node.home = None
        try:
            node.release(self)
        finally:
            self.released(node)

    def released(self, node: Node) -> None:
        """A node has left the graph; for subclasses that keep account."""

    # For tests

    def check(self, observed: list[Observer]) -> None:
        """Assert the invariants of everything below `observed`."""
        assert not self._queue
        assert not self._heights
        assert not self._dormant
        stack: list[Node] = list(observed)
        seen: set[Node] = set()
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            assert not node.pending
            assert node.absent is not UNSET
            owner = None if node.home is None else node.home.owner
            assert owner is None or owner.height < node.height
            inputs = list(node.inputs())
            assert len(inputs) == len(set(inputs))
            for source in inputs:
                assert source.height < node.height
                assert node in source.get_users()
            for scope in node.scopes():
                assert all(root.height > node.height for root in scope.roots)
                assert all(root.users is not None for root in scope.roots)
            stack.extend(inputs)
        for node in seen:
            assert isinstance(node, Observer) or all(user in seen for user in node.get_users())


def _forget(source: Node, user: Node) -> bool:
    """Remove a user; True if it was the last."""
    users = source.users
    if type(users) is dict:
        del users[user]
        if len(users) == 1:
            source.users = next(iter(users))
        return False
    source.users = None
    return True
