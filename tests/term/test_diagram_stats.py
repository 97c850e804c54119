"""The diagram shows just the stages that are counted, in random pipelines that change."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.term.diagram import dot_of, graph_of

from .dotparser import parse
from .drawn import check, counted
from .drawn_programs import Program
from .steps import Steps


@settings(deadline=None)
@given(st.data())
def test_the_diagram_shows_the_stages_that_are_counted(data: st.DataObject) -> None:
    """All of them, with the same states, after each change; and the text is always right."""
    program = Program(data.draw)  # type: ignore[arg-type]
    steps = Steps(program.root)
    for _ in range(data.draw(st.integers(0, 5))):
        graph = graph_of(program.root, steps.live, unfold="all")
        assert counted(graph) == steps.stats
        check(graph)
        check(graph_of(program.root, steps.live))
        parse(dot_of(graph))
        program.change()
        steps.step()
    steps.stop()


@settings(deadline=None)
@given(st.data())
def test_nothing_is_counted_that_a_pipeline_at_rest_does_not_show(data: st.DataObject) -> None:
    """Before anything runs all stages that can be seen are blocked."""
    program = Program(data.draw)  # type: ignore[arg-type]
    graph = graph_of(program.root, None, unfold="all")
    check(graph)
    stats = counted(graph)
    assert stats.blocked == stats.total
