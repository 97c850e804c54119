"""Garbage collection: what is removed, what never is, and that it disturbs no engine."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pycurrent.errors import UsageError
from pycurrent.store import (
    Database,
    JobEnd,
    OverrideKind,
    OverrideRecord,
    StateDir,
    StateDirError,
    StoreBusy,
    StoreError,
    UseRecord,
)
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.store.space import give_back

from .conftest import START, MountTmpfs, RunChild, RunUnprivileged, created, next_build

DAY = timedelta(days=1)
NOW = START + 200 * DAY
OLD = START
YOUNG = NOW - 10 * DAY


class Collected:
    """What one run has removed, or would."""

    def __init__(self, found: list[str | Path], report: GcReport) -> None:
        paths = [thing for thing in found if isinstance(thing, Path)]
        self.jobs = [thing for thing in found if isinstance(thing, str)]
        self.logs = [path for path in paths if path.suffix == ".log"]
        self.folders = [path for path in paths if path.suffix != ".log"]
        self.report = report
        self.log_bytes = report.log_bytes
        self.failures = report.failures
        counted = (report.jobs, report.logs, report.folders)
        assert counted == (len(self.jobs), len(self.logs), len(self.folders))


class Site:
    """A state directory with an engine at work."""

    def __init__(self, state: StateDir, database: Database) -> None:
        self.state = state
        self.database = database

    def log(self, job_id: str, when: datetime, size: int = 10) -> Path:
        log = self.state.job_path(job_id)
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(b"x" * size)
        os.utime(log, (when.timestamp(), when.timestamp()))
        return log

    def commit(self) -> None:
        """Commits as an engine does: it tries again if another program is in the way."""
        for _ in range(1000):
            try:
                self.database.commit()
                return
            except StoreBusy:
                time.sleep(0.01)
        raise AssertionError("the lock was never let go")

    def begin(self, key: str, when: datetime) -> str:
        job_id = self.state.new_job_id("frob", when)
        build = next_build(self.database, "frob", key)
        self.database.insert_job(created(job_id, key=key, key_digest=key, build=build, when=when))
        # A log this old without a row may be removed at any moment.
        self.commit()
        self.log(job_id, when)
        return job_id

    def build(self, key: str, when: datetime) -> str:
        job_id = self.begin(key, when)
        self.database.finish_job(job_id, JobEnd.OK, finished=when, outcome="1")
        return job_id

    def collect(self, mode: GcMode = GcMode.DELETE, *, now: datetime = NOW) -> Collected:
        self.database.commit()
        found: list[str | Path] = []
        report = collect_garbage(
            self.state, older_than=90 * DAY, now=now, mode=mode, found=found.append
        )
        return Collected(found, report)

    def jobs(self) -> set[str]:
        return {job.job_id for job in self.database.history(ends={None, *JobEnd}, limit=10_000)}

    def logs(self) -> set[str]:
        found = self.state.jobs.glob("*/*.log")
        return {str(log.relative_to(self.state.jobs).with_suffix("")) for log in found}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with StateDir.open(tmp_path) as state, Database.open(state.database) as database:
        yield Site(state, database)


def test_old_history_is_removed_with_its_logs(site: Site) -> None:
    """What is old and has been replaced goes; what is young, or the last of its key, stays."""
    replaced = site.build("a", OLD)
    replaced_too = site.build("a", OLD + DAY)
    young = site.build("a", YOUNG)
    last = site.build("a", YOUNG)
    old_but_last = site.build("b", OLD)
    report = site.collect()
    assert report.jobs == [replaced, replaced_too]
    assert report.logs == [site.state.job_path(replaced), site.state.job_path(replaced_too)]
    assert report.log_bytes == 20
    assert report.failures == []
    assert site.jobs() == site.logs() == {young, last, old_but_last}


def test_the_job_that_has_set_a_key_is_kept_until_that_is_retired(site: Site) -> None:
    """Its result is needed then, although later jobs have failed."""
    setting, failed = site.build("a", OLD), site.begin("a", OLD)
    site.database.finish_job(failed, JobEnd.FAILED, finished=OLD, outcome="no route to host")
    site.database.to_retire.set(("frob", "a"), setting)
    assert site.collect().jobs == []
    site.database.to_retire.set(("frob", "a"), None)
    assert site.collect().jobs == [setting]


def test_a_rebuild_keeps_only_the_last(site: Site) -> None:
    """Of many old results of one key the last stays, and is found as before."""
    *_, last = [site.build("a", OLD) for _ in range(450)]
    site.collect()
    assert site.jobs() == site.logs() == {last}
    found = site.database.lookup("frob", "a")
    assert found is not None
    assert (found.job_id, found.build) == (last, 449)


def test_running_jobs_stay(site: Site) -> None:
    """A job without an end is in use, however old it is, and can finish afterwards."""
    job = site.begin("a", OLD)
    assert site.collect().jobs == []
    site.database.finish_job(job, JobEnd.OK, finished=NOW, outcome="1")
    site.database.commit()
    assert site.jobs() == site.logs() == {job}


def test_runs_without_a_result_go(site: Site, tmp_path: Path) -> None:
    """Superseded and interrupted runs are removed when they are old, and only then."""
    last = site.build("a", OLD)
    superseded, interrupted = site.begin("a", OLD), site.begin("a", OLD)
    young = site.begin("a", YOUNG)
    site.database.finish_job(superseded, JobEnd.SUPERSEDED, finished=OLD)
    site.database.close()
    with Database.open(site.state.database) as site.database:
        assert site.collect().jobs == [superseded, interrupted]
        assert site.jobs() == site.logs() == {last, young}


def test_a_run_is_as_old_as_its_end(site: Site) -> None:
    """The end of an interrupted run is not known: its start counts, or else its creation."""
    superseded, started, waiting = (site.begin("a", OLD) for _ in range(3))
    site.database.start_job(superseded, started=OLD, level="average")
    site.database.finish_job(superseded, JobEnd.SUPERSEDED, finished=YOUNG)
    site.database.start_job(started, started=YOUNG, level="average")
    site.database.finish_job(started, JobEnd.INTERRUPTED)
    site.database.finish_job(waiting, JobEnd.INTERRUPTED)
    assert site.collect().jobs == [waiting]
    assert site.jobs() == {superseded, started}


def test_a_dry_run_tells_what_a_run_does(site: Site) -> None:
    """A dry run changes nothing, and reports what the run after it does."""
    for when in (OLD, OLD, OLD + 5 * DAY):
        site.build("a", when)
    stray = site.log(site.state.new_job_id("frob", OLD + 9 * DAY), OLD)
    site.build("a", YOUNG)
    before = site.jobs(), site.logs()
    told = site.collect(GcMode.DRY_RUN)
    assert (site.jobs(), site.logs()) == before
    done = site.collect()
    assert stray in told.logs
    assert len(told.folders) == 3
    assert told.jobs == done.jobs
    assert (sorted(told.logs), told.folders) == (sorted(done.logs), done.folders)
    assert told.log_bytes == done.log_bytes == 40


@pytest.mark.parametrize("is_open", [True, False])
def test_a_dry_run_needs_no_disk_that_can_be_written(
    site: Site, read_only: Callable[[Path], Path], is_open: bool
) -> None:
    """It counts in memory what a run would remove from the database, beside an engine too."""
    job = site.build("a", OLD)
    site.database.add_use(UseRecord(job, "build", None, OLD))
    site.build("a", YOUNG)
    site.commit()
    if not is_open:
        site.database.close()
    state = StateDir.read(read_only(site.state.path))
    report = collect_garbage(state, older_than=90 * DAY, now=NOW, mode=GcMode.DRY_RUN)
    explained = {kind.name: count for kind, count in (+report.explanations).items()}
    assert (report.jobs, explained) == (1, {"stage": 1})
    site.database.close()  # SQLite keeps the files open, whichever way they were opened.


def test_logs_without_a_job_go(site: Site) -> None:
    """A log that no job has is removed when nothing was written to it for long."""
    site.log("2026-11-22/084703-old-000000", OLD)
    site.log("2026-11-22/084703-young-000001", YOUNG)
    site.log("2027-06-01/084703-today-000002", OLD)
    (site.state.jobs / "2026-11-22" / "notes.txt").write_text("not a log")
    report = site.collect()
    assert [log.stem for log in report.logs] == ["084703-old-000000"]
    assert len(site.logs()) == 2


def test_empty_days_go(site: Site) -> None:
    """Folders of old days that are empty then are removed; others stay, whatever they are."""
    kept = ["2027-06-01", "2026-13-99", "20261122", "2026-W47-7", "notes", "2026-11-23"]
    for name in ["2026-11-22", *kept]:
        (site.state.jobs / name).mkdir()
    (site.state.jobs / "2026-11-23" / "notes.txt").write_text("not a log")
    (site.state.jobs / "2026-11-24").symlink_to("2026-11-23")
    (site.state.jobs / "2026-11-25").write_text("not a folder")
    report = site.collect()
    assert [folder.name for folder in report.folders] == ["2026-11-22"]
    left = {folder.name for folder in site.state.jobs.iterdir()}
    assert left == {*kept, "2026-11-24", "2026-11-25"}


def test_a_day_that_is_a_link_is_not_followed(site: Site, tmp_path: Path) -> None:
    """What it leads to is somebody else's, logs that nobody has included."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    log = elsewhere / "084703-old-000000.log"
    log.write_text("mine")
    os.utime(log, (OLD.timestamp(), OLD.timestamp()))
    (site.state.jobs / "2026-11-22").symlink_to(elsewhere)
    report = site.collect()
    assert (report.logs, report.folders) == ([], [])
    assert log.read_text() == "mine"
    assert (site.state.jobs / "2026-11-22").is_symlink()


