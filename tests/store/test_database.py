"""Records of jobs: what is found again, in which order, and after a restart."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pycurrent.store import Database, DatabaseReader, JobEnd, RuleRecord
from pycurrent.store.records import time_text

from .conftest import SECOND, START, Builds, created, next_build


def digest(key: str) -> str:
    return f"digest of {key}"


def test_nothing_is_known_at_first(db: Database) -> None:
    """A new database has no results, no history and no operations."""
    assert db.lookup("frob", digest("a")) is None
    assert db.history() == []
    assert db.ops() == []


@pytest.mark.parametrize("ok", [True, False])
def test_a_result_is_found_before_and_after_it_is_written(
    db: Database, builds: Builds, path: Path, ok: bool
) -> None:
    """The same record, a failure's too, is found in memory, in the file, and after a restart."""
    job = builds.begin("a", value='"v"')
    db.start_job(job, started=START + SECOND, level="average")
    record = builds.finish(job, "it", ok=ok)
    assert (record.job_id, record.op, record.key) == (job, "frob", "a")
    assert (record.value, record.ok, record.outcome, record.build) == ('"v"', ok, "it", 0)
    assert (record.created, record.started, record.finished) == (
        START,
        START + SECOND,
        START + 2 * SECOND,
    )
    assert (record.level, record.rebuild) == ("average", False)
    assert db.lookup("frob", digest("a")) == record
    db.commit()
    assert db.lookup("frob", digest("a")) == record
    db.close()
    with Database.open(path) as again:
        assert again.lookup("frob", digest("a")) == record


@pytest.mark.parametrize("ok", [True, False])
def test_the_last_result_is_the_part_of_the_record_that_its_use_takes(
    db: Database, builds: Builds, ok: bool
) -> None:
    """Before and after the commit it agrees with the whole record, and with a rebuild."""
    record = builds.build(ok=ok)

    def check() -> None:
        found = db.last_result("frob", digest("a"))
        assert found is not None
        assert found._asdict() == {name: getattr(record, name) for name in found._fields}
        assert found.ok is ok

    check()
    db.commit()
    check()
    db.set_rebuild("frob", digest("a"))
    record.rebuild = True
    check()
    db.commit()
    check()
    assert db.last_result("frob", digest("b")) is None


def test_a_job_that_spans_commits(db: Database, builds: Builds) -> None:
    """What changes in a job after it was written is written, too."""
    job = builds.begin()
    db.commit()
    db.start_job(job, started=START, level="harmless")
    db.commit()
    found = db.job(job)
    assert found is not None
    assert (found.ended, found.level, found.started) == (None, "harmless", START)
    record = builds.finish(job)
    db.commit()
    assert db.lookup("frob", digest("a")) == record
    found = db.job(job)
    assert found is not None
    assert (found.ended, found.ok, found.outcome) == (JobEnd.OK, True, '"frobbed"')


def test_a_running_job_hides_no_result(db: Database, builds: Builds) -> None:
    """Until the next build has finished, the last result holds."""
    first = builds.build()
    second = builds.begin()
    assert db.lookup("frob", digest("a")) == first
    db.commit()
    assert db.lookup("frob", digest("a")) == first
    assert builds.finish(second) == db.lookup("frob", digest("a"))


def test_builds_of_a_key_are_counted(db: Database, builds: Builds) -> None:
    """Each key has builds 0, 1, 2 ..., whether they were written meanwhile or not."""
    numbers = []
    for _ in range(3):
        numbers.append(builds.build("a").build)
        db.commit()
    numbers.append(builds.build("a").build)
    assert numbers == [0, 1, 2, 3]
    assert builds.build("a", op="other").build == 0
    assert builds.build("b").build == 0


def test_a_superseded_job_leaves_no_result(db: Database, builds: Builds) -> None:
    """It is kept as such, is listed when asked for, and counts for nothing."""
    first = builds.build()
    job = builds.begin()
    db.finish_job(job, JobEnd.SUPERSEDED, finished=START + SECOND)
    db.commit()
    assert db.lookup("frob", digest("a")) == first
    assert next_build(db, "frob", digest("a")) == 1
    assert [record.job_id for record in db.history()] == [first.job_id]
    found = db.job(job)
    assert found is not None
    assert (found.ended, found.ok, found.finished) == (JobEnd.SUPERSEDED, None, START + SECOND)
    assert [r.job_id for r in db.history(ends={JobEnd.SUPERSEDED})] == [job]


