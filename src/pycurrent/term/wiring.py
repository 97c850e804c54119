"""Choosing the edges that a diagram needs.

Boxes and *bundles* are vertices, numbered so that each comes after its inputs. A bundle is
what several vertices lead to together; it is not drawn itself: a box that has it as an input
gets an edge from each of its members. That would be m x n edges where n boxes wait for the same m
others, so there the bundle becomes a *point* that is drawn, with m + n edges.

An edge is left out if another path leads from its source to its target. All of this takes time
linear in the size of what is given and of what is drawn, so it is not always exact: see `wires`.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

from msgspec import Struct

NOTHING = 0
"""The empty bundle."""

HUBS = 1024
NEAR = 1024
SEARCH = 64
"""How many vertices `leads` looks at."""

ROUNDS = 3
"""How often points are reconsidered: in the first round almost all is decided."""

Inputs = tuple[int, ...]


class Wires(Struct, frozen=True):
    """The edges to draw: for each vertex the sources of its edges."""

    sources: list[Inputs]
    dashed: dict[int, frozenset[int]]
    """For a vertex with a control input: the sources whose edge is only for control. In rare
    cases one is among them that leads to it both ways, through different bundles.
    """
    points: list[int]
    """The bundles that are drawn, as points. Other bundles have no edges."""


class Wiring:
    """The vertices of a diagram, added one after the other."""

    def __init__(self) -> None:
        self._inputs: list[Inputs] = [()]
        # For those with a control input: the inputs that are not for control.
        self._values: dict[int, frozenset[int]] = {}
        self._bundles: dict[frozenset[int], int] = {frozenset(): NOTHING}
        self._opaque: set[int] = set()

    def box(self, inputs: Iterable[int], *, control: int = NOTHING, opaque: bool = False) -> int:
        """Add a box. Boxes behind an opaque one need not wait for its inputs."""
        vertex = len(self._inputs)
        inputs = tuple(inputs)
        if control:
            self._values[vertex] = frozenset(inputs)
            inputs = (*inputs, control)
        self._inputs.append(inputs)
        if opaque:
            self._opaque.add(vertex)
        return vertex

    def bundle(self, members: Iterable[int]) -> int:
        """The vertex of all of these together; the same for the same members."""
        distinct = tuple(dict.fromkeys([member for member in members if member != NOTHING]))
        if len(distinct) == 1:
            return distinct[0]
        key = frozenset(distinct)
        vertex = self._bundles.get(key)
        if vertex is None:
            vertex = self._bundles[key] = len(self._inputs)
            self._inputs.append(distinct)
        return vertex

    def leads(self, origin: int, outcome: int) -> bool:
        """True if a path leads from one to the other, or if it is too long to find out."""
        inputs = self._inputs
        stack, seen = [outcome], {outcome}
        while stack and len(seen) < SEARCH:
            vertex = stack.pop()
            if vertex == origin:
                return True
            new = [v for v in inputs[vertex][:SEARCH] if v >= origin and v not in seen]
            seen.update(new)
            stack.extend(new)
        return bool(stack)

    def wires(self, *, hubs: int = HUBS, near: int = NEAR) -> Wires:
        """The edges that are needed, in linear time.

        Implied edges can start only from boxes with several edges, of which at least one goes
        to a box with several inputs. From the `hubs` of these that have most edges, all that
        are implied are left out; from the others, those that reach no further than over the
        next `near` of them. So it is exact in a diagram with up to `hubs + near` of these, and
        beyond that some edge may be drawn that others imply.
        """
        inputs, values = self._inputs, self._values
        bundles = frozenset(self._bundles.values())
        points = _points(inputs, bundles)
        for _ in range(ROUNDS):
            inputs, values = _flatten(inputs, values, bundles - points)
            inputs = _reduce(inputs, self._opaque, hubs, near)
            # Where most of its edges were implied, a point does not save any.
            bundles, points = points, _points(inputs, points)
            if bundles == points:
                break
        dashed = {vertex: frozenset(inputs[vertex]) - values[vertex] for vertex in values}
        return Wires(inputs, dashed, sorted(bundles))


def _points(inputs: list[Inputs], bundles: frozenset[int]) -> frozenset[int]:
    """The bundles that are worth a point: it saves half of the edges, or more.

    Only then, as a small diagram is easier to read without points. The edges that remain are
    still linear in number: m * n is at most 2 * (m + n) for each bundle that is not a point.
    """
    if bundles <= {NOTHING}:
        return frozenset()
    users = dict.fromkeys(bundles, 0)
    for vertex in range(len(inputs) - 1, -1, -1):
        # All the boxes behind a bundle would have the members of those in it as inputs.
        count = users.get(vertex, 1)
        for source in inputs[vertex]:
            if source in users:
                users[source] += count
    members: dict[int, int] = {}
    points = set()
    for vertex in sorted(bundles):
        m = sum(members.get(source, 1) for source in inputs[vertex])
        n = users[vertex]
        if m * n > 2 * (m + n):
            points.add(vertex)
        else:
            members[vertex] = m
    return frozenset(points)


def _flatten(
    inputs: list[Inputs], values: dict[int, frozenset[int]], loose: frozenset[int]
) -> tuple[list[Inputs], dict[int, frozenset[int]]]:
    """The inputs, and which of them are not for control, without the bundles in `loose`."""
    flat: list[Inputs] = []
    flat_values: dict[int, frozenset[int]] = {}
    for vertex, sources in enumerate(inputs):
        if vertex in loose:
            flat.append(())
        elif vertex in values:
            value = _members(inputs, [s for s in sources if s in values[vertex]], loose)
            leave = _members(inputs, [s for s in sources if s not in values[vertex]], loose)
            # The implied ones count, too: a point that is loose now may have implied them.
            flat_values[vertex] = values[vertex].union(value)
            flat.append(tuple(dict.fromkeys((*value, *leave))))
        elif len(sources) == 1 and sources[0] not in loose:
            flat.append(sources)
        else:
            flat.append(_members(inputs, sources, loose))
    return flat, flat_values


def _members(inputs: list[Inputs], sources: Iterable[int], loose: frozenset[int]) -> Inputs:
    """The sources, with what is in the loose bundles among them in their place."""
    found: dict[int, None] = {}
    opened: set[int] = set()
    stack = [*sources]
    stack.reverse()
    while stack:
        vertex = stack.pop()
        if vertex not in loose:
            found[vertex] = None
        elif vertex not in opened:
            opened.add(vertex)
            stack.extend(reversed(inputs[vertex]))
    return tuple(found)


# The boxes above a vertex, as far as they are accounted for, are two integers used as sets of
# bits: one bit for each hub; and one for each of the last candidates (boxes whose edges may be
# implied) that are not hubs, the lowest for the one just before `position` in their order.


class _Above(Struct, frozen=True):
    position: int
    near: int
    hubs: int


_NONE = _Above(0, 0, 0)


class _Reduction:
    """The candidates that are above each vertex."""

    def __init__(self, candidates: list[int], hubs: list[int], near: int) -> None:
        self.hub_bits = {vertex: 1 << i for i, vertex in enumerate(hubs)}
        others = (vertex for vertex in candidates if vertex not in self.hub_bits)
        self.ranks = {vertex: rank for rank, vertex in enumerate(others)}
        self.span = near
        self.mask = (1 << near) - 1
        self.above: list[_Above] = []

    def union(self, sources: Inputs) -> _Above:
        """All that is above any of the sources, as seen from behind the last of them."""
        above = [self.above[source] for source in sources]
        ranks = [self.ranks[source] + 1 for source in sources if source in self.ranks]
        position = max([0, *ranks, *[a.position for a in above]])
        near = hubs = 0
        for a in above:
            hubs |= a.hubs
            if a.near and position - a.position < self.span:
                near |= a.near << (position - a.position)
        return _Above(position, near & self.mask, hubs)

    def contains(self, above: _Above, vertex: int) -> bool:
        bit = self.hub_bits.get(vertex)
        if bit is not None:
            return bool(above.hubs & bit)
        rank = self.ranks.get(vertex)
        # The shift is never negative: `union` saw all sources.
        return rank is not None and bool(above.near >> (above.position - 1 - rank) & 1)

    def add(self, above: _Above, sources: Inputs) -> _Above:
        near, hubs = above.near, above.hubs
        for source in sources:
            if source in self.hub_bits:
                hubs |= self.hub_bits[source]
            elif source in self.ranks:
                distance = above.position - 1 - self.ranks[source]
                if distance < self.span:
                    near |= 1 << distance
        return _Above(above.position, near, hubs)


def _reduce(inputs: list[Inputs], opaque: set[int], hubs: int, near: int) -> list[Inputs]:
    """The inputs without those that are above another one."""
    candidates, edges = _candidates(inputs)
    if not candidates:
        return inputs
    top = nlargest(hubs, candidates, key=edges.__getitem__)
    reduction = _Reduction(candidates, top, near)
    above = reduction.above
    marked = reduction.hub_bits.keys() | reduction.ranks.keys()
    kept: list[Inputs] = []
    for vertex, sources in enumerate(inputs):
        needed, here = sources, _NONE
        if len(sources) == 1 and sources[0] not in marked:
            here = above[sources[0]]
        elif sources:
            here = reduction.union(sources)
            if len(sources) > 1:
                needed = tuple([s for s in sources if not reduction.contains(here, s)])
            here = reduction.add(here, needed)
        kept.append(needed)
        above.append(_NONE if vertex in opaque else here)
    return kept


def _candidates(inputs: list[Inputs]) -> tuple[list[int], list[int]]:
    """The boxes from which implied edges may start; how many edges start from each box."""
    edges = [0] * len(inputs)
    joined: set[int] = set()
    for sources in inputs:
        for source in sources:
            edges[source] += 1
        if len(sources) > 1:
            joined.update(sources)
    return sorted(source for source in joined if edges[source] > 1), edges
