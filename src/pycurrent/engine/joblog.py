"""The log of one job: in memory as long as it has only its first lines, then a file.

    held ──to_file()──► a file          never back

What the engine itself says of a job (that it is new, waits, has ended) is a few lines, and for most
jobs that is all there ever is. These lines are *held*: they are in memory, and the record of the
job takes them along whenever it is written. So a job that does nothing but its work makes no file.
The log becomes a file, with all that it has so far, when the job's function writes to it or runs a
command, when it is to mask a secret, when it grows long, or when somebody asks for its path: what
an author has printed is on disk at once.

Readers find it in either form by its `LogSource`. While it changes its form it is in both: a file
is whole before nothing is held any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pycurrent.engine.encoding import NEWLINE, encode
from pycurrent.engine.follow import LogSource
from pycurrent.engine.job_logs import JobLogs
from pycurrent.engine.logfile import LogFile

if TYPE_CHECKING:
    from pycurrent.engine.journal import Cursor
    from pycurrent.engine.pipe import PipeReader
    from pycurrent.engine.pump import Copiers

LONGEST_HELD = 4096
"""Bytes of a log that are held at most; more make a file."""


class JobLog:
    """The log of one job, to which lines and data are appended.

    `line`, `write` and `secret` may be called from any thread, before and after `close`; they
    never raise because of the file. Data that can't be written is lost, and `error` says why.
    """

    __slots__ = ("_closed", "_file", "_logs", "_text", "_told", "job_id")

    def __init__(self, logs: JobLogs, job_id: str, goes_on: Cursor | None = None) -> None:
        """Makes no file, and holds nothing; or `goes_on` with the file of an earlier engine."""
        self.job_id = job_id
        self._logs = logs
        self._text: bytes | None = b""
        self._file: LogFile | None = None
        self._told: list[Callable[[], None]] | None = None
        self._closed = False
        if goes_on is not None:
            self._text = None
            self._file = self._log_file(b"", goes_on)

    # Its text

    @property
    def _guard(self) -> threading.Lock:
        return self._logs.guard(self.job_id)

    @property
    def path(self) -> Path:
        """Where its file is, once there is one."""
        return self._logs.state.job_path(self.job_id)

    @property
    def source(self) -> LogSource:
        """For those who read it."""
        return LogSource(self.path, self)

    def held(self) -> bytes | None:
        """All of it, as long as it has no file; then None. From any thread."""
        return self._text

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told()` called, in any thread, when what is held has changed: until the function
        is called that is returned.
        """
        with self._guard:
            self._told = [*(self._told or ()), told]

        def forget() -> None:
            with self._guard:
                self._told = [other for other in self._told or () if other is not told] or None

        return forget

    def line(self, text: str) -> None:
        """Append `2026-11-22 09:30.05: text` on a line of its own; the text may have several."""
        if self._file is None:
            line = encode(f"{self._logs.stamp()}: {text}\n")
            if self._hold(line, own_line=True):
                return
        self.to_file().note(text)

    def end(self, lines: tuple[str, ...], stamp: str) -> None:
        """Append these lines, each as `line` does, and close it: in one go, if it has no file, with
        the time as it is given.
        """
        text = self._logs.stamped(lines, stamp)
        if self._file is None and self._hold(text, own_line=True, closes=True):
            return
        file = self.to_file()
        for line in lines:
            file.note(line)
        self.close()

    def write(self, data: str | bytes) -> None:
        """Append the data as it is.

        A beginning of a secret at its end is held back until the next `write` or the end of the
        text, also while lines are written.
        """
        if self._file is not None or not self._hold(
            encode(data) if isinstance(data, str) else data
        ):
            self.to_file().write(data)

    def end_text(self) -> None:
        """Write the text that was held back: nothing more belongs to it."""
        if self._file is not None:
            self._file.end_text()

    def _hold(self, data: bytes, *, own_line: bool = False, closes: bool = False) -> bool:
        """Append it to what is held; as the last that comes, if it `closes` the log. False if it
        takes a file.
        """
        with self._logs.guard(self.job_id):
            text = self._text
            if self._file is not None or text is None:
                return False
            if self._closed:
                return True
            if own_line and text and text[-1] != NEWLINE:
                text += b"\n"
            if len(text) + len(data) > LONGEST_HELD:
                return False
            self._text = text + data
            self._closed = closes
        self._tell()
        return True

    def _tell(self) -> None:
        for told in self._told or ():
            told()

    # Its file

    def to_file(self) -> LogFile:
        """The file, which is made if there is none yet, with what was held. Twice is fine.

        If it can't be made its `error` says why: then the log stays as it is.
        """
        file = self._file
        if file is not None:
            return file
        with self._guard:
            file = self._file
            if file is None:
                assert self._text is not None
                file = self._log_file(self._text)
                if self._closed:
                    file.close()
                self._file = file
                if file.is_made:
                    self._text = None
        self._tell()
        return file

    def _log_file(self, text: bytes, goes_on: Cursor | None = None) -> LogFile:
        logs = self._logs
        return LogFile(
            self.path,
            text,
            stamp=logs.stamp,
            sharing=logs.state.sharing,
            writer=logs.writer,
            goes_on=goes_on,
        )

    def need_file(self) -> None:
        """Have a file. Raises OSError if it could not be made."""
        file = self.to_file()
        if not file.is_made:
            assert file.error is not None
            raise file.error

    @property
    def error(self) -> OSError | None:
        """The first error of writing, from which on the log stays as it is."""
        return None if self._file is None else self._file.error

    @property
    def is_closed(self) -> bool:
        """True if it drops what comes."""
        return self._closed

    def park(self) -> None:
        """Let go of the file until there is more to write: see `LogFile.park`."""
        if self._file is not None:
            self._file.park()

    async def written(self) -> None:
        """Until all that was appended is in the file, if there is one: see `LogFile.written`."""
        if self._file is not None:
            await self._file.written()

    def close(self) -> None:
        """Drop what comes later, silently; close the file, if there is one. Twice is fine."""
        with self._guard:
            self._closed = True
        if self._file is not None:
            self._file.close()
        self._tell()

    def remove(self) -> None:
        """Remove it, once it is closed: nothing is to be kept. Twice is fine."""
        if self._file is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    # Secrets and pipes, for which it has to be a file

    def secret(self, value: str) -> None:
        """Mask the value as `****` from here on: see `LogFile.secret`."""
        self.to_file().secret(value)

    def masked(self, text: str) -> str:
        """The text as the log would hold it, for what is told elsewhere."""
        return text if self._file is None else self._file.masked(text)

    async def learn(self) -> None:
        """Until `masked` and `close` don't have to wait, if there are many secrets."""
        if self._file is not None:
            await self._file.learn()

    def pump(self, pipe: PipeReader, copiers: Copiers) -> asyncio.Future[None]:
        """Copy all that comes out of a pipe: see `LogFile.pump`."""
        return self.to_file().pump(pipe, copiers)
