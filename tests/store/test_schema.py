"""Database files: migrations, versions, and damage."""

import logging
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tools.newest_schema import migrated, newest

from pycurrent.store import (
    Database,
    DatabaseReader,
    JobEnd,
    NewerVersion,
    StateDirError,
    StoreDamaged,
    UseRecord,
    labels_text,
)
from pycurrent.store.queries import load_queries
from pycurrent.store.schema import NEWEST, check_known, migrations, open_for_writing

from .conftest import START, Builds, RunChild


def filled(path: Path, builds: int = 200) -> None:
    """Makes a database of some pages."""
    with Database.open(path) as database:
        records = Builds(database)
        for n in range(builds):
            records.build(f"key {n}", "x" * 500)


def files(path: Path) -> dict[str, bytes]:
    """What is in the files of a database. The index of its log is left out: it is a cache."""
    contents = {p.name: p.read_bytes() for p in path.parent.glob(f"{path.name}*")}
    return {name: data for name, data in contents.items() if data and not name.endswith("-shm")}


def test_each_migration_is_a_step_of_its_own(path: Path) -> None:
    """A database made by the first migrations alone is brought to this version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{migrations()[0].read_text()}; PRAGMA user_version = 1;")
    with Database.open(path) as database:
        Builds(database).build()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)


def test_a_new_database_has_the_schema_that_the_migrations_make(path: Path) -> None:
    """It is made from one script, which is quicker; nothing differs, comments included."""
    open_for_writing(path, busy_seconds=1).close()
    with closing(sqlite3.connect(path)) as made, closing(migrated(":memory:")) as by_steps:
        assert [*made.iterdump()] == [*by_steps.iterdump()]
        assert made.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    assert NEWEST.read_text() == newest(), "run python -m tools.newest_schema"


OLD_JOBS = {
    # By id: state, running, finished, ok, outcome, kind, rebuild.
    "ok": ("finished", 1, 1, 1, '"made"', None, 1),
    "failed": ("finished", 1, 1, 0, "why", None, 0),
    "failed by the machine": ("finished", 1, 1, 0, "no network", "infra", 0),
    "cancelled": ("finished", 0, 1, 0, "Cancelled: by ann", "cancelled", 0),
    "timed out": ("finished", 1, 1, 0, "Timed out after 5 s", "timeout", 0),
    "superseded": ("discarded", 1, 1, None, None, None, 0),
    "interrupted": ("interrupted", 1, 0, None, None, None, 0),
    "killed": ("running", 0, 0, None, None, None, 0),
}


def old_database(path: Path, *, copies: int = 1) -> None:
    """A database as the third migration left it, with jobs that ended in each way."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            f"{''.join(file.read_text() for file in migrations()[:3])}; PRAGMA user_version = 3;"
        )
        for n in range(copies):
            for job, (state, running, finished, ok, outcome, kind, rebuild) in OLD_JOBS.items():
                instants = (f"2026-11-22T08:47:0{k}.123456Z" for k in (3, 4, 5))
                ready, began, ended = instants
                connection.execute(
                    "INSERT INTO job (job_id, op, key, key_digest, build, level, state, ready,"
                    " running, finished, ok, outcome, kind, rebuild)"
                    " VALUES (?, 'frob', ?, ?, 0, 'average', ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        f"{job}/{n}" if n else job, job, f"digest of {job}/{n}", state, ready,
                        began if running else None, ended if finished else None, ok, outcome, kind,
                        rebuild,
                    ),
                )  # fmt: skip


def test_old_jobs_keep_what_is_known_of_them(path: Path) -> None:
    """Each end of the old schema becomes one of the new, with its times, result and order."""
    old_database(path)
    with Database.open(path) as database:
        jobs = {job.job_id: job for job in database.history(ends={None, *JobEnd})}
    with closing(sqlite3.connect(path)) as connection:
        in_order = connection.execute("SELECT job_id FROM job ORDER BY seq")
        assert [job_id for (job_id,) in in_order] == [*OLD_JOBS]
    assert {name: job.ended for name, job in jobs.items()} == {
        "ok": JobEnd.OK,
        "failed": JobEnd.FAILED,
        "failed by the machine": JobEnd.FAILED,
        "cancelled": JobEnd.CANCELLED,
        "timed out": JobEnd.TIMED_OUT,
        "superseded": JobEnd.SUPERSEDED,
        "interrupted": JobEnd.INTERRUPTED,
        "killed": JobEnd.INTERRUPTED,
    }
    for name, (_, running, finished, _, outcome, kind, rebuild) in OLD_JOBS.items():
        job = jobs[name]
        assert (job.created, job.level, job.cause, job.build) == (START, "average", None, 0)
        assert (job.started is not None, job.finished is not None) == (running, finished)
        assert (job.outcome, job.kind, job.rebuild) == (outcome, kind, rebuild)


