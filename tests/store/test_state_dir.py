"""The state directory: its layout, its lock, and what is said about one that can't be used."""

import fcntl
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.store import BadJobId, NewerVersion, StateDir, StateDirError, StateDirLocked

from .conftest import START, MountTmpfs, RunChild

HOLD = """
import sys
from pycurrent.store import StateDir
with StateDir.open(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_open_makes_the_folders(tmp_path: Path) -> None:
    """Opening a directory that is not there makes it, its parents and its folders."""
    with StateDir.open(tmp_path / "a" / "state") as state:
        folders = {p.name for p in state.path.iterdir() if p.is_dir()}
        assert folders == {"job", "db", "git", "run", "tmp"}


def test_git_does_not_show_a_directory_that_was_made(tmp_path: Path) -> None:
    """It may well be made inside the user's repository."""
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    with StateDir.open(tmp_path / "state"), StateDir.open(tmp_path / "a" / "b" / "state"):
        status = subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True)
    assert status.stdout == b""


def test_git_shows_what_was_there_before(tmp_path: Path) -> None:
    """A folder of the user's is not hidden, nor are its own rules changed."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / ".gitignore").write_text("*.o\n")
    (tmp_path / "none").mkdir()
    with StateDir.open(tmp_path / "rules") as rules, StateDir.open(tmp_path / "none") as none:
        assert (rules.path / ".gitignore").read_text() == "*.o\n"
        assert not (none.path / ".gitignore").exists()


def test_open_keeps_what_is_there(tmp_path: Path) -> None:
    """Opening a directory again changes nothing in it."""
    with StateDir.open(tmp_path) as state:
        (state.jobs / "kept").write_text("x")
    with StateDir.open(tmp_path) as state:
        assert (state.jobs / "kept").read_text() == "x"


def test_paths_do_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is taken from where the program was when it opened the directory."""
    monkeypatch.chdir(tmp_path)
    with StateDir.open("state") as state:
        monkeypatch.chdir("/")
        assert state.jobs == tmp_path / "state" / "job"


def test_a_second_engine_is_told_who_holds_the_directory(
    tmp_path: Path, run_child: RunChild
) -> None:
    """The error of a second process names the pid and the command of the first, in one line."""
    child = run_child(HOLD, tmp_path)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(StateDirLocked) as caught:
        StateDir.open(tmp_path)
    assert caught.value.pid == child.pid
    message = str(caught.value)
    assert message.startswith(f"state directory {tmp_path} is in use by process {child.pid} (")
    assert "python" in message
    assert message.endswith("stop it, or use another --state-dir")
    assert "\n" not in message


def test_a_killed_engine_lets_go_of_the_directory(tmp_path: Path, run_child: RunChild) -> None:
    """The lock ends with the process, also with one that is killed."""
    child = run_child(HOLD, tmp_path)
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.wait()
    StateDir.open(tmp_path).close()


def test_a_second_engine_of_the_same_process_is_refused(tmp_path: Path) -> None:
    """Two engines of one process can't share a directory either."""
    with (
        StateDir.open(tmp_path),
        pytest.raises(StateDirLocked, match="in use by this process") as caught,
    ):
        StateDir.open(tmp_path)
    assert caught.value.pid == os.getpid()


def test_a_lock_whose_holder_is_not_known(tmp_path: Path) -> None:
    """A holder that has not written its name yet is called another process."""
    with StateDir.open(tmp_path):
        (tmp_path / "lock").write_text("{")
        with pytest.raises(StateDirLocked, match="in use by another process: stop it") as caught:
            StateDir.open(tmp_path)
    assert caught.value.pid is None


@pytest.mark.parametrize("deed", ["deleted", "replaced", "emptied"])
def test_a_lock_that_is_deleted_keeps_others_out(tmp_path: Path, deed: str) -> None:
    """By whoever meant to help: the directory itself is locked, too. The holder puts it back."""
    state = tmp_path / "state"
    lock = state / "lock"
    with StateDir.open(state) as held:
        if deed == "emptied":
            for entry in state.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        else:
            lock.unlink()
        if deed == "replaced":
            lock.write_text("")
        with pytest.raises(StateDirLocked, match="is in use by another process"):
            StateDir.open(state)
        held.keep_lock()
        assert held.is_in_use
        with pytest.raises(StateDirLocked, match="is in use by this process"):
            StateDir.open(state)
    with StateDir.open(state):
        pass


def test_where_a_directory_cant_be_locked_the_holder_of_a_lost_lock_is_told(
    tmp_path: Path,
) -> None:
    """As on NFS: the file was deleted, and another engine has come."""
    with StateDir.open(tmp_path / "state") as first:
        fcntl.flock(first.locks[0], fcntl.LOCK_UN)
        (tmp_path / "state" / "lock").unlink()
        with (
            StateDir.open(tmp_path / "state"),
            pytest.raises(StateDirLocked, match="is in use by this process"),
        ):
            first.keep_lock()


def test_a_lock_is_kept_where_the_directory_is_gone(tmp_path: Path) -> None:
    """There is nothing left to lock; what is wrong is told by who needs the directory."""
    with StateDir.open(tmp_path / "state") as held:
        shutil.rmtree(tmp_path / "state")
        held.keep_lock()