def test_a_job_ends_once(db: Database, builds: Builds) -> None:
    """A second end, or a change of a job that is not there, is a bug that is told."""
    job = builds.begin()
    builds.finish(job)
    with pytest.raises(ValueError, match="is not running"):
        builds.finish(job)
    with pytest.raises(ValueError, match="is not running"):
        db.finish_job(job, JobEnd.SUPERSEDED, finished=START)
    with pytest.raises(ValueError, match="is not running"):
        db.start_job("2026-11-22/none", started=START, level="harmless")


def test_a_rebuild_is_asked_for(db: Database, builds: Builds, path: Path) -> None:
    """The last result says that it is to be rebuilt, also after a restart; the next is not."""
    assert db.set_rebuild("frob", digest("a")) is None
    first = builds.build()
    db.commit()
    marked = db.set_rebuild("frob", digest("a"))
    assert marked is not None
    assert (marked.job_id, marked.rebuild) == (first.job_id, True)
    assert db.lookup("frob", digest("a")) == marked
    db.commit()
    assert db.lookup("frob", digest("a")) == marked
    db.close()
    with Database.open(path) as again:
        assert again.lookup("frob", digest("a")) == marked
        assert not Builds(again, first=1).build().rebuild
        assert [r.rebuild for r in again.history(key="a")] == [False, True]


def test_a_rebuild_of_an_unsaved_result(db: Database, builds: Builds) -> None:
    """A result can be marked before it is written."""
    builds.build()
    marked = db.set_rebuild("frob", digest("a"))
    db.commit()
    assert marked is not None
    assert db.lookup("frob", digest("a")) == marked


def test_every_column_comes_back(db: Database) -> None:
    """As it was given, whether it was written at the job's creation or at its end."""
    given = created("j", op="o", key="k", build=7, value="1", value_digest="v", cause='{"c":"é"}')
    db.insert_job(given)
    db.start_job("j", started=START + SECOND, level="average")
    db.commit()
    end = JobEnd.TIMED_OUT
    db.finish_job("j", end, finished=START + 2 * SECOND, outcome="late", kind="timeout")
    db.set_rebuild("o", digest("k"))
    assert db.job("j") == replace(
        created("j", op="o", key="k", build=7, value="1", value_digest="v", cause='{"c":"é"}'),
        level="average",
        started=START + SECOND,
        finished=START + 2 * SECOND,
        ended=end,
        outcome="late",
        kind="timeout",
        rebuild=True,
    )


def test_a_record_that_was_read_is_the_readers_own(db: Database, builds: Builds) -> None:
    """Whatever they do with it, the database's own stays as it is."""
    builds.build()
    for _ in range(2):
        found = db.lookup("frob", digest("a"))
        assert found is not None
        found.outcome = "mine"
        again = db.lookup("frob", digest("a"))
        assert again is not None
        assert again.outcome == '"frobbed"'
        db.commit()


@pytest.mark.parametrize("end", JobEnd)
def test_each_end_is_kept(db: Database, builds: Builds, end: JobEnd) -> None:
    """With a result or without one, as the end says; and the history tells them apart."""
    job = builds.begin()
    outcome = "it" if end.has_result else None
    db.finish_job(job, end, finished=START, outcome=outcome)
    (found,) = db.history(ends={end})
    assert (found.job_id, found.ended, found.outcome) == (job, end, outcome)
    assert found.ok is (end is JobEnd.OK if end.has_result else None)
    assert (db.lookup("frob", digest("a")) is not None) is end.has_result
    assert db.history(ends={None, *JobEnd} - {end}) == []
    assert len(db.history(ok=False)) == (end.has_result and end is not JobEnd.OK)


