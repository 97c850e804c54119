"""The log file of a job: what gets into it, in which order, and what happens when it can't."""

import asyncio
import errno
import os
import re
import resource
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine.follow import LogSource, watch_log
from pycurrent.engine.log_writer import IN_A_ROW, LogWriter
from pycurrent.engine.logfile import LogFile
from pycurrent.engine.masking import Secrets, masked
from pycurrent.engine.pipe import PipeReader
from pycurrent.engine.pump import Copiers
from pycurrent.errors import UsageError

MEGABYTE = 1 << 20


def _stamp() -> str:
    return "2026-11-22 09:30.05"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    log = LogFile(tmp_path / "job.log", stamp=_stamp)
    yield log
    log.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder in which no file gets larger than 64 KiB, and the error that says so."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "pycurrent-test", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield folder, errno.ENOSPC
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    # Without the right to mount: a limit of this process, which fails in the same place.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    yield folder, errno.EFBIG
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _feed(fd: int, data: bytes) -> threading.Thread:
    """Writes to a pipe as a command does, and closes it."""

    def write() -> None:
        with os.fdopen(fd, "wb", buffering=0) as pipe:
            rest = memoryview(data)
            while rest:
                rest = rest[pipe.write(rest) or 0 :]

    writer = threading.Thread(target=write)
    writer.start()
    return writer


def pumping(log: LogFile, fd: int) -> asyncio.Future[None]:
    """Done when all that comes out of the pipe is in the log."""
    return log.pump(PipeReader(fd), Copiers())


def test_a_line_has_its_time_before_it(log: LogFile) -> None:
    """Lines carry the time in the form that OCurrent's logs have."""
    log.line("Checking out")
    log.line("two\nlines")

    assert log.path.read_text() == (
        "2026-11-22 09:30.05: Checking out\n2026-11-22 09:30.05: two\nlines\n"
    )


def test_a_line_begins_on_a_new_line(log: LogFile) -> None:
    """What a command printed without a newline at its end does not swallow the next line."""
    log.write("no newline")
    log.line("a")
    log.write(b"newline\n")
    log.line("b")

    assert log.path.read_text() == (
        "no newline\n2026-11-22 09:30.05: a\nnewline\n2026-11-22 09:30.05: b\n"
    )


def test_text_that_is_no_unicode_is_logged_all_the_same(log: LogFile) -> None:
    """Undecodable file names are written as the bytes they are, other surrogates as escapes."""
    log.write(os.fsdecode(b"caf\xe9 "))
    log.write("\ud800")

    assert log.path.read_bytes() == b"caf\xe9 \\ud800"


def test_folders_are_made_and_an_existing_log_is_left_alone(tmp_path: Path) -> None:
    """The first log of a day makes its folder; a second log of the same name is an error."""
    path = tmp_path / "job" / "2026-11-22" / "a.log"
    first = LogFile(path, stamp=_stamp)
    first.write("kept")
    first.close()

    second = LogFile(path, b"lost", stamp=_stamp)
    second.line("lost")
    second.close()

    assert not second.is_made
    assert isinstance(second.error, FileExistsError)
    assert path.read_text() == "kept"


def test_what_comes_after_close_is_dropped(log: LogFile) -> None:
    """Closing twice and logging after it are fine and change nothing."""
    log.line("kept")
    log.close()
    log.close()
    log.line("late")
    log.write("late")
    log.secret("late")

    assert log.path.read_text().endswith("kept\n")
    assert log.error is None


async def test_a_pump_copies_byte_for_byte(log: LogFile) -> None:
    """Everything a command prints is in the log, in order, whatever the bytes."""
    data = os.urandom(MEGABYTE) * 5 + b"end"
    read, write = os.pipe()
    writer = _feed(write, data)

    await pumping(log, read)

    writer.join()
    assert log.path.read_bytes() == data
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)


