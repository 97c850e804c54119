"""The data file of patterns."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

import pytest

from pycurrent.engine.logrules import LogRule, LogRules
from pycurrent.explain import patterns
from pycurrent.explain.patterns import Pattern, Patterns, common_patterns, read_patterns
from pycurrent.store.records import RuleRecord
from pycurrent.term import FailureKind

ALL = read_patterns()


def test_entries_have_what_the_file_says() -> None:
    """Each has a tool, a pattern, a weight of 0 to 3; the kind may only be REAL or INFRA."""
    with patterns._FILE.open("rb") as file:
        entries = tomllib.load(file)["pattern"]
    assert all(set(entry) - {"kind"} == {"tool", "line", "weight"} for entry in entries)
    assert {pattern.weight for pattern in ALL} == {0, 1, 2, 3}
    assert {pattern.kind for pattern in ALL} == {None, FailureKind.REAL, FailureKind.INFRA}
    assert len({pattern.line for pattern in ALL}) == len(ALL)


class NoStore:
    """Keeps no rule."""

    def rules(self) -> Sequence[RuleRecord]:
        return ()

    def add_rule(self, rule: RuleRecord) -> None: ...

    def remove_rule(self, pattern: str) -> bool:
        return False


@pytest.mark.parametrize("pattern", ALL, ids=lambda pattern: f"{pattern.tool}: {pattern.line[:30]}")
def test_each_pattern_could_be_a_log_rule(pattern: Pattern) -> None:
    """RE2 takes it, in the size that log rules may have; and an empty line means nothing."""
    rules = LogRules(NoStore())
    rules.add(LogRule(pattern.line, "x", 1))
    assert Patterns([pattern]).of_line(b"") is None or pattern.weight == 0


def test_the_first_pattern_decides() -> None:
    """The order of the file is the order of trust."""
    one, other = Pattern("a", "no space", 3), Pattern("b", "space", 1)
    assert Patterns([one, other]).of_line(b"no space") is one
    assert Patterns([other, one]).of_line(b"no space") is other
    assert Patterns([other, one]).of_line(b"nothing") is None


def test_patterns_stay_within_a_line() -> None:
    """Not even `[^x]` matches the end of a line."""
    text = b"a\nb\nab\n"
    (match,) = Patterns([Pattern("a", "a[^x]*b", 3)]).matches(text)
    assert text[match.start : match.end] == b"ab"


def test_lines_that_only_look_like_failures_are_left_out() -> None:
    """A line that only looks like a failure hides what a later pattern would say of it."""
    assert not list(common_patterns().matches(b"ran 40 tests, 0 failed\n"))