MICROSECOND = timedelta(microseconds=1)


def test_a_job_is_old_when_it_ended_before_the_limit(site: Site) -> None:
    """To the microsecond: one that ended just then stays."""
    limit = NOW - 90 * DAY
    old = site.build("a", limit - MICROSECOND)
    site.build("a", limit)
    site.build("a", limit + MICROSECOND)
    assert site.collect().jobs == [old]


def test_a_stray_log_is_old_when_it_was_written_before_the_limit(site: Site) -> None:
    """Also on the day of the limit itself, whose folder stays."""
    limit = NOW - 90 * DAY
    day = f"{limit:%Y-%m-%d}"
    second = timedelta(seconds=1)
    site.log(f"{day}/000000-before-000000", limit - second)
    young = site.log(f"{day}/000000-at-000001", limit)
    report = site.collect()
    assert [log.stem for log in report.logs] == ["000000-before-000000"]
    young.unlink()
    assert site.collect().folders == []
    assert (site.state.jobs / day).is_dir()
    (site.state.jobs / f"{limit - DAY:%Y-%m-%d}").mkdir()
    assert [folder.name for folder in site.collect().folders] == [f"{limit - DAY:%Y-%m-%d}"]


@pytest.mark.parametrize("hours", [-12, 16])
def test_days_are_those_of_utc(site: Site, hours: int) -> None:
    """The folders are named by UTC, whatever the zone of the time that a run is given."""
    limit = NOW - 90 * DAY
    day = f"{limit:%Y-%m-%d}"
    site.log(f"{day}/000000-before-000000", limit - timedelta(seconds=1))
    now = NOW.astimezone(timezone(timedelta(hours=hours)))
    assert f"{now:%d}" != f"{NOW:%d}"
    report = site.collect(now=now)
    assert [log.stem for log in report.logs] == ["000000-before-000000"]
    assert report.folders == []


