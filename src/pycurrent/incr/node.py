"""The base of all nodes.

A node has a `value`, or an `absent` that says why it has none. Absences pass functions by, so a
graph needs no wrapper object around each value: on a chain of maps such wrappers took half of the
time.

Invariants (checked by `NodeGraph.check`):

- a node is a user of each of its inputs, once, and of nothing else;
- it is higher than each of its inputs, and than the owner of the scope it was made in (unless
  the owner has come to need it: see `NodeGraph.attach`);
- between two runs of `NodeGraph.stabilise` no node is pending, and each has at least one user.

Nodes, graph and scopes know each other's types, because recomputing a node may change the graph,
and that affects the scopes in which nodes were made. Incremental and salsa have the same circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

from pycurrent.incr.slices import Parts


class LazyList:
    """An immutable snapshot of a list, as nested chunks, all of the same depth.

    One changed item of n costs new chunks along one path. `items` is the plain list, built once,
    on first use; don't change it, because it is shared.
    """

    __slots__ = ("_chunks", "_depth", "_items")

    def __init__(self, chunks: list[Any], depth: int) -> None:
        self._chunks = chunks
        self._depth = depth
        self._items: list[Any] | None = None

    def items(self) -> list[Any]:
        if self._items is None:
            chunks = self._chunks
            for _ in range(self._depth):
                chunks = [item for chunk in chunks for item in chunk]
            self._items = chunks
        return self._items

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyList):
            return self is other or self.items() == other.items()
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def materialize(value: Any) -> Any:
    """The value for functions: a plain list instead of a lazy one."""
    return value.items() if value.__class__ is LazyList else value


if TYPE_CHECKING:
    from pycurrent.incr.graph import NodeGraph
    from pycurrent.incr.scope import Scope


class Absent:
    """The reason why a node has no value. The highest `rank` of several wins, then the leftmost."""

    __slots__ = ()
    rank: ClassVar[int] = 0
    is_excused: ClassVar[bool] = False
    """True if what needs no value of the node goes on without it."""


class _Unset(Absent):
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


Eq = Callable[[Any, Any], bool]
"""(old, new): True if a change may stop here."""

UNSET = _Unset()
"""The absence of a node that has never been computed."""

SCALARS = frozenset({bool, bytes, float, int, NoneType, str})
"""Types of plain values, whose comparison can't fail."""


def unchanged(old: Any, new: Any) -> bool:
    """True if a change may stop here: the values are equal and of one type, because a function may
    treat True and 1 differently. False if the comparison fails or gives no truth value.
    """
    if new is old:
        return True
    try:
        return type(new) is type(old) and bool(new == old)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return False


class Node:
    """One value that is kept up to date.

    A subclass defines its `inputs`, and how to `recompute` it. `value` holds anything: only the
    maker of the node knows its type.
    """

    __slots__ = ("absent", "height", "home", "owner", "pending", "users", "value")

    value: Any
    absent: Absent | None
    owner: object

    def __init__(self) -> None:
        self.value = None
        self.absent = UNSET
        self.height = 0
        self.pending = False
        # The scope it was made in.
        self.home: Scope | None = None
        # A mark of the maker of the node.
        self.owner = None
        # None, the only user, or all of them in the order in which they came. Most nodes have
        # one user, and a dictionary for each would be a third of the memory.
        self.users: Node | dict[Node, None] | None = None

    def inputs(self) -> Iterable[Node]:
        """The nodes that this one reads now; none twice."""
        return ()

    def recompute(self, graph: NodeGraph) -> bool | Parts[bool]:
        """Bring the value up to date; all inputs are. True if it has changed.

        A node that makes or drops others returns parts that do it. Nothing else is computed before
        their end; then the nodes that were made and are not used are dropped, after a failure, too.
        """
        raise NotImplementedError

    def release(self, graph: NodeGraph) -> None:
        """Release everything outside the graph, because nobody needs the node.

        Called once; the node is not used again. (A `Source` may be: this is called each time that
        its last user has left.) It may set inputs and drop observers. Its exceptions come out of
        `stabilise` or `drop`, and the next call of these releases the rest.
        """

    def scopes(self) -> Iterable[Scope]:
        """The scopes whose nodes must stay higher than this one."""
        return ()

    def get_users(self) -> Iterable[Node]:
        users = self.users
        if users is None:
            return ()
        return users if type(users) is dict else (users,)  # type: ignore[return-value]

    def lose(self, user: Node) -> bool:
        """Forget a user; True if it was the last."""
        users = self.users
        if type(users) is dict:
            del users[user]
            if len(users) == 1:
                self.users = next(iter(users))
            return False
        self.users = None
        return True

    def publish(self, value: Any, absent: Absent | None) -> bool:
        """Pass on the outcome of another node; True if it differs.

        It compares by identity: the node that made the outcome has compared by value.
        """
        if absent is None:
            if self.absent is None and self.value is value:
                return False
        elif self.absent is absent:
            return False
        else:
            value = None
        self.value = value
        self.absent = absent
        return True

    def take(
        self,
        graph: NodeGraph,
        value: Any,
        eq: Eq | None = None,
        *,
        giver: Callable[..., Any] | None = None,
    ) -> bool:
        """Accept something from outside or from a function, if it can be a value at all."""
        if type(value) not in SCALARS:
            try:
                graph.inspect(value, giver)
            except BaseException as error:
                return self.fault(graph, error)
        return self.accept(graph, value, eq)

    def accept(self, graph: NodeGraph, value: Any, eq: Eq | None = None) -> bool:
        """Take a value that may be equal to the last one; True if it differs."""
        if self.absent is None:
            if eq is None:
                if unchanged(self.value, value):
                    return False
            else:
                try:
                    same = eq(materialize(self.value), materialize(value))
                    graph.inspect(same, eq)
                    if same:
                        return False
                except BaseException as error:
                    return self.fault(graph, error)
        self.value = value
        self.absent = None
        return True

    def fault(self, graph: NodeGraph, error: BaseException) -> bool:
        """Take the failure of this node's function as the outcome; True if it differs."""
        return self.become_absent(graph.fault(error))

    def become_absent(self, absent: Absent) -> bool:
        """Become absent for a reason of this node's own; True if that is a change."""
        if self.absent is absent or self.absent == absent:
            return False
        self.value = None
        self.absent = absent
        return True


class DynamicNode(Node):
    """A node that may get other inputs while it is in the graph."""

    __slots__ = ("headroom",)

    def __init__(self) -> None:
        super().__init__()
        # The extra height by which it is raised.
        self.headroom = 0


class Observer(Node):
    """A user from outside the graph, which needs a node until it is dropped."""

    __slots__ = ("source",)

    def __init__(self, source: Node) -> None:
        super().__init__()
        self.source = source

    def inputs(self) -> Iterable[Node]:
        return (self.source,)

    def recompute(self, graph: NodeGraph) -> bool:
        self.absent = None
        return False