async def test_lines_come_between_the_chunks_of_a_pump_in_their_order(log: LogFile) -> None:
    """While a command floods the log, the engine's lines get in whole, each once and in order."""
    data = b"0123456789abcde\n" * (MEGABYTE // 2)
    read, write = os.pipe()
    writer = _feed(write, data)
    pump = pumping(log, read)
    count = 0
    while not pump.done():  # as fast as can be: the pump must get its turn all the same
        log.line(f"line {count}")
        count += 1
        await asyncio.sleep(0)

    writer.join()
    lines = log.path.read_bytes().split(b"\n")
    # A line may break one of the command's in two; taken out, with its newline, that is whole.
    own = [line for line in lines if b"05: line" in line]
    assert own == [b"2026-11-22 09:30.05: line %d" % i for i in range(count)]
    assert b"".join(line for line in lines if b"05: line" not in line) == data.replace(b"\n", b"")


async def test_the_loop_does_not_wait_for_a_pump_that_is_writing(log: LogFile) -> None:
    """A line that finds the file busy is left to whoever is writing, and written by him."""
    with log._turn:  # as a pump has it while the disk makes it wait
        log.line("first")
        log.write("second")
        assert log.path.read_bytes() == b""
    read, write = os.pipe()
    _feed(write, b", third").join()

    await pumping(log, read)

    assert log.path.read_text() == "2026-11-22 09:30.05: first\nsecond, third"


@given(
    texts=st.lists(st.text(alphabet="secrt \n", max_size=12), max_size=8),
    pumped=st.lists(st.text(alphabet="secrt \n", max_size=12), max_size=8),
)
async def test_secrets_are_masked_whoever_prints_them(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], pumped: list[str]
) -> None:
    """A secret is masked in what is written and pumped, also when it comes in pieces."""
    secrets = ["secret", "rets\nsecr"]
    log = LogFile(tmp_path_factory.mktemp("log") / "job.log", stamp=_stamp)
    for secret in secrets:
        log.secret(secret)
    read, write = os.pipe()
    for text in texts:
        log.write(text)
    log.line("secretsecret")
    pump = pumping(log, read)
    for text in pumped:
        os.write(write, text.encode())
        await asyncio.sleep(0)
    os.close(write)
    await pump
    log.close()

    known = Secrets.of(*secrets)
    whole = log.path.read_bytes()
    before, line, _ = whole.partition(b"2026-11-22 09:30.05: ****\n")
    assert line
    written = masked("".join(texts).encode(), known)
    # What was held back of the one may stand behind the other: both are complete without it.
    assert written.startswith(before.removesuffix(b"\n"))
    assert len(whole) - len(line) - len(written) - len(masked("".join(pumped).encode(), known)) in (
        0,
        1,
    )
    assert b"secret" not in whole
    assert not re.search(rb"rets\s*secr", whole)


async def test_a_line_can_not_tear_a_secret_apart(log: LogFile) -> None:
    """A secret that a pump gets in two halves is masked even if a line comes between them."""
    log.secret("hunter2")
    read, write = os.pipe()
    pump = pumping(log, read)
    os.write(write, b"password: hunt")
    await _until_contains(log, b"password: ")

    log.line("in between")
    os.write(write, b"er2 ok, hun")
    os.close(write)
    await pump

    assert log.path.read_bytes() == b"password: \n2026-11-22 09:30.05: in between\n**** ok, hun"


def test_a_secret_is_masked_from_its_registration_on(log: LogFile) -> None:
    """What may be the beginning of a secret is held back until it is decided, or until the end."""
    log.write("hunter2 ")
    log.secret("hunter2")
    log.write("hunter2 hun")
    assert log.path.read_text() == "hunter2 **** "

    log.write("ting hunt")
    log.close()

    assert log.path.read_text() == "hunter2 **** hunting hunt"


def test_a_line_can_not_tear_a_written_secret_apart(log: LogFile) -> None:
    """Both halves of a secret that is written in two are masked, whatever is logged between."""
    log.secret("p@ss w/ord")
    log.write("password: p@ss ")
    log.line("in between")
    log.write("w/ord ok\n")
    log.line("at the end")

    assert log.path.read_text() == (
        "password: \n2026-11-22 09:30.05: in between\n**** ok\n2026-11-22 09:30.05: at the end\n"
    )


def test_the_end_of_a_text_stands_before_what_follows_it(log: LogFile) -> None:
    """What was held back of a text is written when the text is complete, not behind the end."""
    log.secret("secret")
    log.write("5 files")
    log.end_text()
    log.line("done")

    assert log.path.read_text() == "5 files\n2026-11-22 09:30.05: done\n"


