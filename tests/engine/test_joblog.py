"""The log of a job: held as long as the engine alone has written to it, then a file."""

import asyncio
import errno
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine.follow import LogSource, follow, watch_log
from pycurrent.engine.job_logs import JobLogs
from pycurrent.engine.joblog import LONGEST_HELD, JobLog
from pycurrent.errors import UsageError
from pycurrent.store import StateDir

JOB = "2026-11-22/093005-frob-1a2b3c"
STAMP = "2026-11-22 09:30.05"


def _now() -> datetime:
    return datetime(2026, 11, 22, 9, 30, 5, 999_999, tzinfo=UTC)


def new_log(state_dir: Path, now: Callable[[], datetime] = _now) -> JobLog:
    return JobLog(JobLogs(StateDir(state_dir, None), now), JOB)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[JobLog]:
    log = new_log(tmp_path)
    yield log
    log.close()


def test_the_engines_own_lines_make_no_file(log: JobLog) -> None:
    """They are held, and can be read all the same."""
    log.line("New job: frob")
    log.write("Traceback:\n  no newline")
    log.end_text()
    log.line("Job failed")
    log.park()
    log.close()

    expected = f"{STAMP}: New job: frob\nTraceback:\n  no newline\n{STAMP}: Job failed\n"
    assert log.held() == expected.encode()
    assert log.source.text() == expected
    assert not log.path.exists()
    assert log.error is None


def test_a_log_that_becomes_a_file_has_all_of_it(log: JobLog) -> None:
    """It goes on where it was, also in the middle of a line; it is made once."""
    log.line("first")
    log.write("half")
    log.to_file().write(" a line")
    assert log.to_file() is log.to_file()
    log.line("last")

    assert log.held() is None
    assert log.path.read_text() == f"{STAMP}: first\nhalf a line\n{STAMP}: last\n"


def test_a_long_log_becomes_a_file(log: JobLog) -> None:
    """No more than a page is held."""
    log.write("x" * LONGEST_HELD)
    assert not log.path.exists()
    log.write("y")
    assert log.path.read_text() == "x" * LONGEST_HELD + "y"


def test_a_secret_is_masked_in_what_comes_after_it(log: JobLog) -> None:
    """In the file, and in what is told elsewhere; what came before is as it was."""
    log.line("opening sesame")
    assert log.masked("sesame") == "sesame"
    log.secret("sesame")
    log.line("sesame")
    log.write("ses")
    log.write("ame\n")
    log.close()

    assert log.source.text() == f"{STAMP}: opening sesame\n{STAMP}: ****\n****\n"
    assert log.masked("open sesame") == "open ****"


def test_a_secret_that_is_too_short_is_refused(log: JobLog) -> None:
    """As it would garble the log."""
    with pytest.raises(UsageError):
        log.secret("a")


def test_what_comes_after_close_is_dropped(log: JobLog) -> None:
    """In either form; somebody who asks for the file then still gets it."""
    log.line("kept")
    log.close()
    log.close()
    log.line("late")
    log.write("late")
    assert log.held() == f"{STAMP}: kept\n".encode()
    log.to_file().write("late")
    log.secret("late secret")
    assert log.path.read_text() == f"{STAMP}: kept\n"
    assert log.error is None


def test_a_file_that_cant_be_made_leaves_what_was_held(tmp_path: Path) -> None:
    """The log stays as it is, and says why; secrets are masked all the same."""
    (tmp_path / "job").touch()
    log = new_log(tmp_path)
    log.line("first")
    log.to_file().write("lost")
    log.line("lost")
    log.secret("sesame")
    log.close()

    assert log.error is not None
    assert log.error.errno == errno.ENOTDIR
    assert log.source.text() == f"{STAMP}: first\n"
    assert log.source.size == len(f"{STAMP}: first\n")
    assert log.masked("sesame") == "****"
    with pytest.raises(NotADirectoryError):
        log.need_file()


