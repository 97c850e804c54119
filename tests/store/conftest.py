"""What the tests of the store share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent.store import BuildRecord, Database, JobEnd, JobRecord

START = datetime(2026, 11, 22, 8, 47, 3, 123456, UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's database is."""
    return tmp_path / "pycurrent.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with Database.open(path) as database:
        yield database


def created(
    job_id: str,
    *,
    op: str = "frob",
    key: str = "a",
    key_digest: str = "",
    build: int = 0,
    value: str | None = None,
    value_digest: str | None = None,
    when: datetime = START,
    cause: str | None = None,
) -> JobRecord:
    """The record of a job that was just created."""
    digest = key_digest or f"digest of {key}"
    return JobRecord(job_id, op, key, digest, value, value_digest, build, when, cause)


def next_build(database: Database, op: str, key_digest: str) -> int:
    """The build number of the next job of a key, as an engine counts."""
    last = database.lookup(op, key_digest)
    return 0 if last is None else last.build + 1


class Builds:
    """Records builds, each a second after the one before."""

    def __init__(self, database: Database, *, first: int = 0) -> None:
        self._database = database
        self._count = first
        self._keys: dict[str, tuple[str, str]] = {}

    def begin(self, key: str = "a", *, op: str = "frob", value: str | None = None) -> str:
        """Inserts a job, and returns its id."""
        job_id = f"2026-11-22/084703-{op}-{self._count:06x}"
        digest = f"digest of {key}"
        build = next_build(self._database, op, digest)
        when = START + self._count * SECOND
        self._database.insert_job(
            created(job_id, op=op, key=key, build=build, value=value, when=when)
        )
        self._keys[job_id] = op, digest
        self._count += 1
        return job_id

    def finish(self, job_id: str, outcome: str = '"frobbed"', *, ok: bool = True) -> BuildRecord:
        """Ends a job with a result."""
        finished = START + (self._count + 1) * SECOND
        end = JobEnd.OK if ok else JobEnd.FAILED
        self._database.finish_job(job_id, end, finished=finished, outcome=outcome)
        record = self._database.lookup(*self._keys[job_id])
        assert record is not None
        return record

    def build(
        self,
        key: str = "a",
        outcome: str = '"frobbed"',
        *,
        op: str = "frob",
        ok: bool = True,
        value: str | None = None,
    ) -> BuildRecord:
        """Records a whole job."""
        return self.finish(self.begin(key, op=op, value=value), outcome, ok=ok)


@pytest.fixture
def builds(db: Database) -> Builds:
    return Builds(db)


RunChild = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run_child() -> Iterator[RunChild]:
    """Starts Python programs of a test, and ends those that still run after it."""
    children: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        with child:
            child.kill()


MountTmpfs = Callable[[str], Path]


@pytest.fixture
def mount_tmpfs(tmp_path: Path) -> Iterator[MountTmpfs]:
    """Mounts small file systems for a test. Needs root on Linux; in CI it fails without."""
    if (sys.platform != "linux" or os.geteuid() != 0) and "CI" not in os.environ:
        pytest.skip("only root on Linux can mount a small tmpfs")
    with _mounts(tmp_path) as mount:
        yield mount


@contextmanager
def _mounts(tmp_path: Path) -> Iterator[MountTmpfs]:
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        mounted.append(folder)
        return folder

    try:
        yield mount
    finally:
        for folder in mounted:
            subprocess.run(["umount", folder], check=True)


RunUnprivileged = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_unprivileged() -> RunUnprivileged:
    """Runs Python programs of a test as a user to whom the modes of files apply."""
    command = [sys.executable, "-c"]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may read and write every file, and there is no setpriv")
        rights = "--bounding-set=-dac_override,-dac_read_search"
        command = [setpriv, rights, *command]

    def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        words = [*command, program, *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Mounts folders once more, to be read only. Needs root on Linux, as `mount_tmpfs`."""
    if (sys.platform != "linux" or os.geteuid() != 0) and "CI" not in os.environ:
        pytest.skip("only root on Linux can mount a folder")
    mounted: list[Path] = []

    def mount(folder: Path) -> Path:
        place = tmp_path / f"read-only{len(mounted)}"
        place.mkdir()
        subprocess.run(["mount", "--bind", folder, place], check=True)
        mounted.append(place)
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", place], check=True)
