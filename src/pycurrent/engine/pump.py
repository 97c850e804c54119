"""Copies what comes out of a pipe: little of it on the event loop, much of it in a thread.

Most commands print a few lines. A thread for each costs more than all else that the engine does for
a small command, and fifty threads that print now and then make the loop wait for the interpreter's
lock. But a flood has to be masked and written, maybe to a slow disk: that is for a thread of its
own, which is started when a read gives as much as it can, or when the log has fallen behind, and
which goes on to the end of the pipe.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Protocol

from pycurrent.engine.masking import MaskedStream, Secrets
from pycurrent.engine.pipe import PipeReader

_LITTLE = 16 << 10
"""Bytes that are read at once on the loop."""

_LONG = 4 * 1024 * 1024
"""An output for which it pays to make masking faster."""


class Sink(Protocol):
    """The log that a pump writes to."""

    @property
    def is_behind(self) -> bool:
        """True while data waits to be written, or secrets to be known."""

    def known(self, *, compact: bool = False) -> Secrets | None:
        """All secrets; `compact` if they are to be looked for in much."""

    def append_masked(self, data: bytes | memoryview) -> None:
        """Append it without waiting for the disk."""

    def append_chunk(self, data: bytes | memoryview) -> None:
        """Append it, and wait until it is written."""

    def release(self, pipe: PipeReader) -> None:
        """The pump has ended: close the pipe."""


class Pump:
    """Copies one pipe to a log. `ended` is set at its end; the waiter may give up."""

    def __init__(self, pipe: PipeReader, sink: Sink, name: str) -> None:
        """Begins at once. Raises RuntimeError if a thread is needed, and there can't be one."""
        self._loop = asyncio.get_running_loop()
        self._pipe = pipe
        self._sink = sink
        self._name = name
        self._stream = MaskedStream()
        self._copied = 0
        self._on_loop = True
        self._thread = threading.get_ident()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        try:
            self._loop.add_reader(pipe.fd, self._read)
        except (OSError, NotImplementedError):  # no pipe, or a loop that can't wait for it
            self._on_loop = False
            self._start_thread()
        else:
            pipe.listen(self._wake)

    def _wake(self) -> None:
        """In any thread: the pipe is to be finished or stopped."""
        if threading.get_ident() == self._thread:
            self._read()
            return
        try:
            self._loop.call_soon_threadsafe(self._read)
        except RuntimeError:  # the loop is closed: nobody reads any more
            self._sink.release(self._pipe)

    def _read(self) -> None:
        if not self._on_loop:
            return
        if self._sink.is_behind or self._copied > _LONG:
            self._go_on_in_thread()
            return
        finishing = self._pipe.is_finishing
        try:
            data = b"" if self._pipe.is_stopped else self._pipe.read(_LITTLE)
        except OSError as error:
            self._leave_loop()
            self._end(error)
            return
        if data:
            self._copy_on_loop(data, finishing=finishing)
        elif data is not None or finishing:
            self._pipe.is_cut_off = data is None
            self._sink.append_masked(self._rest())
            self._leave_loop()
            self._end(None)

    def _copy_on_loop(self, data: bytes, *, finishing: bool) -> None:
        self._sink.append_masked(self._masked(data))
        if len(data) == _LITTLE:
            self._go_on_in_thread()
        elif finishing:
            self._loop.call_soon(self._read)

    def _go_on_in_thread(self) -> None:
        self._leave_loop()
        try:
            self._start_thread()
        except RuntimeError as error:  # no more threads
            self._end(error)

    def _leave_loop(self) -> None:
        self._on_loop = False
        self._loop.remove_reader(self._pipe.fd)
        self._pipe.listen(None)

    def _end(self, error: OSError | RuntimeError | None) -> None:
        self._sink.release(self._pipe)
        self._resolve(error)

    def _resolve(self, error: OSError | RuntimeError | None) -> None:
        if self.ended.done():  # the waiting task was cancelled
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)

    def _start_thread(self) -> None:
        # A daemon: a pipe that somebody keeps open must not keep the interpreter from exiting.
        threading.Thread(target=self._run, name=f"log {self._name}", daemon=True).start()

    def _run(self) -> None:
        error = self._copy()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve, error)

    def _copy(self) -> OSError | None:
        """Runs in the thread. The error is that of reading."""
        try:
            for chunk in self._pipe.chunks():
                # Masked before it takes its turn: this may last, and the others can go on.
                self._sink.append_chunk(self._masked(chunk))
            self._sink.append_chunk(self._rest())
        except OSError as error:
            return error
        finally:
            self._sink.release(self._pipe)
        return None

    def _masked(self, data: bytes | memoryview) -> bytes | memoryview:
        self._copied += len(data)
        secrets = self._sink.known(compact=self._copied > _LONG)
        return data if secrets is None else self._stream.feed(data, secrets)

    def _rest(self) -> bytes:
        secrets = self._sink.known()
        return b"" if secrets is None else self._stream.flush(secrets)