def test_a_text_that_ends_within_a_secret_does_not_tell_it(log: LogFile) -> None:
    """A command that is killed while it prints a secret gives away less than the half of it."""
    log.secret("correct-horse-battery")
    log.write("password: correct-horse-bat")
    log.close()

    assert log.path.read_text() == "password: ****"


async def test_many_secrets_do_not_hold_up_the_loop(log: LogFile) -> None:
    """What is logged before they are all known waits, in its order, and the loop goes on."""
    loop = asyncio.get_running_loop()
    for number in range(20_000):
        log.secret(f"s3cr/t-{number:05}-{number + 70_000}")
    longest, last = 0.0, loop.time()
    log.line("here is s3cr/t-00007-70007")
    log.write("and s3cr/t-19999-89999, too\n")
    learnt = asyncio.create_task(log.learn())
    while not learnt.done():
        await asyncio.sleep(0)
        longest, last = max(longest, loop.time() - last), loop.time()
    log.close()

    text = log.path.read_text()
    assert text == "2026-11-22 09:30.05: here is ****\nand ****, too\n"
    assert longest < 4  # a tenth of a second, on a machine with nothing else to do


def test_secrets_that_come_one_by_one_are_learnt_in_time(log: LogFile) -> None:
    """A line between any two of them doesn't make the whole be learnt anew each time."""
    for number in range(400):
        log.secret(f"token-{number:05}")
        log.line(f"token-{number:05}")
    log.close()

    assert log.path.read_text() == "2026-11-22 09:30.05: ****\n" * 400


@pytest.mark.parametrize("value", [None, 3, 2.5, ["secret"], object()])
def test_a_secret_of_another_type_is_refused_with_its_type(log: LogFile, value: Any) -> None:
    """The message says what was given, but not its value."""
    with pytest.raises(UsageError, match=r"None|int|float|list|object"):
        log.secret(value)


def test_a_secret_may_be_bytes(log: LogFile) -> None:
    """What was read from a file or a pipe is masked as the text that it is."""
    log.secret("secrét\n".encode())  # type: ignore[arg-type]
    log.line("secrét")

    assert log.path.read_text() == "2026-11-22 09:30.05: ****\n"


def test_an_empty_secret_is_refused(log: LogFile) -> None:
    """A variable that is not set can't be masked, and the log says nothing of it."""
    with pytest.raises(UsageError):
        log.secret("")


async def test_a_full_disk_is_told_once_and_the_pipe_is_drained(full: tuple[Path, int]) -> None:
    """The first error is remembered and told; the command goes on to its end."""
    folder, expected = full
    told: list[OSError] = []
    log = LogFile(folder / "job.log", stamp=_stamp, on_error=told.append)
    read, write = os.pipe()
    data = b"x" * (2 * MEGABYTE)
    writer = _feed(write, data)

    await pumping(log, read)
    log.line("lost")
    writer.join()  # it has written everything: nobody made it wait
    log.close()

    assert log.error is not None
    assert log.error.errno == expected
    assert told == [log.error]
    written = log.path.read_bytes()
    assert written == data[: len(written)]
    assert len(written) == 65536


def test_a_line_that_meets_a_full_disk_raises_nothing(full: tuple[Path, int]) -> None:
    """The job is told through `on_error`, which may log and close the log as it likes."""
    folder, expected = full
    errors: list[int | None] = []

    def fail(error: OSError) -> None:
        errors.append(error.errno)
        small.line("the log can't be written")
        small.close()

    small = LogFile(folder / "job.log", stamp=_stamp, on_error=fail)
    small.write("x" * 100_000)

    assert errors == [expected]


@pytest.fixture(autouse=True)
def _no_copier_of_another_test() -> None:
    """A thread that has just told of its last pipe's end may take a moment more."""
    for thread in _copying():
        thread.join(timeout=10)


def _copying() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "copies output to logs"]


async def test_a_little_output_is_copied_without_a_thread(log: LogFile) -> None:
    """Most commands print a few lines, and a thread costs more than they do."""
    read, write = os.pipe()
    pump = pumping(log, read)
    for number in range(100):
        os.write(write, b"%d\n" % number)
        await _until_contains(log, b"%d\n" % number)
    assert _copying() == []
    os.close(write)
    await pump
    assert log.path.read_text() == "".join(f"{number}\n" for number in range(100))


