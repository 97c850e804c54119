"""The log of a job, at once or as it grows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from time import sleep
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import JobDetailAnswer, Line, WindowAnswer
from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.jobs import JobText, status_of
from pycurrent.cli.client.remote import Remote, job_path
from pycurrent.cli.client.session import Format, Given
from pycurrent.cli.client.status import ClientExit, Unreachable
from pycurrent.cli.output import TerminalFilter

_WINDOW = 1000
_ATTEMPTS = 10
"""How often to reconnect after a stream broke off."""
_BETWEEN = 1.0
"""Seconds between two attempts."""


def log(
    job: JobText,
    /,
    *,
    follow: Annotated[
        bool,
        Parameter(alias="-f", negative="", help="Show what is added, until the job has ended."),
    ] = False,
    session: Given,
) -> int:
    """`pycurrent client log`."""
    remote = session.remote
    job_id = find_job(remote, job)
    writer = _Lines(remote, job_id) if session.form is Format.JSON else _Bytes(remote, job_id)
    writer.write()
    if not follow:
        writer.end()
        return ClientExit.OK
    _follow(writer)
    detail: JobDetailAnswer = remote.get(job_path(job_id))
    return status_of(detail)


class _Bytes:
    """Writes a log unchanged; to a terminal without control sequences except colours."""

    def __init__(self, remote: Remote, job_id: str) -> None:
        self.remote = remote
        self.job_id = job_id
        self._offset = 0
        self._terminal = TerminalFilter() if sys.stdout.isatty() else None

    def write(self) -> None:
        """Write the bytes that were added since the last time."""
        out = sys.stdout.buffer
        for piece in self.remote.text(job_path(self.job_id, "/log"), offset=self._offset):
            out.write(piece if self._terminal is None else self._terminal.feed(piece))
            self._offset += len(piece)
        out.flush()

    def end(self) -> None:
        """Write the bytes that were held back: the log is complete."""
        if self._terminal is not None:
            sys.stdout.buffer.write(self._terminal.flush())


class _Lines:
    """Writes the lines of a log as JSON, each once it has ended."""

    def __init__(self, remote: Remote, job_id: str) -> None:
        self.remote = remote
        self.job_id = job_id
        self._next = 0
        self._open: Line | None = None
        """The last line, which has not ended."""

    def write(self) -> None:
        """The lines that have ended since the last time."""
        for window in self._windows():
            ended = window["complete"] - window["first"]
            for line in window["lines"][:ended]:
                self._say(line)
            rest = window["lines"][ended:]
            self._open = rest[0] if rest else None
        sys.stdout.flush()

    def _windows(self) -> Iterator[WindowAnswer]:
        while True:
            path = job_path(self.job_id, "/lines")
            window: WindowAnswer = self.remote.get(path, from_=self._next, count=_WINDOW)
            yield window
            if not window["lines"] or self._next >= window["complete"]:
                return

    def _say(self, line: Line) -> None:
        self._next += 1
        found = {"number": self._next, **line}
        sys.stdout.write(f"{json.dumps(found, ensure_ascii=False)}\n")

    def end(self) -> None:
        """Write the last line too: the log is complete."""
        if self._open is not None:
            self._say(self._open)
        self._open = None


def _follow(writer: _Bytes | _Lines) -> None:
    """Write additions until the job has ended. After a broken connection it writes everything that
    it has missed. Raises `Unreachable` if it can't reconnect.
    """
    attempts = 0
    while True:
        try:
            for has_ended in _growth(writer):
                attempts = 0
                writer.write()
                if has_ended:
                    writer.end()
                    return
            raise Unreachable(f"the engine at {writer.remote.url} has ended the stream")
        except Unreachable:
            attempts += 1
            if attempts > _ATTEMPTS:
                raise
            sleep(_BETWEEN)


def _growth(writer: _Bytes | _Lines) -> Iterator[bool]:
    """Yield whenever the log may have grown; True if the job has ended."""
    remote, job_id = writer.remote, writer.job_id
    # Nobody reads the lines of the stream, so it can begin at the end.
    last: WindowAnswer = remote.get(job_path(job_id, "/lines"), count=1)
    for event in remote.events(job_path(job_id, "/log/stream"), from_=last["complete"]):
        yield event is not None and event.name == "end"
