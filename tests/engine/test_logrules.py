"""Log rules: which one is reported, what patterns may say, and that no log or pattern hangs it."""

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine import LogSource
from pycurrent.engine.logrules import LONGEST_MATCH, LogRule, LogRules
from pycurrent.errors import UsageError
from pycurrent.store.records import RuleRecord

MEBIBYTE = 1 << 20


class Rules:
    """Keeps rules in memory, as a store of rules does on disk."""

    def __init__(self, *records: RuleRecord) -> None:
        self._records = {record.pattern: record for record in records}

    def rules(self) -> list[RuleRecord]:
        return [*self._records.values()]

    def add_rule(self, rule: RuleRecord) -> None:
        self._records[rule.pattern] = rule

    def remove_rule(self, pattern: str) -> bool:
        return self._records.pop(pattern, None) is not None


def rules(*pairs: tuple[str, str, int]) -> LogRules:
    log_rules = LogRules(Rules())
    for pattern, report, score in pairs:
        log_rules.add(LogRule(pattern, report, score))
    return log_rules


# Which rule is reported


def test_the_best_score_wins() -> None:
    """Of several rules that match, the one with the highest score is reported, wherever it is."""
    log_rules = rules(("first", "A", 1), ("second", "B", 3), ("third", "C", 2))
    assert log_rules.analyse("first\nthird\nsecond\n") == "B"


def test_no_rule_matches() -> None:
    """There is no report if no rule matches, or if there are no rules."""
    assert rules(("x", "X", 1)).analyse("abc") is None
    assert rules().analyse("abc") is None


def test_ties_go_to_the_rule_that_is_listed_first() -> None:
    """Rules with the same score are listed, and tried, in the order of their patterns."""
    log_rules = rules(("b", "B", 1), ("a", "A", 1), ("c", "C", 5))
    assert [rule.pattern for rule in log_rules.list()] == ["c", "a", "b"]
    assert log_rules.analyse("b a") == "A"


def test_groups_of_the_first_match_are_filled_in() -> None:
    r"""\1 to \9 are the groups of the first match, \0 is all of it, and \\ a backslash."""
    log_rules = rules((r"exit (\d+) of (\w+)(!)?", r"\2: \1\3 [\0] \\1 \n", 1))
    assert log_rules.analyse("exit 7 of make, exit 8 of ls") == r"make: 7 [exit 7 of make] \1 \n"


def test_a_group_that_took_no_part_is_empty() -> None:
    """A group that is not in the match is replaced by nothing."""
    assert rules(("(a)|(b)", r"<\1\2>", 1)).analyse("b") == "<b>"


def test_the_same_pattern_replaces() -> None:
    """A rule added with the pattern of another takes its place."""
    log_rules = rules(("x", "old", 9), ("x", "new", 1))
    assert log_rules.list() == [LogRule("x", "new", 1)]
    assert log_rules.analyse("x") == "new"


def test_removed_rules_count_no_more() -> None:
    """A removed rule is neither listed nor tried; removing it again is refused by its name."""
    log_rules = rules(("x", "X", 2), ("y", "Y", 1))
    assert log_rules.analyse("xy") == "X"
    log_rules.remove("x")
    assert log_rules.analyse("xy") == "Y"
    with pytest.raises(UsageError, match="no log rule has the pattern 'x'"):
        log_rules.remove("x")


def test_rules_are_kept_in_the_store() -> None:
    """What was added is there for the next engine on the same store."""
    store = Rules()
    LogRules(store).add(LogRule("x (.)", r"X \1", 1))
    again = LogRules(store)
    assert again.list() == [LogRule("x (.)", r"X \1", 1)]
    assert again.analyse("x y") == "X y"


def test_a_stored_rule_that_is_wrong_hides_nothing() -> None:
    """A rule that something else put into the store is skipped if it is wrong, and still listed."""
    log_rules = LogRules(Rules(RuleRecord("(", "bad", 9), RuleRecord("x", "X", 1)))
    assert log_rules.analyse("x") == "X"
    assert [rule.pattern for rule in log_rules.list()] == ["(", "x"]


# Patterns


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("a(", r"log rule 'a\(': missing \): a\("),
        ("[z", r"missing \]"),
        ("(?=x)", r"invalid perl operator: \(\?="),
        (r"(a)\1", "invalid escape sequence"),
        ("\udc80", "not valid Unicode"),
        ("((a?){100}b){10}", "too large"),
    ],
)
def test_bad_patterns_are_refused(pattern: str, says: str) -> None:
    """A pattern that can't be used is refused with what is wrong with it, and not stored."""
    log_rules = rules()
    with pytest.raises(UsageError, match=says):
        log_rules.add(LogRule(pattern, "report", 1))
    assert log_rules.list() == []


def test_a_report_may_only_use_groups_of_its_pattern() -> None:
    """A report with a group that the pattern has not is refused, and both are named."""
    with pytest.raises(UsageError, match=r"'x\(\.\)'.* uses \\2, but the pattern has 1 groups"):
        rules(("x(.)", r"\1 \2", 1))