async def test_a_flood_is_copied_by_a_thread(log: LogFile) -> None:
    """The loop does not wait for it; a secret is masked even at the place where it takes over."""
    log.secret("hunter2")
    read, write = os.pipe()
    # As much as is read on the loop at once ends in the midst of the secret.
    flood = b"x" * ((16 << 10) - 3) + b"hunter2" + b"y" * 1000
    _feed(os.dup(write), flood).join()
    pump = pumping(log, read)
    await _until_contains(log, b"y" * 1000)
    assert len(_copying()) == 1
    os.close(write)
    await pump
    assert log.path.read_bytes() == flood.replace(b"hunter2", b"****")


async def test_many_floods_are_copied_by_few_threads(tmp_path: Path) -> None:
    """Each to its own log, byte for byte; the threads go with the last of them."""
    copiers = Copiers()
    logs = [LogFile(tmp_path / f"{number}.log", stamp=_stamp) for number in range(20)]
    floods = [b"%d\n" % number * (MEGABYTE // 4) for number in range(20)]
    pumps, writers = [], []
    for log, flood in zip(logs, floods, strict=True):
        read, write = os.pipe()
        pumps.append(log.pump(PipeReader(read), copiers))
        writers.append(_feed(write, flood))
    most = 0
    while not all(pump.done() for pump in pumps):
        most = max(most, len(_copying()))
        await asyncio.sleep(0)
    assert 1 <= most <= 2
    for writer in [*writers, *_copying()]:
        writer.join()
    for log, flood in zip(logs, floods, strict=True):
        log.close()
        assert log.path.read_bytes() == flood


async def test_a_flood_does_not_hold_up_another_one(log: LogFile, tmp_path: Path) -> None:
    """A chunk of each is copied in turn."""
    copiers = Copiers()
    endless = [LogFile(tmp_path / f"{number}.log", stamp=_stamp) for number in range(4)]
    ends = []
    for flooded in endless:
        read, write = os.pipe()
        flooded.pump(PipeReader(read), copiers)
        ends.append(_Endless(write))
    read, write = os.pipe()
    pump = log.pump(PipeReader(read), copiers)
    flood = os.urandom(MEGABYTE)
    writer = _feed(write, flood)
    await pump
    writer.join()
    assert log.path.read_bytes() == flood
    for flooded in endless:
        flooded.close()  # its pump lets go of the pipe
    for end in ends:
        end.join()


class _Endless(threading.Thread):
    """Writes to a pipe until nobody reads it."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self.start()

    def run(self) -> None:
        with suppress(BrokenPipeError), os.fdopen(self._fd, "wb", buffering=0) as pipe:
            while True:
                pipe.write(b"again and again\n" * 1000)


async def test_a_pump_leaves_a_busy_log_to_a_thread(log: LogFile) -> None:
    """What a command prints waits in its pipe, and not in memory, when the disk is slow."""
    read, write = os.pipe()
    with log._turn:  # as another pump has it while the disk makes it wait
        pump = pumping(log, read)
        os.write(write, b"first, ")
        os.write(write, b"second")
        while not _copying():
            log.line("")
            await asyncio.sleep(0)
    os.close(write)
    await pump
    assert log.path.read_bytes().replace(b"\n", b"").endswith(b"second")


async def test_a_pump_can_be_told_to_end_with_what_is_there(log: LogFile) -> None:
    """Though a process holds the pipe open."""
    read, write = os.pipe()
    pipe = PipeReader(read)
    pump = log.pump(pipe, Copiers())
    os.write(write, b"all")
    pipe.finish()
    await pump
    assert log.path.read_bytes() == b"all"
    assert pipe.is_cut_off
    os.close(write)


def test_closing_a_log_lets_go_of_a_pipe_that_no_loop_reads_any_more(log: LogFile) -> None:
    """A command that outlives the loop gets EPIPE."""
    read, write = os.pipe()

    async def begin() -> None:
        pump = pumping(log, read)
        os.write(write, b"before")
        await _until_contains(log, b"before")
        pump.cancel()

    asyncio.run(begin())
    log.close()
    with pytest.raises(BrokenPipeError):
        os.write(write, b"after")
    os.close(write)


async def test_a_cancelled_pump_goes_on_to_the_end_of_the_pipe(log: LogFile) -> None:
    """Who waited is released at once; the last words of the command still reach the log."""
    read, write = os.pipe()
    pump = pumping(log, read)
    os.write(write, b"before ")
    await _until_contains(log, b"before ")

    pump.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pump
    os.write(write, b"after")
    os.close(write)

    await _until_contains(log, b"before after")


async def test_close_ends_a_pump_whose_pipe_stays_open(log: LogFile) -> None:
    """A process that keeps the pipe open keeps neither the thread nor the log: it gets EPIPE."""
    read, write = os.pipe()
    pump = pumping(log, read)
    os.write(write, b"before")
    await _until_contains(log, b"before")

    log.close()
    await pump

    with pytest.raises(BrokenPipeError):
        os.write(write, b"after")
    os.close(write)


async def test_a_pump_into_a_closed_log_closes_the_pipe(log: LogFile) -> None:
    """A command that is started too late does not hang on a pipe that nobody reads."""
    log.close()
    read, write = os.pipe()

    await pumping(log, read)

    with pytest.raises(BrokenPipeError):
        os.write(write, b"late")
    os.close(write)


async def test_a_pipe_that_can_not_be_read_is_an_error(log: LogFile, tmp_path: Path) -> None:
    """A descriptor that is open for writing only makes the pump raise, and is closed."""
    fd = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)

    with pytest.raises(OSError, match="Bad file descriptor"):
        await pumping(log, fd)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


async def _until_contains(log: LogFile, expected: bytes) -> None:
    """Waits until the pump's thread has got there."""
    async with asyncio.timeout(10), watch_log(LogSource(log.path)) as changed:
        while expected not in log.path.read_bytes():
            await changed()


@pytest.fixture
def writer() -> Iterator[LogWriter]:
    """One that knows that the disk is slow."""
    writer = LogWriter()
    for _ in range(IN_A_ROW):
        writer.took(1.0)
    yield writer
    writer.close()


def test_a_slow_write_may_be_chance() -> None:
    """As when another process has the processor. Several in a row are the disk; and so are several
    quick ones when it was slow.
    """
    writer = LogWriter()
    for is_slow, same, other in ((False, 0.0, 1.0), (True, 1.0, 0.0)):
        for seconds in [*[other] * (IN_A_ROW - 1), same, *[other] * (IN_A_ROW - 1)]:
            writer.took(seconds)
            assert writer.is_slow is is_slow
        writer.took(other)
        assert writer.is_slow is not is_slow


async def test_nobody_waits_for_a_slow_disk(tmp_path: Path, writer: LogWriter) -> None:
    """The lines are written later, in their order, beside the loop."""
    log = LogFile(tmp_path / "job.log", stamp=_stamp, writer=writer)
    with log._turn:  # as while a write waits for the disk
        log.line("first")
        log.write("second\n")
        log.park()
        log.append_masked(b"third\n")
        written = asyncio.create_task(log.written())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not written.done()
        assert log.path.read_bytes() == b""
    await written
    assert log.path.read_text() == f"{_stamp()}: first\nsecond\nthird\n"
    log.close()


async def test_a_log_has_all_its_lines_when_it_is_closed(tmp_path: Path, writer: LogWriter) -> None:
    """Also if nobody has waited for a slow disk before."""
    log = LogFile(tmp_path / "job.log", stamp=_stamp, writer=writer)
    for number in range(100):
        log.line(f"line {number}")
    log.close()
    assert log.path.read_text().splitlines() == [f"{_stamp()}: line {n}" for n in range(100)]


def test_a_flood_waits_for_a_slow_disk(tmp_path: Path, writer: LogWriter) -> None:
    """Else it would fill the memory."""
    log = LogFile(tmp_path / "job.log", stamp=_stamp, writer=writer)
    written = threading.Event()

    def flood() -> None:
        for number in range(1000):
            log.line(f"line {number}")
        written.set()

    thread = threading.Thread(target=flood)
    with log._turn:
        thread.start()
        assert not written.wait(0.05)
    thread.join()
    log.close()
    assert len(log.path.read_text().splitlines()) == 1000


async def test_a_quick_disk_is_written_to_at_once_again(tmp_path: Path, writer: LogWriter) -> None:
    """Once all that was handed over is written."""
    log = LogFile(tmp_path / "job.log", stamp=_stamp, writer=writer)
    while writer.is_slow:
        log.line("later")
        await log.written()
    log.line("at once")
    assert log.path.read_text().endswith(": at once\n")
    log.close()
