"""The text that the work of a job prints: it belongs to the log of that job.

A run on the command line has `sys.stdout` and `sys.stderr` replaced by streams that ask for the job
in whose context they are used, its threads of `asyncio.to_thread` and its tasks included. Its log
gets whole lines, masked as all that it gets. Anywhere else, and after the end of the job, they are
the streams that they replace. So are they for what writes to a descriptor: a process that the work
starts without `job.exec`.

The log gets the log records of libraries, too, unless the program has configured `logging` itself.
A record of the engine never goes there.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pycurrent.engine.joblog import JobLog

_LONGEST_LINE = 8192
"""Characters of a line that are held back at most, until its end comes."""
_NOT_OF_JOBS = frozenset({"pycurrent", "asyncio"})
"""The packages whose log records are about the engine, in whichever context."""


class Printed:
    """The text that one job prints, on its way to the log."""

    __slots__ = ("_line", "_lock", "_log")

    def __init__(self, log: JobLog) -> None:
        self._log = log
        self._line = ""
        self._lock = threading.Lock()

    @property
    def is_taken(self) -> bool:
        """True until the job has ended."""
        return not self._log.is_closed

    def write(self, text: str) -> None:
        """Log the lines that are whole with this text; it may be called from any thread."""
        with self._lock:
            text = self._line + text
            end = text.rfind("\n") + 1
            if len(text) - end > _LONGEST_LINE:
                end = len(text)
            self._line = text[end:]
            if end:
                self._log.to_file().write(text[:end])

    def flush(self) -> None:
        """Log the line that is not whole, too."""
        if not self._line:
            return  # Nearly always. A thread that writes just now is taken to write later.
        with self._lock:
            text, self._line = self._line, ""
            if text:
                self._log.to_file().write(text)


_PRINTED: ContextVar[Printed | None] = ContextVar("the text that the job here prints", default=None)


def print_to(log: JobLog) -> Printed:
    """Have what this context prints go to the log, and that of those that are copied from it."""
    printed = Printed(log)
    _PRINTED.set(printed)
    return printed


def _here() -> Printed | None:
    printed = _PRINTED.get()
    return printed if printed is not None and printed.is_taken else None


class JobStream(io.TextIOBase):
    """A standard stream that is, in the work of a job, the log of that job."""

    def __init__(self, below: TextIO) -> None:
        """`below` is the stream anywhere else."""
        self._below = below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def write(self, text: str) -> int:
        if (printed := _here()) is None:
            return self._below.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        printed.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if (printed := _here()) is None:
            self._below.flush()
        else:
            printed.flush()

    def close(self) -> None:
        """Do nothing: the stream below is its owner's."""

    @property
    def buffer(self) -> Any:
        return self._below.buffer if _here() is None else _JobBytes(self)

    def isatty(self) -> bool:
        return _here() is None and self._below.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._below.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._below.encoding if _here() is None else "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._below.errors


class _JobBytes(io.RawIOBase):
    """The bytes that are written to a stream in the work of a job."""

    def __init__(self, stream: JobStream) -> None:
        self._stream = stream

    def write(self, data: Any, /) -> int:
        text = bytes(data).decode("utf-8", errors="surrogateescape")
        self._stream.write(text)
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Do nothing, as the stream does."""

    def writable(self) -> bool:
        return True


class _LastResort(logging.Handler):
    """Writes what no handler of the program takes: for jobs to their logs, else to the stream."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.WARNING)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = f"{self.format(record)}\n"
            of_job = record.name.partition(".")[0] not in _NOT_OF_JOBS
            if of_job and (printed := _here()) is not None:
                printed.write(f"{record.levelname} {record.name}: {text}")
            else:
                self._stream.write(text)
                self._stream.flush()
        except Exception:
            self.handleError(record)


@contextmanager
def jobs_print_to_logs() -> Iterator[None]:
    """Have the standard streams be, in the work of jobs, the logs of these jobs: for the block."""
    usual, logging.lastResort = logging.lastResort, _LastResort(sys.stderr)
    try:
        with redirect_stdout(JobStream(sys.stdout)), redirect_stderr(JobStream(sys.stderr)):
            yield
    finally:
        logging.lastResort = usual
