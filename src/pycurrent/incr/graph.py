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

A run may stop between two nodes and go on later, so that much does not hold up everything else. A
node that may take long is computed in parts, and the run may stop between those, too. Meanwhile
nobody may read or change the graph: what is set or dropped takes effect after the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import repeat
from typing import Any, TypeVar

from pycurrent.incr.errors import Cycle
from pycurrent.incr.heights import gap_sizes, raise_above
from pycurrent.incr.node import UNSET, Absent, DynamicNode, Node, Observer
from pycurrent.incr.scope import Scope
from pycurrent.incr.slices import Budget, Parts, in_one_go

T = TypeVar("T")

FANOUT = 32
"""How many children a new node of a `GatherTree` gets; 16 to 64 are equally fast."""

_AT_ONCE = 256
"""The number of nodes that are put to sleep or released in one part: that takes some 0.3 ms."""
_UNLIMITED = 1 << 60
_FOREVER = repeat(None)


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
        self.running = False
        """True while nodes are computed or released, but not while a run is paused."""
        self.paused = False
        """True from where a run has stopped before its end until it goes on."""
        self._budget: Budget | None = None
        self.left = _UNLIMITED
        """How many nodes may be made in a part before it should pause, so that somebody looks at
        the budget.
        """
        # As many as nodes may be computed before that.
        self._ticks: Iterator[None] = _FOREVER
        # The node in the middle of whose parts the run has stopped, and the rest of them.
        self._begun: tuple[Node, Parts[bool]] | None = None
        self._given_up = False
        # Inputs that were set while the run was paused.
        self._later: list[Callable[[], None]] = []
        # Made in this run, and not yet known to be used.
        self._fresh: deque[Node] = deque()
        self._gap_sizes = gap_sizes()
        # Dropped in this run.
        self._dropped: list[Observer] = []
        # Without users, and to be put to sleep unless they find one, from the last on.
        self._retiring: list[Node] = []
        # The dormant nodes that are being released, from the last on.
        self._leaving: list[Node] = []

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

    def observe(self, node: Node) -> Observer:
        """Need `node` until `drop`."""
        observer = Observer(node)
        self.add(observer)
        return observer

    def make_in_slices(self, parts: Parts[T], budget: Budget) -> Parts[T]:
        """Make nodes between two runs, in parts; pause wherever the budget is used up."""
        self._begin_slice(budget)
        while True:
            try:
                next(parts)
            except StopIteration as end:
                made: T = end.value
                return made
            if self._is_used_up():
                yield
                self._begin_slice(budget)

    def drop(self, observer: Observer) -> None:
        """Stop needing it. Nodes that nobody else needs are released at once, or, if a function or
        a release hook calls this or a run is paused, at the end of the run. Twice is fine.
        """
        self._dropped.append(observer)
        if not (self.running or self.paused):
            self._run(self._finish, None)

    def drop_in_slices(self, observer: Observer, budget: Budget) -> Iterator[None]:
        """Stop needing it, and pause wherever the budget is used up. Not while a run is paused."""
        assert not self.running
        assert not self.paused
        self._dropped.append(observer)
        while not self._run(self._finish, budget):
            yield

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

    def _discard_unused(self) -> Parts[None]:
        """Drop all nodes made in this run that have found no user, so that no unused node is
        computed or stays; and put to sleep what else has lost its last one.
        """
        fresh = self._fresh
        while fresh or self._retiring:
            for _ in repeat(None, _AT_ONCE):
                if not fresh or self._retiring:
                    break
                node = fresh.popleft()
                if not isinstance(node, Observer):
                    self.discard(node)
            self._retire_some()
            if fresh or self._retiring:
                yield

    def _tidy(self) -> bool:
        """Drop what a run has made that was given up; False if the budget is used up."""
        for _ in self._discard_unused():
            if self._is_used_up():
                return False
        self._given_up = False
        return True

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

    def stabilise(self, budget: Budget | None = None) -> bool:
        """Compute the changed nodes, and release those that are no longer needed.

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
        begun, self._begun = self._begun, None
        if begun is not None:
            node, parts = begun
            parts.close()
            self.push(node)
        self._given_up = True
        self.paused = False
        self._leaving.clear()

    def _run(self, run: Callable[[], bool], budget: Budget | None) -> bool:
        assert not self.running
        if self._later and not self.paused:
            later, self._later = self._later, []
            for act in later:
                act()
        self.running = True
        if budget is not None or self._budget is not None:
            self._begin_slice(budget)
        self.paused = False
        try:
            done = run()
            self.paused = not done
        finally:
            self.running = False
            if not self.paused and (self._fresh or self._leaving):
                self._fresh.clear()
                self._leaving.clear()
        return done

    def _begin_slice(self, budget: Budget | None) -> None:
        self._budget = budget
        if budget is None:
            self.left = _UNLIMITED
            self._ticks = _FOREVER
        else:
            budget.begin()
            self._grant(budget.window)

    def _grant(self, window: int) -> None:
        """Have that many nodes computed before the next look at the budget."""
        self.left = window
        self._ticks = repeat(None, window)

    @property
    def holds_back(self) -> bool:
        """True if what is to change an input must wait for the next run: see `before_next_run`."""
        return not self.running and (self.paused or bool(self._later))

    def before_next_run(self, act: Callable[[], None]) -> None:
        """Call `act()` when the run after the one that is paused begins."""
        self._later.append(act)

    def _is_used_up(self) -> bool:
        """True if the budget is used up."""
        budget = self._budget
        if budget is None:
            return False
        used_up = budget.is_used_up()
        self._grant(0 if used_up else budget.window)
        return used_up

    def _go_on(self) -> bool:
        """Run until all is done (True) or the budget is used up (False)."""
        if self._given_up and not self._tidy():
            return False
        if self._begun is not None and not self._resume():
            return False
        heights = self._heights
        while heights:
            height = heappop(heights)
            if not self._run_level(height, self._queue[height]):
                return False
        return self._begun is None and self._finish()

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
                for _ in self._ticks:
                    node.pending = False
                    changed = node.recompute(self)
                    if changed is not True and not (changed and self._compute(node, changed)):
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
                if self._begun is not None or self._is_used_up():
                    if node is first:
                        return False
                    self._enqueue(node)
                    return True
        except BaseException:
            node.pending = False
            self.push(node)
            raise

    # Nodes that are computed in parts

    def _compute(self, node: Node, parts: Parts[bool]) -> bool:
        """Compute a node in parts; True if it has changed. If the budget is used up before the end,
        the rest is in `_begun`.
        """
        return self._compute_rest(node, self._and_then_tidy(parts))

    def _and_then_tidy(self, parts: Parts[bool]) -> Parts[bool]:
        try:
            changed = yield from parts
        except GeneratorExit:
            # The next run drops the nodes that were made.
            raise
        except BaseException:
            in_one_go(self._discard_unused())
            raise
        yield from self._discard_unused()
        return changed

    def _compute_rest(self, node: Node, parts: Parts[bool]) -> bool:
        while True:
            try:
                next(parts)
            except StopIteration as end:
                return end.value is True
            if self._is_used_up():
                self._begun = node, parts
                self._grant(0)
                return False

    def _resume(self) -> bool:
        """Go on with the node in whose parts the run has stopped; False if it is not done now."""
        assert self._begun is not None
        (node, parts), self._begun = self._begun, None
        try:
            changed = self._compute_rest(node, parts)
        except BaseException:
            self.push(node)
            raise
        if changed:
            for user in node.get_users():
                self.push(user)
        return self._begun is None

    # Going to sleep, waking up, and leaving

    def _retire(self, node: Node) -> None:
        """Put a node to sleep, and what only it needs. Of very many, the rest is left for later:
        until then nothing is computed, and one that finds a user goes on.
        """
        self._retiring.append(node)
        self._retire_some()

    def _retire_some(self) -> None:
        stack = self._retiring
        for _ in repeat(None, _AT_ONCE):
            if not stack:
                return
            node = stack.pop()
            if node.users is not None or node in self._dormant:
                continue
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

    def _finish(self) -> bool:
        """Release the nodes that nobody needs any more; False if the budget is used up."""
        if self._given_up and not self._tidy():
            return False
        dormant = self._dormant
        while self._dropped or self._retiring or dormant:
            dropped, self._dropped = self._dropped, []
            for observer in dropped:
                if observer in observer.source.get_users():
                    self.unlink(observer.source, observer)
            while self._retiring:
                self._retire_some()
                if self._is_used_up():
                    return False
            leaving = self._leaving = self._leaving or list(reversed(dormant))
            while leaving:
                node = leaving.pop()
                del dormant[node]
                self._release(node)
                self.left -= 1
                if self.left <= 0 and self._is_used_up():
                    return False
        return True

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
        assert not self._retiring
        assert not self._fresh
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
