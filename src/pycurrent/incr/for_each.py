"""A part of the graph for each item of a list that changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import compress, count
from operator import ne
from typing import Any

from pycurrent.incr.errors import Duplicate, Unhashable
from pycurrent.incr.gather import Gather, GatherTree
from pycurrent.incr.graph import NodeGraph
from pycurrent.incr.node import SCALARS, Node, materialize
from pycurrent.incr.nodes import Source
from pycurrent.incr.scope import Scope
from pycurrent.incr.slices import Parts, in_one_go


class Item(Source):
    """One item: an input that holds it, and the part of the graph that was made for it."""

    __slots__ = ("count", "item", "key", "output", "scope")

    def __init__(self, each: ForEach, key: Hashable, item: Any) -> None:
        super().__init__(item)
        self.key = key
        self.item = item
        self.scope = Scope(each)
        self.count = 0
        self.output: Node = self

    def replace(self, graph: NodeGraph, item: Any) -> None:
        self.item = item
        self.set(graph, item)


def _differs(old: Any, new: Any) -> bool:
    """True if an item has changed, or the comparison fails."""
    try:
        return old is not new and bool(old != new)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return True


def _ends(old: list[Any], new: list[Any], differs: Callable[[Any, Any], object]) -> tuple[int, int]:
    """The number of equal items at the start, and of equal ones among the others at the end."""
    shorter = min(len(old), len(new))
    start = next(compress(count(), map(differs, old, new)), shorter)
    rest = shorter - start
    end = next(compress(count(), map(differs, reversed(old), reversed(new))), rest)
    return start, min(end, rest)


def _same_ends(old: list[Any], new: list[Any]) -> tuple[int, int]:
    try:
        return _ends(old, new, ne)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return _ends(old, new, _differs)


class ForEach(Node):
    """Follows a list: an item that stays keeps its part of the graph, untouched.

    Items are identified by `key` (by themselves, if None). `build(item)` makes the part for a new
    one in `item.scope` and returns its outcome, or parts that do; an exception is the outcome of
    that item. The outcomes, in the order of the list and named by the keys, are in `results`, the
    only user of this node. Equal items share one part.

    A change costs time for the items between the first and the last that differ, and a comparison
    of the rest.
    """

    __slots__ = ("build", "items", "key", "keys", "order", "results", "source")

    def __init__(
        self,
        source: Node,
        build: Callable[[Item], Node | Parts[Node]],
        *,
        key: Callable[[Any], Hashable] | None = None,
        collect: bool,
        kind: type[Gather] = Gather,
    ) -> None:
        super().__init__()
        self.source = source
        self.build = build
        self.key = key
        self.items: dict[Hashable, Item] = {}
        self.order: list[Any] = []
        # Of the items in this order. Computed once: a function may return something else later.
        self.keys: list[Hashable] = self.order
        self.results = GatherTree(collect=collect, head=self, kind=kind)

    def inputs(self) -> Iterable[Node]:
        return (self.source,)

    def scopes(self) -> Iterable[Scope]:
        return (item.scope for item in self.items.values())

    def recompute(self, graph: NodeGraph) -> Parts[bool]:
        absent = self.source.absent
        if absent is None:
            try:
                yield from self._follow(graph, self.unpack(materialize(self.source.value)))
            except BaseException as error:
                if not graph.running:
                    raise  # closed while it was paused
                absent = graph.fault(error)
                if absent == self.absent:
                    absent = self.absent
        if absent is not None:
            yield from self._clear(graph)
        return self.publish(bool(self.order), absent)

    def _clear(self, graph: NodeGraph) -> Parts[None]:
        gone = list(self.items.values())
        for item in gone:
            item.count = 0
        self.keys = self.order = []
        self.results.fill(graph, [])
        yield from self._leave(graph, [item.key for item in gone])

    def unpack(self, value: Any) -> list[Any]:
        """The items of the value; raises if it is not a list."""
        return list(value)

    def _follow(self, graph: NodeGraph, new: list[Any]) -> Parts[None]:
        old, old_keys = self.order, self.keys
        start, end = _same_ends(old, new)
        gone = old_keys[start : len(old) - end]
        middle = new[start : len(new) - end]
        keys = self._keys(graph, middle)
        if not gone and not keys:
            return
        yield from self._take_all(graph, start, gone, list(zip(keys, middle, strict=True)))
        self.order = new
        if self.key is None:
            self.keys = new
        else:
            self.keys = [*old_keys[:start], *keys, *old_keys[len(old) - end :]]
        yield from self._leave(graph, gone)

    def _take_all(
        self,
        graph: NodeGraph,
        start: int,
        gone: list[Hashable],
        wanted: list[tuple[Hashable, Any]],
    ) -> Parts[None]:
        """Put the wanted items in the place of the old ones from `start` on; on an exception,
        change nothing.
        """
        changed: dict[Item, Any] = {}
        for key in gone:
            self.items[key].count -= 1
        taken: list[Item] = []
        try:
            yield from self._take(graph, wanted, taken, changed)
            stop = start + len(gone)
            outputs, names = [item.output for item in taken], [item.key for item in taken]
            yield from self.results.splicing(graph, start, stop, outputs, names)
        except BaseException:
            for item in taken:
                item.count -= 1
            for key in gone:
                self.items[key].count += 1
            in_one_go(
                self._leave(graph, [key for key, item in self.items.items() if not item.count])
            )
            raise
        for item, value in changed.items():
            item.replace(graph, value)
            if graph.pace.spend():
                yield

    def _take(
        self,
        graph: NodeGraph,
        wanted: list[tuple[Hashable, Any]],
        taken: list[Item],
        changed: dict[Item, Any],
    ) -> Parts[None]:
        """Find the items of these keys and values, or make them, and add them to `taken`."""
        for key, value in wanted:
            item = self._find(key, value, changed)
            if item is None:
                item = self.items[key] = Item(self, key, value)
                graph.add(item, item.scope)
                parts = self._build(graph, item)
                if parts is not None:
                    yield from self._build_rest(graph, item, parts)
            item.count += 1
            taken.append(item)
            if graph.pace.spend():
                yield

    def _keys(self, graph: NodeGraph, items: list[Any]) -> list[Hashable]:
        if self.key is None:
            return items
        keys = [self.key(item) for item in items]
        for key in keys:
            if type(key) not in SCALARS:
                graph.inspect(key, self.key)
        return keys

    def _leave(self, graph: NodeGraph, keys: list[Hashable]) -> Parts[None]:
        """Forget the items of these keys, unless they are still in use."""
        left = iter(keys)
        try:
            for key in left:
                self._forget(key)
                if graph.pace.spend():
                    yield
        finally:
            for key in left:
                self._forget(key)

    def _forget(self, key: Hashable) -> None:
        item = self.items.get(key)
        if item is not None and not item.count:
            item.scope.close()
            del self.items[key]

    def _find(self, key: Hashable, value: Any, changed: dict[Item, Any]) -> Item | None:
        """The item of a key, if there is one; adds its new value to `changed`."""
        try:
            item = self.items.get(key)
        except TypeError as error:
            raise Unhashable(key, is_item=self.key is None) from error
        if item is None:
            return None
        old = changed.get(item, item.item)
        if _differs(old, value):
            if item.count:
                raise Duplicate(key, old, value)
            changed[item] = value
        return item

    def _build(self, graph: NodeGraph, item: Item) -> Parts[Node] | None:
        """Make the part of a new item. Returns what is left to do."""
        try:
            built = self.build(item)
        except BaseException as error:
            self._fail(graph, item, error)
            return None
        if not isinstance(built, Node):
            return built
        item.output = built
        return None

    def _build_rest(self, graph: NodeGraph, item: Item, parts: Parts[Node]) -> Parts[None]:
        try:
            item.output = yield from parts
        except BaseException as error:
            if not graph.running:
                raise  # closed while it was paused
            self._fail(graph, item, error)

    def _fail(self, graph: NodeGraph, item: Item, error: BaseException) -> None:
        item.output = Source(None, graph.fault(error))
        graph.add(item.output, item.scope)