def test_a_file_that_was_cut_short_hides_nothing(tmp_path: Path) -> None:
    """An engine can be killed when it has made the file, and not yet written to it."""
    log = new_log(tmp_path)
    log.line("first")
    log.path.parent.mkdir(parents=True)
    log.path.touch()

    assert log.source.text() == f"{STAMP}: first\n"
    assert log.source.size == len(log.source.text())


def test_a_log_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Neither a file nor anything held."""
    source = LogSource(tmp_path / "none.log")
    with pytest.raises(FileNotFoundError):
        source.open()
    with pytest.raises(FileNotFoundError):
        _ = source.size


def test_the_time_is_written_anew_for_each_second(tmp_path: Path) -> None:
    """Also when the clock is set back."""
    times = [_now() + timedelta(seconds=s) for s in (0, 0, 1, 60, 59, -3600, 86400)]
    log = new_log(tmp_path, iter(times).__next__)
    for _ in times:
        log.line("x")

    expected = "".join([f"{time:%Y-%m-%d %H:%M.%S}: x\n" for time in times])
    assert log.source.text() == expected


async def test_a_reader_is_told_of_each_line_and_of_the_file(log: JobLog) -> None:
    """Without waiting for a recheck, whichever thread writes; and no more once it has left."""
    async with asyncio.timeout(10), watch_log(log.source, recheck=3600) as changed:
        log.line("held")
        await changed()
        await asyncio.to_thread(log.line, "held in a thread")
        await changed()
        log.to_file()
        await changed()
        log.line("in the file")
        await changed()
    log.line("unheard")


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("line"), st.text("ab\n", max_size=8)),
        st.tuples(st.just("write"), st.binary(max_size=8) | st.just(b"x" * LONGEST_HELD)),
        st.tuples(st.just("file"), st.none()),
        st.tuples(st.just("park"), st.none()),
        st.tuples(st.just("read"), st.integers(1, 30)),
    ),
    max_size=20,
)


@given(ACTS)
def test_readers_see_a_plain_text_whatever_its_form(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, object]]
) -> None:
    """No byte is lost when it becomes a file, and none is told twice."""
    log = new_log(tmp_path_factory.mktemp("state"))
    source, plain, seen = log.source, b"", b""
    for act, what in acts:
        match act, what:
            case "line", str(text):
                own_line = b"" if plain.endswith(b"\n") or not plain else b"\n"
                plain += own_line + f"{STAMP}: {text}\n".encode()
                log.line(text)
            case "write", bytes(data):
                plain += data
                log.write(data)
            case "file", _:
                log.to_file()
            case "park", _:
                log.park()
            case "read", int(limit):
                seen += source.read(len(seen), limit)
                assert plain.startswith(seen)
        assert source.size == len(plain)
        assert source.read() == plain
    log.close()
    assert source.read() == plain
    assert log.path.exists() == (log.held() is None)


@given(ACTS)
async def test_followers_see_a_plain_text_whatever_its_form(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, object]]
) -> None:
    """From one act to the next, up to the end."""
    log = new_log(tmp_path_factory.mktemp("state"))
    left = iter(acts)
    ended = False

    async def changed() -> None:
        nonlocal ended
        match next(left, None):
            case None:
                log.close()
                ended = True
            case "line", str(text):
                log.line(text)
            case "write", bytes(data):
                log.write(data)
            case "file", _:
                log.to_file()
            case _:
                log.park()

    got = b"".join([b async for b in follow(log.source, ended=lambda: ended, changed=changed)])
    assert got == log.source.read()


def test_threads_may_write_while_it_becomes_a_file(tmp_path: Path) -> None:
    """Each line is there once, and those of a thread are in their order."""
    log = new_log(tmp_path)
    begin = threading.Barrier(5)

    def write(name: str) -> None:
        begin.wait()
        for number in range(200):
            log.line(f"{name} {number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    begin.wait()
    log.to_file()
    for thread in threads:
        thread.join()
    log.close()

    lines = [line.removeprefix(f"{STAMP}: ") for line in log.source.text().splitlines()]
    for name in "abcd":
        assert [line for line in lines if line[0] == name] == [f"{name} {n}" for n in range(200)]
    assert len(lines) == 800
