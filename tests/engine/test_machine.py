"""Whose fault a failure is: that of the work, or that of the machine."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pycurrent.engine import Blame, CommandFailed, CommandNotStarted, SupervisorLost
from pycurrent.engine.machine import blame
from pycurrent.store.errors import from_sqlite
from pycurrent.term import Failure


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def raised(error: BaseException, *, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.ENOBUFS],
)
def test_running_out_of_something_is_a_shortage(number: int) -> None:
    """Whatever it was needed for."""
    assert blame(os_error(number)) is Blame.SHORTAGE


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        os_error(errno.ENOENT),
        os_error(errno.EACCES),
        os_error(errno.EAGAIN),
        ConnectionRefusedError(),
        RuntimeError("another one"),
        sqlite3.OperationalError("no such table"),
        Failure("3 tests failed"),
        CommandFailed("make", 2),
        CommandNotStarted("no name", Blame.WORK),
    ],
)
def test_anything_else_is_a_result_of_the_work(error: BaseException) -> None:
    """A lock that somebody else holds, too, which is EAGAIN as no process is."""
    assert blame(error) is Blame.WORK


def test_what_cant_be_started_has_to_be_mended() -> None:
    """It says nothing about what would have run."""
    assert blame(CommandNotStarted("can't start 'pip'")) is Blame.BROKEN
    assert blame(SupervisorLost("it was killed")) is Blame.SHORTAGE
    assert blame(MemoryError()) is Blame.SHORTAGE


def in_handler(first: BaseException, then: BaseException) -> BaseException:
    try:
        try:
            raise first
        except type(first):
            raise then  # noqa: B904 - which is what is tried
    except type(then) as caught:
        return caught


def hidden(first: BaseException, then: BaseException) -> BaseException:
    try:
        try:
            raise first
        except type(first):
            raise then from None
    except type(then) as caught:
        return caught


def grouped(first: BaseException, then: BaseException) -> BaseException:
    return BaseExceptionGroup("several", [then, BaseExceptionGroup("inner", [first])])


@pytest.mark.parametrize(
    "combine",
    [lambda first, then: raised(then, cause=first), in_handler, hidden, grouped],
    ids=["cause", "context", "from None", "group"],
)
def test_the_machine_is_to_blame_for_what_it_has_led_to(
    combine: Callable[[BaseException, BaseException], BaseException],
) -> None:
    """However the first error was put into other words."""
    assert blame(combine(os_error(errno.ENOSPC), Failure("can't save"))) is Blame.SHORTAGE
    assert blame(combine(CommandNotStarted("no git"), Failure("can't clone"))) is Blame.BROKEN


def test_a_command_that_has_run_speaks_for_itself() -> None:
    """Also where another one was tried before, which is not there."""
    error = in_handler(CommandNotStarted("no docker-compose"), CommandFailed("docker compose", 1))
    assert blame(error) is Blame.WORK


def test_a_circle_of_causes_is_looked_at_once() -> None:
    """Python lets one be made."""
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert blame(one) is Blame.WORK


def test_a_full_database_is_a_shortage(tmp_path: Path) -> None:
    """As SQLite says it, and as the store does."""
    with sqlite3.connect(tmp_path / "db") as database:
        database.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as full:
            database.execute("CREATE TABLE t AS SELECT zeroblob(1000000)")
    database.close()
    assert blame(full.value) is Blame.SHORTAGE
    store = raised(from_sqlite(tmp_path / "db", full.value), cause=full.value)
    assert blame(store) is Blame.SHORTAGE


@contextmanager
def limit(which: int, number: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(which)
    resource.setrlimit(which, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (soft, hard))


def test_no_descriptor_is_a_shortage(tmp_path: Path) -> None:
    """For a file, a pipe, a command of somebody's own."""
    with limit(resource.RLIMIT_NOFILE, 3):
        errors = [
            _error(lambda: (tmp_path / "file").open("w")),
            _error(os.pipe),
            _error(lambda: subprocess.run(["true"], check=True, capture_output=True)),
        ]
    assert [blame(error) for error in errors] == [Blame.SHORTAGE] * 3


def _error(act: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - it is what is looked at
        act()
    return caught.value


_WITHOUT_PROCESSES = """
import os, resource, subprocess, threading
from pycurrent.engine.machine import blame
os.setuid(61234)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
for act in (
    lambda: subprocess.run(["true"]),
    threading.Thread(target=print).start,
):
    try:
        act()
        print("none")
    except Exception as error:
        print(blame(error).name)
"""


def test_no_process_and_no_thread_are_shortages() -> None:
    """As the limit of a user says."""
    if os.geteuid() != 0:
        pytest.skip("needs to become another user")
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PROCESSES], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["SHORTAGE", "SHORTAGE"]
