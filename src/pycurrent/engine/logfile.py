"""The file of one job's log: appended to by the event loop and by the threads that drain pipes.

A command that floods its log never makes the loop wait for the disk, and lines do so only until the
disk is known to be slow: then the `LogWriter` writes them. A writer that finds the file
busy queues its data; the one that is writing drains the queue before it goes on. Two kinds of
writers wait for their turn, which keeps memory bounded: the threads of pumps (the output of a
command piles up in its pipe, and then the command waits), and writers that fill the queue faster
than it drains.

Order: the data of one thread, and of one pump, keeps its order. Between them the unit is one call
or one chunk of a pipe. Each stream (a pump, or all calls of `write`) holds back data that may begin
a secret, so nothing can get between its two halves and unmask it: a line that comes meanwhile is
written before it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from pycurrent.engine.encoding import NEWLINE, encode
from pycurrent.engine.log_place import LogPlace
from pycurrent.engine.log_writer import LogWriter
from pycurrent.engine.maskable import checked
from pycurrent.engine.masking import MaskedStream, Secrets, masked
from pycurrent.engine.pipe import PipeReader
from pycurrent.engine.pump import Copiers, Pump
from pycurrent.store.sharing import Sharing

if TYPE_CHECKING:
    from pycurrent.engine.journal import Cursor

# The queue is for lines that come while a chunk is being written: 1 MiB at most.
_MANY = 256
_BIG = 4096

_FEW_SECRETS = 20
"""As many as can be added by the way: that takes a millisecond."""


class _OwnLine(bytes):
    """Bytes that begin on a line of their own, whatever was written before."""

    __slots__ = ()


class _Note(_OwnLine):
    """A line of the engine's own."""

    __slots__ = ()


class _Masked(bytes):
    """Bytes of a pump, which masks by itself."""

    __slots__ = ()


class _End(bytes):
    """No bytes: what was written before is a text of its own."""

    __slots__ = ()