def test_rows_that_can_not_be_removed_keep_their_logs(site: Site) -> None:
    """A batch is removed as a whole, or not at all; and nothing stays locked."""
    jobs = {site.build(key, OLD) for key in "abc"}
    jobs |= {site.build(key, YOUNG) for key in "abc"}
    site.commit()
    with closing(sqlite3.connect(site.state.database)) as shell:
        shell.execute(
            "CREATE TRIGGER t BEFORE DELETE ON job WHEN old.key = 'b'"
            " BEGIN SELECT RAISE(FAIL, 'not this one'); END"
        )
        with pytest.raises(StoreError, match="not this one"):
            site.collect()
        assert (site.jobs(), len(site.logs())) == (jobs, 6)
        shell.execute("DROP TRIGGER t")
    assert len(site.collect().jobs) == 3
    assert len(site.logs()) == 3


def test_a_log_that_is_gone_already(site: Site) -> None:
    """A row is removed though somebody has removed its log."""
    job = site.build("a", OLD)
    site.build("a", YOUNG)
    site.state.job_path(job).unlink()
    report = site.collect()
    assert (report.jobs, report.logs, report.failures) == ([job], [], [])


def test_a_log_that_can_not_be_removed(site: Site) -> None:
    """What can't be removed is reported with the reason, and the rest goes on."""
    stuck, other = site.build("a", OLD), site.build("a", OLD)
    site.build("a", YOUNG)
    log = site.state.job_path(stuck)
    log.unlink()
    log.mkdir()
    report = site.collect()
    (failure,) = report.failures
    assert failure.startswith(f"{log}: ")
    assert report.logs == [site.state.job_path(other)]