def test_a_directory_that_was_moved_stays_locked(tmp_path: Path) -> None:
    """The lock goes with it."""
    with StateDir.open(tmp_path / "state") as held:
        (tmp_path / "state").rename(tmp_path / "moved")
        with pytest.raises(StateDirLocked):
            StateDir.open(tmp_path / "moved")
        held.keep_lock()


def test_commands_do_not_inherit_the_lock(tmp_path: Path) -> None:
    """A command that outlives the engine does not hold its directory."""
    state = StateDir.open(tmp_path)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as command:
        state.close()
        StateDir.open(tmp_path).close()
        assert command.poll() is None


def test_closing_twice(tmp_path: Path) -> None:
    """The second close does nothing, not even to the lock of the next engine."""
    first = StateDir.open(tmp_path)
    first.close()
    with StateDir.open(tmp_path):
        first.close()
        with pytest.raises(StateDirLocked):
            StateDir.open(tmp_path)


def test_reading_beside_an_engine(tmp_path: Path) -> None:
    """The directory can be read while an engine holds it."""
    with StateDir.open(tmp_path) as engine, StateDir.read(tmp_path) as reader:
        assert reader.job_path("2026-11-22/x") == engine.job_path("2026-11-22/x")


def test_reading_what_is_no_state_directory(tmp_path: Path) -> None:
    """Reading makes nothing: a folder that is not there, or is another's, is an error."""
    with pytest.raises(StateDirError, match="no state directory at"):
        StateDir.read(tmp_path / "none")
    with pytest.raises(StateDirError, match="is not a state directory"):
        StateDir.read(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """A directory of a newer version is refused, unchanged, and not left locked."""
    (tmp_path / "version").write_text("99\n")
    for attempt in (StateDir.open, StateDir.open, StateDir.read):
        with pytest.raises(NewerVersion, match=r"newer version .* 99, .* update pycurrent"):
            attempt(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} <= {"version", "lock"}


def test_a_version_that_is_no_number(tmp_path: Path) -> None:
    """A file 'version' of something else is not taken for ours."""
    (tmp_path / "version").write_text("beta")
    with pytest.raises(StateDirError, match="holds 'beta' in place of a number"):
        StateDir.open(tmp_path)


@pytest.mark.parametrize("where", ["state", "state/job", "parent"])
def test_a_file_in_place_of_the_directory(tmp_path: Path, where: str) -> None:
    """A file where a folder should be is named."""
    path = tmp_path / ("parent/state" if where == "parent" else "state")
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("")
    with pytest.raises(StateDirError, match="is not a directory") as caught:
        StateDir.open(path)
    assert str(tmp_path / where) in str(caught.value)


def test_a_read_only_file_system(mount_tmpfs: MountTmpfs) -> None:
    """A file system that takes no writes is named as the reason."""
    folder = mount_tmpfs("ro,size=64k")
    with pytest.raises(StateDirError, match="is on a read-only file system"):
        StateDir.open(folder / "state")


def test_a_full_file_system(mount_tmpfs: MountTmpfs) -> None:
    """A disk without room is named as the reason."""
    folder = mount_tmpfs("size=64k,nr_inodes=3")
    with pytest.raises(StateDirError, match="is on a disk that is full"):
        StateDir.open(folder / "state")


@pytest.mark.parametrize(
    "job_id", ["", "..", "../x", "a/../../x", "/etc/x", "a//x", "a/", "./a", "a\0b", "a/.."]
)
def test_job_ids_that_climb_out_are_refused(tmp_path: Path, job_id: str) -> None:
    """No id leads out of the folder of logs."""
    with StateDir.open(tmp_path) as state, pytest.raises(BadJobId, match="is not a job id"):
        state.job_path(job_id)


@given(op=st.text(), offset=st.integers(-14, 14), micros=st.integers(0, 10**15))
def test_a_job_id_is_a_path_below_the_jobs(op: str, offset: int, micros: int) -> None:
    """Whatever an operation is called, its jobs' ids are file names below a folder of the day."""
    state = StateDir(Path("/state"), None)
    zone = timezone(timedelta(hours=offset))
    now = datetime(2026, 1, 2, tzinfo=zone) + timedelta(microseconds=micros)
    job_id = state.new_job_id(op, now)
    utc = now.astimezone(UTC)
    assert re.fullmatch(rf"{utc:%Y-%m-%d/%H%M%S}-[A-Za-z0-9._-]{{0,64}}-[0-9a-f]{{6}}", job_id)
    assert state.job_path(job_id) == Path(f"/state/job/{job_id}.log")


def test_a_job_id_reads_well() -> None:
    """The id tells the time and the operation."""
    job_id = StateDir(Path("/state"), None).new_job_id("docker-build", START)
    assert job_id.startswith("2026-11-22/084703-docker-build-")


def test_job_ids_of_one_moment_differ() -> None:
    """Many jobs of one operation can be created in the same second."""
    state = StateDir(Path("/state"), None)
    assert len({state.new_job_id("frob", START) for _ in range(20_000)}) == 20_000


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive time could be any."""
    with pytest.raises(ValueError, match="has no time zone"):
        StateDir(Path("/state"), None).new_job_id("frob", datetime(2026, 1, 1))
