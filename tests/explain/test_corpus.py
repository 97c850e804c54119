"""The outputs of real tools that failed: what is found in them, and how often it is right."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest
from tools.corpus import CASES, CORPUS, LONGEST, Case, cases

from pycurrent.explain.error_lines import ErrorLines, find_error_lines
from pycurrent.explain.kinds import kind_of
from pycurrent.term import FailureKind

ALL = list(cases())
HELD_OUT = [case for case in ALL if case.is_held_out]
QUOTES = {0x2018: "'", 0x2019: "'"}
"""Some versions of gcc and others print these, as the locale says."""
SETS = pytest.mark.parametrize("some", [ALL, HELD_OUT], ids=["all", "held out"])


def found_in(case: Case) -> ErrorLines:
    return find_error_lines(io.BytesIO(case.output))


def kind_in(case: Case) -> FailureKind:
    return kind_of("the command exited with status 1", found_in(case))


def has_line(case: Case) -> bool:
    wanted = case.expect.translate(QUOTES)
    return any(wanted in line.translate(QUOTES) for line in found_in(case).telling[:3])


def share(right: Sequence[bool]) -> float:
    return sum(right) / len(right)


def test_each_case_has_its_output() -> None:
    """There are at least 200 small files, one for each case, and none without a case."""
    assert len(ALL) >= 200
    assert {path.stem for path in CORPUS.iterdir()} == {case.name for case in ALL}
    assert all(0 < len(case.output) <= LONGEST for case in ALL)
    assert 0.25 < len(HELD_OUT) / len(ALL) < 0.4


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_expected_line_is_in_the_output(case: Case) -> None:
    """What a case expects can be found at all."""
    plain = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", case.output.decode()).translate(QUOTES)
    assert case.expect.translate(QUOTES) in plain
    assert case.kind in ("real", "infra")


def test_outputs_name_no_machine() -> None:
    """Neither folders nor addresses of the machine that made the corpus stand in it."""
    text = "\n".join(case.output.decode() for case in ALL) + CASES.read_text()
    assert not re.findall(r"/root/|/work/|\.pyenv|127\.0\.0\.1:\d\d|registry\.npmjs", text)


@SETS
def test_kinds_are_right(some: list[Case]) -> None:
    """At least nine of ten kinds are right."""
    assert share([kind_in(case).value == case.kind for case in some]) >= 0.9


@SETS
def test_a_real_failure_is_seldom_taken_for_another(some: list[Case]) -> None:
    """Of a hundred real failures at most one is said to be INFRA, which would hide a fault."""
    real = [case for case in some if case.kind == "real"]
    wrong = [case.name for case in real if kind_in(case) is not FailureKind.REAL]
    assert len(wrong) <= len(real) * 0.01, wrong


@SETS
def test_the_expected_line_is_among_the_first(some: list[Case]) -> None:
    """In at least nine of ten outputs one of the first three lines is the one that tells."""
    assert share([has_line(case) for case in some]) >= 0.9