COLLECT_ONCE = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from pycurrent.store import StateDir
from pycurrent.store.gc import collect_garbage
now = datetime.fromisoformat(sys.argv[2])
report = collect_garbage(StateDir.read(Path(sys.argv[1])), older_than=timedelta(days=90), now=now)
print(report.folders, *report.failures)
"""


def test_a_folder_that_can_not_be_removed(site: Site, run_unprivileged: RunUnprivileged) -> None:
    """It is reported as such, and not among those that were."""
    folder = site.state.jobs / "2026-11-22"
    folder.mkdir()
    site.state.jobs.chmod(0o555)
    ended = run_unprivileged(COLLECT_ONCE, site.state.path, NOW.isoformat())
    site.state.jobs.chmod(0o755)
    assert (ended.stderr, ended.stdout) == ("", f"0 {folder}: Permission denied\n")
    assert folder.is_dir()


def test_progress_is_told(site: Site) -> None:
    """The caller hears how much has been removed so far."""
    for _ in range(450):
        site.build("a", OLD)
    site.database.commit()
    told: list[str] = []
    collect_garbage(site.state, older_than=DAY, now=NOW, progress=told.append)
    removed = [line for line in told if line.endswith("logs so far")]
    assert removed[:2] == ["200 jobs and 200 logs so far", "400 jobs and 400 logs so far"]
    assert removed[-1] == "449 jobs and 449 logs so far"


def test_a_second_run_finds_nothing(site: Site) -> None:
    """What can be removed is removed at once."""
    site.build("a", OLD)
    site.build("a", OLD)
    assert site.collect().jobs
    report = site.collect()
    assert (report.jobs, report.logs, report.folders) == ([], [], [])


def test_nothing_has_been_run_yet(tmp_path: Path) -> None:
    """Without a database there is nothing to collect, and none is made."""
    with StateDir.open(tmp_path) as state:
        with pytest.raises(StateDirError, match="nothing has been run"):
            collect_garbage(state, older_than=DAY, now=NOW)
        assert not state.database.exists()


def test_an_age_beyond_all_dates(site: Site) -> None:
    """An age that no date has is told from one that is only large."""
    with pytest.raises(UsageError, match="name a shorter time"):
        collect_garbage(site.state, older_than=timedelta(days=9_999_999), now=NOW)


COLLECT = """
import sys
from datetime import datetime, timedelta, timezone
from pycurrent.store import StateDir
from pycurrent.store.gc import collect_garbage
state = StateDir.read(sys.argv[1])
print("ready", flush=True)
while True:
    report = collect_garbage(
        state, older_than=timedelta(days=90), now=datetime.fromisoformat(sys.argv[2])
    )
    assert not report.failures, report.failures
    print(report.jobs, flush=True)
    if sys.stdin.readline() == "":
        break