def test_anchors_are_those_of_lines() -> None:
    r"""^ and $ match at each line, \A and \z only at the ends of the log, . within a line."""
    log = "one\nerror: two\nthree"
    assert rules((r"^error: (.*)$", r"\1", 1)).analyse(log) == "two"
    assert rules((r"\Aerror", "A", 1)).analyse(log) is None
    assert rules((r"\Aone", "A", 1)).analyse(log) == "A"
    assert rules((r"two\z", "z", 1)).analyse(log) is None
    assert rules((r"three\z", "z", 1)).analyse(log) == "z"
    assert rules((r"one.*two", "across", 1)).analyse(log) is None


def test_a_match_may_span_lines() -> None:
    """A pattern can name the end of a line, and with (?s) the dot matches it, too."""
    log = "FAIL\n  why\n"
    assert rules((r"FAIL\n +(.*)", r"\1", 1)).analyse(log) == "why"
    assert rules((r"(?s)FAIL.*why", r"all", 1)).analyse(log) == "all"


def test_other_characters_than_ascii() -> None:
    """Patterns, logs and reports are Unicode; what is none in a log is shown as U+FFFD."""
    assert rules(("(é+) ü", r"→ \1", 1)).analyse("éé ü") == "→ éé"


# Files


def test_a_file_gives_what_its_text_gives(tmp_path: Path) -> None:
    """A log in a file is analysed as its text is; bytes that are no text are shown as U+FFFD."""
    log = tmp_path / "job.log"
    log.write_bytes(b"ok\nexit: \xff status 3\n")
    assert rules((r"status (\d)", r"\1", 1)).analyse_log(LogSource(log)) == "3"
    assert rules((r"exit: (\C+) st", r"\1", 1)).analyse_log(LogSource(log)) == "\ufffd"


async def test_a_file_is_analysed_in_a_thread(tmp_path: Path) -> None:
    """Analysing is safe in another thread while rules change."""
    log = tmp_path / "job.log"
    log.write_text("x\n" * 100_000 + "end 1\n")
    log_rules = rules((r"end (\d)", r"\1", 1))
    analysis = asyncio.to_thread(log_rules.analyse_log, LogSource(log))
    task = asyncio.create_task(analysis)
    log_rules.add(LogRule("never", "", 5))
    assert await task == "1"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A log that can't be read is not one without a match."""
    with pytest.raises(FileNotFoundError):
        rules(("x", "X", 1)).analyse_log(LogSource(tmp_path / "none.log"))


@given(
    border=st.sampled_from([MEBIBYTE - LONGEST_MATCH, MEBIBYTE]),
    offset=st.integers(-120, 5),
    lines=st.booleans(),
)
def test_a_match_is_found_wherever_the_windows_end(border: int, offset: int, lines: bool) -> None:
    """A match at the border of two windows is found whole, and nothing is matched that is none."""
    place = border + offset
    filler = ("." * 9 + "\n") * (2 * MEBIBYTE // 10) if lines else "." * 2 * MEBIBYTE
    log = f"{filler[:place]}\nerror: {'e' * 100} in é\n{filler[place:]}end"
    log_rules = rules(
        (r"^error: (e+).*(.)$", r"\1 \2", 1), (r"\A\n|\Aerror|[.e]\z", "no end of the log", 2)
    )
    assert log_rules.analyse(log) == f"{'e' * 100} é"
    assert rules(("error: (e+)", r"\1", 1)).analyse(log) == "e" * 100


def test_the_end_of_a_window_is_not_the_end_of_a_line() -> None:
    """What stands for the end of a line or of the log matches nowhere else."""
    log = "." * 2 * MEBIBYTE + "x"
    assert rules((r"\A\.+$", "line", 1), (r"\A\.+\z", "log", 1)).analyse(log) is None


def test_the_first_match_counts_across_windows() -> None:
    """The groups are those of the first match of the best rule, however many windows follow."""
    log = "".join(f"{'.' * 300_000}\nerror {n}\n" for n in range(20))
    assert rules((r"error (\d+)", r"\1", 1)).analyse(log) == "0"
    assert rules((r"error (\d+)", r"\1", 1), (r"error (15)", r"best \1", 2)).analyse(log) == (
        "best 15"
    )


def test_a_long_match_is_found_whole() -> None:
    """A match of nearly the longest length is not cut, wherever it begins."""
    body = "x" * (LONGEST_MATCH - 10)
    for place in (0, MEBIBYTE - LONGEST_MATCH - 1, MEBIBYTE - LONGEST_MATCH, MEBIBYTE - 1):
        assert rules(("<(x+)>", r"\1", 1)).analyse("." * place + f"<{body}>" + "." * 99) == body


# Hostile patterns


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "pattern",
    [
        r"(a*)*b\z9",
        r"(a|aa)+\z9",
        r"(.*)(.*)(.*)(.*)(.*)9",
        r"(x+x+)+y9",
        r"(?:(?:a?){30}b?){4}9",
        r"[ab].{100}9",
    ],
)
def test_hostile_patterns_end(pattern: str) -> None:
    """Patterns that take others exponential time are through a megabyte in no time to speak of."""
    chars = random.Random(1).choices("aaaaabx\n", k=MEBIBYTE)
    assert rules((pattern, "found", 1)).analyse("".join(chars)) is None