class LogFile:
    """Append-only log file of one job.

    `line`, `write` and `secret` may be called from any thread, before and after `close`; they
    never raise because of the file. Data that can't be written is lost, and `error` says why.
    """

    def __init__(
        self,
        path: Path,
        text: bytes = b"",
        *,
        stamp: Callable[[], str],
        on_error: Callable[[OSError], None] | None = None,
        sharing: Sharing = Sharing.OWNER,
        writer: LogWriter | None = None,
        goes_on: Cursor | None = None,
    ) -> None:
        """Creates the file with the text, and its folders if need be; `sharing` says who may read
        it, and `stamp` what time it is, as lines begin with it. `writer` writes while the disk is
        slow.

        If that is impossible, `error` says why; a FileExistsError if there is such a file, which
        is left alone. `on_error` is called at most once, with the first error of writing after
        that, in the thread that met it: a pump's thread too.

        With `goes_on` it opens the file as it was at that place of a journal: it is cut to it.
        While the work is done again up to there, what is in the file already is dropped: the first
        lines, and until `caught_up` those of the engine.
        """
        self.path = path
        self._stamp = stamp
        self._on_error = on_error
        self._error: OSError | None = None
        self._file: int | None = None
        self._place = LogPlace(len(text)) if goes_on is None else LogPlace.of(goes_on)
        # The last byte in the file; an empty one needs no new line.
        self._last = text[-1] if text else NEWLINE
        self._attempt(lambda: self._open(text, sharing, goes_on=goes_on is not None))
        self.is_made = self._file is not None
        """False if the file could not be made, and is not there."""
        self._parked = False  # the file is there, but not open
        self._secrets: Secrets | None = None
        self._new: list[str] = []  # secrets that are not yet in `_secrets`
        self._adding = threading.Lock()  # of its own: nobody adds while waiting for the disk
        self._learning: threading.Thread | None = None
        self._written = MaskedStream()
        self._waiting: deque[bytes] = deque()
        self._turn = threading.Lock()  # held while writing; guards _file, _last, _written, _error
        self._pipes: set[PipeReader] = set()
        self._writer = writer or LogWriter()
        self._is_handed_over = False

    @property
    def error(self) -> OSError | None:
        """The first error of writing, from which on the file stays as it is."""
        return self._error

    def line(self, text: str) -> None:
        """Appends `2026-11-22 09:30.05: text` on a line of its own; the text may have several."""
        if self._place.takes_text():
            self._append(_OwnLine(encode(f"{self._stamp()}: {text}\n")))

    def note(self, text: str) -> None:
        """Appends such a line of the engine's own."""
        if self._place.takes_notes:
            self._append(_Note(encode(f"{self._stamp()}: {text}\n")))

    def follow(self, cursor: Cursor) -> None:
        """From here on the cursor tells how far the file goes."""
        with self._turn:
            self._place.follow(cursor)
            self._note_place()

    def caught_up(self) -> None:
        """The work goes on with what is not in the file yet."""
        self._place.takes_notes = True

    def write(self, data: str | bytes) -> None:
        """Appends the data as it is.

        A beginning of a secret at its end is held back until the next `write` or the end of the
        text, also while lines are written.
        """
        if self._place.takes_text():
            self._append(encode(data) if isinstance(data, str) else data)

    def end_text(self) -> None:
        """Write the text that was held back: nothing more belongs to it."""
        if self._secrets is not None or self._new or self._waiting:
            self._append(_End())

    def secret(self, value: str) -> None:
        """Mask the value as `****` from here on. Twice is fine.

        `spellings` says which forms of it are masked. Raises UsageError, which does not name the
        value, if it is not a text, or empty or too short to be masked.
        """
        self._new.append(checked(value))

    def masked(self, text: str) -> str:
        """The text as the log would hold it, for what is told elsewhere."""
        secrets = self.known()
        if secrets is None:
            return text
        return masked(encode(text), secrets).decode(errors="surrogateescape")

    async def learn(self) -> None:
        """Until `masked` and `close` don't have to wait, if there are many secrets."""
        if len(self._new) > _FEW_SECRETS:
            await asyncio.to_thread(self.known)

    def pump(self, pipe: PipeReader, copiers: Copiers) -> asyncio.Future[None]:
        """Copy all that comes out of a pipe, byte for byte; done at the pipe's end.

        Owns the pipe from the call on and closes it. The caller may stop waiting: a `Pump` does
        the work, and goes on to the pipe's end. Once the file can't be written any more it still
        drains the pipe, so that the command doesn't hang. `close` makes it let go of the pipe at
        once, so a command that still writes then gets EPIPE.

        Raises RuntimeError or OSError if a thread is needed, and there can't be one; the future has
        an OSError if the pipe can't be read.
        """
        self._pipes.add(pipe)
        if self._file is None and not self._parked:
            pipe.stop()
        try:
            return Pump(pipe, self, copiers).ended
        except (OSError, RuntimeError):
            self.release(pipe)
            raise

    def park(self) -> None:
        """Lets go of the file until there is more to write: thousands of jobs may wait, and the
        descriptors of a process are few. Does nothing while a pump runs, or after `close`, or
        while there are many new secrets; later, if the disk is slow.
        """
        if len(self._new) > _FEW_SECRETS or self._learning is not None:
            return
        if self._writer.is_slow and not self._writer.is_here:
            self._writer.hand_over(self.park)
            return
        with self._turn:
            self._store_waiting()
            if self._file is not None and not self._pipes:
                os.close(self._file)
                self._file, self._parked = None, True

    def close(self) -> None:
        """Writes what was held back, stops pumps that still run, closes the file.

        Twice is fine. Later data is dropped silently: the last lines of a cancelled job.
        Waits for nothing but the chunk that a pump is just writing.
        """
        with self._turn:
            self._store_waiting()
            self._store(self._rendered(_End()))
            file, self._file = self._file, None
            self._parked = False
            if file is not None:
                self._attempt(partial(os.close, file))
        for pipe in tuple(self._pipes):
            pipe.stop()
        self._report()

    def _append(self, data: bytes) -> None:
        self._waiting.append(data)
        if len(self._new) > _FEW_SECRETS:
            self._learn_aside()
        elif self._learning is None:
            is_much = len(self._waiting) > _MANY
            if self._writer.is_slow and not is_much:
                self._hand_over()
            else:
                self._write_waiting(patient=is_much or len(data) > _BIG)

    def _write_waiting(self, *, patient: bool = False) -> None:
        # Again after each turn: what came in at its very end found the file busy and left.
        while self._waiting and self._turn.acquire(blocking=patient):
            began = perf_counter()
            try:
                self._store_waiting()
            finally:
                self._turn.release()
            self._writer.took(perf_counter() - began)
        self._report()

    def _hand_over(self) -> None:
        """Have all that waits be written by another thread."""
        if not self._is_handed_over:
            self._is_handed_over = True
            self._writer.hand_over(self._take_over)

    def _take_over(self) -> None:
        # Before it writes: what comes from here on is handed over again.
        self._is_handed_over = False
        self._write_waiting(patient=True)

    async def written(self) -> None:
        """Until all that was appended is in the file, if the disk is slow: then neither `close`
        nor a reader has to wait for it.
        """
        if self._writer.is_slow:
            self._hand_over()
            await self._writer.caught_up()

    def _learn_aside(self) -> None:
        """Many secrets take their time. Until they are known, nothing is written but waits."""
        if self._learning is None:
            self._learning = threading.Thread(target=self._learn, name="secrets", daemon=True)
            try:
                self._learning.start()
            except RuntimeError:  # no more threads
                self._learn()

    def _learn(self) -> None:
        self.known()
        self._learning = None
        self._write_waiting(patient=True)

    def known(self, *, compact: bool = False) -> Secrets | None:
        """All secrets, the new ones too."""
        if self._new:
            with self._adding:
                count = len(self._new)
                new = self._new[:count]
                self._secrets = (self._secrets or Secrets()).and_also(new)
                del self._new[:count]
        if compact and self._secrets is not None:
            with self._adding:
                self._secrets = self._secrets.compact()
        return self._secrets

    @property
    def is_behind(self) -> bool:
        """True while data waits to be written, or secrets to be known."""
        return bool(self._waiting) or self._learning is not None or len(self._new) > _FEW_SECRETS

    @property
    def is_ready(self) -> bool:
        """True if it takes a little text without waiting, as far as that is known."""
        return not (self._writer.is_slow or self.is_behind or self._turn.locked())

    def append_masked(self, data: bytes | memoryview) -> None:
        """For a pump: append it as it is, without waiting for the disk."""
        if data:
            self._waiting.append(_Masked(data))
            if self._learning is not None:
                return
            if self._writer.is_slow:
                self._hand_over()
            else:
                self._write_waiting()

    def append_chunk(self, chunk: bytes | memoryview) -> None:
        """For a pump: append it as it is, and wait until it is written."""
        with self._turn:
            self._store_waiting()
            self._store(chunk)
        self._write_waiting()

    def append_copied(
        self, data: bytes | memoryview, number: int, place: int, *, holding: bool, is_last: bool
    ) -> bool:
        """For the pump of a spool: append what that has up to a place, wait until it is written,
        and have the cursor say so. False if it can't yet.
        """
        with self._turn:
            self._store_waiting()
            self._store(data)
            self._place.copied(number, place, holding=holding, is_last=is_last)
            is_noted = self._note_place()
        self._write_waiting()
        return is_noted

    def _note_place(self) -> bool:
        """Note how far the file goes. Needs the turn. False if that can't be said now."""
        is_whole = self._error is None and not self._written.is_holding
        return is_whole and self._place.note()

    def release(self, pipe: PipeReader) -> None:
        """For a pump that has ended: close its pipe."""
        self._pipes.discard(pipe)
        pipe.close()

    def _store_waiting(self) -> None:
        """Needs the turn, like all that follow.

        Stores no more than waits now, at once: a writer that queues all the time must not make the
        one whose turn it is write forever.
        """
        count = len(self._waiting)
        if count == 1:
            self._store(self._rendered(self._waiting.popleft()))
        elif count:
            self._store(b"".join([self._rendered(self._waiting.popleft()) for _ in range(count)]))
        if count and self._place.is_followed:
            self._note_place()

    def _rendered(self, data: bytes) -> bytes:
        """The bytes to write for an entry that waited; it counts as written."""
        secrets = self.known()
        if not isinstance(data, _Note | _Masked | _End):
            self._place.lines += 1
        match data:
            case _OwnLine():
                line = data if secrets is None else masked(data, secrets)
                data = line if self._last == NEWLINE else b"\n" + line
            case _Masked():
                pass
            case _ if secrets is None:
                pass
            case _End():
                data = self._written.flush(secrets)
            case _:
                data = self._written.feed(data, secrets)
        if data:
            self._last = data[-1]
        return data

    def _store(self, data: bytes | memoryview) -> None:
        if data and self._parked:
            self._attempt(self._reopen)
        if data and self._file is not None and self._error is None:
            self._attempt(partial(_write_all, self._file, data))
            self._place.size += len(data)
            self._last = data[-1]

    def _reopen(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._parked = False

    def _open(self, text: bytes, sharing: Sharing, *, goes_on: bool) -> None:
        """Raises OSError."""
        if not goes_on:
            self._create(text, sharing)
            return
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._file, size = file, self._place.size
        os.ftruncate(file, size)
        last = os.pread(file, 1, max(0, size - 1))
        self._last = last[0] if last else NEWLINE

    def _create(self, text: bytes, sharing: Sharing) -> None:
        file = _new_file(self.path, sharing)
        try:
            _write_all(file, text)
        except OSError:
            os.close(file)
            # Its text is held elsewhere, which half a file would only hide.
            with suppress(OSError):
                self.path.unlink()
            raise
        self._file = file

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


def _new_file(path: Path, sharing: Sharing) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_EXCL
    try:
        return sharing.make_file(path, flags)
    except FileNotFoundError:  # the first log of a day: cheaper than asking each time
        sharing.make_folder(path.parent)
        return sharing.make_file(path, flags)


def _write_all(file: int, data: bytes | memoryview) -> None:
    written = os.write(file, data) if data else 0
    while written < len(data):
        written += os.write(file, memoryview(data)[written:])