"""


def test_an_engine_works_on_beside_it(site: Site, run_child: RunChild) -> None:
    """While another process collects, an engine's commits and look-ups go through."""
    # An engine makes logs for today only. Here their day is old: nobody may remove its folder.
    (site.state.job_path(site.state.new_job_id("frob", OLD)).parent / "in-use").mkdir(parents=True)
    child = run_child(COLLECT, site.state.path, NOW.isoformat())
    assert child.stdin is not None
    assert child.stdout is not None
    for key in range(50):
        for _ in range(20):
            site.build(str(key), OLD)
    site.database.commit()
    assert child.stdout.readline() == "ready\n"
    for key in range(50):
        last = site.build(str(key), OLD)
        running = site.begin(str(key), OLD)
        site.commit()
        found = site.database.lookup("frob", str(key))
        assert found is not None
        assert found.job_id == last
        site.database.finish_job(running, JobEnd.SUPERSEDED, finished=OLD)
        site.commit()
    child.stdout.readline()
    child.stdin.write("again\n")
    child.stdin.flush()
    child.stdout.readline()
    child.stdin.close()
    assert child.wait() == 0
    assert len(site.jobs()) == len(site.logs()) == 50


def test_batches_cover_all_keys(site: Site) -> None:
    """However results and runs without one are spread over keys, in batches beside an engine."""
    kept = set()
    for key in range(30):
        for _ in range(10):
            site.build(str(key), OLD)
            site.database.finish_job(site.begin(str(key), OLD), JobEnd.SUPERSEDED, finished=OLD)
        kept.add(site.build(str(key), OLD))
    report = site.collect().report
    assert report.jobs_of == {"frob": 600}
    assert site.jobs() == site.logs() == kept


def test_after_a_thousand_failures_it_stops(site: Site) -> None:
    """They have one reason, so the rest is left alone, and said to be."""
    for n in range(1001):
        folder = site.state.jobs / f"2026-11-22/084703-frob-{n:06x}.log"
        folder.mkdir(parents=True)
        os.utime(folder, (OLD.timestamp(), OLD.timestamp()))
    failures = site.collect().failures
    assert len(failures) == 1001
    assert failures[-1] == "and more, perhaps: it has stopped there"


# Space


def fill(state: StateDir, keys: int = 20, builds: int = 200) -> None:
    """A database of some megabytes, in which as good as everything is garbage."""
    with Database.open(state.database) as database:
        for build in range(builds):
            for key in map(str, range(keys)):
                job = state.new_job_id("frob", OLD)
                database.insert_job(
                    created(job, key=key, key_digest=key, value="x" * 500, build=build, when=OLD)
                )
                database.finish_job(job, JobEnd.OK, finished=OLD, outcome=str(build))
            database.commit()


def check_last_results(state: StateDir, keys: int = 20, builds: int = 200) -> None:
    with Database.open(state.database) as database:
        for key in map(str, range(keys)):
            last = database.last_result("frob", key)
            assert last is not None
            assert last.outcome == str(builds - 1)
        assert database.look_through() is None


def without_auto_vacuum(path: Path) -> None:
    """Make a database as versions before did."""
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("PRAGMA auto_vacuum = NONE")
        shell.execute("VACUUM")
        assert shell.execute("PRAGMA auto_vacuum").fetchone() == (0,)


def collect(state: StateDir) -> GcReport:
    return collect_garbage(state, older_than=90 * DAY, now=NOW)


@pytest.mark.parametrize("is_older", [False, True])
def test_the_database_gets_smaller(tmp_path: Path, is_older: bool) -> None:
    """By what was removed from it; also one of an older version, where no engine runs."""
    with StateDir.open(tmp_path) as state:
        fill(state)
    if is_older:
        without_auto_vacuum(state.database)
    before = state.database.stat().st_size
    report = collect(StateDir.read(tmp_path))
    after = state.database.stat().st_size
    assert report.jobs == 20 * 199
    assert report.still_free is None
    assert report.given_back == before - after
    assert after < before / 10
    check_last_results(state)
    assert not state.is_in_use
    assert collect(state).given_back == 0


def test_the_database_gets_smaller_beside_an_engine(site: Site) -> None:
    """And the engine goes on with what it has."""
    with closing(sqlite3.connect(site.state.database)) as shell:
        for n in range(2000):
            shell.execute("INSERT INTO setting VALUES (?, ?)", (f"s{n}", "x" * 1000))
        shell.commit()
        shell.execute("DELETE FROM setting WHERE name LIKE 's%'")
        shell.commit()
    job = site.build("a", YOUNG)
    report = site.collect().report
    assert report.given_back > 1_000_000
    found = site.database.lookup("frob", "a")
    assert found is not None
    assert found.job_id == job
    site.build("a", YOUNG)
    site.commit()
    assert site.database.look_through() is None


