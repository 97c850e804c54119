"""The diagram as Graphviz text: colours, marks, links, and texts that mean nothing to it."""

import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.term import (
    Activity,
    Current,
    Failed,
    Fixed,
    Metadata,
    Ok,
    Output,
    Primitive,
    State,
    Var,
    all,
    component,
    constant,
)
from pycurrent.term.diagram import Graph, GraphNode, NodeKind, dot_of, graph_of
from pycurrent.term.dot import quoted
from pycurrent.term.output import READY, RUNNING, WAITING_FOR_CONFIRMATION
from pycurrent.term.state import MAX_FAILURE

from .dotparser import Dot, parse, shown
from .steps import Steps

COLOURS = {
    State.OK: "#90ee90",
    State.FAILED: "#ff4500",
    State.RUNNING: "#ffa500",
    State.READY: "#ffff00",
    State.WAITING_FOR_CONFIRMATION: "#4975ff",
    State.BLOCKED: "#d3d3d3",
}


def job(output: Output[int], update: Activity | None = None) -> Current[int]:
    """A component with a job."""
    metadata = Metadata("2026-11-01/120000-frob-abc", update)
    return component("frob", lambda: Fixed(output, metadata))


def drawn(current: Current[object]) -> dict[str, str]:
    """The attributes of the first box after a first step."""
    dot = parse(dot_of(graph_of(current, Steps(current).live)))
    return dot.nodes["n0"]


