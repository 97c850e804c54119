"""Logs that are in the rows of their jobs."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from pycurrent.store import (
    Database,
    DatabaseReader,
    JobEnd,
    JobRecord,
    StateDir,
)
from pycurrent.store.gc import collect_garbage

from .conftest import SECOND, START, created

JOB = "2026-11-22/084703-frob-1a2b3c"


class Log:
    """A log as an engine holds it, until it has a file."""

    def __init__(self, text: bytes | None) -> None:
        self.text = text

    def held(self) -> bytes | None:
        return self.text

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        raise AssertionError("the store only reads")


def begun(db: Database, log: Log, job_id: str = JOB) -> JobRecord:
    record = created(job_id)
    record.log = log
    db.insert_job(record)
    return record


def in_row(path: Path) -> bytes | None:
    with DatabaseReader.open(path) as reader:
        return reader.log(JOB)


def test_a_row_has_the_log_as_it_was_when_it_was_written(db: Database, path: Path) -> None:
    """Each commit that writes the row takes the log along; this process sees it as it is now."""
    log = Log(b"new\n")
    begun(db, log)
    db.commit()
    assert in_row(path) == b"new\n"
    log.text = b"new\nwaits\n"
    assert db.held_log(JOB).held() == b"new\nwaits\n"
    db.commit()
    assert in_row(path) == b"new\n", "nothing else was to be written"
    db.start_job(JOB, started=START, level="average")
    db.commit()
    assert in_row(path) == b"new\nwaits\n"
    log.text = b"new\nwaits\n\xff ended\n"
    db.finish_job(JOB, JobEnd.OK, finished=START + SECOND, outcome="1")
    assert db.held_log(JOB).held() == log.text
    db.commit()
    assert in_row(path) == db.held_log(JOB).held() == log.text


def test_a_log_that_has_become_a_file_is_in_no_row(db: Database, path: Path) -> None:
    """Nor is that of a job that does not exist."""
    log = Log(b"new\n")
    begun(db, log)
    db.commit()
    log.text = None
    db.finish_job(JOB, JobEnd.OK, finished=START, outcome="1")
    db.commit()
    assert in_row(path) is None
    assert db.held_log(JOB).held() is None
    assert db.held_log("2026-11-22/084703-frob-000000").held() is None


def test_a_job_whose_engine_was_killed_keeps_the_lines_of_its_row(path: Path) -> None:
    """They are all that is known of it."""
    with Database.open(path) as db:
        begun(db, Log(b"new\n"))
        db.commit()
    with Database.open(path) as db:
        (job,) = db.history(ends={JobEnd.INTERRUPTED})
        assert (job.job_id, job.log) == (JOB, None)
        assert db.held_log(JOB).held() == b"new\n"
    assert db.held_log(JOB).held() == b"new\n", "also once it is closed"


def test_ids_of_earlier_engines_are_known(path: Path) -> None:
    """Those that sort behind all of them are new without a look, others after one."""
    with Database.open(path) as db:
        assert db.is_new(JOB)
        begun(db, Log(b""))
    with Database.open(path) as db:
        assert not db.is_new(JOB)
        assert db.is_new(JOB.replace("1a2b3c", "1a2b3d"))
        assert db.is_new(JOB.replace("1a2b3c", "1a2b3b"))


def test_jobs_are_found_by_how_their_ids_begin_or_end(db: Database) -> None:
    """As they are written: no letter has a meaning of its own, and the case counts."""
    begun(db, Log(b""))
    other = JOB.replace("1a2b3c", "00%_3c")
    begun(db, Log(b""), other)
    assert db.ids("2026-11-22/08") == [other, JOB]
    assert db.ids("3c") == [other, JOB]
    assert db.ids("%_3c") == [other]
    assert db.ids("3C") == db.ids("frob") == []


@pytest.mark.parametrize("end", [JobEnd.SUPERSEDED, JobEnd.INTERRUPTED])
def test_an_end_without_a_result_is_written_with_the_last_of_the_log(
    tmp_path: Path, end: JobEnd
) -> None:
    """It is seen before it is written, and nothing else of the row changes."""
    log = Log(b"new\n")
    with StateDir.open(tmp_path) as state, Database.open(state.database) as db:
        begun(db, log)
        db.start_job(JOB, started=None, level="harmless")
        db.commit()
        before = db.job(JOB)
        assert before is not None
        log.text = b"new\nfailed\n"
        db.finish_job(JOB, end, finished=START)
        after = replace(before, ended=end, finished=START)
        assert db.job(JOB) == after
        assert db.held_log(JOB).held() == log.text
        db.commit()
        assert db.job(JOB) == after
        assert db.held_log(JOB).held() == log.text


def test_the_size_of_garbage_counts_logs_in_rows(tmp_path: Path) -> None:
    """They go with their rows, and are no files."""
    with StateDir.open(tmp_path) as state, Database.open(state.database) as db:
        begun(db, Log(b"12345"))
        db.finish_job(JOB, JobEnd.SUPERSEDED, finished=START)
        db.commit()
        year = timedelta(days=365)
        report = collect_garbage(state, older_than=year, now=START + 2 * year)
        assert (report.jobs, report.logs, report.log_bytes) == (1, 0, 5)
        assert db.log(JOB) is None
