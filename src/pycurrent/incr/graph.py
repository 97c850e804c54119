"""Bringing the nodes up to date.

Nodes are computed in the order of their *height*, which is above that of all inputs, so each
is computed at most once a step and never sees inputs of different steps. This is the scheme
of Jane Street's incremental. The alternatives considered: marking everything downstream first
and pulling afterwards costs what is *reachable* from a change, even where it is cut off at
once; time stamps in a total order (as in current_incr) need no raising of heights but an
order-maintenance structure that is slow in Python.

A node that loses its last user within a step becomes *dormant*: it is no longer computed, and
neither is what only it needs. If somebody needs it again in the same step it goes on as if
nothing had been, and is computed only if an input changed meanwhile. At the end of the step
what is dormant is released.
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
"""Children of a node of a `GatherTree` when it is made: 16 to 64 measure alike."""


class NodeGraph:
    """A graph of nodes. Not thread-safe; functions of nodes must not change inputs.

    `fault` turns whatever a node's function raises into that node's absence; what it raises
    itself, for an interrupt, comes out of `stabilise`. `inspect(value, giver)` raises where
    what a function (or nobody that is known) gave can't be a value.
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
        # What each dormant node saw of its inputs, or None if it was to be computed anyway.
        self._dormant: dict[Node, list[tuple[object, object]] | None] = {}
        self._running = False
        # Made in this run, and not yet known to be used.
        self._fresh: list[Node] = []
        self._gap_sizes = gap_sizes()
        # Dropped in this run.
        self._dropped: list[Observer] = []

    # The shape

    def add(self, node: Node, scope: Scope | None = None, *, gap: int = 0) -> None:
        """Take a new node in; its inputs are in already. It is computed in the next run."""
        owner = None if scope is None else scope.owner
        height = -1 if owner is None else owner.height
        ready = True
        root = owner is not None
        for source in node.inputs():
            if source.users is None and not self._dormant:
                # As `link` does; most nodes are made with inputs that are new, too.
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
        # By what it has woken it may have been raised already. (`max` would take longer.)
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
        """Need it no longer: what nobody else needs is released at once, or, if a function or a
        release hook does this, at the end of the run. Twice is fine.
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
        """Let go of a node that was made but found no user."""
        if node.users is None and node not in self._dormant:
            self._retire(node)

    def discard_unused(self) -> None:
        """Let go of all nodes made in this run that have found no user.

        Whatever makes nodes while it is computed calls this when it is done, also when it has
        failed; so nothing that was made in vain is computed, or stays.
        """
        made, self._fresh = self._fresh, []
        for node in made:
            if not isinstance(node, Observer):
                self.discard(node)

    def attach(self, source: Node, user: DynamicNode) -> None:
        """Link a user that has been in for a while to one more input, raising it if need be.

        Raises `Cycle`, and changes nothing, if the input needs the user. It is no cycle if the
        input was only made in a scope whose owner needs the user: then it is independent of
        that owner and leaves the scope.
        """
        if source is user:
            raise Cycle
        # Before it has this user, so that a way from there back to the input shows.
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
        """Raise `user`, if need be, above what is to be its input."""
        if source.height >= user.height:
            for node in raise_above(user, source):
                if node.pending:
                    self._enqueue(node)

    # Running

    def push(self, node: Node) -> None:
        """Have `node` computed in this run, or the next. Twice is fine."""
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
        """Compute what changed, and release what is no longer needed.

        An interrupt leaves the graph as it was before the node whose function it came in: the
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
        """Compute all of one height, which may become more meanwhile; break off when something
        lower turns up, as what has been woken or made may need it.
        """
        heights = self._heights
        done = 0
        try:
            for first in bucket:
                if heights and heights[0] < height:
                    break
                done += 1
                # It may have been raised, computed already, or put to sleep since it was queued.
                if first.height == height and first.pending:
                    self._run_chain(first, bucket)
        finally:
            if done == len(bucket):
                del self._queue[height]
            else:
                del bucket[:done]
                heappush(heights, height)

    def _run_chain(self, node: Node, bucket: list[Node]) -> None:
        """Compute `node`, and go on with its user while nothing lower waits.

        The order is that of the queue; it saves a chain of maps the way through it.
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
                # One by one, so that there is an order at any time: heights may be out of date.
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
        """Release what nobody needs any more."""
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
                # Those that are left, where one has raised an exception.
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
    """Take a user away; say whether it was the last."""
    users = source.users
    if type(users) is dict:
        del users[user]
        if len(users) == 1:
            source.users = next(iter(users))
        return False
    source.users = None
    return True
