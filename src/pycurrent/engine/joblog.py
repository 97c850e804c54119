"""The log file of one job: appended to by the event loop and by the threads that drain pipes.

The loop is never made to wait for the disk by a command that floods its log. Who finds the file
busy leaves what it has in a queue, and whoever is writing writes that too before it goes on. Two
things wait for their turn, which keeps memory bounded: the pumps (what a command prints piles up
in its pipe, and then the command waits), and who fills the queue faster than it is written.

Order: what one thread gives, and what one pump copies, is written in that order. Between them the
unit is one call or one chunk of a pipe. What may be the beginning of a secret is held back by the
stream it came in (a pump, or all calls of `write`), so nothing can get between its two halves and
unmask it.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from pycurrent.engine.masking import MaskedStream, Secrets, encode, masked
from pycurrent.engine.pipe import PipeReader

_NEWLINE = ord("\n")

# The queue is for lines that come while a chunk is being written: 1 MiB at most.
_MANY = 256
_BIG = 4096


class _OwnLine(bytes):
    """Bytes that begin on a line of their own, whatever was written before."""

    __slots__ = ()


class JobLog:
    """Append-only log file of one job.

    `line`, `write` and `secret` may be called from any thread, before and after `close`; they
    never raise because of the file. What can't be written is lost, and `error` says why.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], datetime],
        on_error: Callable[[OSError], None] | None = None,
    ) -> None:
        """Creates the file, and its folders if need be.

        `on_error` is called at most once, with the first error of writing, in the thread that
        met it: a pump's thread too.

        Raises FileExistsError if there is such a file, any other OSError if it can't be created.
        """
        self.path = path
        self._now = now
        self._on_error = on_error
        self._error: OSError | None = None
        self._file: int | None = _create(path)
        self._parked = False  # the file is there, but not open
        self._last = _NEWLINE  # the last byte in the file; an empty one needs no new line
        self._secrets: Secrets | None = None
        self._adding = threading.Lock()  # of its own: `secret` must not wait for the disk
        self._written = MaskedStream()
        self._waiting: deque[bytes] = deque()
        self._turn = threading.Lock()  # held while writing; guards _file, _last, _written, _error
        self._pipes: set[PipeReader] = set()

    @property
    def error(self) -> OSError | None:
        """The first error of writing, from which on the file stays as it is."""
        return self._error

    def line(self, text: str) -> None:
        """Appends `2026-11-22 09:30.05: text` on a line of its own; the text may have several."""
        stamp = self._now().strftime("%Y-%m-%d %H:%M.%S")
        self._append(_OwnLine(encode(f"{stamp}: {text}\n")))

    def write(self, data: str | bytes) -> None:
        """Appends the data as it is.

        A beginning of a secret at its end is held back until the next `write`, `line` or `close`.
        """
        self._append(encode(data) if isinstance(data, str) else data)

    def secret(self, value: str) -> None:
        """From here on the value is masked as `****`, whoever prints it. Twice is fine.

        `masking.spellings` says which forms of it are masked. Raises UsageError, which does not
        name the value, if it is empty or too short to be masked.
        """
        new = Secrets.of(value)
        with self._adding:
            self._secrets = new if self._secrets is None else self._secrets | new

    def masked(self, text: str) -> str:
        """The text as the log would hold it, for what is told elsewhere."""
        if self._secrets is None:
            return text
        return masked(encode(text), self._secrets).decode(errors="surrogateescape")

    async def pump(self, fd: int | PipeReader) -> None:
        """Copies all that comes out of a pipe, byte for byte; returns at the pipe's end.

        Owns `fd` from the call on and closes it; a `PipeReader` lets the caller end it sooner. A
        thread of its own does the work, and goes on to the pipe's end if the caller is cancelled.
        Once the file can't be written any more it still drains the pipe, so that the command
        doesn't hang. `close` makes it let go of the pipe at once, so a command that still writes
        then gets EPIPE.

        Raises OSError if the pipe can't be read.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        pipe = PipeReader(fd) if isinstance(fd, int) else fd
        self._pipes.add(pipe)
        if self._file is None and not self._parked:
            pipe.stop()

        def copy() -> None:
            error = self._copy(pipe)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, ended, error)

        try:
            # A daemon: a pipe that somebody keeps open must not keep the interpreter from exiting.
            threading.Thread(target=copy, name=f"log {self.path.name}", daemon=True).start()
        except RuntimeError:  # no more threads
            self._release(pipe)
            raise
        await ended

    def park(self) -> None:
        """Lets go of the file until there is more to write: thousands of jobs may wait, and the
        descriptors of a process are few. Does nothing while a pump runs, or after `close`.
        """
        with self._turn:
            self._store_waiting()
            if self._file is not None and not self._pipes:
                os.close(self._file)
                self._file, self._parked = None, True

    def close(self) -> None:
        """Writes what was held back, stops pumps that still run, closes the file.

        Twice is fine. What comes later is dropped silently: the last lines of a cancelled job.
        Waits for nothing but the chunk that a pump is just writing.
        """
        with self._turn:
            self._store_waiting()
            if self._secrets is not None:
                self._store(self._written.flush(self._secrets))
            file, self._file = self._file, None
            self._parked = False
            if file is not None:
                self._attempt(partial(os.close, file))
        for pipe in tuple(self._pipes):
            pipe.stop()
        self._report()

    def _append(self, data: bytes) -> None:
        self._waiting.append(data)
        self._write_waiting(patient=len(data) > _BIG or len(self._waiting) > _MANY)

    def _write_waiting(self, *, patient: bool = False) -> None:
        # Again after each turn: what came in at its very end found the file busy and left.
        while self._waiting and self._turn.acquire(blocking=patient):
            try:
                self._store_waiting()
            finally:
                self._turn.release()
        self._report()

    def _copy(self, pipe: PipeReader) -> OSError | None:
        """Runs in a pump's thread. The error is that of reading."""
        stream = MaskedStream()
        try:
            for chunk in pipe.chunks():
                secrets = self._secrets
                # Masked before it takes its turn: this may last, and the others can go on.
                self._append_chunk(chunk if secrets is None else stream.feed(chunk, secrets))
            if self._secrets is not None:
                self._append_chunk(stream.flush(self._secrets))
        except OSError as error:
            return error
        finally:
            self._release(pipe)
        return None

    def _append_chunk(self, chunk: bytes | memoryview) -> None:
        with self._turn:
            self._store_waiting()
            self._store(chunk)
        self._write_waiting()

    def _release(self, pipe: PipeReader) -> None:
        self._pipes.discard(pipe)
        pipe.close()

    def _store_waiting(self) -> None:
        """Needs the turn, like all that follow.

        Stores no more than waits now, at once: who queues all the time must not make the one
        whose turn it is write for ever.
        """
        count = len(self._waiting)
        if count == 1:
            self._store(self._rendered(self._waiting.popleft()))
        elif count:
            self._store(b"".join([self._rendered(self._waiting.popleft()) for _ in range(count)]))

    def _rendered(self, data: bytes) -> bytes:
        """What is to be written for something that waited; it counts as written."""
        if self._secrets is not None:
            data = self._masked(data, self._secrets)
        elif isinstance(data, _OwnLine) and self._last != _NEWLINE:
            data = b"\n" + data
        if data:
            self._last = data[-1]
        return data

    def _masked(self, data: bytes, secrets: Secrets) -> bytes:
        if not isinstance(data, _OwnLine):
            return self._written.feed(data, secrets)
        before = self._written.flush(secrets)
        last = before[-1] if before else self._last
        return before + (b"" if last == _NEWLINE else b"\n") + masked(data, secrets)

    def _store(self, data: bytes | memoryview) -> None:
        if data and self._parked:
            self._attempt(self._reopen)
        if data and self._file is not None and self._error is None:
            self._attempt(partial(_write_all, self._file, data))
            self._last = data[-1]

    def _reopen(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._parked = False

    def _attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            self._error = self._error or error

    def _report(self) -> None:
        """Not while holding the turn: `on_error` may well log, or close this log."""
        if self._error is None or self._on_error is None:
            return
        with self._turn:
            report, self._on_error = self._on_error, None
        if report is not None:
            report(self._error)


def _create(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:  # the first log of a day: cheaper than asking each time
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o666)


def _write_all(file: int, data: bytes | memoryview) -> None:
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, memoryview(data)[written:])


def _resolve(ended: asyncio.Future[None], error: OSError | None) -> None:
    if ended.done():  # whoever waited was cancelled
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