MIGRATE = """
import sys
from pathlib import Path
from pycurrent.store import Database
print("begins", flush=True)
Database.open(Path(sys.argv[1])).close()
print("done", flush=True)
"""


@pytest.mark.parametrize("milliseconds", [0, 20, 60, 150, 400])
def test_a_migration_that_is_killed_begins_anew(
    path: Path, run_child: RunChild, milliseconds: int
) -> None:
    """Whenever that is, the database has one of the schemas on the way, and all its jobs."""
    old_database(path, copies=5000)
    child = run_child(MIGRATE, path)
    assert child.stdout is not None
    assert child.stdout.readline() == "begins\n"
    with suppress(subprocess.TimeoutExpired):
        child.wait(milliseconds / 1000)
    child.kill()
    child.wait()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] in range(
            3, len(migrations()) + 1
        )
        assert connection.execute("SELECT count(*) FROM job").fetchone() == (8 * 5000,)
    with Database.open(path) as database:
        assert len(database.history(ends={*JobEnd}, limit=10**6)) == 8 * 5000
        assert len(database.history(ok=True, limit=10**6)) == 5000


def test_a_migration_that_takes_long_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever waits for the start is told why, and when it is over; a quick one says nothing."""
    old_database(path, copies=1000)
    path.with_name("copy.db").write_bytes(path.read_bytes())
    with caplog.at_level(logging.WARNING):
        open_for_writing(path, busy_seconds=1, quiet_seconds=3600).close()
        assert caplog.messages == []
        open_for_writing(path.with_name("copy.db"), busy_seconds=1, quiet_seconds=0).close()
    begun, done = caplog.messages
    assert begun.startswith(f"the database {path.with_name('copy.db')} (")
    assert "is being brought to the schema of this version" in begun
    assert re.fullmatch(r"the database is up to date after \d+ s", done)


def test_what_explains_a_job_goes_with_it(db: Database, builds: Builds, path: Path) -> None:
    """Whoever removes the job: its uses by stages."""
    gone, kept = builds.build("a"), builds.build("b")
    for job in (gone, kept):
        for stage in ("web/build", "web/test"):
            db.add_use(UseRecord(job.job_id, stage, labels_text({"repo": "web"}), job.created))
    db.commit()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM job WHERE job_id = ?", (gone.job_id,))
        assert connection.execute("SELECT count(*) FROM job_use").fetchone() == (2,)
    assert db.uses_of_job(gone.job_id) == []
    assert {use.stage for use in db.uses_of_job(kept.job_id)} == {"web/build", "web/test"}


def test_a_reader_does_not_migrate(path: Path) -> None:
    """A database of an older version is not changed by somebody who only looks."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE old (x)")
    before = files(path)
    with pytest.raises(StateDirError, match="is from an older version"):
        DatabaseReader.open(path)
    check_known(path)  # It can be migrated.
    assert files(path) == before


def test_an_empty_file_is_a_database_to_be_made(path: Path) -> None:
    """A process that was killed early leaves an empty file."""
    path.touch()
    with Database.open(path) as database:
        Builds(database).build()


def test_a_newer_version_is_left_alone(path: Path) -> None:
    """A database of a newer version is refused, and not changed."""
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = files(path)
    for attempt in (Database.open, DatabaseReader.open, check_known):
        with pytest.raises(NewerVersion, match=r"from a newer version .*99.* update pycurrent"):
            attempt(path)
    assert files(path) == before


@pytest.mark.parametrize("kind", ["garbage", "header", "page", "truncated"])
def test_a_damaged_database_is_left_alone(path: Path, kind: str) -> None:
    """Damage is named with its file and the way out; nothing is changed or removed."""
    filled(path)
    content = bytearray(path.read_bytes())
    match kind:
        case "garbage":
            content = bytearray(b"This is not a database. " * 1000)
        case "header":
            content[:16] = b"SQLite format 9\0"
        case "page":
            content[4096 * 5 : 4096 * 9] = b"\xa5" * 4096 * 4
        case "truncated":
            del content[4096 * 4 + 100 :]
    path.write_bytes(content)
    before = files(path)
    for attempt in (Database.open, DatabaseReader.open):
        with pytest.raises(StoreDamaged) as caught:
            attempt(path)
        message = str(caught.value)
        assert message.startswith(f"the database {path} is damaged (")
        assert f"move the folder {path.parent} away" in message
        assert "\n" not in message
    assert files(path) == before


def test_a_damaged_database_s_log_is_left_alone(path: Path, tmp_path: Path) -> None:
    """What a killed engine left in the log is not moved into a file that is damaged."""
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    filled(path)
    with Database.open(path) as database:
        Builds(database, first=1000).build()
        database.commit()
        for name, content in files(path).items():
            (copy.parent / name).write_bytes(content)
    copy.write_bytes(b"This is not a database. " * 1000)
    before = files(copy)
    assert len(before) == 2
    with pytest.raises(StoreDamaged):
        Database.open(copy)
    assert files(copy) == before


