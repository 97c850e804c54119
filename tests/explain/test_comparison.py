"""The logs of two jobs, compared."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.explain.comparison import LINES, MOST_SHOWN, Comparison, End, Mark, compare


def compared(old: list[str], new: list[str], *, first: int = 1) -> Comparison:
    """Both begin at the line with this number."""
    ends = [End(first, tuple(lines), is_whole=first == 1) for lines in (old, new)]
    return compare("new", ends[1], "old", ends[0])


def shown(found: Comparison) -> list[str]:
    """The lines that differ, with their signs and numbers."""
    return [
        f"{line.mark.value}{line.old or line.new} {line.text}"
        for hunk in found.hunks
        for line in hunk.lines
        if line.mark is not Mark.SAME
    ]


def test_lines_that_are_only_in_one_log_are_found() -> None:
    """With their numbers, and three equal ones around them."""
    same = [f"step {word}" for word in "abcdefghijk"]
    found = compared(["begin", *same, "all passed"], ["begin", *same, "one failed", "why"], first=5)
    assert shown(found) == ["-17 all passed", "+17 one failed", "+18 why"]
    (hunk,) = found.hunks
    assert [line.text for line in hunk.lines[:3]] == ["step i", "step j", "step k"]
    assert not found.is_whole


IGNORED = [
    ("2026-01-01 00:00.00: New job", "2026-11-28 07:42.11: New job"),
    ("at 2026-11-28T07:42:11.123Z", "at 2025-01-02T03:04:05Z"),
    ("[12:00:01] x", "[13:10:59.5] x"),
    ("commit 3f2a1c9d8e", "commit a1b2c3d4e5f6"),
    ("id 0e37df36-f698-11e6-8dd4-cb9ced3df976", "id 1a2b3c4d-f698-11e6-8dd4-cb9ced3df976"),
    ("took 3.2 s", "took 11 s"),
    ("took 1,200ms", "took 3 min"),
    ("in /tmp/tmpab12cd34/x", "in /tmp/tmpzz99yy88/x"),
    ("at 0x7f00", "at 0x55aa12"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("job 2026-11-28/072742-check-57bb0f", "job 2025-10-01/000000-check-aaaaaa"),
]


@pytest.mark.parametrize(("old", "new"), IGNORED)
def test_what_differs_each_time_does_not_count(old: str, new: str) -> None:
    """Times, hashes, durations, temporary names, colours."""
    assert compared([old], [new]).hunks == ()


COUNTED = [("3 tests failed", "4 tests failed"), ("v1.2", "v1.3"), ("main.c:12", "main.c:13")]


@pytest.mark.parametrize(("old", "new"), COUNTED)
def test_other_numbers_count(old: str, new: str) -> None:
    """Those of tests, versions and lines."""
    assert len(shown(compared([old], [new]))) == 2


def test_lines_stand_side_by_side() -> None:
    """Those that have gone beside new ones, as far as there are as many."""
    found = compared(["a", "x", "y", "b"], ["a", "z", "b", "c"])
    pairs = [
        (None if old is None else old.text, None if new is None else new.text)
        for hunk in found.hunks
        for old, new in hunk.pairs
    ]
    assert pairs == [("a", "a"), ("x", "z"), ("y", None), ("b", "b"), (None, "c")]


lines = st.lists(st.sampled_from(["a", "b", "took 3 s", "took 5 s", ""]), max_size=30)


@given(lines, lines)
def test_both_logs_can_be_told_from_a_comparison_with_enough_context(
    old: list[str], new: list[str]
) -> None:
    """Each line that is not in it is in both logs; numbers fit the texts."""
    found = compared(old, new)
    listed = [line for hunk in found.hunks for line in hunk.lines]
    assert all(new[line.new - 1] == line.text for line in listed if line.new is not None)
    gone = [line for line in listed if line.mark is Mark.GONE]
    assert all(line.old and old[line.old - 1] == line.text for line in gone)
    added = sum(line.mark is Mark.NEW for line in listed)
    assert len(old) - len(gone) + added == len(new)


def test_a_large_comparison_is_bounded() -> None:
    """In time, and in what is kept of it."""
    old = [f"line {n} of {n % 7}" for n in range(LINES)]
    new = [f"line {n} of {n % 5}" for n in range(LINES, 0, -1)]
    began = perf_counter()
    found = compared(old, new)
    assert perf_counter() - began < 20
    assert sum(len(hunk.lines) for hunk in found.hunks) == MOST_SHOWN
    assert found.more > 0
