"""Copies the spools of durable commands to the logs of their jobs, masked, as they grow.

A spool is a file: see `supervisor.Durable`. It is copied by a thread, a few of an engine at a time;
a short one by the loop, as lines of the log are written, because a thread takes ten times as long.
How far it was copied stands in the cursor of the job's journal, which is written with the log. The
beginning of a long one is given back to the disk.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import Protocol

from pycurrent.engine.journal import Cursor, Entry
from pycurrent.engine.masking import MaskedStream, Secrets
from pycurrent.engine.supervisor import give_back
from pycurrent.engine.tasks import in_thread, uncancellable

_CHUNK = 256 << 10
_SHORT = 16 << 10
"""So many bytes the loop copies itself."""
_AT_ONCE = 16 << 20
"""Bytes that are copied before it is another one's turn."""
_LONG = 4 << 20
"""An output for which it pays to make masking faster."""
_GIVEN_BACK = 16 << 20
"""So many bytes are given back to the disk at once."""
COPIERS = 2
"""Threads that copy at the same time."""


class SpoolSink(Protocol):
    """The log that a spool is copied to."""

    @property
    def is_ready(self) -> bool:
        """True if it takes a little text without waiting."""

    def known(self, *, compact: bool = False) -> Secrets | None:
        """All secrets; `compact` if they are to be looked for in much."""

    def append_copied(
        self, data: bytes | memoryview, number: int, place: int, *, holding: bool, is_last: bool
    ) -> bool:
        """Append what is in the spool of a command up to a place, and note that. False if it could
        not be noted yet.
        """


class SpoolPump:
    """Copies one spool. Belongs to the loop's thread, but for `copy`."""

    def __init__(self, entry: Entry, sink: SpoolSink, cursor: Cursor, turns: asyncio.Semaphore):
        """Begins where the cursor is, when it is woken. `turns` are those of all pumps of the
        engine.
        """
        self._entry = entry
        self._sink = sink
        self._turns = turns
        self._place = entry.copied
        # An earlier engine has not given back all that it has copied.
        self._given_back = 0
        self._stream = MaskedStream()
        self._file = -1
        self._grown = asyncio.Event()
        self.has_heard = False
        """True once it was woken."""
        self.ends = False
        """True once the command has ended: its spool grows no more."""
        self._is_done = cursor.is_done(entry.number)
        """True once the log has all of it, and the spool is gone."""
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is more to copy."""
        self.has_heard = True
        self._grown.set()
        if not self._is_done and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="copies a spool")

    def give_up(self) -> None:
        """The command was not begun: it has no spool."""
        self._is_done = True

    def finish_short(self) -> bool:
        """Copy all that is there, if that is little: the command has ended. False if `finished` is
        to do it. Raises OSError if it can't be read.
        """
        self.ends = True
        if self._task is not None and not self._task.done():
            return False
        if not self._is_done:
            try:
                if not self._is_short or self.copy():
                    return False
            finally:
                self._close()
        self._is_done = True
        return True

    def finish_empty(self) -> bool:
        """The command has ended, and has printed nothing: there is no need to look. False if the
        log would have to be waited for.
        """
        if not self._sink.is_ready:
            return False
        self.ends = self._is_done = True
        self._append(b"", is_last=True)
        return True

    async def settled(self) -> None:
        """Wait until it is at no work: then its file is closed."""
        while self._task is not None and not self._task.done():
            await uncancellable(self._task)

    async def finished(self) -> None:
        """Copy all that is there: the command has ended. Raises OSError if it can't be read."""
        self.ends = True
        self.wake()
        if self._task is not None:
            await uncancellable(self._task)
        self._is_done = True

    async def _run(self) -> None:
        try:
            while self._grown.is_set() and not self._is_done:
                self._grown.clear()
                if self._is_short:
                    self.copy()
                    continue
                async with self._turns:
                    if await in_thread(self.copy):
                        self._grown.set()
        finally:
            self._close()

    @property
    def _is_short(self) -> bool:
        """True if the loop may copy what is there."""
        if not self._sink.is_ready:
            return False
        self._open()
        return os.fstat(self._file).st_size - self._place <= _SHORT

    def _open(self) -> None:
        if self._file < 0:
            self._file = os.open(self._entry.spool, os.O_RDWR | os.O_CLOEXEC)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def copy(self) -> bool:
        """Copy what is there, in any thread, one at a time. True if there is more."""
        is_last = self.ends
        self._open()
        for _ in range(_AT_ONCE // _CHUNK):
            data = os.pread(self._file, _CHUNK, self._place)
            self._place += len(data)
            if data:
                secrets = self._sink.known(compact=self._place > _LONG)
                text = data if secrets is None else self._stream.feed(data, secrets)
                self._append(text)
                self._give_back()
            if len(data) < _CHUNK:
                if is_last:
                    secrets = self._sink.known()
                    rest = b"" if secrets is None else self._stream.flush(secrets)
                    if self._append(rest, is_last=True):
                        self._is_done = True
                        with suppress(OSError):
                            os.unlink(self._entry.spool)  # noqa: PTH108 - once for each command
                return False
        return True

    def _append(self, text: bytes, *, is_last: bool = False) -> bool:
        holding = not is_last and self._stream.is_holding
        number, place = self._entry.number, self._place
        is_noted = self._sink.append_copied(text, number, place, holding=holding, is_last=is_last)
        if is_noted:
            self._entry.copied = place
        return is_noted

    def _give_back(self) -> None:
        """Give what was copied back to the disk, if that is much. It is only for the room."""
        size = self._entry.copied - self._given_back
        if size < _GIVEN_BACK or sys.platform != "linux":
            return
        give_back(self._file, self._given_back, size)
        self._given_back = self._entry.copied


def held_by(entry: Entry) -> str:
    """The reason why a command waits with what it prints, in words for people."""
    from pycurrent.files.values import size_text  # few commands print so much

    size = 0
    with suppress(OSError):
        size = os.stat(entry.spool).st_blocks * 512  # noqa: PTH116 - as where it is measured
    return (
        f"the log to have what a command has printed: its spool takes {size_text(size)}, as much as"
        " it may, and the command waits"
    )
