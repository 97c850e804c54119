"""Which edges are left out: checked against a naive search in random diagrams."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.term.wiring import NOTHING, Wires, Wiring


@dataclass
class Random:
    """A random diagram, and what is known about it without any cleverness."""

    wiring: Wiring = field(default_factory=Wiring)
    # The boxes that each vertex is, or is a bundle of.
    boxes: dict[int, set[int]] = field(default_factory=lambda: {NOTHING: set()})
    # The boxes that each box has edges from if none is left out; some are only for control.
    sources: dict[int, set[int]] = field(default_factory=dict)
    control: dict[int, set[int]] = field(default_factory=dict)
    opaque: set[int] = field(default_factory=set)

    def all_of(self, vertices: Iterable[int]) -> set[int]:
        return {box for vertex in vertices for box in self.boxes[vertex]}

    def bundle(self, members: list[int]) -> int:
        vertex = self.wiring.bundle(members)
        self.boxes[vertex] = self.all_of(members)
        return vertex

    def box(self, inputs: list[int], *, control: int = NOTHING, opaque: bool = False) -> int:
        vertex = self.wiring.box(inputs, control=control, opaque=opaque)
        self.boxes[vertex] = {vertex}
        values = self.all_of(inputs)
        self.control[vertex] = self.boxes[control] - values
        self.sources[vertex] = values | self.control[vertex]
        if opaque:
            self.opaque.add(vertex)
        return vertex

    def above(self) -> dict[int, set[int]]:
        """All that is above each box."""
        found: dict[int, set[int]] = {}
        for box, sources in self.sources.items():
            found[box] = set()
            if box not in self.opaque:
                for source in sources:
                    found[box] |= {source} | found[source]
        return found

    def needed(self) -> dict[int, set[int]]:
        """The sources of each box that no other one implies."""
        above = self.above()
        return {
            box: {s for s in sources if not any(s in above[other] for other in sources)}
            for box, sources in self.sources.items()
        }


@st.composite
def diagrams(draw: st.DrawFn) -> Random:
    """Boxes and bundles, each of some of those before it."""
    random = Random()
    vertices = [NOTHING]
    for _ in range(draw(st.integers(0, 40))):
        inputs = draw(st.lists(st.sampled_from(vertices), max_size=6))
        match draw(st.sampled_from(["box", "box", "bundle", "bundle", "gate", "opaque"])):
            case "bundle":
                vertex = random.bundle(inputs)
            case "gate":
                vertex = random.box(inputs, control=draw(st.sampled_from(vertices)))
            case kind:
                vertex = random.box(inputs, opaque=kind == "opaque")
        if vertex not in vertices:
            vertices.append(vertex)
    return random


def through_points(wires: Wires, vertex: int) -> set[int]:
    """The boxes that lead to a vertex, directly or through points."""
    found: set[int] = set()
    for source in wires.sources[vertex]:
        found |= through_points(wires, source) if source in wires.points else {source}
    return found


@settings(deadline=None)
@given(diagrams())
def test_just_the_needed_edges_are_left(random: Random) -> None:
    """None is missing, none is too many, where there are no points."""
    wires = random.wiring.wires()
    needed = random.needed()
    for box in random.sources:
        shown = through_points(wires, box)
        assert needed[box] <= shown <= random.sources[box]
        if not wires.points:
            assert shown == needed[box]
            assert len(wires.sources[box]) == len(shown)
            assert random.control[box] & shown <= wires.dashed.get(box, frozenset())


@settings(deadline=None)
@given(diagrams(), st.integers(0, 2), st.integers(0, 2))
def test_beyond_the_bounds_implied_edges_may_stay(random: Random, hubs: int, near: int) -> None:
    """But no needed one is lost."""
    wires = random.wiring.wires(hubs=hubs, near=near)
    needed = random.needed()
    for box in random.sources:
        assert needed[box] <= through_points(wires, box) <= random.sources[box]


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.booleans())
def test_many_for_many_take_few_edges(m: int, n: int, nested: bool) -> None:
    """At most twice as many as there are boxes, if each waits for all or for all so far."""
    random = Random()
    so_far = NOTHING
    members: list[int] = []
    users = 0
    for _ in range(m):
        members.append(random.box([]))
        if nested:
            so_far = random.bundle([so_far, members[-1]])
            random.box([so_far])
            users += 1
    whole = random.bundle(members)
    for _ in range(n):
        random.box([whole])
        users += 1
    wires = random.wiring.wires()
    edges = sum(len(sources) for sources in wires.sources)
    assert edges <= 4 * (m + users)
    needed = random.needed()
    for box in random.sources:
        assert through_points(wires, box) == needed[box]


def test_diamonds_in_a_long_row_are_reduced_everywhere() -> None:
    """However far the row goes beyond what is remembered at once."""
    wiring = Wiring()
    base = wiring.box([])
    last = before = base
    for _ in range(5000):
        last, before = wiring.box([last, before, base]), last
    assert all(len(sources) <= 1 for sources in wiring.wires().sources)


def test_a_path_to_the_outcome_is_found() -> None:
    """`leads` says whether there is one, and yes where it is too far to tell."""
    wiring = Wiring()
    first = wiring.box([])
    origin = wiring.box([])
    other = wiring.box([first])
    near = wiring.box([wiring.bundle([other, origin])])
    assert wiring.leads(origin, near)
    assert wiring.leads(origin, origin)
    assert not wiring.leads(origin, other)
    for _ in range(1000):
        other = wiring.box([other])
    assert wiring.leads(origin, other)
