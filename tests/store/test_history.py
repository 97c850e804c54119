"""The history: its order, its pages, its filters, and what they cost."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.errors import UsageError
from pycurrent.store import (
    Database,
    DatabaseReader,
    HistoryFilter,
    JobEnd,
    LabelFilter,
    UseFilter,
    UseRecord,
    labels_text,
)
from pycurrent.store.history import HistoryQuery

from .conftest import SECOND, START, Builds, created


def at(seconds: float) -> timedelta:
    return seconds * SECOND


def insert(db: Database, name: str, *, op: str = "frob", when: float = 0, cause: str = "") -> str:
    """Begin a job at a time; return its id."""
    job_id = f"2026-11-22/084703-{op}-{name}"
    db.insert_job(
        created(job_id, op=op, key=name, when=START + at(when), cause=cause or None),
    )
    return job_id


def end(
    db: Database,
    job_id: str,
    finished: float,
    how: JobEnd = JobEnd.OK,
    *,
    started: float | None = None,
    kind: str | None = None,
) -> str:
    db.finish_job(
        job_id,
        how,
        finished=START + at(finished),
        outcome='"made"' if how.has_result else None,
        started=None if started is None else START + at(started),
        kind=kind,
    )
    return job_id


def names(db: DatabaseReader, **filters: object) -> list[str]:
    """The jobs that pass, by the last part of their ids."""
    page = db.history_page(HistoryFilter(**filters))  # type: ignore[arg-type]
    return [record.job_id.rpartition("-")[2] for record in page.records]


def labelled(*conditions: str) -> tuple[LabelFilter, ...]:
    return tuple([LabelFilter.parse(condition) for condition in conditions])


def test_the_history_is_in_the_order_of_ends(db: Database, path: Path) -> None:
    """Those that have not ended come first, the last created before; then by when they finished.

    An interrupted job has no such time, and comes where it started, or else was created.
    """
    slow, quick, late, _ = (insert(db, name, when=n) for n, name in enumerate("abcd"))
    end(db, slow, 60)
    end(db, quick, 50)
    end(db, late, 70, JobEnd.FAILED)
    for name, when in (("e", 55), ("f", 80)):
        insert(db, name, when=when)
    db.start_job("2026-11-22/084703-frob-f", started=START + at(65), level="low")
    every = frozenset({None, *JobEnd})
    assert names(db, ends=every) == ["f", "e", "d", "c", "a", "b"]
    assert names(db) == ["c", "a", "b"]
    db.close()
    with Database.open(path) as again:
        assert names(again) == ["c", "f", "a", "e", "b", "d"]
        assert names(again, ends=every) == names(again)


def test_pages_are_stable_while_jobs_end(db: Database) -> None:
    """A job that ends between two pages is neither shown twice nor pushes another one out."""
    jobs = [insert(db, name, when=n) for n, name in enumerate("abcdefgh")]
    for n, job in enumerate(jobs[:6]):
        end(db, job, 10 + n)
    seen: list[str] = []
    wanted, place = HistoryFilter(ends=frozenset({None, *JobEnd})), None
    running = jobs[6:]
    while True:
        page = db.history_page(wanted, limit=3, before=place)
        seen += [record.job_id.rpartition("-")[2] for record in page.records]
        if running:
            end(db, running.pop(), 100 - len(running))
        place = page.next
        if place is None:
            break
    assert seen == list("hgfedcba")


@pytest.mark.parametrize("text", ["", "x", "2026-11-22T08:47:03Z-1", "2026-11-22/084703-frob-1"])
def test_a_page_begins_behind_a_place(db: Database, text: str) -> None:
    """Something else is said to be none."""
    with pytest.raises(UsageError, match="is not a place in a history"):
        db.history(before=text)


def test_the_rows_filter(db: Database, builds: Builds) -> None:
    """Each filter leaves out what does not fit; together they all hold."""
    good = builds.build("50%", op="frob").job_id
    bad = builds.build("50 a", "Exit status 1", op="frob", ok=False).job_id
    other = builds.build("x_y", '"made"', op="grob", value='"set"').job_id
    again = builds.build("x-y", op="grob").job_id
    db.set_rebuild("grob", "digest of x-y")

    def ids(**filters: object) -> list[str]:
        return [record.job_id for record in db.history(**filters)]  # type: ignore[arg-type]

    assert ids(op="frob") == [bad, good]
    assert ids(ok=False) == [bad]
    assert ids(ok=True) == [again, other, good]
    assert ids(rebuild=True) == [again]
    assert ids(rebuild=False) == [other, bad, good]
    assert ids(prefix="2026-11-22/084703-g") == [again, other]
    assert ids(prefix="2026-11-2_") == []
    assert ids(key="x_y") == [other]
    assert ids(text="exit STATUS") == [bad]
    assert ids(text="0%") == [good]
    assert ids(text="x_y") == [other]
    assert ids(text='"set"') == [other]
    assert ids(text="\\") == []
    assert ids(op="frob", ok=True, text="50") == [good]
    assert ids(ends=()) == [again, other, bad, good]
    running = builds.begin("x")
    assert ids(ends={None}) == [running]
    assert ids(ends={None, JobEnd.FAILED}) == [running, bad]
    assert ids(ends={JobEnd.OK, JobEnd.FAILED}) == [again, other, bad, good]


def test_by_what_a_job_is_explained(db: Database) -> None:
    """By the kind of its failure, by why it was run, by who asked for it."""
    end(db, insert(db, "a", cause='{"$NeverBuilt":{}}'), 1)
    end(db, insert(db, "b", cause='{"$Asked":{"by":"ann","reason":"why \\" not"}}'), 2)
    end(db, insert(db, "c", cause='{"$Asked":{"by":null,"reason":null}}'), 3, JobEnd.FAILED)
    end(db, insert(db, "d", cause='{"$Expired":{}}'), 4, JobEnd.FAILED, kind="infra")
    end(db, insert(db, "e", op="old"), 5, JobEnd.TIMED_OUT, kind="timeout")
    assert names(db, cause="NeverBuilt") == ["a"]
    assert names(db, cause="Asked") == ["c", "b"]
    assert names(db, cause="Expired") == ["d"]
    assert names(db, cause="Unheard") == []
    assert names(db, by="ann") == ["b"]
    assert names(db, by="bob") == []
    assert names(db, kind="infra") == ["d"]
    assert names(db, kind="timeout") == ["e"]
    assert names(db, kind="real") == ["c"]
    assert names(db, kind="infra", cause="Expired", op="frob") == ["d"]
    assert names(db, kind="infra", op="old") == []


def test_by_time(db: Database) -> None:
    """`since` counts the instant, `until` does not; a job that runs has not ended before."""
    for name, started, finished in (("a", 0, 10), ("b", 5, 20), ("c", 19, 30)):
        end(db, insert(db, name), finished, started=started)
    insert(db, "d")
    every = frozenset({None, *JobEnd})
    assert names(db, since=START + at(20)) == ["c", "b"]
    assert names(db, until=START + at(20)) == ["a"]
    assert names(db, since=START + at(11), until=START + at(30)) == ["b"]
    assert names(db, ends=every, since=START + at(25)) == ["d", "c"]
    assert names(db, ends=every, until=START + at(25)) == ["b", "a"]
    assert names(db, longer=at(10)) == ["c", "b"]
    assert names(db, longer=at(11)) == ["b"]
    assert names(db, longer=at(15)) == []


@pytest.fixture
def used(db: Database) -> Database:
    """Jobs by their names: which stage has used them, with which labels."""
    for number, (name, uses) in enumerate(USED.items()):
        job = end(db, insert(db, name, when=number), number)
        for stage, labels in uses.items():
            db.add_use(UseRecord(job, stage, labels_text(labels), START))
    return db


USED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "a": {"web/build": {"repo": "web", "branch": "main"}},
    "b": {"web/build": {"repo": "web", "branch": "dev-1"}},
    "c": {"api/build": {"repo": "api"}, "api/[3.12]": {"repo": "web", "branch": "main"}},
    "d": {"check": {}},
    "e": {},
}


@pytest.mark.parametrize(
    ("stage", "conditions", "found"),
    [
        (None, ["repo=web"], "cba"),
        (None, ["repo=w*"], "cba"),
        (None, ["repo=[!w]*"], "c"),
        (None, ["repo!=web"], "edc"),
        (None, ["repo!=*"], "ed"),
        (None, ["repo=web", "branch=main"], "ca"),
        (None, ["branch=main", "repo!=web"], ""),
        (None, ["branch=dev-*"], "b"),
        (None, ["branch!=main", "repo=web"], "b"),
        (None, ["repo=we"], ""),
        (None, ["other=web"], ""),
        ("web/build", [], "ba"),
        ("web/*", [], "ba"),
        ("*/build", [], "cba"),
        ("api/[3.12]", [], "c"),
        ("api/build", ["repo=web"], ""),
        ("api/*", ["repo=web"], "c"),
        ("check", ["repo!=web"], "d"),
        ("nowhere", [], ""),
    ],
)
def test_by_path_and_labels_of_one_stage(
    used: Database, stage: str | None, conditions: list[str], found: str
) -> None:
    """All conditions hold for one of the stages that have used a job; few or many such jobs.

    It is the same for uses that are read already.
    """
    assert "".join(names(used, path=stage, labels=labelled(*conditions))) == found
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pycurrent.store.history._FEW", -1)
        assert "".join(names(used, path=stage, labels=labelled(*conditions))) == found
    passing = UseFilter(stage, labelled(*conditions))
    jobs = [record.job_id for record in used.history()]
    passed = [job for job in jobs if passing.passes(used.uses_of_job(job))]
    assert "".join(job[-1] for job in passed) == found


@pytest.mark.parametrize("text", ["repo", "=web", "", "!=x", "re!po=web"])
def test_a_condition_on_a_label_has_a_form(text: str) -> None:
    """Another text is refused, with what was expected."""
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        LabelFilter.parse(text)


def test_a_commit_is_named_by_its_first_digits() -> None:
    """At least four of them; all of them name no other one."""
    assert LabelFilter.parse("commit=3f2a1c").passes({"commit": "3f2a1c" + 34 * "0"})
    assert not LabelFilter.parse("commit=3f2a1c").passes({"commit": "3f2a1d" + 34 * "0"})
    assert LabelFilter.parse("commit!=3f2a").passes({"commit": "3f2b" + 36 * "0"})
    assert LabelFilter.parse("commit=" + 40 * "a").value == 40 * "a"
    assert LabelFilter.parse("commit=3f2").value == "3f2"
    assert LabelFilter.parse("repo=cafe").value == "cafe"


@given(
    st.sampled_from(["repo=web", "repo!=web", "repo=w*", "repo!=w*", "repo=[x", "repo=a=b"]),
    st.sampled_from([None, "web", "w", "api", "[x", "a=b"]),
)
def test_a_condition_holds_or_not(text: str, value: str | None) -> None:
    """Read and written it is the same; what it denies is what its opposite allows."""
    condition = LabelFilter.parse(text)
    assert str(condition) == text
    labels = {} if value is None else {"repo": value}
    opposite = LabelFilter(condition.name, condition.value, not condition.is_not)
    assert condition.passes(labels) is not opposite.passes(labels)
    if value is None:
        assert condition.passes(labels) is condition.is_not


def test_a_search_that_takes_long_stops(db: Database) -> None:
    """It says so, and the next page goes on from there: together they find all, each once."""
    for number in range(300):
        end(db, insert(db, f"{number:03}"), number)
    wanted = HistoryFilter(text="-99")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pycurrent.store.history._WINDOW", 100)
        page = db.history_page(HistoryFilter(text="nothing"), seconds=0)
        assert (page.records, page.is_complete) == ([], False)
        assert page.next is not None
        wanted, place = HistoryFilter(text="5"), None
        found: list[str] = []
        for _ in range(1000):
            page = db.history_page(wanted, limit=7, before=place, seconds=0)
            found += [record.key for record in page.records]
            place = page.next
            if place is None:
                break
    assert page.is_complete
    assert found == [f"{n:03}" for n in reversed(range(300)) if "5" in str(n)]


FILTERS: Mapping[str, dict[str, object]] = {
    "all": {},
    "not-ended": {"ends": frozenset({None})},
    "op": {"op": "x"},
    "key": {"key": "x"},
    "failed": {"ok": False},
    "ends": {"ends": frozenset({JobEnd.TIMED_OUT})},
    "interrupted": {"ends": frozenset({JobEnd.INTERRUPTED})},
    "real": {"kind": "real"},
    "kind": {"kind": "infra"},
    "cause": {"cause": "Expired"},
    "who": {"by": "ann"},
    "rebuild": {"rebuild": True},
    "since": {"since": START, "until": START},
    "prefix": {"prefix": "2026"},
    "path": {"path": "x"},
    "label": {"labels": (LabelFilter("repo", "web"),)},
}


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_an_index_finds_the_jobs_of_a_filter(
    db: Database, path: Path, filters: dict[str, object]
) -> None:
    """The cost of a page does not grow with the jobs that are left out: no statement reads all."""
    job = end(db, insert(db, "a"), 1)
    db.add_use(UseRecord(job, "x", labels_text({"repo": "web"}), START))
    db.commit()
    statements: list[str] = []
    with closing(sqlite3.connect(path)) as connection:
        connection.set_trace_callback(statements.append)
        query = HistoryQuery(connection, HistoryFilter(**filters))  # type: ignore[arg-type]
        query.page(limit=10, seconds=1)
        connection.set_trace_callback(None)
        for statement in statements:
            plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not any(step.startswith("SCAN job") and "INDEX" not in step for step in plan)
            assert plan[0].startswith(("SEARCH", "SCAN job USING"))
