"""Records of jobs: what is found again, in which order, and after a restart."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.store import Database, DatabaseReader, JobState, RuleRecord
from pycurrent.store.rows import time_text

from .conftest import SECOND, START, Builds


def digest(key: str) -> str:
    return f"digest of {key}"


def test_nothing_is_known_at_first(db: Database) -> None:
    """A new database has no results, and the first build of a key is number 0."""
    assert db.lookup("frob", digest("a")) is None
    assert db.next_build_number("frob", digest("a")) == 0
    assert db.history() == []
    assert db.ops() == []
    assert not db.dirty


@pytest.mark.parametrize("ok", [True, False])
def test_a_result_is_found_before_and_after_it_is_written(
    db: Database, builds: Builds, path: Path, ok: bool
) -> None:
    """The same record, a failure's too, is found in memory, in the file, and after a restart."""
    job = builds.begin("a", value='"v"')
    db.start_job(job, running=START + SECOND, level="average")
    record = builds.finish(job, "it", ok=ok)
    assert (record.job_id, record.op, record.key) == (job, "frob", "a")
    assert (record.value, record.ok, record.outcome, record.build) == ('"v"', ok, "it", 0)
    assert (record.ready, record.running, record.finished) == (
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


def test_a_job_that_spans_commits(db: Database, builds: Builds) -> None:
    """What changes in a job after it was written is written, too."""
    job = builds.begin()
    db.commit()
    db.start_job(job, running=START, level="harmless")
    db.commit()
    found = db.job(job)
    assert found is not None
    assert (found.state, found.level, found.running) == (JobState.RUNNING, "harmless", START)
    record = builds.finish(job)
    db.commit()
    assert db.lookup("frob", digest("a")) == record
    found = db.job(job)
    assert found is not None
    assert (found.state, found.ok, found.outcome) == (JobState.FINISHED, True, '"frobbed"')


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


def test_a_discarded_job_leaves_no_result(db: Database, builds: Builds) -> None:
    """A discarded run is kept as such, and counts for nothing."""
    first = builds.build()
    job = builds.begin()
    db.discard_job(job, finished=START + SECOND)
    db.commit()
    assert db.lookup("frob", digest("a")) == first
    assert db.next_build_number("frob", digest("a")) == 1
    assert [record.job_id for record in db.history()] == [first.job_id]
    found = db.job(job)
    assert found is not None
    assert (found.state, found.ok, found.finished) == (JobState.DISCARDED, None, START + SECOND)
    assert [r.job_id for r in db.history(states={JobState.DISCARDED})] == [job]


def test_a_job_ends_once(db: Database, builds: Builds) -> None:
    """A second end, or a change of a job that is not there, is a bug that is told."""
    job = builds.begin()
    builds.finish(job)
    with pytest.raises(ValueError, match="is not running"):
        builds.finish(job)
    with pytest.raises(ValueError, match="is not running"):
        db.discard_job(job, finished=START)
    with pytest.raises(ValueError, match="is not running"):
        db.start_job("2026-11-22/none", running=START, level="harmless")


def test_a_rebuild_is_asked_for(db: Database, builds: Builds, path: Path) -> None:
    """The last result says that it is to be rebuilt, also after a restart; the next is not."""
    assert db.set_rebuild("frob", digest("a")) is None
    first = builds.build()
    db.commit()
    marked = db.set_rebuild("frob", digest("a"))
    assert marked is not None
    assert (marked.job_id, marked.rebuild) == (first.job_id, True)
    assert db.lookup("frob", digest("a")) == marked
    assert db.dirty
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


def test_labels_and_reasons_are_kept(db: Database) -> None:
    """What belongs to a job besides comes back as it was given."""
    db.insert_job(
        job_id="j", op="o", key="k", key_digest="d", build=0, ready=START,
        value_digest="v", labels='{"repo":"a"}', reason='{"key":"b"}',
    )  # fmt: skip
    job = db.job("j")
    assert job is not None
    assert (job.labels, job.reason, job.value_digest) == ('{"repo":"a"}', '{"key":"b"}', "v")


def test_history_lists_the_newest_first(db: Database, builds: Builds) -> None:
    """In order of creation, whatever the ids are; what is unsaved is listed, too."""
    a, b, c = (builds.build(key).job_id for key in "abc")
    assert [record.job_id for record in db.history()] == [c, b, a]


def test_history_in_pages(db: Database, builds: Builds) -> None:
    """`before` goes on where the last page ended."""
    ids = [builds.build(str(n)).job_id for n in range(5)]
    first = db.history(limit=2)
    second = db.history(limit=2, before=first[-1].job_id)
    third = db.history(limit=2, before=second[-1].job_id)
    assert [r.job_id for r in first + second + third] == ids[::-1]


def test_history_filters(db: Database, builds: Builds) -> None:
    """Each filter leaves out what does not fit; together they all hold."""
    good = builds.build("50%", op="frob").job_id
    bad = builds.build("50 a", "Exit status 1", op="frob", ok=False).job_id
    other = builds.build("x_y", '"made"', op="grob", value='"set"').job_id
    again = builds.build("x-y", op="grob").job_id
    db.set_rebuild("grob", digest("x-y"))

    def ids(**filters: object) -> list[str]:
        return [record.job_id for record in db.history(**filters)]  # type: ignore[arg-type]

    assert ids(op="frob") == [bad, good]
    assert ids(ok=False) == [bad]
    assert ids(ok=True) == [again, other, good]
    assert ids(rebuild=True) == [again]
    assert ids(prefix="2026-11-22/084703-g") == [again, other]
    assert ids(prefix="2026-11-2_") == []
    assert ids(key="x_y") == [other]
    assert ids(text="exit STATUS") == [bad]
    assert ids(text="0%") == [good]
    assert ids(text="x_y") == [other]
    assert ids(text='"set"') == [other]
    assert ids(text="\\") == []
    assert ids(op="frob", ok=True, text="50") == [good]
    assert ids(states=()) == []


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
    assert db.dirty
    assert db.lookup("frob", digest("a")) == record


def test_settings(db: Database) -> None:
    """The last value of a name is remembered."""
    assert db.setting("confirm") is None
    db.set_setting("confirm", "average")
    db.set_setting("confirm", "harmless")
    assert db.setting("confirm") == "harmless"


def test_a_killed_engine_s_jobs_are_interrupted(path: Path) -> None:
    """Jobs without an end are marked by the next engine: no result, but in the history."""
    first = Database.open(path)
    finished, left = (builds := Builds(first)).build("a"), builds.begin("b")
    first.commit()
    with Database.open(path) as second:
        assert second.interrupted == (left,)
        assert second.lookup("frob", digest("b")) is None
        assert second.lookup("frob", digest("a")) == finished
        record, _ = second.history()
        assert (record.job_id, record.state) == (left, JobState.INTERRUPTED)
        assert (record.finished, record.ok) == (None, None)
    with Database.open(path) as third:
        assert third.interrupted == ()
    first.close()


def test_text_that_is_not_unicode_is_stored(db: Database, builds: Builds) -> None:
    """Lone surrogates, from file names or output, are written as escapes and block nothing."""
    db.insert_job(job_id="j", op="frob", key="k\udcff", key_digest="d", build=0, ready=START)
    builds.finish("j", "out\udcfe é\0")
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