def test_ops_are_those_with_results(db: Database, builds: Builds) -> None:
    """Sorted, each once, without those that have only begun."""
    for op in ("b", "a", "b", "c"):
        builds.build(op=op)
    builds.begin(op="d")
    assert db.ops() == ["a", "b", "c"]


def test_rules_are_ordered_by_score(db: Database, path: Path) -> None:
    """The best score comes first; a rule with the same pattern is replaced; all are kept."""
    low, high = RuleRecord("a+", "a", 1), RuleRecord("b", r"\1", 5)
    db.add_rule(RuleRecord("a+", "old", 9))
    db.add_rule(low)
    db.add_rule(high)
    db.add_rule(RuleRecord("c", "c", 2))
    assert db.remove_rule("c")
    assert not db.remove_rule("c")
    assert db.rules() == [high, low]
    with DatabaseReader.open(path) as reader:
        assert reader.rules() == [high, low]


def test_rules_are_written_beside_unsaved_jobs(db: Database, builds: Builds) -> None:
    """A rule that is added in the middle of a step neither writes nor loses its jobs."""
    record = builds.build()
    db.lookup("frob", "none")
    db.add_rule(RuleRecord("a", "a", 1))
    assert db.lookup("frob", digest("a")) == record


def test_settings(db: Database) -> None:
    """The last value of a name is remembered, from the next commit on."""
    assert db.setting("confirm") is None
    db.remember("confirm", "average")
    db.remember("confirm", "harmless")
    db.commit()
    assert db.setting("confirm") == "harmless"


def test_a_killed_engine_s_jobs_are_interrupted(path: Path) -> None:
    """Jobs without an end are marked by the next engine: no result, but in the history."""
    first = Database.open(path)
    finished, left = (builds := Builds(first)).build("a"), builds.begin("b")
    first.commit()
    with Database.open(path) as second:
        assert second.lookup("frob", digest("b")) is None
        assert second.lookup("frob", digest("a")) == finished
        (record,) = second.history(ends={JobEnd.INTERRUPTED})
        assert (record.job_id, record.ended) == (left, JobEnd.INTERRUPTED)
        assert (record.finished, record.ok) == (None, None)
    with Database.open(path) as third:
        assert third.history(ends={JobEnd.INTERRUPTED}) == [record]
        assert third.lookup("frob", digest("a")) == finished
    first.close()


def test_text_that_is_not_unicode_is_stored(db: Database, builds: Builds) -> None:
    """Lone surrogates, from file names or output, are written as escapes and block nothing."""
    db.insert_job(created("j", key="k\udcff", key_digest="d"))
    db.finish_job("j", JobEnd.OK, finished=START, outcome="out\udcfe é\0")
    db.commit()
    (record,) = db.history(key="k\udcff", text="out\udcfe")
    assert (record.key, record.outcome) == ("k\\udcff", "out\\udcfe é\0")


def test_a_record_that_has_ended_is_not_written_over(db: Database, builds: Builds) -> None:
    """Should an id be used twice, the first job's result stays."""
    first = builds.build("a", "first")
    db.commit()
    Builds(db).build("a", "second")
    db.commit()
    assert db.lookup("frob", digest("a")) == first


@given(first=st.datetimes(timezones=st.just(UTC)), second=st.datetimes(timezones=st.just(UTC)))
def test_times_sort_as_text(first: datetime, second: datetime) -> None:
    """Times compare as their texts do, and come back as they were."""
    assert (first < second) == (time_text(first) < time_text(second))
    assert datetime.fromisoformat(time_text(first)) == first


def test_times_are_in_utc() -> None:
    """A time of another zone is converted; one without a zone is refused."""
    zone = timezone(timedelta(hours=2))
    assert time_text(datetime(2026, 1, 1, 1, tzinfo=zone)) == "2025-12-31T23:00:00.000000Z"
    with pytest.raises(ValueError, match="has no time zone"):
        time_text(datetime(2026, 1, 1))


def test_closing_twice(path: Path) -> None:
    """Close commits; the second does nothing."""
    database = Database.open(path)
    record = Builds(database).build()
    database.close()
    database.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with DatabaseReader.open(path) as reader:
        assert reader.lookup("frob", digest("a")) == record
