"""Brings the nodes up to date.

Nodes are computed in the order of their *height*, which is above that of all inputs. So each is
computed at most once per step and never sees inputs of different steps. This is the scheme of Jane
Street's incremental. We considered two alternatives: marking everything downstream first and
pulling afterwards costs time for everything *reachable* from a change, even if it is cut off at
once; time stamps in a total order (as in current_incr) need no raising of heights, but an
order-maintenance structure that is slow in Python.

Nodes that lose their last user within a step are released at its end: see `unneeded`.

A run may stop between two nodes and go on later, so that much does not hold up everything else. A
node that may take long is computed in parts, and the run may stop between those, too. Meanwhile
nobody may read or change the graph: what is set or dropped takes effect after the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

from pycurrent.incr.errors import Cycle
from pycurrent.incr.heights import gap_sizes, raise_above
from pycurrent.incr.node import UNSET, Absent, DynamicNode, Node, Observer
from pycurrent.incr.partwise import Partwise
from pycurrent.incr.scope import Scope
from pycurrent.incr.slices import Budget, Pace
from pycurrent.incr.unneeded import Unneeded

FANOUT = 32
"""How many children a new node of a `GatherTree` gets; 16 to 64 are equally fast."""


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
        self.running = False
        """True while nodes are computed or released, but not while a run is paused."""
        self.paused = False
        """True from where a run has stopped before its end until it goes on."""
        self.pace = Pace()
        """Says when a part that makes nodes should pause."""
        # Inputs that were set while the run was paused.
        self._later: list[Callable[[], None]] = []
        self._gap_sizes = gap_sizes()
        self._unneeded = Unneeded(self)
        self._partwise = Partwise(self, self._unneeded)
        self._dormant = self._unneeded.dormant
        self._fresh = self._unneeded.fresh

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
        if self.running:
            self._fresh.append(node)
        if ready:
            # Otherwise it is reached through the input that isn't computed yet either.
            self.push(node)

    def add_known(self, node: Node, scope: Scope | None = None) -> None:
        """Add a new node that has its value, which never changes: it is not computed."""
        node.home = scope
        if scope is not None and scope.owner is not None:
            node.height = scope.owner.height + 1
            scope.enter(node)
        if self.running:
            self._fresh.append(node)

    def observe(self, node: Node) -> Observer:
        """Need `node` until `drop`."""
        observer = Observer(node)
        self.add(observer)
        return observer

    def drop(self, observer: Observer) -> None:
        """Stop needing it. Nodes that nobody else needs are released at once, or, if a function or
        a release hook calls this or a run is paused, at the end of the run. Twice is fine.
        """
        self._unneeded.dropped.append(observer)
        if not (self.running or self.paused):
            self._run(self._unneeded.release, None)

    def drop_in_slices(self, observer: Observer, budget: Budget) -> Iterator[None]:
        """Stop needing it, and pause wherever the budget is used up. Not while a run is paused."""
        assert not self.running
        assert not self.paused
        self._unneeded.dropped.append(observer)
        while not self._run(self._unneeded.release, budget):
            yield

    def link(self, source: Node, user: Node) -> None:
        """Make `user`, which is new, a user of `source`, which it was not."""
        users = source.users
        if users is None:
            source.users = user
            if self._dormant and source in self._dormant:
                self._unneeded.revive(source)
        elif type(users) is dict:
            users[user] = None
        else:
            source.users = {users: None, user: None}  # type: ignore[dict-item]

    def unlink(self, source: Node, user: Node) -> None:
        """`user` no longer reads `source`; without users that becomes dormant."""
        if source.lose(user):
            self._unneeded.retire(source)

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
            self._unneeded.revive(source)
        try:
            self.keep_above(user, source)
        except Cycle:
            if dormant:
                self._unneeded.retire(source)
            raise
        self.link(source, user)

    def keep_above(self, user: Node, source: Node) -> None:
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

    def stabilise(self, budget: Budget | None = None) -> bool:
        """Compute the changed nodes, and release those that nobody needs any more.

        With a budget it may stop before that: then it returns False, and the next call goes on.
        Inputs that are set meanwhile are shown by the run after this one.

        An interrupt leaves the graph as it was before the node whose function was interrupted: the
        next call goes on there.
        """
        return self._run(self._go_on, budget)

    def abandon(self) -> None:
        """Give up a run that is paused: the graph is as it was before the node in whose parts it
        has stopped, and the next run goes on there.
        """
        self._partwise.give_up()
        self._unneeded.give_up_run()
        self.paused = False

    def _run(self, run: Callable[[], bool], budget: Budget | None) -> bool:
        assert not self.running
        if self._later and not self.paused:
            later, self._later = self._later, []
            for act in later:
                act()
        self.running = True
        if budget is not None or self.pace.budget is not None:
            self.pace.begin_slice(budget)
        self.paused = False
        try:
            done = run()
            self.paused = not done
        finally:
            self.running = False
            if not self.paused:
                self._fresh.clear()
        return done

    @property
    def holds_back(self) -> bool:
        """True if what is to change an input must wait for the next run: see `before_next_run`."""
        return not self.running and (self.paused or bool(self._later))

    def before_next_run(self, act: Callable[[], None]) -> None:
        """Call `act()` when the run after the one that is paused begins."""
        self._later.append(act)

    def _go_on(self) -> bool:
        """Run until all is done (True) or the budget is used up (False)."""
        if self._unneeded.given_up and not self._unneeded.tidy():
            return False
        partwise = self._partwise
        if partwise.has_begun and not partwise.resume():
            return False
        heights = self._heights
        while heights:
            height = heappop(heights)
            if not self._run_level(height, self._queue[height]):
                return False
        return not partwise.has_begun and self._unneeded.release()

    def _run_level(self, height: int, bucket: list[Node]) -> bool:
        """Compute all nodes of one height, including new ones; stop if a lower one turns up,
        because a woken or new node may need it. False if the budget is used up.
        """
        heights = self._heights
        done = 0
        try:
            for first in bucket:
                if heights and heights[0] < height:
                    break
                done += 1
                # Since it was queued, it may have been raised, computed, or put to sleep.
                if first.height == height and first.pending and not self._run_chain(first, bucket):
                    done -= 1
                    return False
        finally:
            if done == len(bucket):
                del self._queue[height]
            else:
                del bucket[:done]
                heappush(heights, height)
        return True

    def _run_chain(self, node: Node, bucket: list[Node]) -> bool:
        """Compute `node`, and go on with its user while nothing lower is queued. False if the
        budget is used up before anything is computed.

        This keeps the order of the queue, but saves a chain of maps the way through it.
        """
        heights = self._heights
        first = node
        try:
            while True:
                for _ in self.pace.ticks:
                    node.pending = False
                    changed = node.recompute(self)
                    if changed is not True and not (
                        changed and self._partwise.compute(node, changed)
                    ):
                        return True
                    users = node.users
                    if type(users) is dict:
                        for user in users:
                            if not user.pending:
                                user.pending = True
                                self._enqueue(user)
                        return True
                    if users is None or users.pending:  # type: ignore[union-attr]
                        return True
                    node = users  # type: ignore[assignment]
                    node.pending = True
                    if bucket[-1] is not first or (heights and heights[0] <= node.height):
                        self._enqueue(node)
                        return True
                if self._partwise.has_begun or self.pace.is_used_up():
                    if node is first:
                        return False
                    self._enqueue(node)
                    return True
        except BaseException:
            node.pending = False
            self.push(node)
            raise

    def released(self, node: Node) -> None:
        """A node has left the graph; for subclasses that keep account."""

    def check(self, observed: list[Observer]) -> None:
        """Assert the invariants of everything below `observed`, for tests."""
        assert not self._queue
        assert not self._heights
        self._unneeded.check()
        from pycurrent.incr.invariants import check_nodes  # no run needs it

        check_nodes(observed)
