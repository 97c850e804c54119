"""Copies what comes out of a pipe: little of it on the event loop, much of it in a thread.

Most commands print a few lines. A thread for each costs more than all else that the engine does for
a small command. But a flood has to be masked and written, maybe to a slow disk: when a read gives
as much as it can, or when the log has fallen behind, one of a few threads copies the rest. Each of
them has many pipes, of which it copies a chunk in turn: with a thread for each the event loop would
wait for the interpreter's lock behind all of them, half a second behind fifty.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from contextlib import suppress
from typing import Protocol

from pycurrent.engine.masking import MaskedStream, Secrets
from pycurrent.engine.pipe import CHUNK, PipeReader

_LITTLE = 16 << 10
"""Bytes that are read at once on the loop."""

_LONG = 4 * 1024 * 1024
"""An output for which it pays to make masking faster."""

_MOST_COPIERS = 2
"""Threads that copy at the same time: the system copies for one while Python runs the other."""


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

    def __init__(self, pipe: PipeReader, sink: Sink, copiers: Copiers) -> None:
        """Begins at once. Raises RuntimeError or OSError if a thread is needed, and there can't be
        one.
        """
        self._loop = asyncio.get_running_loop()
        self._pipe = pipe
        self._sink = sink
        self._copiers = copiers
        self._stream = MaskedStream()
        self._copied = 0
        self._on_loop = True
        self._thread = threading.get_ident()
        self._error: Exception | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        try:
            self._loop.add_reader(pipe.fd, self._read)
        except (OSError, NotImplementedError):  # no pipe, or a loop that can't wait for it
            self._on_loop = False
            copiers.take_on(self, pipe)
        else:
            pipe.listen(self._wake)

    # On the loop

    def _wake(self) -> None:
        """In any thread: the pipe is to be finished or stopped."""
        if threading.get_ident() == self._thread and not self._loop.is_closed():
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
        finishing = self._pipe.is_told
        try:
            data = self._pipe.read(_LITTLE)
        except OSError as error:
            self._error = error
            self._end_on_loop()
            return
        if data is None:
            self._sink.append_masked(self._rest())
            self._end_on_loop()
        elif data:
            self._sink.append_masked(self._masked(data))
            if len(data) == _LITTLE:
                self._go_on_in_thread()
            elif finishing:
                self._loop.call_soon(self._read)

    def _go_on_in_thread(self) -> None:
        self._leave_loop()
        try:
            self._copiers.take_on(self, self._pipe)
        except (OSError, RuntimeError) as error:  # no more descriptors, or threads
            self._error = error
            self._end_on_loop()

    def _end_on_loop(self) -> None:
        self._leave_loop()
        self._sink.release(self._pipe)
        self._resolve()

    def _leave_loop(self) -> None:
        if self._on_loop:
            self._on_loop = False
            self._loop.remove_reader(self._pipe.fd)
            self._pipe.listen(None)

    def _resolve(self) -> None:
        if self.ended.done():  # the waiting task was cancelled
            return
        if self._error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(self._error)

    # In a thread

    def copy(self, buffer: memoryview) -> bool:
        """Copy a chunk, if there is one now, by means of the buffer. False if it was the last."""
        try:
            count = self._pipe.read_into(buffer)
            if count is not None:
                if count:
                    # Masked before it takes its turn: this may last, and others write meanwhile.
                    self._sink.append_chunk(self._masked(buffer[:count]))
                return True
            self._sink.append_chunk(self._rest())
        except Exception as error:
            self._error = error
        return False

    def end(self) -> None:
        """Nothing more is copied."""
        self._pipe.listen(None)
        self._sink.release(self._pipe)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve)

    # In both

    def _masked(self, data: bytes | memoryview) -> bytes | memoryview:
        self._copied += len(data)
        secrets = self._sink.known(compact=self._copied > _LONG)
        return data if secrets is None else self._stream.feed(data, secrets)

    def _rest(self) -> bytes:
        secrets = self._sink.known()
        return b"" if secrets is None else self._stream.flush(secrets)


class Copiers:
    """The threads of one engine that copy floods. They come when there is one, and go with it."""

    def __init__(self) -> None:
        self._all: list[_Copier] = []

    def take_on(self, pump: Pump, pipe: PipeReader) -> None:
        """Have a thread copy it to its end. From the loop's thread only.

        Raises RuntimeError or OSError if a thread is needed, and there can't be one.
        """
        self._all = [copier for copier in self._all if copier.is_alive()]
        least = min(self._all, key=lambda copier: copier.load, default=None)
        suffices = least is not None and (not least.load or len(self._all) >= _MOST_COPIERS)
        if least is not None and suffices and least.take_on(pump, pipe):
            return
        copier = _Copier()
        copier.take_on(pump, pipe)
        try:
            copier.start()
        except RuntimeError:  # no more threads
            pipe.listen(None)
            copier.close()
            raise
        self._all.append(copier)


class _Copier(threading.Thread):
    """Copies what comes out of its pipes, a chunk of each in turn; ends when it has none."""

    def __init__(self) -> None:
        # A daemon: a pipe that somebody keeps open must not keep the interpreter from exiting.
        super().__init__(name="copies output to logs", daemon=True)
        self._pumps: dict[int, tuple[Pump, PipeReader]] = {}
        self._told: list[int] = []
        """Pipes that are to be looked at, be they ready or not."""
        self._guard = threading.Lock()  # of what other threads use, too
        self._closed = False
        self._poll = select.poll()
        self._woken, self._waker = os.pipe()
        self._poll.register(self._woken, select.POLLIN)

    @property
    def load(self) -> int:
        """How many pipes it has."""
        return len(self._pumps)

    def take_on(self, pump: Pump, pipe: PipeReader) -> bool:
        """False if it has just ended."""
        with self._guard:
            if self._closed:
                return False
            self._pumps[pipe.fd] = pump, pipe
        self._look(pipe.fd)
        pipe.listen(lambda: self._look(pipe.fd))
        return True

    def _look(self, fd: int) -> None:
        """In any thread: have a look at a pipe."""
        with self._guard:
            if not self._closed:
                self._told.append(fd)
                os.write(self._waker, b"!")

    def close(self) -> None:
        """It takes on nothing more."""
        with self._guard:
            self._closed = True
            os.close(self._woken)
            os.close(self._waker)

    def run(self) -> None:
        buffer = memoryview(bytearray(CHUNK))
        told: set[int] = set()
        while self._goes_on():
            ready = {fd for fd, _ in self._poll.poll(0 if told else None)}
            if self._woken in ready:
                ready.remove(self._woken)
                told |= self._news()
            # Told to end, they are read until then, ready or not.
            told = {fd for fd in told | ready if self._copy(fd, buffer)}

    def _goes_on(self) -> bool:
        with self._guard:
            if self._pumps:
                return True
        self.close()
        return False

    def _news(self) -> set[int]:
        os.read(self._woken, 4096)
        with self._guard:
            told, self._told = self._told, []
            news = self._pumps.keys() & told
        for fd in news:
            self._poll.register(fd, select.POLLIN)
        return news

    def _copy(self, fd: int, buffer: memoryview) -> bool:
        """Copy a chunk of a pipe. True if it is to be looked at again at once."""
        pump, pipe = self._pumps[fd]
        if pump.copy(buffer):
            return pipe.is_told
        self._poll.unregister(fd)
        with self._guard:
            del self._pumps[fd]
        pump.end()
        return False