def rendered(text: str) -> list[str]:
    """What the real Graphviz shows: the texts and tooltips of the picture. [] without one."""
    if shutil.which("dot") is None:
        return []
    svg = subprocess.run(
        ["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True, timeout=60
    )
    assert svg.stderr == b""
    tooltip = "{http://www.w3.org/1999/xlink}title"
    return [e.get(tooltip) or e.text or "" for e in ElementTree.fromstring(svg.stdout).iter()]


def test_the_text_of_a_small_pipeline() -> None:
    """Byte for byte: tools and people read it."""
    head = component("head", lambda: Primitive.constant(1))
    items = constant([1], label="items").list_map(
        lambda item: component("test", lambda *_: job_primitive(), head, item), label="each"
    )
    push = component("push", lambda _: Primitive.constant(1), head.gate(on=items))
    option = Var[int | None]("option", None).get().option_iter(lambda _: constant(1, label="one"))
    term = all([push, option])
    assert dot_of(graph_of(term, Steps(term).live)) == (
        """\
digraph pipeline {
  rankdir=LR
  node [shape="box",fontname="ui-system,sans-serif"]
  graph [fontname="ui-system,sans-serif"]
  n0 [label="head",color="#90ee90",fillcolor="#90ee90",style="filled"]
  n1 [label="items",color="#90ee90",fillcolor="#90ee90",style="filled"]
  n4 [label="",color="#d3d3d3",fillcolor="#d3d3d3",style="filled",shape="circle",width="0.3"]
  n5 [label="push",color="#d3d3d3",fillcolor="#d3d3d3",style="filled"]
  n6 [label="option",color="#90ee90",fillcolor="#90ee90",style="filled"]
  subgraph cluster_0 {label="each"
  n2 [label="1",color="#90ee90",fillcolor="#90ee90",style="filled"]
  n3 [label="test &#x2026;",color="#ffa500",fillcolor="#ffa500",style="filled"\
,URL="/job/a/b%20c",target="_top"]
  }
  subgraph cluster_1 {label=""; style="dotted"
  n7 [label="one",color="#90ee90",fillcolor="#90ee90",style="filled"]
  }
  n1 -> n2
  n0 -> n3
  n2 -> n3
  n4 -> n5
  n3 -> n4 [style="dashed"]
}
"""
    )


def job_primitive() -> Primitive[int]:
    return Fixed(RUNNING, Metadata("a/b c"))


@pytest.mark.parametrize(
    ("output", "state", "mark"),
    [
        (Ok(1), State.OK, " ✔"),
        (Failed("why"), State.FAILED, " ✗"),
        (RUNNING, State.RUNNING, " …"),
        (READY, State.READY, " …"),
        (WAITING_FOR_CONFIRMATION, State.WAITING_FOR_CONFIRMATION, " …"),
    ],
)
def test_a_job_has_a_colour_a_mark_and_a_link(output: Output[int], state: State, mark: str) -> None:
    """By its state; a failure is the tooltip."""
    attributes = drawn(job(output))
    assert attributes["label"] == f"frob{mark}"
    assert attributes["fillcolor"] == attributes["color"] == COLOURS[state]
    assert attributes["URL"] == "/job/2026-11-01/120000-frob-abc"
    assert attributes["target"] == "_top"
    assert attributes.get("tooltip") == ("why" if state is State.FAILED else None)


def test_what_has_no_job_has_neither_mark_nor_link() -> None:
    """Only its label and colour."""
    attributes = drawn(component("plain", lambda: Primitive.constant(1)))
    assert attributes["label"] == "plain"
    assert "URL" not in attributes


def test_an_update_behind_a_result_is_a_gradient() -> None:
    """From the colour of what is being done to that of the result."""
    for activity, state in (
        (Activity.RUNNING, State.RUNNING),
        (Activity.READY, State.READY),
        (Activity.WAITING_FOR_CONFIRMATION, State.WAITING_FOR_CONFIRMATION),
    ):
        assert drawn(job(Ok(1), activity))["fillcolor"] == f"{COLOURS[state]}:#90ee90"
    assert drawn(job(Failed("why"), Activity.RUNNING))["fillcolor"] == "#ffa500:#ff4500"


def test_only_the_box_where_a_failure_arose_tells_of_it() -> None:
    """What it blocks is grey and says nothing."""
    end = component("end", lambda _: Primitive.constant(1), job(Failed("why")))
    dot = parse(dot_of(graph_of(end, Steps(end).live)))
    assert dot.nodes["n0"]["tooltip"] == "why"
    assert dot.nodes["n1"]["fillcolor"] == COLOURS[State.BLOCKED]
    assert "tooltip" not in dot.nodes["n1"]


def test_a_long_failure_is_cut() -> None:
    """A tooltip is for a glance."""
    tooltip = drawn(job(Failed("x" * 10_000)))["tooltip"]
    assert len(tooltip) == MAX_FAILURE
    assert tooltip.endswith("x…")
    assert drawn(job(Failed("x" * MAX_FAILURE)))["tooltip"] == "x" * MAX_FAILURE


def test_links_are_those_of_the_viewer() -> None:
    """Of jobs and of folds; None for no link."""
    term = job(Ok(1)).collapse(key="k", value="v", input=constant(1))
    live = Steps(term).live
    folded = graph_of(term, live, fold_link=lambda key, value: f"?{key}={value}")
    assert [node.link for node in folded.nodes] == ["?k=v"]
    assert [node.link for node in graph_of(term, live).nodes] == [None]
    unfolded = graph_of(term, live, unfold="all", job_link=lambda _: None)
    assert [node.link for node in unfolded.nodes] == [None]


def test_clusters_are_nested_and_options_dotted() -> None:
    """As the lists and options that they show."""
    items = constant(["x"], label="items")
    term = items.list_map(
        lambda item: item.option_map(lambda inner: component("c", Primitive.constant, inner)),
        label='outer "list"',
    )
    dot = parse(dot_of(graph_of(term, Steps(term).live)))
    outer, inner = dot.clusters
    assert dot.clusters == {
        outer: {"label": 'outer "list"'},
        inner: {"label": "", "style": "dotted"},
    }
    assert (dot.inside[outer], dot.inside[inner]) == (None, outer)
    assert [dot.inside[node] for node in dot.nodes] == [None, outer, inner]


def labelled(label: str, failure: str = "why") -> str:
    node = GraphNode("n0", NodeKind.COMPONENT, label, State.FAILED, failure=failure)
    return dot_of(Graph((node,), (), ()))


TEXTS = [
    'a "b" c',
    "\\N \\G \\l \\",
    "a\nb",
    "<b>x</b>",
    "a & b &amp; &#65; &nbsp;",
    "[x=1];",
    "é✓",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_shown_as_it_is(text: str) -> None:
    """Nothing in it is a quote, an escape sequence or an entity, in Graphviz itself neither."""
    dot = parse(labelled(text, failure=text))
    assert dot.nodes["n0"]["label"] == dot.nodes["n0"]["tooltip"] == text
    found = rendered(labelled(text, failure=text))
    if found:
        for line in text.split("\n"):
            # Graphviz writes spaces that are not to be broken in its pictures.
            assert line in [part.replace("\xa0", " ") for part in found] or "&nbsp;" in line
        assert text in found


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"], include_characters="\n\t")))
def test_any_text_is_read_back(text: str) -> None:
    """Whatever a label or a message holds."""
    assert shown(quoted(text)) == text


def test_no_text_makes_a_picture_that_can_not_be_read() -> None:
    """Control characters and halves of characters are replaced."""
    text = labelled("".join(map(chr, range(0x20))) + "\x7f\ud800\uffff", "\x00end")
    text.encode()
    assert parse(text).nodes["n0"]["tooltip"] == "\ufffdend"
    rendered(text)


def test_graphviz_draws_what_is_meant() -> None:
    """A whole pipeline, with clusters, points and gates."""
    first = all([component(f"a{i}", lambda: Primitive.constant(1)) for i in range(6)])
    items = constant(["x", "y"], label="items").list_map(
        lambda item: component(
            "of {item}", lambda *_: Primitive.constant(1), item, first.gate(item)
        )
    )
    term = all([items, *[component(f"b{i}", lambda _: job_primitive(), first) for i in range(6)]])
    text = dot_of(graph_of(term, Steps(term).live))
    dot: Dot = parse(text)
    found = rendered(text)
    if found:
        for attributes in dot.nodes.values():
            assert not attributes["label"] or attributes["label"] in found
