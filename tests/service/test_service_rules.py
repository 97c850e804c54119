"""Log rules: changed, tried, and carried from one engine to another."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pycurrent as current
from pycurrent import Current, Failure, FailureKind, Job, LogRule, UsageError, builder
from pycurrent.engine.logrules import RULE_KINDS
from pycurrent.explain.error_lines import FoundBy
from pycurrent.explain.findings import read_lines
from pycurrent.service import NoSuchRule, rules_from_csv, rules_to_csv
from pycurrent.store import HistoryFilter, StoreFull

from .live import seen

OLD = LogRule("disk (full)", "the disk is \\1", 10)
NEW = LogRule("no space", "no space", 5)


@builder("broken")
async def broken(job: Job, key: str) -> str:
    job.log(f"{key}: disk full, no space")
    raise current.Failure("it broke")


def pipeline() -> Current[None]:
    return current.all([broken("a"), broken("b")])


async def test_rules_are_added_changed_and_removed(tmp_path: Path) -> None:
    """A rule takes the place of one with its pattern, and of the one that it is said to."""
    async with seen(pipeline, tmp_path) as s:
        rules = s.service.rules
        rules.put(OLD, by="ada")
        rules.put(NEW, by="ada")
        assert rules.list() == (OLD, NEW)
        changed = LogRule("disk (.*),", "disk: \\1", 3)
        rules.put(changed, replacing=OLD.pattern, by="ada")
        assert rules.list() == (NEW, changed)
        with pytest.raises(NoSuchRule):
            rules.put(OLD, replacing="nothing", by="ada")
        with pytest.raises(UsageError, match=r"uses \\2"):
            rules.put(LogRule("(a)", "\\2", 1), replacing=NEW.pattern, by="ada")
        rules.remove(NEW.pattern, by="ada")
        with pytest.raises(NoSuchRule):
            rules.remove(NEW.pattern, by="ada")
        assert rules.list() == (changed,)


async def test_a_rule_that_the_disk_does_not_take_is_not_kept(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    """The author hears it at once, and can add the rule once the disk has room."""
    async with seen(pipeline, tmp_path) as s:
        rules = s.service.rules
        with full_disk():
            with pytest.raises(StoreFull, match="make room on it"):
                rules.put(OLD, by="ada")
            assert rules.list() == ()
        rules.put(OLD, by="ada")
        assert rules.list() == (OLD,)


async def test_a_rule_is_tried_before_it_is_kept(tmp_path: Path) -> None:
    """On the logs of the last failures; a better rule that matches, too, would win."""
    async with seen(pipeline, tmp_path) as s:
        trial = await s.service.rules.try_out(NEW, limit=10)
        assert [(one.entry.key, one.report, one.wins) for one in trial.tried] == [
            ("b", "no space", True),
            ("a", "no space", True),
        ]
        s.service.rules.put(LogRule("a: disk", "full", 99), by="ada")
        trial = await s.service.rules.try_out(NEW, limit=10)
        assert [one.wins for one in trial.tried] == [True, False]
        (tried,) = (await s.service.rules.try_out(LogRule("x", "y", 1), limit=1)).tried
        assert (tried.report, tried.wins) == (None, False)
        assert len(s.service.rules.list()) == 1


async def test_rules_give_words_and_kinds_to_what_has_failed_already(tmp_path: Path) -> None:
    """The best rule decides, and it is said how many have others now."""
    async with seen(pipeline, tmp_path) as s:
        rules, failures = s.service.rules, s.harness.engine.opened.store.failures
        rules.put(LogRule("no space", "no space", 1, FailureKind.INFRA), by="ada")
        rules.put(LogRule("a: disk", "full", 2), by="ada")
        applied = await rules.apply(limit=10, by="ada")
        assert (applied.looked_at, applied.changed) == (2, 1)
        assert (applied.reworded, applied.complete) == (2, True)
        await s.settle()
        kinds = []
        for key in "ab":
            job = s.harness.engine.opened.store.job(s.job(f"broken {key}"))
            failure = failures.of_job(s.job(f"broken {key}"))
            assert job is not None
            assert failure is not None
            kinds.append((job.kind, job.outcome, failure.kind, failure.form))
        real, infra = (None, "full", "real", "full"), ("infra", "no space", "infra", "no space")
        assert kinds == [real, infra]
        again = await rules.apply(limit=10, by="ada")
        assert (again.changed, again.reworded) == (0, 0)
        (_, act) = s.harness.engine.audit(what="apply log rules")
        assert act.after == "of 2 failures 1 has another kind now, and 2 another message"
        groups = failures.groups(limit=10)
        assert {(group.kind, group.message) for group in groups} == {
            ("real", "full"),
            ("infra", "no space"),
        }
    async with seen(pipeline, tmp_path) as s:
        assert s.harness.engine.history()[0].failure in {"full", "no space"}
        told = {node.failure for node in s.harness.graph().nodes if node.failure is not None}
        assert told == {"full", "no space"}


async def test_the_lines_that_tell_are_those_of_a_rule_that_came_later(tmp_path: Path) -> None:
    """So what explains the job shows them."""

    @builder("noisy")
    async def noisy(job: Job, key: str) -> str:
        job.write("begin\nno space left on disk\nfive\nmore\nlines\nto\nend\n")
        raise Failure("exit 1")

    async with seen(lambda: noisy("a"), tmp_path) as s:
        s.service.rules.put(LogRule("no space", "the disk is full", 1), by="ada")
        await s.service.rules.apply(limit=10, by="ada")
        await s.settle()
        failure = s.harness.engine.opened.store.failures.of_job(s.job("noisy a"))
        assert failure is not None
        assert failure.lines is not None
        lines = read_lines(failure.lines)
        assert lines.found_by is FoundBy.RULE
        assert "no space left on disk" in lines.telling


async def test_a_log_that_was_removed_is_not_tried(tmp_path: Path) -> None:
    """The trial says that it is not complete."""
    async with seen(pipeline, tmp_path) as s:
        s.service.logs.source(s.job("broken a")).path.unlink()
        trial = await s.service.rules.try_out(NEW, limit=10)
        assert ([one.entry.key for one in trial.tried], trial.complete) == (["b"], False)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\r\t",;'))
KINDS = st.none() | st.sampled_from(RULE_KINDS)
RULES = st.lists(st.builds(LogRule, TEXT, TEXT, st.integers(-999_999_999, 999_999_999), KINDS))


@given(RULES)
def test_tables_hold_whatever_rules_do(rules: list[LogRule]) -> None:
    """Commas, quotes and line breaks included."""
    read = rules_from_csv(rules_to_csv(rules))
    assert list(read) == rules


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a,b,c", "line 1 has"),
        ("pattern,report,score\na,b,1\na,b", "line 3 has"),
        ("a,b,1,2", "line 1 has"),
        ("a,b,1,cancelled", "line 1 has"),
        ("a,b,1,infra,x", "line 1 has"),
        ("a,b,9999999999", "line 1 has"),
        ('a,"b,1', "line 1 is not CSV"),
    ],
)
def test_a_table_that_is_wrong_says_where(table: str, said: str) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UsageError, match=said):
        rules_from_csv(table)


async def test_a_table_with_a_wrong_rule_changes_nothing(tmp_path: Path) -> None:
    """All of it or none."""
    async with seen(pipeline, tmp_path) as s:
        with pytest.raises(UsageError, match="missing"):
            s.service.rules.put_all([OLD, LogRule("(", "x", 1)], by="ada")
        assert s.service.rules.list() == ()
        s.service.rules.put_all([OLD, NEW], by="ada")
        assert s.service.rules.list() == (OLD, NEW)


async def test_the_history_is_read_page_by_page(tmp_path: Path) -> None:
    """Each job is on one of them."""
    stages = [broken(f"k{n:02}") for n in range(7)]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        keys: list[str] = []
        before: str | None = None
        while True:
            page = await s.service.archive.page(HistoryFilter(op="broken"), limit=3, before=before)
            keys += [entry.key for entry in page.entries]
            before = page.next
            if before is None:
                break
        assert keys == [f"k{n:02}" for n in reversed(range(7))]
        assert await s.service.archive.operations() == ["broken"]
        (entry,) = await s.service.archive.same_work(page.entries[0], limit=5)
        assert entry == page.entries[0]