def test_damage_that_is_met_later(path: Path) -> None:
    """In a large file damage is found when it is read: the same error, and no crash."""
    filled(path, 4000)
    size = path.stat().st_size
    assert size > 1 << 20
    with path.open("r+b") as file:
        # The first pages hold the schema, which is read at once.
        file.seek(4096 * 86)
        file.write(b"\xa5" * (size - 4096 * 90))
    with DatabaseReader.open(path) as reader, pytest.raises(StoreDamaged, match="is damaged"):
        reader.history(text="nothing")
    with pytest.raises(StoreDamaged, match="is damaged"):
        look_up_all(path)


def look_up_all(path: Path) -> None:
    with Database.open(path) as database:
        for n in range(4000):
            database.lookup("frob", f"digest of key {n}")


def test_a_folder_in_place_of_the_database(path: Path) -> None:
    """A folder is named, not taken for an empty database."""
    path.mkdir()
    for attempt in (Database.open, DatabaseReader.open):
        with pytest.raises(StateDirError, match=f"the database {path} is not a file"):
            attempt(path)


def test_every_query_is_named_described_and_valid(db: Database, path: Path) -> None:
    """Each statement has a name of its own and a comment, and fits the schema."""
    text = Path(__file__).parents[2].joinpath("src/pycurrent/store/queries.sql").read_text()
    names = [line for line in text.splitlines() if line.startswith("-- name:")]
    queries = load_queries()
    assert len(names) == len(queries)
    for _, _, body in (part.partition("\n") for part in text.split("-- name:")[1:]):
        assert body.startswith("-- ")
    with closing(sqlite3.connect(path)) as connection:
        tables = {query for query in queries.values() if query.startswith("CREATE TEMP TABLE")}
        for table in tables:
            connection.execute(table)
        for query in set(queries.values()) - tables:
            by_name = dict.fromkeys(re.findall(r":(\w+)", query))
            whole = query.replace("{conditions}", "true").replace("{newness}", "coverage.job")
            connection.execute(f"EXPLAIN {whole}", by_name or (None,) * query.count("?"))


def test_the_schema_refuses_half_a_result(db: Database, path: Path) -> None:
    """A finished job has a result, and no other has: the schema itself says so."""
    job = Builds(db).begin()
    db.commit()
    with closing(sqlite3.connect(path)) as connection:
        for change in ("ended = 'ok'", "ended = 'lost'", "outcome = 'x'", "kind = 'mine'"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(f"UPDATE job SET {change} WHERE job_id = ?", (job,))
            connection.rollback()


MALFORMED = {
    "text that is not UTF-8": "outcome = CAST(x'22ff22' AS TEXT)",
    "a date": "created = 'yesterday'",
    "a number for a date": "created = 5",
    "text for a date": "finished = 'now'",
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_record_is_damage(path: Path, change: str) -> None:
    """However it is read, with the way out; and the database says so from then on."""
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        (job_id, digest) = connection.execute("SELECT job_id, key_digest FROM job").fetchone()
        connection.execute(f"UPDATE job SET {change}")
    with DatabaseReader.open(path) as reader:
        reads: list[Callable[[], object]] = [
            lambda: reader.lookup("frob", digest),
            lambda: reader.job(job_id),
            reader.history,
        ]
        for read in reads:
            with pytest.raises(StoreDamaged, match="restore it from a backup"):
                read()
    database = Database.open(path)
    with pytest.raises(StoreDamaged):
        database.lookup("frob", digest)
    with pytest.raises(StoreDamaged):
        database.commit()
    with pytest.raises(StoreDamaged):
        database.close()


@pytest.mark.parametrize("change", [c for c in MALFORMED.values() if "created" not in c])
def test_a_malformed_last_result_is_damage(path: Path, change: str) -> None:
    """The short cut of the cache meets it, too, where it reads the column."""
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        (digest,) = connection.execute("SELECT key_digest FROM job").fetchone()
        connection.execute(f"UPDATE job SET {change}")
    database = Database.open(path)
    with pytest.raises(StoreDamaged, match="restore it from a backup"):
        database.last_result("frob", digest)
    with pytest.raises(StoreDamaged):
        database.commit()
    with pytest.raises(StoreDamaged):
        database.close()


def test_a_large_database_can_be_looked_through(path: Path) -> None:
    """Beside those who use it; what is whole has nothing to tell."""
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE other (text)")
        connection.executemany("INSERT INTO other VALUES (?)", [("x" * 1000,)] * 4000)
    with Database.open(path) as database:
        assert database.is_large
        assert database.look_through() is None
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    with Database.open(path) as database:
        assert isinstance(database.look_through(), StoreDamaged)


def test_no_parameter_is_named_by_a_number() -> None:
    """Python warns of that from 3.12 on, and refuses it from 3.14 on."""
    assert [name for name, query in load_queries().items() if re.search(r"\?[0-9]", query)] == []
