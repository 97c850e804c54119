"""Markers in logs: annotations and groups, as tools print them for other runners."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pycurrent.explain.markers import MOST_ANNOTATIONS, MOST_GROUPS, Markers
from pycurrent.store import Annotation, AnnotationCounts, AnnotationLevel

NOTICE, WARNING, ERROR = AnnotationLevel


def read(log: str | bytes) -> Markers:
    markers = Markers()
    markers.feed(log if isinstance(log, bytes) else log.encode())
    markers.end()
    return markers


def groups(log: str) -> list[tuple[str, int, int | None, bool]]:
    return [(one.name, one.first, one.end, one.collapsed) for one in read(log).groups]


@pytest.mark.parametrize(
    ("line", "annotation"),
    [
        ("::error::no", Annotation(None, None, "no")),
        ("::warning file=a.py,line=3::no", Annotation("a.py", 3, "no", level=WARNING)),
        (
            "::notice file=./src/a.py,line=3,endLine=5,col=2,endColumn=4,title=E1%3A x::a%0Ab%25",
            Annotation("src/a.py", 3, "a\nb%", level=NOTICE, column=2, end_line=5, title="E1: x"),
        ),
        ("::ERROR file=a.py::no", Annotation("a.py", None, "no")),
        ("::error file=/x/a.py,line=3::no", Annotation(None, None, "/x/a.py: no")),
        ("::error file=../a.py,line=3::no", Annotation(None, None, "../a.py: no")),
        ("::error file=a.py,line=x,col=0,junk::\x1b[31mno\x1b[0m", Annotation("a.py", None, "no")),
        ("::error file=a.py,line=3,endLine=2::", Annotation("a.py", 3, "(no message)")),
        ("##[error]it is 5%0A", Annotation(None, None, "it is 5%0A")),
        ("##[warning]no\r", Annotation(None, None, "no", level=WARNING)),
    ],
)
def test_annotations(line: str, annotation: Annotation) -> None:
    """Wherever the line is in the log, which is noted."""
    for number, log in ((1, line), (2, f"first\n{line}\nlast")):
        (found,) = read(log).annotations
        assert found.log_line == number
        assert found == replace(annotation, log_line=number)


@pytest.mark.parametrize(
    "line",
    [
        *(
            " ::error::x",
            "std::error::x",
            "::error",
            "::error x",
            "::debug::x",
            "::",
            "::::",
            "##[x]y",
        ),
        *("##[x]y", "x ##[error]y", "::add-mask::x", "section_start:x:y\r", "section_start:1:y"),
    ],
)
def test_other_lines_mark_nothing(line: str) -> None:
    """Only what stands at the beginning of a line, and is known, does."""
    found = read(f"{line}\n")
    assert (found.annotations, found.groups, found.changes) == ([], [], 0)


def test_groups_of_github() -> None:
    """They end where they say so, where another begins, or not yet."""
    log = "::group::one\na\n::endgroup::\n::group::two\n##[group]three %0A\nb\n::endgroup::\n"
    assert groups(f"{log}::endgroup::\n::group::\x1b[1mlast\x1b[0m\nc\n") == [
        ("one", 0, 3, True),
        ("two", 3, 4, True),
        ("three %0A", 4, 7, True),
        ("last", 8, None, True),
    ]


def section(kind: str, name: str, heading: str = "", options: str = "") -> str:
    return f"\x1b[0Ksection_{kind}:1560896352:{name}{options}\r\x1b[0K{heading}"


def test_sections_of_gitlab() -> None:
    """They are nested, by their names; one may end in the line in which another begins."""
    log = [
        section("start", "outer", "\x1b[36mAll\x1b[0m"),
        section("start", "inner", "In it", "[collapsed=true]"),
        "a",
        section("end", "inner") + section("start", "next"),
        "b",
        section("end", "outer"),
        section("end", "outer"),
    ]
    assert groups("\n".join(log)) == [
        ("All", 0, 6, False),
        ("In it", 1, 3, True),
        ("next", 3, 6, False),
    ]


def test_a_group_within_a_section() -> None:
    """Ends with it."""
    log = [section("start", "a", "A"), "::group::B", "x", section("end", "a"), "::endgroup::"]
    assert groups("\n".join(log)) == [("A", 0, 4, False), ("B", 1, 4, True)]


def test_nothing_counts_while_commands_are_stopped() -> None:
    """So that text of others can be printed; only the same token ends that."""
    log = "::stop-commands::t0k\n::error::x\n::group::y\n::other::\n::t0k::\n::error::z\n"
    found = read(log)
    assert [one.message for one in found.annotations] == ["z"]
    assert found.groups == []


def test_a_log_has_only_so_many() -> None:
    """All are counted, as long as it is not full of them."""
    found = read("::error::x\n" * 3000 + "::group::y\n" * 3000)
    assert (len(found.annotations), len(found.groups)) == (MOST_ANNOTATIONS, MOST_GROUPS)
    assert found.counts == AnnotationCounts(errors=3000)
    assert read("::warning::x\n" * 90_000).counts.total == 50_000


def test_very_long_lines() -> None:
    """They are counted as lines, and are not held."""
    markers = Markers()
    for _ in range(50):
        markers.feed(b"x" * 10_000)
    markers.feed(b"\n::error::x\n")
    assert [one.log_line for one in markers.annotations] == [2]


PIECES = st.sampled_from(
    [
        *("::group::a\n", "::endgroup::\n", "::error file=a,line=1::b\n", "text\n", "\n", ":", "x"),
        *("::stop-commands::t\n", "::t::\n", "##[warning]w\n", "section_"),
        *(section("start", "s", "S\n"), section("end", "s", "\n"), section("end", "s")),
    ]
)


@given(st.lists(PIECES, max_size=40), st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_it_makes_no_difference_how_a_log_comes(pieces: list[str], sizes: list[int]) -> None:
    """In one block or in many; groups lie within the log, and inner ones within outer ones."""
    log = "".join(pieces).encode()
    whole, parts = read(log), Markers()
    at, turn = 0, 0
    while at < len(log):
        size = sizes[turn % len(sizes)]
        parts.feed(log[at : at + size])
        at, turn = at + size, turn + 1
    parts.end()
    assert (parts.annotations, parts.groups) == (whole.annotations, whole.groups)
    assert parts.counts == whole.counts
    last = log.count(b"\n") + 2
    for group in whole.groups:
        assert 0 <= group.first < last
        assert group.end is None or group.first < group.end <= last
        for other in whole.groups:
            if group.end is not None and group.first < other.first < group.end:
                assert other.end is not None
                assert other.end <= group.end or other.first == group.end - 1
