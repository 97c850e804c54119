"""A diagram that is kept, and brought up to date by differences."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pycurrent.term import (
    Current,
    Failed,
    Failure,
    Fixed,
    Primitive,
    State,
    Var,
    all,
    collapse_list,
    component,
    constant,
)
from pycurrent.term import labels as current_labels
from pycurrent.term.diagram import (
    BoxChange,
    Closing,
    Graph,
    GraphNode,
    NodeKind,
    Picture,
    Unfold,
    graph_of,
    picture_of,
)
from pycurrent.term.output import RUNNING

from ..effort import examples
from .drawn_programs import Program
from .steps import Steps

FEW = 10
"""Lists that are opened one after the other."""


class Kept:
    """A pipeline, and a diagram of it that is kept."""

    def __init__(self, root: Current[Any], unfold: Unfold, *, depth: int | None = None) -> None:
        self.root = root
        self.unfold = unfold
        self.opened: set[str] = set()
        self.depth = depth
        self.steps = Steps(root)
        self.draw()

    @property
    def closing(self) -> Closing:
        return Closing(self.depth, self.opened, size=2)

    def draw(self) -> None:
        drawing = picture_of(
            self.root,
            self.steps.live,
            unfold=self.unfold,
            closing=self.closing,
        )
        self.picture = finished(drawing)
        for _ in self.picture.note():
            """It may as well go on."""
        self.picture.wire()

    def refresh(self) -> list[BoxChange]:
        return self.picture.refresh(self.steps.take_changed())

    def closed(self) -> list[GraphNode]:
        return [node for node in self.picture.graph().nodes if node.kind is NodeKind.LIST]

    def anew(self) -> Graph:
        """What a new drawing shows."""
        return graph_of(
            self.root,
            self.steps.live,
            unfold=self.unfold,
            closing=self.closing,
        )


def finished(drawing: Iterator[None]) -> Picture:
    while True:
        try:
            next(drawing)
        except StopIteration as end:
            picture = end.value
            assert isinstance(picture, Picture)
            return picture


# Without the phase that explains a failure: it traces every line.
@settings(deadline=None, max_examples=examples(200), phases=set(Phase) - {Phase.explain})
@given(st.data())
def test_differences_make_the_diagram_that_a_new_drawing_shows(data: st.DataObject) -> None:
    """In random pipelines with binds, lists, folds, latches and labels, after any number of steps;
    and what changed is told, unless all has to be drawn anew.
    """
    program = Program(data.draw)  # type: ignore[arg-type]
    unfolds: list[Unfold] = [{}, {"k": "v"}, "all"]
    depths = st.sampled_from([None, 0, 1])
    kept = Kept(program.root, data.draw(st.sampled_from(unfolds)), depth=data.draw(depths))
    for _ in range(data.draw(st.integers(0, 6))):
        before = kept.picture.graph()
        assert before == kept.anew()
        for _ in range(data.draw(st.integers(1, 2))):
            program.change()
            kept.steps.step()
        changes = kept.refresh()
        if kept.picture.is_outdated:
            kept.draw()
        else:
            told = {change.now.id: change.now for change in changes}
            assert [told.get(node.id, node) for node in before.nodes] == [*kept.anew().nodes]
        closed = kept.closed()
        is_opening = data.draw(st.booleans())
        if closed and is_opening:
            kept.opened.add(data.draw(st.sampled_from(closed)).id)
            kept.draw()
    assert kept.picture.graph() == kept.anew()


@settings(deadline=None, max_examples=examples(200), phases=set(Phase) - {Phase.explain})
@given(st.data())
def test_windows_are_parts_of_the_whole(data: st.DataObject) -> None:
    """Each living stage is shown, or counted in one closed list, by its state; and once all lists
    are open, the diagram has the boxes of the whole.
    """
    program = Program(data.draw)  # type: ignore[arg-type]
    kept = Kept(program.root, "all", depth=data.draw(st.integers(0, 1)))
    for _ in range(data.draw(st.integers(0, 2))):
        program.change()
        kept.steps.step()
    kept.draw()
    whole = graph_of(program.root, kept.steps.live, unfold="all")
    living = Counter(node.state for node in whole.nodes if node.path is not None)
    while True:
        shown = Counter(n.state for n in kept.picture.graph().nodes if n.path is not None)
        for node in kept.closed():
            assert node.inside is not None
            for state in State:
                shown[state] += node.inside.stages.of(state)
        assert +shown == living
        closed = kept.closed()
        if not closed:
            break
        # Of the many lists of a large pipeline, all that are shown at once, after a while.
        few = len(kept.opened) < FEW
        kept.opened.update(
            node.id for node in ([data.draw(st.sampled_from(closed))] if few else closed)
        )
        kept.draw()
    boxes = {(n.id, n.kind, n.label, n.state) for n in kept.picture.graph().nodes if n.state}
    assert boxes == {(n.id, n.kind, n.label, n.state) for n in whole.nodes if n.state}


@settings(deadline=None, max_examples=examples(100), phases=set(Phase) - {Phase.explain})
@given(st.data())
def test_opened_lists_make_at_least_as_many_boxes_as_is_said_before(data: st.DataObject) -> None:
    """One more level of them, or all."""
    program = Program(data.draw)  # type: ignore[arg-type]
    unfold = data.draw(st.sampled_from([{}, {"k": "v"}]))
    closed = Kept(program.root, unfold, depth=data.draw(st.integers(0, 1)))
    depth = closed.depth
    assert depth is not None
    for deeper in (depth + 1, None):
        least = closed.picture.least(Closing(deeper, size=2))
        closed.depth = deeper
        closed.draw()
        assert len([*closed.picture.boxes]) >= least
        closed.depth = depth
        closed.draw()


def test_a_closed_list_shows_nothing_of_what_folds_within_it_hide() -> None:
    """Neither the folds of its items, nor what only folded parts of them use."""
    items, outside = Var("items", [1, 2]).get(), component("outside", same, constant(0))

    def each(item: Current[int]) -> Current[Any]:
        using = component("using", same, outside)
        folded, _ = collapse_list([using, item], key="k", value="v", input=item)
        return folded[0]

    folding = items.list_iter(lambda item: component("a", same, item), collapse_key="i")
    kept = Kept(all([folding, items.list_iter(each)]), {}, depth=0)
    kinds = [box.kind for box in kept.picture.boxes]
    assert kinds == [NodeKind.COMPONENT, NodeKind.LIST, NodeKind.LIST]


def same(value: object) -> Primitive[object]:
    return Fixed(RUNNING) if value == "runs" else Primitive.constant(value)


def labels(changes: list[BoxChange]) -> list[str]:
    return [change.now.label or change.now.kind.value for change in changes]


def test_what_a_change_of_state_leaves_alone_is_not_drawn_again() -> None:
    """Only the boxes that show it are told of, gates and folds included; and each once."""
    value, other = Var[object]("value", "runs"), Var[object]("other", 1)
    start = component("a", same, value.get())
    gated = other.get().gate(on=start)
    folded = component("b", same, start).collapse(key="k", value="v", input=start)
    kept = Kept(all([gated, folded, component("c", same, other.get())]), {})
    value.set(1)
    kept.steps.step()
    assert sorted(labels(kept.refresh())) == ["+", "a", "gate"]
    assert not kept.picture.is_outdated
    assert kept.refresh() == []


def test_values_of_items_change_no_boxes_where_a_list_has_keys() -> None:
    """Another order, a new item or one less make another diagram."""
    items = Var("items", [("a", 1), ("b", 2)])
    kept = Kept(items.get().list_map(lambda item: component("c", same, item), key=first), {})
    for value, is_outdated in [
        ([("a", 3), ("b", 2)], False),
        ([("b", 2), ("a", 3)], True),
        ([("b", 2), ("a", 3), ("c", 1)], True),
        ([("b", 2)], True),
    ]:
        items.set(value)
        kept.steps.step()
        kept.refresh()
        assert kept.picture.is_outdated is is_outdated
        kept.draw()


def first(item: tuple[str, int]) -> str:
    return item[0]


def test_the_box_of_a_function_comes_with_its_failure() -> None:
    """And goes with it; another failure is a change of it."""

    def fail(value: object) -> object:
        if isinstance(value, str):
            raise Failure(value)
        return value

    value = Var[object]("value", 1)
    kept = Kept(component("a", same, value.get()).map(fail), {})
    for given_, is_outdated in [(2, False), ("no", True), ("never", False), (3, True)]:
        value.set(given_)
        kept.steps.step()
        kept.refresh()
        assert kept.picture.is_outdated is is_outdated
        if is_outdated:
            kept.draw()
        assert kept.picture.graph() == kept.anew()


def test_a_box_has_the_present_labels_of_its_stage() -> None:
    """Those that are currents, too; only the stages that have them are drawn again."""
    branch, value = Var("branch", "main"), Var[object]("value", 1)
    start = value.get()
    with current_labels(repo="web", branch=branch.get()):
        inside = component("a", same, start)
        bound = inside.bind(lambda value: component("c", same, constant(value)), name="b")
    kept = Kept(all([bound, component("d", same, start)]), {})
    web = {"repo": "web", "branch": "main"}
    boxes = {node.label: node for node in kept.picture.graph().nodes}
    assert [boxes[label].labels for label in "abcd"] == [web, web, web, None]
    branch.set("dev")
    kept.steps.step()
    assert sorted(labels(kept.refresh())) == ["a", "b", "c"]
    assert kept.picture.graph() == kept.anew()
    assert {str(node.labels) for node in kept.picture.graph().nodes} == {
        "{'repo': 'web', 'branch': 'dev'}",
        "None",
    }
    branch.set(Failed("gone"))
    kept.steps.step()
    kept.refresh()
    assert kept.picture.graph() == kept.anew()


def test_an_outdated_diagram_still_tells_of_its_stages() -> None:
    """Until it is drawn anew."""
    keys, value = Var("keys", ["a"]), Var[object]("value", "runs")
    parts = keys.get().list_map(lambda key: component("c", same, key))
    kept = Kept(all([parts, component("a", same, value.get())]), {})
    keys.set(["b"])
    kept.steps.step()
    kept.refresh()
    value.set(1)
    kept.steps.step()
    assert "a" in labels(kept.refresh())
    assert kept.picture.is_outdated