def test_an_older_database_keeps_its_size_while_an_engine_runs(tmp_path: Path) -> None:
    """Writing it anew would stop the engine: the report says when it can be done."""
    with StateDir.open(tmp_path) as state:
        fill(state)
        without_auto_vacuum(state.database)
        report = collect(state)
        assert report.jobs == 20 * 199
        assert report.given_back == 0
        assert report.still_free == "an engine is running: run gc once while none does"
    check_last_results(state)


def test_an_older_database_keeps_its_size_where_there_is_no_room(tmp_path: Path) -> None:
    """The copy would fill the disk: one is told how much room it takes."""
    with StateDir.open(tmp_path) as state:
        fill(state)
    without_auto_vacuum(state.database)
    with closing(sqlite3.connect(state.database, isolation_level=None)) as connection:
        connection.execute("DELETE FROM job")
        given, why = give_back(
            state, connection, progress=lambda line: None, room=lambda folder: 1_000_000
        )
        assert (given, why) == (0, "writing it again takes 7 MB of room on the disk")
        given, why = give_back(
            state, connection, progress=lambda line: None, room=lambda folder: 1 << 40
        )
        assert given > 2_000_000
        assert why is None


COLLECT_AND_TELL = """
import sys
from datetime import datetime, timedelta
from pycurrent.store import StateDir
from pycurrent.store.gc import collect_garbage
now = datetime.fromisoformat(sys.argv[2])
collect_garbage(
    StateDir.read(sys.argv[1]),
    older_than=timedelta(days=90),
    now=now,
    progress=lambda line: (print(line, flush=True), sys.stdin.readline()),
)
"""


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 6, 9])
def test_a_kill_loses_nothing(tmp_path: Path, run_child: RunChild, lines: int) -> None:
    """Whenever it comes, the last results are there, and the next run does the rest."""
    with StateDir.open(tmp_path) as state:
        fill(state)
    child = run_child(COLLECT_AND_TELL, tmp_path, NOW.isoformat())
    assert child.stdin is not None
    assert child.stdout is not None
    for _ in range(lines):
        assert child.stdout.readline()
        child.stdin.write("go on\n")
        child.stdin.flush()
    child.kill()
    child.wait()
    check_last_results(state)
    collect(state)
    check_last_results(state)
    empty = tmp_path / "empty.db"
    Database.open(empty).close()
    assert state.database.stat().st_size < empty.stat().st_size + 30_000


@pytest.mark.parametrize("free", [100_000, 1_000_000])
def test_it_makes_room_on_a_disk_with_hardly_any(mount_tmpfs: MountTmpfs, free: int) -> None:
    """In small transactions, as it can't have the room for large ones; and all of it goes."""
    disk = mount_tmpfs("size=64m")
    with StateDir.open(disk / "state") as state:
        fill(state)
        size = state.database.stat().st_size
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file:
            left = shutil.disk_usage(disk).free - free
            os.posix_fallocate(file.fileno(), 0, left)
        report = collect(state)
        assert report.jobs == 20 * 199
        assert state.database.stat().st_size < size / 4
        check_last_results(state)


def pin(site: Site, path: str, value: str, job: str | None = None) -> None:
    site.database.set_override(
        OverrideRecord(kind=OverrideKind.PIN, subject=path, value=value, at=OLD, job=job)
    )


def test_a_job_at_whose_result_a_stage_is_held_stays(site: Site) -> None:
    """With its log, until the stage is unpinned."""
    old, pinned, last = (site.build("a", OLD) for _ in range(3))
    pin(site, "head", "1", pinned)
    assert site.collect().jobs == [old]
    assert site.jobs() == site.logs() == {pinned, last}
    site.database.remove_override((OverrideKind.PIN, "head"))
    assert site.collect().jobs == [pinned]
