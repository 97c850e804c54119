"""Bringing the nodes up to date.

Nodes are computed in the order of their *height*, which is above that of all inputs, so each
is computed at most once a step and never sees inputs of different steps. This is the scheme
of Jane Street's incremental. The alternatives considered: marking everything downstream first
and pulling afterwards costs what is *reachable* from a change, even where it is cut off at
once; time stamps in a total order (as in current_incr) need no raising of heights but an
order-maintenance structure that is slow in Python.

Heights have gaps (`GAP`), and each raise of a dynamic node doubles its reserve, so that deep
nests and long rows of binds cost O(n log n) rather than O(n²).

A node that loses its last user within a step becomes *dormant*: it is no longer computed, and
neither is what only it needs. If somebody needs it again in the same step it goes on as if
nothing had been, and is computed only if an input changed meanwhile. At the end of the step
what is dormant is released.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from pycurrent.incr.node import UNSET, Absent, Node, Observer
from pycurrent.incr.scope import Scope

GAP = 64
"""How much room a dynamic node leaves below itself for what it will make."""


class Cycle(ValueError):
    """A part of the graph that was made by a node needs that node."""

    def __init__(self) -> None:
        super().__init__("this part of the pipeline needs its own outcome")


class Graph:
    """A graph of nodes. Not thread-safe; functions of nodes must not change inputs.

    `fault` turns an exception of a node's function into that node's absence.
    """

    def __init__(self, fault: Callable[[Exception], Absent]) -> None:
        self.fault = fault
        self._queue: dict[int, list[Node]] = {}
        self._heights: list[int] = []
        # What each dormant node saw of its inputs, or None if it was to be computed anyway.
        self._dormant: dict[Node, list[tuple[object, object]] | None] = {}
        self._running = False

    # The shape

    def add(self, node: Node, scope: Scope | None = None, *, gap: int = 0) -> None:
        """Take a new node in; its inputs are in already. It is computed in the next run."""
        height = -1 if scope is None else scope.owner.height
        ready = True
        for source in node.inputs():
            self.link(source, node)
            if source.height > height:
                height = source.height
            if source.absent is UNSET:
                ready = False
        node.height = height + 1 + gap
        if ready:
            # Otherwise it is reached through the input that isn't computed yet either.
            self.push(node)

    def observe(self, node: Node) -> Observer:
        """Need `node` until `drop`."""
        observer = Observer(node)
        self.add(observer)
        return observer

    def drop(self, observer: Observer) -> None:
        """Need it no longer: what nobody else needs is released at once. Twice is fine."""
        if observer.source.users is not None:
            self.unlink(observer.source, observer)
        if not self._running:
            self._sweep()

    def link(self, source: Node, user: Node) -> None:
        """Make `user` a user of `source`, which it was not."""
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
        users = source.users
        if type(users) is dict:
            del users[user]
            if users:
                return
        source.users = None
        self._retire(source)

    def discard(self, node: Node) -> None:
        """Let go of a node that was made but found no user."""
        if node.users is None and node not in self._dormant:
            self._retire(node)

    def attach(self, source: Node, user: Node, *, slack: int = 0) -> None:
        """Link a user that has been in for a while to one more input, raising it if need be.

        Raises `Cycle`, and changes nothing, if the input needs the user.
        """
        if source is user:
            raise Cycle
        if source.height >= user.height:
            self.lift(user, source.height + 1 + slack, never=source)
        self.link(source, user)

    def lift(self, node: Node, height: int, *, never: Node | None = None) -> None:
        """Raise `node` to `height`, and all that must be above it, but `never` that one."""
        stack = [(node, height)]
        while stack:
            node, height = stack.pop()
            if node is never:
                raise Cycle
            if node.height >= height:
                continue
            node.height = height
            if node.pending:
                self._enqueue(node)
            above = height + 1
            for user in node.get_users():
                if user.height < above:
                    stack.append((user, above))
            for scope in node.scopes():
                stack.extend((root, above) for root in scope.roots if root.height < above)

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

        An exception that is no `Exception` (an interrupt) leaves the graph as it was before
        the node whose function raised it: the next call goes on there.
        """
        heights = self._heights
        self._running = True
        try:
            while heights:
                height = heappop(heights)
                self._run_level(height, self._queue[height])
                del self._queue[height]
        finally:
            self._running = False
        self._sweep()

    def _run_level(self, height: int, bucket: list[Node]) -> None:
        """Compute all of one height. The list may grow meanwhile."""
        for first in bucket:
            # It may have been raised, computed already, or put to sleep since it was queued.
            if first.height != height or not first.pending:
                continue
            try:
                self._run_chain(first, bucket)
            except BaseException:
                heappush(self._heights, height)
                raise

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
                if bucket[-1] is not first or (heights and heights[0] < node.height):
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
            for source in inputs:
                users = source.users
                if type(users) is dict:
                    del users[node]
                    if users:
                        continue
                source.users = None
                stack.append(source)

    def _revive(self, node: Node) -> None:
        stack = [node]
        while stack:
            node = stack.pop()
            seen = self._dormant.pop(node)
            inputs = list(node.inputs())
            for source in inputs:
                users = source.users
                if users is None:
                    source.users = node
                    if source in self._dormant:
                        stack.append(source)
                elif type(users) is dict:
                    users[node] = None
                else:
                    source.users = {users: None, node: None}  # type: ignore[dict-item]
                if source.height >= node.height:
                    self.lift(node, source.height + 1)
            if seen is None or any(
                i.value is not value or i.absent is not absent
                for i, (value, absent) in zip(inputs, seen, strict=True)
            ):
                self.push(node)

    def _sweep(self) -> None:
        while self._dormant:
            dormant, self._dormant = self._dormant, {}
            for node in dormant:
                node.release(self)
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
            inputs = list(node.inputs())
            assert len(inputs) == len(set(inputs))
            for source in inputs:
                assert source.height < node.height
                assert node in source.get_users()
            for scope in node.scopes():
                assert all(root.height > node.height for root in scope.roots)
            stack.extend(inputs)
        for node in seen:
            assert isinstance(node, Observer) or all(user in seen for user in node.get_users())
