"""Where jobs have run, and what they have used."""

from pathlib import Path

from pycurrent.store import Database, DatabaseReader, HistoryFilter, RanRecord

from .conftest import Builds

AT_ONE = ("hosts", "build1 (ssh)", 1.25, 64 << 20)


def ran(db: DatabaseReader, **wanted: str) -> list[str]:
    """The keys of the jobs that a history shows."""
    return [record.key for record in db.history_page(HistoryFilter(**wanted)).records]  # type: ignore[arg-type]


def built(db: Database, key: str, *where: object) -> str:
    """The id of a job that has ended, and has run there."""
    builds = Builds(db, first=ord(key))
    job_id = builds.begin(key)
    builds.finish(job_id)
    db.add_ran(RanRecord(job_id, *where))  # type: ignore[arg-type]
    return job_id


def test_it_is_recorded_with_the_job(db: Database, path: Path) -> None:
    """Each part that is not known is None; a job that has not run anything has no record."""
    at_one = built(db, "a", *AT_ONE)
    here = built(db, "b", None, None, 0.5, 1024)
    builds = Builds(db)
    nowhere = builds.begin("c")
    builds.finish(nowhere)
    db.commit()
    with DatabaseReader.open(path) as reader:
        assert reader.ran(at_one) == RanRecord(at_one, *AT_ONE)
        assert reader.ran(here) == RanRecord(here, None, None, 0.5, 1024)
        assert reader.ran(nowhere) is None


def test_what_is_known_last_counts(db: Database) -> None:
    """A commit that is done again, as it was not seen to succeed, changes nothing."""
    job_id = built(db, "a", *AT_ONE)
    db.commit()
    db.add_ran(RanRecord(job_id, None, "build2 (ssh)", 2.0, 5))
    db.commit()
    assert db.ran(job_id) == RanRecord(job_id, None, "build2 (ssh)", 2.0, 5)


def test_the_history_has_the_jobs_of_a_place_and_of_a_pool(db: Database) -> None:
    """A place by its whole text, or by its name; one whose name begins so is another one."""
    built(db, "a", *AT_ONE)
    built(db, "b", "hosts", "build10 (ssh)", None, None)
    built(db, "c", "here", None, 0.1, 5)
    db.commit()
    assert ran(db, place="build1") == ran(db, place="build1 (ssh)") == ["a"]
    assert ran(db, place="build10") == ["b"]
    assert ran(db, place="build") == []
    assert ran(db, pool="hosts") == ["b", "a"]
    assert ran(db, pool="here") == ["c"]
    assert ran(db, pool="hosts", place="build1") == ["a"]


def test_it_goes_with_the_job(db: Database, path: Path) -> None:
    """Another job may have its row's number then."""
    job_id = built(db, "a", *AT_ONE)
    db.commit()
    db._connection.execute("DELETE FROM job WHERE job_id = ?", (job_id,))
    assert db._connection.execute("SELECT count(*) FROM ran").fetchone() == (0,)
